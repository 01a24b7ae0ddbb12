"""What the screen remembers from one start to the next, and its file `ui.toml`.

Filters, marks and lines of the prompt are not remembered: a filter would hide rows from somebody who forgot it, and
what was typed may be content, which is kept sealed.
"""

import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from runtime import durable
from runtime.errors import OrlopError, UnavailableError
from runtime.sanitise import clean

__all__ = ["Notebook", "Order", "Remembered", "from_toml", "to_toml"]

_SIZE_MAX = 64 << 10
_TEXT_MAX = 40

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Order:
    """How a table is sorted; an empty column means as the rows come."""

    column: str
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the operator chose on the screen, and was told once; what was never chosen is None, or missing."""

    theme: str | None = None
    mouse: bool | None = None
    pane: int | None = None
    """Number of the pane that was looked at last."""
    follow: bool | None = None
    """Whether the log follows the newest event."""
    agents_told: bool | None = None
    """Whether it was said what agents are."""
    orders: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))
    """By table."""


def from_toml(text: str) -> Remembered:
    """Reads the file's text; what it does not know is passed over, so that a later version's file can be read.

    Raises:
        ValueError: it is no TOML, or a value has the wrong type.
    """
    tables = tomllib.loads(text)
    orders: dict[str, Order] = {}
    sort = _typed(tables, "sort", dict) or {}
    for name in sort:
        order = _typed(sort, name, dict) or {}
        orders[name] = Order(_typed(order, "column", str) or "", descending=_typed(order, "descending", bool) or False)
    return Remembered(
        theme=_typed(tables, "theme", str),
        mouse=_typed(tables, "mouse", bool),
        pane=_typed(tables, "pane", int),
        follow=_typed(tables, "follow", bool),
        agents_told=_typed(tables, "agents_told", bool),
        orders=MappingProxyType(orders),
    )


def to_toml(kept: Remembered) -> str:
    """The file's text."""
    import tomli_w

    chosen = {
        "theme": kept.theme,
        "mouse": kept.mouse,
        "pane": kept.pane,
        "follow": kept.follow,
        "agents_told": kept.agents_told,
    }
    tables: dict[str, object] = {name: value for name, value in chosen.items() if value is not None}
    if kept.orders:
        tables["sort"] = {
            name: {"column": order.column, "descending": order.descending} for name, order in kept.orders.items()
        }
    return tomli_w.dumps(tables)


class Notebook:
    """The file. It is read once, when this is made; a screen goes on whatever becomes of it.

    Args:
        path: `ui.toml` of the state directory, which need not exist yet; None to remember nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._damage = ""
        self._failed = False
        self._turn = threading.Lock()
        self.notice = ""
        """Why what was remembered could not be read; empty when it could."""
        self.kept = self._read()
        """As it is in the file."""

    def _read(self) -> Remembered:
        if self._path is None:
            return Remembered()
        try:
            data = durable.read(self._path, limit=_SIZE_MAX)
            return from_toml(data.decode()) if data is not None else Remembered()
        except UnavailableError as error:
            self.notice = f"what the screen remembers cannot be read: {error}"
        except OrlopError as error:
            self._damage = error.why
        except ValueError as error:
            self._damage = clean(str(error), 120)
        except RecursionError:
            self._damage = "nested too deeply"
        if self._damage:
            self.notice = f"{clean(str(self._path), 200)} is damaged ({self._damage}): the screen begins afresh"
        return Remembered()

    def set_aside(self) -> None:
        """Keeps a damaged file under another name; to be called once the directory is ours."""
        if self._damage and self._path is not None:
            aside = self._path.with_name(f"{self._path.name}.damaged")
            try:
                self._path.replace(aside)
            except OSError as error:
                self.notice += f"; it cannot be set aside: {(error.strerror or type(error).__name__).lower()}"
            else:
                self.notice += f"; the file is kept as {aside.name}"

    def write(self, newest: Callable[[], Remembered]) -> str:
        """Writes the file, if that changes it; from any thread.

        Args:
            newest: what to remember, asked when it is this caller's turn to write.

        Returns:
            Why it could not be written, the first time; else an empty text.
        """
        with self._turn:
            kept = newest()
            if self._path is None or kept == self.kept:
                return ""
            try:
                durable.replace(self._path, to_toml(kept).encode())
            except UnavailableError as error:
                said = "" if self._failed else f"what the screen remembers cannot be written: {error}"
                self._failed = True
                return said
            self.kept = kept
            return ""


def _typed(table: Mapping[str, object], name: str, kind: type[_Value]) -> _Value | None:
    """A value of a table; None where it is missing."""
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{clean(name, _TEXT_MAX)} is no {kind.__name__}")
