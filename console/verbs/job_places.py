"""To whom a job goes: the peers that `--on` names, or the most promising ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.finding import find_workers
from console.verbs.mesh import worker
from net.capabilities.ranking import Need
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.errors import FailedError, UsageError
from runtime.jobs import JobRequest

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Place", "best_places", "named_places"]

_LOOK_S: Final = 2.0
"""How long is listened on the LAN."""


@dataclass(frozen=True, slots=True)
class Place:
    """A peer, and where it is; None: where the book says."""

    peer: PeerId
    address: Multiaddr | None = None


async def named_places(core: "Core", names: Sequence[str]) -> list[Place]:
    """Those whom `--on` names.

    Raises:
        UsageError: a name is none, or two mean the same peer.
        NotFoundError: nobody is called so.
    """
    places: list[Place] = []
    for name in names:
        place = Place(*await worker(core, name))
        if any(place.peer == other.peer for other in places):
            raise UsageError("is named twice", where=str(place.peer), hint="each --on names another peer")
        places.append(place)
    return places


async def best_places(core: "Core", call: Call, request: JobRequest, module: bytes, count: int) -> list[Place]:
    """The most promising peers; strangers only where `--any-peer` is said.

    Raises:
        FailedError: so many were not found.
        OrlopError: as `find_workers` does.
    """
    need = Need(memory=request.limits.memory_bytes, module=len(module))
    found = await find_workers(core, need, wait_s=_LOOK_S, enough=call.interrupted)
    fitting = [entry for entry, _ in found.best if entry.worker or call.flag("any_peer")]
    if len(fitting) >= count:
        return [Place(entry.peer) for entry in fitting[:count]]
    strangers = "" if call.flag("any_peer") else f"; {len(found.best) - len(fitting)} strangers could, with --any-peer"
    hint = "orlop peers discover shows who was looked at" + strangers
    kind = "peer" if call.flag("any_peer") else "trusted peer"
    if count == 1:
        raise FailedError(f"no {kind} was found that could run it", where="--discover", hint=hint)
    words = f"needs {count} {kind}s that could run it, and {len(fitting)} were found"
    raise FailedError(words, where="--replicas", hint=hint)
