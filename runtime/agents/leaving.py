"""What becomes of a room's agents when this node leaves it, or is out of it by others' words. Core loop only."""

import contextlib

from runtime.agents.executor import Executor
from runtime.agents.keys import AgentKey
from runtime.errors import NotFoundError

__all__ = ["retire", "wipe"]


async def retire(agents: Executor, room: str) -> list[AgentKey]:
    """Stops every agent of a room: none is called, probed or holds a lease.

    What is stored of them stays. While this node is out of the room, none of them can be started.

    Args:
        agents: runs them.
        room: its id.

    Returns:
        Those that were on.

    Raises:
        UnavailableError: the host could not store it.
    """
    stopped = []
    for record in await agents.modules.list(room):
        with contextlib.suppress(NotFoundError):  # it was deleted meanwhile
            if await agents.deactivate(record.key, reason="left"):
                stopped.append(record.key)
    return stopped


async def wipe(agents: Executor, room: str) -> None:
    """Deletes all agents of a room of which nothing is kept; the shipped ones as well.

    Args:
        agents: runs them.
        room: its id.

    Raises:
        UnavailableError: the host could not store it.
    """
    await agents.forget(room)
    await agents.modules.wipe(room)
