"""What a machine may do in each mode: the matrix as data. Pure; whoever acts asks here and decides nothing itself.

| | Internet | Local | Private |
|---|---|---|---|
| network | required | optional | required |
| default route, DNS of the lease, IPv6 advertisements | yes | no | yes |
| finds releases by | URL, link, DHT | URL, link, then cache, then seed | URL, link, DHT |
| disks | the cache partition | the cache partition | read-only, none mounted |
| identity | kept | kept | new |
| newest version, root and time | in the cache | in the cache | in the image alone |
| receipts | stored and printed | stored and printed | printed |
| tells its provider | yes | yes | no |
| the node meets others | link and DHT | link | no |
| before kexec | | no default route | no disk can be written |

A URL reaches only the link where there is no default route. Words of the command line take away, and never give.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

__all__ = [
    "MODES",
    "RULES",
    "BlockDevices",
    "Check",
    "IdentityKind",
    "Mode",
    "Network",
    "Rules",
    "Source",
    "Storage",
    "mode_of",
    "narrowed",
]

Mode = Literal["internet", "local", "private"]
Source = Literal["url", "lan", "dht", "cache", "seed"]
Network = Literal["required", "optional"]
Storage = Literal["none", "read", "write"]
BlockDevices = Literal["read-only", "cache"]
IdentityKind = Literal["kept", "new"]
Check = Literal["", "no-default-route", "no-writable-disk"]

MODES: Final[tuple[Mode, ...]] = ("internet", "local", "private")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One column of the matrix.

    Attributes:
        network: whether a machine without a link is to give up.
        routes: whether the default route of the lease is installed.
        dns: whether the name servers of the lease are used.
        ipv6_advertisements: whether routers may give addresses and routes; if not, it is switched off before link up.
        discovery: where releases are looked for, in this order.
        storage: what is done with orlop's own cache and seed: not mounted, only read, or written too.
        reports: whether the provider is told about steps, and gets the receipt.
        joins: whether the node listens, and tells others on the link that it is there.
        random_mac: whether the link gets a made-up hardware address before it goes up.
        check: what is looked at again just before kexec.
    """

    network: Network
    routes: bool
    dns: bool
    ipv6_advertisements: bool
    discovery: tuple[Source, ...]
    storage: Storage
    reports: bool
    joins: bool
    random_mac: bool
    check: Check

    @property
    def writes(self) -> bool:
        """Whether anything may be written to a disk, which is the cache partition alone."""
        return self.storage == "write"

    @property
    def block_devices(self) -> BlockDevices:
        """Which disks are switched to read-only first of all: every one, or none because the cache is written."""
        return "cache" if self.writes else "read-only"

    @property
    def identity(self) -> IdentityKind:
        """Whether the node is the same at the next boot, which takes a place to keep its key."""
        return "kept" if self.writes else "new"

    @property
    def stores_receipts(self) -> bool:
        """Whether receipts outlive the machine's power; they are printed in every mode."""
        return self.writes


RULES: Final[Mapping[Mode, Rules]] = MappingProxyType(
    {
        "internet": Rules(
            network="required",
            routes=True,
            dns=True,
            ipv6_advertisements=True,
            discovery=("url", "lan", "dht"),
            storage="write",
            reports=True,
            joins=True,
            random_mac=False,
            check="",
        ),
        "local": Rules(
            network="optional",
            routes=False,
            dns=False,
            ipv6_advertisements=False,
            discovery=("url", "lan", "cache", "seed"),
            storage="write",
            reports=True,
            joins=True,
            random_mac=False,
            check="no-default-route",
        ),
        "private": Rules(
            network="required",
            routes=True,
            dns=True,
            ipv6_advertisements=True,
            discovery=("url", "lan", "dht"),
            storage="none",
            reports=False,
            joins=False,
            random_mac=True,
            check="no-writable-disk",
        ),
    }
)


def mode_of(word: str) -> Mode | None:
    """The mode of a word, which is exact; None where there is none of that name.

    Args:
        word: from the command line.
    """
    return next((mode for mode in MODES if mode == word), None)


def narrowed(mode: Mode, *, cache: bool = True, nowrite: bool = False, report: bool = True) -> Rules:
    """The rules of a mode, less what the command line takes away.

    Args:
        mode: which.
        cache: `orlop.cache`; off: the cache partition and the seed are not mounted.
        nowrite: `orlop.nowrite`; on: disks are read-only, and of the cache only what is there is used.
        report: `orlop.report`; off: the provider is told nothing.
    """
    rules = RULES[mode]
    storage: Storage = rules.storage
    if storage != "none":
        storage = "none" if not cache else "read" if nowrite else storage
    kept = tuple(source for source in rules.discovery if storage != "none" or source not in {"cache", "seed"})
    return replace(rules, storage=storage, discovery=kept, reports=rules.reports and report)
