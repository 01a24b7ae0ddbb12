"""How an agent is named inside the core, and what reads and writes its rows."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["AgentKey", "Connection", "Rows"]


class Connection(Protocol):
    """A transaction of the store, or a connection of its readers."""

    def execute(self, sql: str, params: Sequence[str | int | float | bytes | None] = ..., /) -> sqlite3.Cursor:
        """Runs one statement."""
        ...


class Rows(Connection, Protocol):
    """A transaction of the store, as far as it changes rows."""

    def execute_in(
        self, room: str, sql: str, params: Sequence[str | int | float | bytes | None] = ..., /
    ) -> sqlite3.Cursor:
        """Runs one statement where the rows of a room are; `{at}.` stands before the tables that it changes."""
        ...


class AgentKey(NamedTuple):
    """The key of an agent."""

    room: str
    """32 lower-case hexadecimal characters."""
    agent: str

    @property
    def module_id(self) -> str:
        """`{roomId}:{name}`."""
        return f"{self.room}:{self.agent}"
