"""Columns with the types that readers count on.

SQLite keeps whatever somebody writes into a column, a text where a number is declared; a reader that trusts the
declaration fails far from the row that is to blame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.database import DatabaseDamagedError
from runtime.sanitise import clean

__all__ = ["Columns", "RowDamagedError"]

_WORDS: Mapping[type, str] = {int: "a whole number", str: "a text", bytes: "bytes", float: "a fraction"}


class RowDamagedError(DatabaseDamagedError):
    """A row does not hold what it should; the line names table and row."""

    def __init__(self, table: str, row: str, why: str, *, hint: str = "put the database back from a backup") -> None:
        super().__init__(f"the database is damaged: table `{table}`, row {clean(row, 100)}: {why}", hint=hint)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a reader selects of a table, in order.

    Attributes:
        table: its name.
        kinds: the column's types by name.
        key: how many of the first columns name the row in messages.
        hint: what to do about a row that is damaged.
        optional: the columns that may be NULL.
    """

    table: str
    kinds: Mapping[str, type]
    key: int = 1
    hint: str = "put the database back from a backup"
    optional: frozenset[str] = frozenset()

    @property
    def names(self) -> str:
        """For a SELECT."""
        return ", ".join(self.kinds)

    def checked(self, row: Sequence[Any]) -> Sequence[Any]:
        """The row, if every value has its column's type.

        Args:
            row: as SQLite gives it.

        Raises:
            RowDamagedError: the first that has not.
        """
        for value, (name, kind) in zip(row, self.kinds.items(), strict=True):
            if type(value) is not kind and not (value is None and name in self.optional):
                found = _WORDS.get(type(value), "nothing")
                raise self.damaged(row, f"`{name}` holds {found}, not {_WORDS[kind]}")
        return row

    def damaged(self, row: Sequence[Any], why: str) -> RowDamagedError:
        """What is raised about a row.

        Args:
            row: it.
            why: what is wrong with it.
        """
        named = ":".join(value if isinstance(value, str) else repr(value) for value in row[: self.key])
        return RowDamagedError(self.table, named, why, hint=self.hint)
