"""What a booted node is told, as text: its configuration by mode, and what the machine was started from. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from boot.modes import Rules
from boot.stage1.handover import Handover
from runtime.booted import Booted
from runtime.canonical import timestamp

__all__ = ["PORT", "booted_of", "configuration", "release_text"]

PORT: Final = 4001
"""Where a booted node listens, TCP and UDP."""
_MIN_FREE: Final = "32MiB"
"""Below which no job is begun: in half of the memory, or on a small cache, there may be less than other nodes want."""


def configuration(rules: Rules, starts: Sequence[str], address: str, booted: str) -> str:
    """The configuration file of the node.

    In Local it reaches the link alone: no start nodes, no DHT. Where nothing is kept it listens nowhere, announces
    nothing and asks nobody.

    Args:
        rules: of the mode.
        starts: multiaddresses with which the DHT is begun.
        address: of this machine, or empty.
        booted: path of the file for `node.booted`.
    """
    lines = ["[node]", f'booted = "{booted}"', "", "[storage]", f'min_free = "{_MIN_FREE}"']
    if address and rules.joins:
        lines += ["", "[p2p]", f'listen = "/ip4/{address}/udp/{PORT}/quic-v1 /ip4/{address}/tcp/{PORT}"']
        lines += [f'lan = "{address}"']
        if "dht" in rules.discovery and starts:
            lines += [f'bootstrap = "{" ".join(starts)}"']
    return "\n".join(lines) + "\n"


def booted_of(handover: Handover, *, session: bool) -> Booted:
    """What receipts claim.

    Args:
        handover: what the first stage said.
        session: whether the first job is still to come, which takes the nonce.
    """
    nonce = handover.session if session and handover.report else ""
    return Booted(
        manifest=handover.manifest_hash, version=str(handover.manifest_version), mode=handover.mode, session=nonce
    )


def release_text(handover: Handover, booted_ms: int) -> str:
    """The file `/etc/orlop-release`: shell words, one a line.

    Args:
        handover: what the first stage said.
        booted_ms: when this stage began, milliseconds since 1970.
    """
    values: Mapping[str, str] = {
        "ORLOP_MODE": handover.mode,
        "ORLOP_CHANNEL": handover.channel,
        "ORLOP_ARCH": handover.arch,
        "ORLOP_RELEASE": handover.release,
        "ORLOP_VERSION": str(handover.manifest_version),
        "ORLOP_MANIFEST": handover.manifest_hash,
        "ORLOP_BOOT_TIME": timestamp(booted_ms),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())
