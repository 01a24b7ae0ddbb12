"""Readers of single values: each takes what TOML gave and returns it in its declared type, or says what is wrong."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final, Generic, TypeVar

from runtime.components.manifest.faults import Fault, KeyPath
from runtime.quantities import format_duration_ms, format_size
from runtime.sanitise import clean

__all__ = [
    "BadValueError",
    "Key",
    "Place",
    "Reader",
    "boolean",
    "choice",
    "duration",
    "group",
    "integer",
    "items",
    "kind",
    "matching",
    "size",
    "string",
    "table",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_SHOWN: Final = 60


class BadValueError(Exception):
    """What is wrong with one value; an empty reason when it was told already."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and where faults are gathered."""

    path: KeyPath
    faults: list[Fault]

    def at(self, part: str | int) -> "Place":
        """A key or item below."""
        return Place((*self.path, part), self.faults)

    def tell(self, reason: str) -> None:
        """Notes a fault here."""
        self.faults.append(Fault(self.path, reason))

    def read(self, reader: "Reader[T]", value: object) -> T | None:
        """What a reader makes of a value; None when it is faulty, which is noted then."""
        try:
            return reader(value, self)
        except BadValueError as error:
            if error.reason:
                self.tell(error.reason)
            return None


Reader = Callable[[object, Place], T]


@dataclass(frozen=True, slots=True)
class Key(Generic[T_co]):
    """One key of a table.

    Attributes:
        reader: of its value.
        type: what it is, for the reference.
        default: as it is shown; `required` for a key that must be there.
        rule: bounds and meaning, for the reference.
        keys: of a table with keys of its own.
        listed: it is a list of such tables.
    """

    reader: "Reader[T_co]"
    type: str
    default: str
    rule: str
    keys: Mapping[str, "Key[object]"] = field(default_factory=dict)
    listed: bool = False

    @property
    def required(self) -> bool:
        """Whether it must be there."""
        return self.default == "required"


def table(make: Callable[..., T], keys: Mapping[str, Key[object]]) -> Reader[T]:
    """A reader of a table with these keys and no others; `make` gets those that are there, by name."""

    def read(value: object, place: Place) -> T:
        if not isinstance(value, dict):
            raise BadValueError(f"a table is needed, found {kind(value)}")
        before = len(place.faults)
        found = {}
        for name in value:
            if name not in keys:
                place.at(name).tell(f"unknown key{_suggestion(name, keys)}")
        for name, key in keys.items():
            if name in value:
                found[name] = place.at(name).read(key.reader, value[name])
            elif key.required and key.keys:
                place.at(name).read(key.reader, {})
            elif key.required:
                place.at(name).tell("missing")
        if len(place.faults) > before:
            raise BadValueError
        return make(**found)

    return read


def group(make: Callable[..., T], keys: Mapping[str, Key[object]], rule: str, default: str = "empty") -> Key[T]:
    """A key whose value is a table with keys of its own."""
    return Key(table(make, keys), "table", default, rule, keys)


def _suggestion(name: str, keys: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name[:_SHOWN], list(keys), 1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def items(reader: Reader[T], limit: int) -> Reader[tuple[T, ...]]:
    """A reader of a list."""

    def read(value: object, place: Place) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise BadValueError(f"a list is needed, found {kind(value)}")
        if len(value) > limit:
            raise BadValueError(f"{len(value)} entries are more than {limit}")
        before = len(place.faults)
        found = [place.at(index).read(reader, item) for index, item in enumerate(value)]
        if len(place.faults) > before:
            raise BadValueError
        return tuple(item for item in found if item is not None)

    return read


def boolean(value: object, place: Place) -> bool:  # noqa: ARG001 - a Reader
    """Reads true or false."""
    if not isinstance(value, bool):
        raise BadValueError(f"a boolean is needed, found {kind(value)}")
    return value


def string(limit: int) -> Reader[str]:
    """A reader of text of at most so many characters."""

    def read(value: object, place: Place) -> str:  # noqa: ARG001 - a Reader
        if not isinstance(value, str):
            raise BadValueError(f"a string is needed, found {kind(value)}")
        if len(value) > limit:
            raise BadValueError(f"{len(value)} characters are more than {limit}")
        return value

    return read


def matching(pattern: re.Pattern[str], needed: str, limit: int) -> Reader[str]:
    """A reader of text of one form; `needed` says which."""
    text = string(limit)

    def read(value: object, place: Place) -> str:
        found = text(value, place)
        if not pattern.fullmatch(found):
            raise BadValueError(f'"{clean(found, _SHOWN)}": {needed}')
        return found

    return read


def choice(options: Sequence[str]) -> Reader[str]:
    """A reader of one of some texts."""

    def read(value: object, place: Place) -> str:  # noqa: ARG001 - a Reader
        if not isinstance(value, str):
            raise BadValueError(f"a string is needed, found {kind(value)}")
        if value not in options:
            near = difflib.get_close_matches(value[:_SHOWN], options, 1)
            meant = f' (did you mean "{near[0]}"?)' if near else ""
            raise BadValueError(f'"{clean(value, _SHOWN)}" is none of {", ".join(options)}{meant}')
        return value

    return read


def integer(lowest: int, highest: int) -> Reader[int]:
    """A reader of a whole number within bounds."""

    def read(value: object, place: Place) -> int:  # noqa: ARG001 - a Reader
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadValueError(f"an integer is needed, found {kind(value)}")
        return _bounded(value, str(value), (lowest, highest), str)

    return read


_SIZES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATIONS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_AMOUNT: Final = re.compile(r"([0-9]{1,15})([A-Za-z]+)", re.ASCII)


def size(lowest: int, highest: int) -> Reader[int]:
    """A reader of bytes: an integer, or text as `64MiB`."""
    return _amount(_SIZES, "a size such as 64MiB (B, KiB, MiB, GiB)", (lowest, highest), format_size)


def duration(lowest: int, highest: int) -> Reader[int]:
    """A reader of milliseconds: an integer, or text as `5s`."""
    return _amount(_DURATIONS, "a duration such as 5s (ms, s, m, h)", (lowest, highest), format_duration_ms)


def _amount(units: Mapping[str, int], needed: str, bounds: tuple[int, int], shown: Callable[[int], str]) -> Reader[int]:
    def read(value: object, place: Place) -> int:  # noqa: ARG001 - a Reader
        if isinstance(value, int) and not isinstance(value, bool):
            return _bounded(value, str(value), bounds, shown)
        if not isinstance(value, str):
            raise BadValueError(f"{needed} is needed, found {kind(value)}")
        match = _AMOUNT.fullmatch(value)
        if match is None or match[2] not in units:
            raise BadValueError(f'"{clean(value, _SHOWN)}" is not {needed}')
        return _bounded(int(match[1]) * units[match[2]], value, bounds, shown)

    return read


def _bounded(value: int, text: str, bounds: tuple[int, int], shown: Callable[[int], str]) -> int:
    if value < bounds[0]:
        raise BadValueError(f"{text} is less than {shown(bounds[0])}")
    if value > bounds[1]:
        raise BadValueError(f"{text} is more than {shown(bounds[1])}")
    return value


def kind(value: object) -> str:
    """What a value is, in words."""
    for of, words in (
        (bool, "a boolean"), (int, "an integer"), (float, "a fraction"), (str, "a string"), (list, "a list"),
        (dict, "a table"), ((datetime, date, time), "a date"),
    ):  # fmt: skip
        if isinstance(value, of):
            return words
    return type(value).__name__
