"""The settings of components: what none of them may have more of, whatever its manifest asks for."""

from dataclasses import dataclass, field

from console.setting_key import Unit

__all__ = ["ComponentsConfig"]

_MIB, _GIB = 1 << 20, 1 << 30
_SECOND, _HOUR = 1_000, 3_600_000


@dataclass(frozen=True, slots=True)
class ComponentsConfig:
    """`[components]`."""

    ceiling_memory_bytes: int = field(
        default=_GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "most memory of a component, whatever its manifest asks for",
            "low": _MIB,
            "high": 4 * _GIB,
            "restart": True,
        },
    )
    ceiling_call_timeout_ms: int = field(
        default=10 * 60 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "longest time of one call into a component",
            "low": 10,
            "high": _HOUR,
            "restart": True,
        },
    )
    ceiling_cpu_per_minute_ms: int = field(
        default=60 * _SECOND,
        metadata={
            "unit": Unit.DURATION,
            "help": "CPU time of one component in one minute; then its calls wait",
            "low": 1,
            "high": 60 * _SECOND,
            "restart": True,
        },
    )
    ceiling_handles: int = field(
        default=4_096,
        metadata={
            "unit": Unit.COUNT,
            "help": "files, sockets, programs and the like that one component has open",
            "low": 1,
            "high": 65_536,
            "restart": True,
        },
    )
    ceiling_children: int = field(
        default=16,
        metadata={
            "unit": Unit.COUNT,
            "help": "programs that one component has running; 0: none",
            "low": 0,
            "high": 256,
            "restart": True,
        },
    )
    ceiling_storage_bytes: int = field(
        default=256 * _MIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "what one component stores in the database",
            "low": 0,
            "high": 4 * _GIB,
            "restart": True,
        },
    )
    ceiling_filesystem_bytes: int = field(
        default=4 * _GIB,
        metadata={
            "unit": Unit.SIZE,
            "help": "what one component writes into its private folders",
            "low": 0,
            "high": 1 << 44,
            "restart": True,
        },
    )

    def ceilings(self) -> dict[str, int]:
        """By keys of Component.toml."""
        return {
            "limits.memory": self.ceiling_memory_bytes,
            "limits.call_timeout": self.ceiling_call_timeout_ms,
            "limits.cpu_per_minute": self.ceiling_cpu_per_minute_ms,
            "limits.handles": self.ceiling_handles,
            "limits.children": self.ceiling_children,
            "limits.storage": self.ceiling_storage_bytes,
            "limits.filesystem": self.ceiling_filesystem_bytes,
        }
