"""The filter language of tables: words, columns, numbers and regular expressions, all of which a row must satisfy.

`word` is found anywhere in the row, `!word` is not, `"two words"` are found together, `col:word` in one column,
`col>5` `col>=5` `col<5` `col<=5` `col=5` compare what stands behind the cell (sizes and durations take a unit:
`mem>64MiB`, `p95>1.5ms`), `re:expr` searches the row with a regular expression and `col:re:expr` one column.
Everything is case-insensitive. Pure: it knows rows and columns, no screen.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from runtime.errors import UsageError

__all__ = ["GRAMMAR", "FieldSpec", "Filter", "FilterError", "Unit", "Value", "parse_filter"]

GRAMMAR = 'word  !not  "two words"  col:word  col>5  col<=64MiB  re:^a.*z$   all must hold'
"""One line of help, shown while a filter is typed."""

Value = str | int | float | None
"""What stands behind a cell: what it sorts by and is compared with."""

Unit = Literal["", "bytes", "us", "ms"]
"""In which unit a column's numbers are kept."""

Test = Callable[[str, Sequence[str], Sequence[Value]], bool]
"""One term: (lower-case text of the row, its cells, its values) → whether it holds."""


class FilterError(UsageError):
    """A filter that cannot be read; the last good one stays in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """A column as the filter sees it."""

    name: str
    unit: Unit = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter. `text` is what the operator wrote."""

    text: str
    tests: tuple[Test, ...]

    def matches(self, text: str, cells: Sequence[str], values: Sequence[Value]) -> bool:
        """Whether a row passes.

        Args:
            text: the row's cells, joined and in lower case.
            cells: as shown.
            values: as sorted, one per cell.
        """
        return all(test(text, cells, values) for test in self.tests)


_TOKEN = re.compile(r'(?P<not>!?)(?P<body>(?:[^\s"]|"[^"]*")+)')
_COLUMN = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]*)(?P<op>>=|<=|:|>|<|=)(?P<rest>.*)", re.DOTALL)
_NUMBER = re.compile(r"(?P<digits>-?\d+(?:\.\d+)?)(?P<unit>[a-zµ]*)")
_NESTED = re.compile(r"\([^()]*[+*}][^()]*\)[+*{]")
_MAX_EXPRESSION = 200

_SIZES: Mapping[str, float] = MappingProxyType(
    {"b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
)
_MICROSECONDS: Mapping[str, float] = MappingProxyType(
    {"us": 1, "µs": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "min": 60e6, "h": 3600e6, "d": 86400e6}
)
_PLAIN: Mapping[str, float] = MappingProxyType({"": 1, "k": 1e3, "m": 1e6, "g": 1e9})
_PER_UNIT: Mapping[Unit, float] = MappingProxyType({"": 1, "bytes": 1, "us": 1, "ms": 1e3})

_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        ">": lambda a, b: a > b,
        "<": lambda a, b: a < b,
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "=": lambda a, b: a == b,
    }
)


def parse_filter(text: str, fields: Sequence[FieldSpec]) -> Filter:
    """Reads a filter.

    Args:
        text: what the operator wrote; blank lets every row pass.
        fields: the columns of the table, in the order of cells and values.

    Raises:
        FilterError: an unknown column, no number where one is compared, an unfinished quote, a bad or unsafe
            regular expression.
    """
    if text.count('"') % 2:
        raise FilterError('a quote is open: add another "')
    columns = {field.name: (place, field.unit) for place, field in enumerate(fields)}
    return Filter(text, tuple(_term(match, columns) for match in _TOKEN.finditer(text)))


def _term(match: re.Match[str], columns: Mapping[str, tuple[int, Unit]]) -> Test:
    test = _positive(match["body"], columns)
    if not match["not"]:
        return test
    return lambda text, cells, values: not test(text, cells, values)


def _positive(body: str, columns: Mapping[str, tuple[int, Unit]]) -> Test:
    if body.startswith("re:"):
        search = _expression(body[3:]).search
        return lambda text, _cells, _values: search(text) is not None
    parts = _COLUMN.fullmatch(body)
    if parts is None:
        return _anywhere(body)
    name = parts["name"].lower()
    place = columns.get(name)
    if place is None:
        if parts["op"] == ":":
            # Ids and addresses contain colons: what names no column is a word.
            return _anywhere(body)
        raise FilterError(f"no column `{name}`", hint=f"there are {', '.join(columns)}")
    return _in_column(place, parts["op"], parts["rest"].replace('"', ""), name)


def _anywhere(body: str) -> Test:
    word = body.replace('"', "").lower()
    return lambda text, _cells, _values: word in text


def _in_column(place: tuple[int, Unit], operator: str, operand: str, name: str) -> Test:
    index, unit = place
    if operator == ":":
        if operand.startswith("re:"):
            search = _expression(operand[3:]).search
            return lambda _text, cells, _values: search(cells[index].lower()) is not None
        word = operand.lower()
        return lambda _text, cells, _values: word in cells[index].lower()
    compare = _COMPARE[operator]
    limit = _number(operand, unit)
    if limit is None:
        if operator != "=":
            raise FilterError(f"`{operand}` is not a number to compare `{name}` with")
        word = operand.lower()
        return lambda _text, cells, _values: cells[index].strip().lower() == word

    def test(_text: str, _cells: Sequence[str], values: Sequence[Value]) -> bool:
        value = values[index]
        return isinstance(value, int | float) and compare(value, limit)

    return test


def _number(text: str, unit: Unit) -> float | None:
    """The operand in the column's own unit, or None when it is no number of that unit."""
    parts = _NUMBER.fullmatch(text.lower())
    if parts is None:
        return None
    suffix = parts["unit"]
    if unit == "bytes":
        factor = _SIZES.get(suffix or "b")
    elif unit == "":
        factor = _PLAIN.get(suffix)
    elif suffix:
        micro = _MICROSECONDS.get(suffix)
        factor = None if micro is None else micro / _PER_UNIT[unit]
    else:
        factor = 1
    return None if factor is None else float(parts["digits"]) * factor


def _expression(source: str) -> re.Pattern[str]:
    source = source.replace('"', "")
    if len(source) > _MAX_EXPRESSION:
        raise FilterError(f"the regular expression is longer than {_MAX_EXPRESSION} characters")
    if _NESTED.search(source):
        # `(a+)+` takes time without bound on some rows, and this runs on the screen's thread.
        raise FilterError("a repetition inside a repetition: write it without the inner one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(source, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise FilterError(f"bad regular expression: {error}") from error
