"""The settings of the way to other nodes."""

from dataclasses import dataclass, field

from console.setting_key import Unit

__all__ = ["P2pConfig"]


@dataclass(frozen=True, slots=True)
class P2pConfig:
    """`[p2p]`."""

    listen: str = field(
        default="",
        metadata={
            "unit": Unit.TEXT,
            "help": "where other nodes reach this one: multiaddrs with spaces between them; empty: nowhere",
            "high": 1000,
            "restart": True,
        },
    )
