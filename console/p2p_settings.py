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
    accept_jobs: bool = field(
        default=True,
        metadata={
            "unit": Unit.SWITCH,
            "help": "take jobs of the peers that are on the list of submitters; off: of nobody, from that moment on",
        },
    )
    lan: str = field(
        default="",
        metadata={
            "unit": Unit.TEXT,
            "help": "addresses of this machine on whose networks nodes announce themselves to each other; empty: none",
            "high": 1000,
            "restart": True,
        },
    )
    dht: bool = field(
        default=False,
        metadata={
            "unit": Unit.SWITCH,
            "help": "take part in the DHT also without p2p.bootstrap, as a node through which others begin",
            "restart": True,
        },
    )
    bootstrap: str = field(
        default="",
        metadata={
            "unit": Unit.TEXT,
            "help": "nodes through which others are found: /ip4/…/udp/N/quic-v1/p2p/PEERID; empty: no DHT",
            "high": 4000,
            "restart": True,
        },
    )

    @property
    def wanted(self) -> bool:
        """Whether this node listens or looks for others by itself."""
        return bool(self.listen or self.lan or self.bootstrap or self.dht)
