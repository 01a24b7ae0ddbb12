"""Finding who could run a job: looks in the book, on the LAN and in the DHT, has each prove its key, orders them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from net.book import reading
from net.book.entry import Known
from net.capabilities.exchange import ask
from net.capabilities.ranking import Candidate, Need, ranked
from net.peer_id import PeerId
from net.ping import ping
from runtime.errors import OrlopError, UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Found", "Unproven", "find_workers"]

_AT_ONCE: Final = 8
_EACH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Unproven:
    """Somebody of whom was heard, and who could not be reached or proved nothing."""

    peer: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        best: who proved a key and could do it by their own words, the most promising first, each with its entry.
        unfit: how many proved a key and could not.
        unproven: the rest.
    """

    best: Sequence[tuple[Known, Candidate]]
    unfit: int
    unproven: Sequence[Unproven]


async def find_workers(core: "Core", need: Need, *, wait_s: float, enough: "asyncio.Future[int]") -> Found:
    """Looks for workers. Who is banned or was caught in a lie is not looked at.

    Args:
        core: whose book, settings and host.
        need: of the job.
        wait_s: how long to listen on the LAN first.
        enough: done when nobody wants to wait any more.

    Raises:
        UsageError: there is nowhere to look and nobody is known, or a setting is wrong.
        NetworkError: a setting names an interface that is not there.
    """
    discovery = core.mesh.discovery
    await discovery.start(tell=False)
    if discovery.anywhere:
        await asyncio.wait({enough}, timeout=wait_s)
        for provider in await discovery.providers(need.arch or core.mesh.offer.machine().arch, need.kind):
            await discovery.look_up(provider)
    entries = await asyncio.wrap_future(core.store.read(reading.listed))
    known = {entry.peer: entry for entry in entries if entry.addresses and not entry.banned and entry.lied_ms is None}
    if not known and not discovery.anywhere:
        hint = "set p2p.lan or p2p.bootstrap, or name a node: orlop peers dial ADDRESS"
        raise UsageError("there is nowhere to look, and nobody is known", hint=hint)
    turns = asyncio.Semaphore(_AT_ONCE)
    looked = await asyncio.gather(*(_prove(core, entry, turns) for entry in known.values()))
    proven = [one for one in looked if isinstance(one, Candidate)]
    best = [(known[one.capabilities.peer], one) for one in ranked(proven, need, core.clock.wall_ms())]
    return Found(best, len(proven) - len(best), [one for one in looked if isinstance(one, Unproven)])


async def _prove(core: "Core", entry: Known, turns: asyncio.Semaphore) -> Candidate | Unproven:
    """Has a peer prove its key and say what it offers."""
    async with turns:
        try:
            async with asyncio.timeout(_EACH_S):
                connection = await core.mesh.connect(entry.peer)
                said = await ask(connection, core.clock.wall_ms)
                seconds = await ping(connection, now=core.clock.monotonic)
        except TimeoutError:
            return Unproven(entry.peer, "took too long")
        except OrlopError as error:
            return Unproven(entry.peer, clean(error.why, 200))
    core.mesh.tell_round_trip(entry.peer, seconds)
    return Candidate(capabilities=said, latency_ms=seconds * 1000, failures=entry.failures, trusted=entry.worker)
