"""The settings of the second control socket, for the members of a group."""

from dataclasses import dataclass, field

from console.setting_key import Unit

__all__ = ["ControlConfig"]


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """`[control]`."""

    group: str = field(
        default="",
        metadata={
            "unit": Unit.TEXT,
            "help": "the group whose members reach this node by control.socket; empty: there is no such socket",
            "high": 64,
            "restart": True,
        },
    )
    group_writes: bool = field(
        default=False,
        metadata={
            "unit": Unit.SWITCH,
            "help": "whether the members of control.group may change something, and not only read",
            "restart": True,
        },
    )
    socket: str = field(
        default="/run/orlop/control.sock",
        metadata={
            "unit": Unit.TEXT,
            "help": "where that socket lies; commands without a state directory of their own look for a node there",
            "high": 100,
            "restart": True,
        },
    )
