"""Compiled code of agents, shared by all that have the same module. Core loop only."""

import asyncio
from weakref import WeakValueDictionary

from runtime.agents.instance import AgentModule
from runtime.agents.modules import AgentModules
from runtime.agents.records import AgentRecord

__all__ = ["ModuleLoader"]


class ModuleLoader:
    """Loads modules.

    Args:
        stored: where they are.
    """

    def __init__(self, stored: AgentModules) -> None:
        self._stored = stored
        self._modules: WeakValueDictionary[str, AgentModule] = WeakValueDictionary()
        self._compiling: dict[str, asyncio.Task[AgentModule]] = {}

    async def module(self, record: AgentRecord) -> AgentModule:
        """The compiled code of an agent; its file is read and verified again every time, and who vouches for it judged.

        Args:
            record: whose.

        Returns:
            The module, shared by all agents that have the same.

        Raises:
            OrlopError: the file was changed or is gone, nobody vouches for it any more, or it cannot be compiled.
        """
        await self._stored.vouched(record)
        wasm = await asyncio.to_thread(self._stored.bytes_in(record.key.room).read, record.hash)
        known = self._modules.get(record.hash)
        if known is not None:
            return known
        task = self._compiling.get(record.hash)
        if task is None:
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(self._compile, record.key.room, wasm))
            self._compiling[record.hash] = task
            task.add_done_callback(lambda _: self._compiling.pop(record.hash, None))
        module = await asyncio.shield(task)
        return self._modules.setdefault(record.hash, module)

    def _compile(self, room: str, wasm: bytes) -> AgentModule:
        return AgentModule.of(self._stored.compile(room, wasm))
