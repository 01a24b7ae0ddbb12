"""The one table of settings: every key that something reads, with its type, default, bounds and sentence.

A section is a frozen dataclass and a key one of its fields; `KEYS` is read off them, so that code, validation,
`orlop config` and the reference page cannot disagree. The name of a key has no unit (`jobs.memory`), the attribute has
one (`config.jobs.memory_bytes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType

from runtime.errors import UsageError
from runtime.quantities import format_duration_ms, format_size, parse_count, parse_duration_ms, parse_size
from runtime.sanitise import clean

__all__ = [
    "KEYS",
    "AgentsConfig",
    "CoreConfig",
    "JobsConfig",
    "JournalConfig",
    "Key",
    "NodeConfig",
    "ReceiptsConfig",
    "StorageConfig",
    "UiConfig",
    "Unit",
    "Value",
]

Value = str | int | bool
"""A value as the code reads it: bytes, milliseconds, counts, text, switches."""

_MIB, _GIB = 1 << 20, 1 << 30
_SECOND, _HOUR = 1_000, 3_600_000


class Unit(StrEnum):
    """What a value is made of, and how it is written."""

    TEXT = "text"
    COUNT = "number"
    SIZE = "size"
    DURATION = "duration"
    CHOICE = "choice"
    SWITCH = "true or false"


_SUFFIX = {Unit.SIZE: "_bytes", Unit.DURATION: "_ms"}


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


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """`[node]`."""

    name: str = field(
        default="",
        metadata={
            "unit": Unit.TEXT,
            "help": "what this node calls itself in rooms and on screen; empty: the machine's name",
            "high": 64,
            "restart": True,
        },
    )


@dataclass(frozen=True, slots=True)
class CoreConfig:
    """`[core]`."""

    drain_ms: int = field(
        default=10 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "how long running jobs may go on after the program was asked to stop",
            "low": 0,
            "high": _HOUR,
        },
    )


@dataclass(frozen=True, slots=True)
class AgentsConfig:
    """`[agents]`."""

    tick_interval_ms: int = field(
        default=30 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "time between two ticks of an agent; below 30s in a demo directory only, where 2s is the default",
            "low": _SECOND,
            "high": _HOUR,
            "restart": True,
        },
    )
    quota_calls: int = field(
        default=1_200,
        metadata={
            "unit": Unit.COUNT,
            "help": "calls of one agent in one minute; then it pauses until the next one",
            "low": 1,
            "high": 1_000_000,
            "restart": True,
        },
    )
    quota_emissions: int = field(
        default=1_200,
        metadata={
            "unit": Unit.COUNT,
            "help": "emissions of one agent in one minute; more are dropped",
            "low": 0,
            "high": 1_000_000,
            "restart": True,
        },
    )
    quota_room_emissions: int = field(
        default=3_000,
        metadata={
            "unit": Unit.COUNT,
            "help": "emissions of all agents of one room together in one minute; more are dropped",
            "low": 0,
            "high": 1_000_000,
            "restart": True,
        },
    )
    quota_log_bytes: int = field(
        default=_MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "log lines of one agent in one minute; more are dropped",
            "low": 0,
            "high": _GIB,
            "restart": True,
        },
    )
    quota_state_bytes: int = field(
        default=_MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "state of one agent; a larger one is not taken",
            "low": 0,
            "high": _MIB,
            "restart": True,
        },
    )
    quota_cpu_ms: int = field(
        default=20 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "CPU time of one agent in one minute; then it pauses until the next one",
            "low": 1,
            "high": 60 * _SECOND,
            "restart": True,
        },
    )
    require_signature: bool = field(
        default=True,
        metadata={
            "unit": Unit.SWITCH,
            "help": "whether uploads need the signature of a trusted key unless --unsigned is said",
        },
    )


@dataclass(frozen=True, slots=True)
class JobsConfig:
    """`[jobs]`."""

    workers: int = field(
        default=2,
        metadata={
            "unit": Unit.COUNT,
            "help": "jobs that run at a time, and worker processes that are kept ready",
            "low": 1,
            "high": 64,
            "restart": True,
        },
    )
    memory_bytes: int = field(
        default=128 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "memory of a job whose caller names none",
            "low": 64 << 10,
            "high": 4 * _GIB,
        },
    )
    fuel: int = field(
        default=0,
        metadata={
            "unit": Unit.COUNT,
            "help": "fuel (instructions, roughly) of a job whose caller names none; 0: more than its time lets it burn",
            "low": 0,
            "high": (1 << 63) - 1,
        },
    )
    timeout_ms: int = field(
        default=30 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "time on the clock of a job whose caller names none",
            "low": 1,
            "high": _HOUR,
        },
    )
    max_output_bytes: int = field(
        default=8 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "bytes of stdout, and as many of stderr, of a job whose caller names none",
            "low": 1,
            "high": _GIB,
        },
    )
    ceiling_memory_bytes: int = field(
        default=4 * _GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "memory that no job may ask for more than",
            "low": 64 << 10,
            "high": 4 * _GIB,
            "restart": True,
        },
    )
    ceiling_fuel: int = field(
        default=(1 << 63) - 1,
        metadata={
            "unit": Unit.COUNT,
            "help": "fuel that no job may ask for more than",
            "low": 1,
            "high": (1 << 63) - 1,
            "restart": True,
        },
    )
    ceiling_timeout_ms: int = field(
        default=24 * _HOUR,
        metadata={
            "unit": Unit.DURATION,
            "help": "time that no job may ask for more than",
            "low": 1,
            "high": 24 * _HOUR,
            "restart": True,
        },
    )
    ceiling_output_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "output that no job may ask for more than",
            "low": 1,
            "high": _GIB,
            "restart": True,
        },
    )
    ceiling_cpu_ms: int = field(
        default=24 * _HOUR,
        metadata={
            "unit": Unit.DURATION,
            "help": "CPU time that no job may ask for more than",
            "low": 1,
            "high": 24 * _HOUR,
            "restart": True,
        },
    )
    ceiling_stack_bytes: int = field(
        default=_MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "stack of the engine that no job may ask for more than",
            "low": 64 << 10,
            "high": _MIB,
            "restart": True,
        },
    )
    ceiling_table: int = field(
        default=10_000,
        metadata={
            "unit": Unit.COUNT,
            "help": "elements of a table that no job may ask for more than",
            "low": 1,
            "high": 10_000,
            "restart": True,
        },
    )
    ceiling_open_files: int = field(
        default=1024,
        metadata={
            "unit": Unit.COUNT,
            "help": "open files that no job may ask for more than",
            "low": 1,
            "high": 1024,
            "restart": True,
        },
    )
    ceiling_dir_bytes: int = field(
        default=1 << 40,
        metadata={
            "unit": Unit.SIZE,
            "help": "growth of writable directories that no job may ask for more than",
            "low": 1,
            "high": 1 << 40,
            "restart": True,
        },
    )
    ceiling_module_bytes: int = field(
        default=16 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size of a module above which no job is run",
            "low": 1,
            "high": 16 * _MIB,
            "restart": True,
        },
    )
    ceiling_stdin_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size of a standard input, as far as it is known beforehand, above which no job is run",
            "low": 1,
            "high": 1 << 40,
            "restart": True,
        },
    )
    queue: int = field(
        default=1000,
        metadata={
            "unit": Unit.COUNT,
            "help": "jobs that may wait; one more is refused",
            "low": 1,
            "high": 100_000,
            "restart": True,
        },
    )
    queue_time_ms: int = field(
        default=_HOUR,
        metadata={
            "unit": Unit.DURATION,
            "help": "time for which a job waits for its turn while orlop runs, before it is refused",
            "low": 1,
            "high": 366 * 24 * _HOUR,
            "restart": True,
        },
    )
    keep_days: int = field(
        default=30,
        metadata={
            "unit": Unit.COUNT,
            "help": "days for which jobs that ended are kept, with their output; receipts stay",
            "low": 1,
            "high": 3650,
        },
    )
    keep_output_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size of all output above which that of the oldest jobs goes",
            "low": 0,
            "high": 1 << 50,
        },
    )


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """`[journal]`."""

    days: int = field(
        default=14,
        metadata={"unit": Unit.COUNT, "help": "days for which events are kept", "low": 1, "high": 3650},
    )
    max_bytes: int = field(
        default=256 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "size above which the oldest events go, whatever their age",
            "low": _MIB,
            "high": 64 * _GIB,
        },
    )


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """`[storage]`."""

    min_free_bytes: int = field(
        default=256 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "free space below which jobs, uploads and backups are refused; 0: never",
            "low": 0,
            "high": 1 << 50,
        },
    )


@dataclass(frozen=True, slots=True)
class ReceiptsConfig:
    """`[receipts]`."""

    keep: int = field(
        default=0,
        metadata={
            "unit": Unit.COUNT,
            "help": "receipts that are kept whole, the newest; of older ones id, number and predecessor; 0: all",
            "low": 0,
            "high": (1 << 63) - 1,
        },
    )


@dataclass(frozen=True, slots=True)
class UiConfig:
    """`[ui]`."""

    theme: str = field(
        default="dark", metadata={"unit": Unit.CHOICE, "help": "colours of the screen", "choices": ("dark", "light")}
    )
    ascii: bool = field(
        default=False, metadata={"unit": Unit.SWITCH, "help": "frames and marks from ASCII characters only"}
    )
    mouse: bool = field(
        default=True, metadata={"unit": Unit.SWITCH, "help": "use the mouse; M switches it while the screen is open"}
    )
    lock_after: str = field(
        default="off",
        metadata={
            "unit": Unit.CHOICE,
            "help": "time without a key after which the screen locks, once a PIN is set",
            "choices": ("off", "5m", "15m", "30m"),
            "restart": True,
        },
    )
    fps: int = field(
        default=10,
        metadata={"unit": Unit.COUNT, "help": "most screen updates per second that events cause", "low": 1, "high": 30},
    )


_SECTIONS = {
    "node": NodeConfig,
    "core": CoreConfig,
    "agents": AgentsConfig,
    "jobs": JobsConfig,
    "journal": JournalConfig,
    "receipts": ReceiptsConfig,
    "storage": StorageConfig,
    "ui": UiConfig,
}


def _keys() -> dict[str, Key]:
    found: dict[str, Key] = {}
    for section, shape in _SECTIONS.items():
        for item in fields(shape):
            meta = item.metadata
            default: Value = getattr(shape(), item.name)
            bare = item.name.removesuffix(_SUFFIX.get(meta["unit"], " "))
            # `max_bytes` reads better than `max`, so that suffix stays where nothing else would be left to say.
            name = f"{section}.{item.name if bare == 'max' else bare}".replace(".quota_", ".quota.")
            found[name] = Key(
                name=name,
                attribute=item.name,
                unit=meta["unit"],
                default=default,
                help=meta["help"],
                low=meta.get("low", 0),
                high=meta.get("high", 0),
                choices=meta.get("choices", ()),
                restart=meta.get("restart", False),
            )
    return found


KEYS: Mapping[str, Key] = MappingProxyType(_keys())
"""All keys by name, in the order in which they are shown."""
