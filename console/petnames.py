"""What peers are called wherever one is named: by the operator's own name, else by what tells a PeerId apart. Pure."""

from collections.abc import Callable
from functools import lru_cache

from runtime.sanitise import clean

__all__ = ["giver", "job_place", "petname", "petname_with_id", "short_peer"]

_LOCAL = "local"
_KEY = 64
"""Digits of a public key."""
_NAME_MOST = 40
_ID_MOST = 80
_HEAD = "12D3KooW"
"""How every PeerId begins."""


def short_peer(peer: str) -> str:
    """A PeerId as `Qm4x…9fTa`: four and four characters of what tells it apart."""
    body = clean(peer, _ID_MOST).removeprefix(_HEAD)
    return body if len(body) <= 9 else f"{body[:4]}…{body[-4:]}"  # noqa: PLR2004 - four, an ellipsis, four


def petname(name: str, peer: str) -> str:
    """The operator's own name for a peer; without one its short PeerId."""
    return clean(name, _NAME_MOST) or short_peer(peer)


def petname_with_id(name: str, peer: str) -> str:
    """The name and the short PeerId, where there is room for both."""
    return f"{clean(name, _NAME_MOST)} {short_peer(peer)}" if name else short_peer(peer)


def job_place(where: str, submitter: str, called: Callable[[str], str]) -> str:
    """Where a job runs: `local`, or a peer; of one that a peer gave, from whom: `← bob`.

    Args:
        where: `local`, or the PeerId of who runs it.
        submitter: who gave it; a public key where that is a peer.
        called: what a PeerId is called.
    """
    by = giver(submitter)
    if by:
        return f"← {called(by)}"
    return where if where == _LOCAL else called(where)


@lru_cache(maxsize=1024)
def giver(submitter: str) -> str:
    """The PeerId of who gave this node a job, by the public key; empty for a job of its own."""
    if len(submitter) != _KEY:
        return ""
    from net.peer_id import PeerId

    try:
        return str(PeerId(bytes.fromhex(submitter)))
    except ValueError:
        return ""
