"""Carries out what supervision decides: stops, waits, starts again, gives up."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace

from runtime.clock import Clock
from runtime.component_events import ComponentGivenUp, ComponentRestarting
from runtime.components.housing import Fall
from runtime.components.lifecycle import Life
from runtime.components.supervision import Failure, Group, Round, Rules, Watch, begun, failed
from runtime.components.unit import Unit
from runtime.errors import OrlopError
from runtime.events import CoreError, Event
from runtime.sanitise import clean

__all__ = ["Supervisor", "at_rest"]


def at_rest(life: Life) -> bool:
    """Whether nothing of a component runs, nor is on its way to."""
    return life.state in {"absent", "installed", "stopped", "failed", "given-up"} and not life.starting


class Supervisor:
    """Watches over all units.

    Args:
        groups: of the configuration, by name; a component in none of them is a group of one by its own rules.
        units: all of them, by name; as it is at each moment.
        clock: tells the time.
        emit: says that something happened.
        given_up: keeps that a group was given up: its members, who fell last, the reasons and the event.
    """

    def __init__(
        self,
        groups: Mapping[str, Group],
        units: Mapping[str, Unit],
        clock: Clock,
        emit: Callable[[Event], None],
        given_up: Callable[[tuple[str, ...], str, tuple[str, ...], Event], None],
    ) -> None:
        self._groups = groups
        self._group_of = {member: name for name, group in groups.items() for member in group.members}
        self._units = units
        self._clock = clock
        self._emit = emit
        self._keep_given_up = given_up
        self._watches: dict[str, Watch] = {}
        self._rounds: dict[str, asyncio.Task[None]] = {}
        self._due: dict[str, set[str]] = {}
        self._closed = False

    def fell(self, unit: Unit, fall: Fall) -> None:
        """A unit failed: decides by its group's rules what follows, and begins it.

        Args:
            unit: which; its life is `failed`.
            fall: why.
        """
        if self._closed:
            return
        name, group = self._key(unit.name), self._group(unit)
        failure = Failure(
            member=unit.name,
            reason=fall.reason,
            restart=unit.installed.manifest.supervision.restart,
            innocent=fall.innocent,
        )
        now, chance = self._clock.monotonic(), random.uniform(-1, 1)  # noqa: S311 - no secret
        watch = self._watches[name] = failed(self._watches.get(name, Watch()), group, failure, now, chance)
        if watch.given_up:
            self._give_up(group, unit, watch.reasons)
        elif watch.round is not None:
            self._prepare(name, unit, watch.round, fall.reason)

    def forget(self, component: str) -> None:
        """An operator started or removed a component: its failures count no more.

        Args:
            component: its name.
        """
        key = self._key(component)
        watch = self._watches.pop(key, None)
        if watch is not None and watch.round is not None:  # others of its group wait for it
            self._watches[key] = Watch(round=watch.round)

    def spare(self, component: str) -> bool:
        """An operator stops a component: it does not come back with its group.

        Args:
            component: its name.

        Returns:
            Whether it would have.
        """
        key = self._key(component)
        due, watch = self._due.get(key, set()), self._watches.get(key, Watch())
        was_due = component in due or (watch.round is not None and component in watch.round.start)
        due.discard(component)
        if watch.round is not None:
            start = tuple(one for one in watch.round.start if one != component)
            self._watches[key] = replace(watch, round=replace(watch.round, start=start))
        return was_due

    async def close(self) -> None:
        """Restarts nothing any more."""
        self._closed = True
        rounds = list(self._rounds.values())
        for task in rounds:
            task.cancel()
        if rounds:
            await asyncio.wait(rounds)

    def _key(self, component: str) -> str:
        return self._group_of.get(component, component)

    def _group(self, unit: Unit) -> Group:
        known = self._groups.get(self._group_of.get(unit.name, ""))
        if known is not None:
            return known
        rules = unit.installed.manifest.supervision
        return Group(
            (unit.name,),
            rules=Rules(
                max_restarts=rules.max_restarts,
                window_s=rules.window / 1000,
                backoff_initial_s=rules.backoff_initial / 1000,
                backoff_max_s=rules.backoff_max / 1000,
            ),
        )

    def _give_up(self, group: Group, fallen: Unit, reasons: tuple[str, ...]) -> None:
        for unit in filter(None, map(self._units.get, group.members)):
            with suppress(OrlopError):  # it rests already
                if unit.life.state == "failed":
                    unit.want("give-up", reasons[-1])
                else:
                    unit.want("stop", f"its group was given up: {reasons[-1]}")
        told = ComponentGivenUp(
            component=fallen.name, group=self._group_of.get(fallen.name, ""), reasons=tuple(reasons)
        )
        self._keep_given_up(group.members, fallen.name, reasons, told)

    def _prepare(self, name: str, fallen: Unit, plan: Round, reason: str) -> None:
        """Stops those that go down with it; the round begins when it is due, once for all failures until then."""
        for unit in filter(None, map(self._units.get, plan.stop)):
            unit.shutdown_reason = "restarting"
            with suppress(OrlopError):  # it rests already
                unit.want("stop", f"{fallen.name} failed")
        delay_s = max(0.0, plan.due - self._clock.monotonic())
        self._emit(
            ComponentRestarting(
                component=fallen.name,
                group=self._group_of.get(fallen.name, ""),
                members=plan.start,
                reason=reason,
                delay_ms=round(delay_s * 1000),
            )
        )
        if name not in self._rounds:
            self._begin(name, self._carry_out(name, delay_s))

    def _begin(self, name: str, work: Coroutine[object, object, None]) -> None:
        task = self._rounds[name] = asyncio.get_running_loop().create_task(work)

        def ended(done: asyncio.Task[None]) -> None:
            self._rounds.pop(name, None)
            self._due.pop(name, None)
            error = None if done.cancelled() else done.exception()
            if error is not None:
                why = clean(f"{type(error).__name__}: {error}", 300)
                self._emit(CoreError(where=f"restart of {name}", error=why))
            watch = self._watches.get(name)
            if not self._closed and watch is not None and watch.round is not None:  # somebody fell meanwhile
                self._begin(name, self._carry_out(name, max(0.0, watch.round.due - self._clock.monotonic())))

        task.add_done_callback(ended)

    async def _carry_out(self, name: str, delay_s: float) -> None:
        """Starts the members of a round, one after another, each once the one before runs."""
        await asyncio.sleep(delay_s)
        watch = self._watches.get(name)
        if watch is None or watch.round is None:
            return
        plan, self._watches[name] = watch.round, begun(watch)
        due = self._due[name] = set(plan.start)
        known = self._groups.get(name)
        apart = known is not None and known.strategy == "one-for-one"
        for unit in filter(None, map(self._units.get, plan.start)):
            if not await self._again(unit, due) and not apart:
                return

    async def _again(self, unit: Unit, due: set[str]) -> bool:
        """Starts a member that an operator did not stop meanwhile; whether it runs then."""
        await unit.until(lambda life: at_rest(life) or life.starting or life.state in {"running", "suspended"})
        if unit.name in due and at_rest(unit.life) and unit.life.state != "given-up":
            due.discard(unit.name)
            with suppress(OrlopError):  # it was uninstalled meanwhile
                unit.want("retry" if unit.life.state == "failed" else "start")
        life = await unit.until(lambda life: not life.starting)
        return life.state in {"running", "suspended"}
