"""What a setting is: its name in the file, what its value is made of and how it is read and written. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from runtime.errors import UsageError
from runtime.quantities import format_duration_ms, format_size, parse_count, parse_duration_ms, parse_size
from runtime.sanitise import clean

__all__ = ["Key", "Unit", "Value"]

Value = str | int | bool
"""A value as the code reads it: bytes, milliseconds, counts, text, switches."""

_SECOND = 1_000


class Unit(StrEnum):
    """What a value is made of, and how it is written."""

    TEXT = "text"
    COUNT = "number"
    SIZE = "size"
    DURATION = "duration"
    CHOICE = "choice"
    SWITCH = "true or false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting."""

    name: str
    """As in the file: `section.key`, or `section.group.key`."""
    attribute: str
    """As in the code: the section's field."""
    unit: Unit
    default: Value
    help: str
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()
    restart: bool = False
    """True when a change takes effect at the next start only."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "ORLOP_" + self.name.upper().replace(".", "_")

    @property
    def allowed(self) -> str:
        """What may be written, in words."""
        if self.unit is Unit.CHOICE:
            return " or ".join(self.choices)
        if self.unit in {Unit.TEXT, Unit.SWITCH}:
            return str(self.unit)
        return f"{self.unit}, {self.written(self.low)} to {self.written(self.high)}"

    def written(self, value: Value) -> str:
        """A value as people write it."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            formats = {Unit.SIZE: format_size, Unit.DURATION: format_duration_ms}
            return formats.get(self.unit, str)(value)
        return value

    def from_text(self, text: str) -> Value:
        """The value that a text stands for.

        Raises:
            UsageError: it stands for none, or is out of bounds.
        """
        if self.unit is Unit.SIZE:
            return parse_size(text, minimum=self.low, maximum=self.high, what=self.name)
        if self.unit is Unit.DURATION:
            return parse_duration_ms(text, minimum=self.low, maximum=self.high, what=self.name)
        if self.unit is Unit.COUNT:
            return parse_count(text, minimum=self.low, maximum=self.high, what=self.name)
        if self.unit is Unit.SWITCH:
            if text not in {"true", "false"}:
                raise UsageError(f"`{clean(text, 40)}` is neither true nor false", where=self.name)
            return text == "true"
        return self._from_words(text)

    def from_toml(self, value: object) -> Value:
        """The value that a TOML value stands for: switches and numbers are written bare, everything else in quotes.

        Raises:
            UsageError: wrong type, or out of bounds.
        """
        if self.unit is Unit.SWITCH and isinstance(value, bool):
            return value
        bare = self.unit in {Unit.COUNT, Unit.SIZE}
        if bare and isinstance(value, int) and not isinstance(value, bool):
            return self.from_text(str(value))
        if isinstance(value, str) and self.unit not in {Unit.SWITCH, Unit.COUNT}:
            return self.from_text(value)
        example = self.to_toml(self.default)
        shown = f'"{example}"' if isinstance(example, str) else str(example).lower()
        raise UsageError(f"expected a {self.unit}, such as {shown}", where=self.name)

    def to_toml(self, value: Value) -> Value:
        """How a value is written into a file; reading it back gives the same value."""
        if self.unit is Unit.SIZE and isinstance(value, int):
            shown = format_size(value)
            return shown if parse_size(shown) == value else value
        if self.unit is Unit.DURATION and isinstance(value, int):
            return f"{value}ms" if value % _SECOND else f"{value // _SECOND}s"
        return value

    def _from_words(self, text: str) -> str:
        if self.unit is Unit.CHOICE and text not in self.choices:
            raise UsageError(f"`{clean(text, 40)}` is not {self.allowed}", where=self.name)
        if len(text) > self.high > 0 or clean(text, max(1, len(text))) != text:
            raise UsageError(f"expected at most {self.high} printable characters", where=self.name)
        return text
