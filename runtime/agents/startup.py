"""From records to running agents: one that is turned on, all that were on when the program ended. Core loop only."""

import asyncio

from runtime.agents.breaker import CLOSED
from runtime.agents.figures import Figures, Phase
from runtime.agents.modules import AgentModules
from runtime.agents.records import AgentRecord
from runtime.agents.roster import Roster
from runtime.agents.running import Running
from runtime.agents.starts import ACTIVATION
from runtime.errors import OrlopError
from runtime.sanitise import clean

__all__ = ["Startup"]


class Startup:
    """Starts agents.

    Args:
        modules: what is stored of them.
        running: takes those that were started.
        live: those that run.
    """

    def __init__(self, modules: AgentModules, running: Running, live: Roster) -> None:
        self._modules = modules
        self._running = running
        self._live = live

    async def start(self, record: AgentRecord, *, restored: bool) -> None:
        """Starts an agent.

        Args:
            record: whose; behind its door.
            restored: whether it was on before the program ended.

        Raises:
            FailedError: it could not be started; nothing of it is left.
            UnavailableError: the host failed.
        """
        figures = await self._running.fresh(record.key)
        figures.phase = Phase.STARTING
        live = self._running.new(record, figures)
        try:
            self._running.check_member(record.key)
            await self._running.starts.activate(live, restored=restored)
        except OrlopError as error:
            figures.phase, figures.problem = Phase.FAILED, clean(error.why.removeprefix(ACTIVATION), 200)
            raise
        self._running.enlist(live)

    async def restore(self) -> int:
        """Starts every agent that was active when the program ended, all at once.

        Returns:
            How many are active. Those that failed say so themselves.
        """
        for one in await self._modules.damaged():
            self._running.faulted(f"agent {clean(one.key.module_id, 80)}", one.error)
        breakers = await self._modules.breakers()
        records = await self._modules.list()
        for record in records:
            if record.key in self._live:
                continue
            breaker = breakers.get(record.key, CLOSED)
            phase = Phase.TRIPPED if breaker.open else Phase.STARTING if record.active else Phase.OFF
            self._running.figures[record.key] = Figures(phase=phase, breaker=breaker)
            self._running.prober.plan(record.key, breaker)
        wanted = [record for record in records if record.active and not breakers.get(record.key, CLOSED).open]
        self._running.timetable.arm()
        return sum(await asyncio.gather(*(self._restore(record) for record in wanted)))

    async def _restore(self, record: AgentRecord) -> bool:
        async with self._running.door(record.key):
            try:
                if record.key not in self._live:  # somebody was faster
                    record = await self._modules.get(record.key)
                    if not record.active:
                        return False
                    await self.start(record, restored=True)
            except OrlopError:
                return False  # told by the agent's own events
            return True
