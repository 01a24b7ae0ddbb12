"""The one table of settings: every key that something reads, with its type, default, bounds and sentence.

A section is a frozen dataclass and a key one of its fields; `KEYS` is read off them, so that code, validation,
`orlop config` and the reference page cannot disagree. The name of a key has no unit (`jobs.memory`), the attribute has
one (`config.jobs.memory_bytes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from console.component_settings import ComponentsConfig
from console.control_settings import ControlConfig
from console.job_settings import JobsConfig
from console.p2p_settings import P2pConfig
from console.setting_key import Key, Unit, Value

__all__ = [
    "KEYS",
    "AgentsConfig",
    "CoreConfig",
    "JournalConfig",
    "NodeConfig",
    "ReceiptsConfig",
    "StorageConfig",
    "UiConfig",
]

_MIB, _GIB = 1 << 20, 1 << 30
_SECOND, _HOUR = 1_000, 3_600_000

_SUFFIX = {Unit.SIZE: "_bytes", Unit.DURATION: "_ms"}


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
    booted: str = field(
        default="",
        metadata={
            "unit": Unit.TEXT,
            "help": "file with what this machine was started from, which receipts then claim; orlop's images write it",
            "high": 1000,
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
    "control": ControlConfig,
    "agents": AgentsConfig,
    "jobs": JobsConfig,
    "components": ComponentsConfig,
    "journal": JournalConfig,
    "receipts": ReceiptsConfig,
    "p2p": P2pConfig,
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
