"""What is stored of agents, to be looked at; `runtime.agents.modules` changes it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from runtime.agents.breaker import Breaker
from runtime.agents.diagnostics import Diagnostics
from runtime.agents.keys import AgentKey, Connection
from runtime.agents.records import (
    AgentRecord,
    DamagedAgent,
    StoredAgent,
    find_record,
    read_agents,
    read_breaker,
    read_breakers,
    read_record,
    read_records,
)
from runtime.agents.state import state_sizes
from runtime.agents.uploads import ModuleDetails
from runtime.agents.versions import read_versions
from runtime.errors import NotFoundError
from runtime.store import Store

__all__ = ["ModuleShelf"]

_T = TypeVar("_T")


class ModuleShelf:
    """Stored agents.

    Args:
        store: their rows.
        diagnostics: what they said.
    """

    def __init__(self, store: Store, diagnostics: Diagnostics) -> None:
        self.store = store
        self.diagnostics = diagnostics

    async def list(self, room: str | None = None) -> list[AgentRecord]:
        """All agents that can be read, or those of one room, by room and name.

        Args:
            room: its id.

        Returns:
            The records.
        """
        return await self._read(lambda connection: read_records(connection, room))

    async def damaged(self) -> tuple[DamagedAgent, ...]:
        """The agents whose rows cannot be read.

        Returns:
            What is known of them.
        """
        found = await self._read(read_agents)
        return tuple(one for one in found if isinstance(one, DamagedAgent))

    async def get(self, key: AgentKey) -> AgentRecord:
        """One agent.

        Args:
            key: whose.

        Returns:
            The record.

        Raises:
            NotFoundError: there is none.
            RowDamagedError: its row cannot be read.
        """
        record = await self._read(lambda connection: read_record(connection, key))
        if record is None:
            raise NotFoundError(f"Module not found: {key.module_id}")
        return record

    async def find(self, reference: str, room: str | None = None) -> StoredAgent:
        """The agent that a person means, be it damaged.

        Args:
            reference: its name, or a unique beginning of at least four characters.
            room: id of the room that it is in, if that was said.

        Returns:
            What is stored of it.

        Raises:
            NotFoundError: none fits.
            AmbiguousError: several fit.
        """
        return find_record(await self._read(lambda connection: read_agents(connection, room)), reference)

    async def breakers(self) -> dict[AgentKey, Breaker]:
        """The breakers that have seen a failure.

        Returns:
            By agent.
        """
        return await self._read(read_breakers)

    async def breaker(self, key: AgentKey) -> Breaker:
        """The breaker of an agent.

        Args:
            key: whose.

        Returns:
            A closed one when nothing is known of it.
        """
        return await self._read(lambda connection: read_breaker(connection, key))

    async def details(self, key: AgentKey) -> ModuleDetails:
        """Everything that is stored of an agent.

        Args:
            key: whose.

        Returns:
            The details.

        Raises:
            NotFoundError: there is none.
        """

        def query(connection: Connection) -> ModuleDetails | None:
            record = read_record(connection, key)
            if record is None:
                return None
            return ModuleDetails(
                record=record,
                versions=tuple(read_versions(connection, key)),
                breaker=read_breaker(connection, key),
                entries=tuple(self.diagnostics.read(connection, key)),
                state_bytes=state_sizes(connection).get(key, 0),
            )

        found = await self._read(query)
        if found is None:
            raise NotFoundError(f"Module not found: {key.module_id}")
        return found

    async def _read(self, query: Callable[[Connection], _T]) -> _T:
        return await asyncio.wrap_future(self.store.read(query))
