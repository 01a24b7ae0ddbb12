"""Finding who could run a job: looks in the book, on the LAN and in the DHT, has each prove its key, orders them."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from net.book import reading, skipping
from net.book.entry import Known
from net.capabilities.exchange import ask
from net.capabilities.ranking import Candidate, Need, misfit, ranked
from net.errors import PeerFaultError
from net.peer_id import PeerId
from net.ping import ping
from runtime.errors import OrlopError, UsageError
from runtime.sanitise import clean
from runtime.store import Transaction

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Found", "Unproven", "find_workers"]

_AT_ONCE: Final = 8
_EACH_S: Final = 10.0
_BOGUS: Final = 5


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
    """Looks for workers. Who is banned or was caught in a lie is not looked at, nor is a provider that was none lately.

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
    arch = need.arch or core.mesh.offer.machine().arch
    what, providers = f"{arch}/{need.kind}", list[PeerId]()
    skipped = await asyncio.wrap_future(core.store.read(lambda db: skipping.skipped(db, what, core.clock.wall_ms())))
    if discovery.anywhere:
        await asyncio.wait({enough}, timeout=wait_s)
        providers = [peer for peer in await discovery.providers(arch, need.kind) if peer not in skipped]
        for provider in providers:
            await discovery.look_up(provider)
    entries = await asyncio.wrap_future(core.store.read(reading.listed))
    known = {entry.peer: entry for entry in entries if entry.addresses and not entry.banned and entry.lied_ms is None}
    if not known and not discovery.anywhere:
        hint = "set p2p.lan or p2p.bootstrap, or name a node: orlop peers dial ADDRESS"
        raise UsageError("there is nowhere to look, and nobody is known", hint=hint)
    passed_over = [peer for peer, entry in known.items() if peer in skipped and not entry.worker]
    turns = asyncio.Semaphore(_AT_ONCE)
    looked = await asyncio.gather(*(_prove(core, known[peer], turns) for peer in known if peer not in passed_over))
    proven = [one for one in looked if isinstance(one, Candidate)]
    unproven = [one for one in looked if isinstance(one, Unproven)]
    await _count_bogus(core, what, set(providers), [*unproven, *_liars(proven, Need(arch=arch, kind=need.kind))])
    best = [(known[one.capabilities.peer], one) for one in ranked(proven, need, core.clock.wall_ms())]
    later = [Unproven(peer, f"failed within the last ten minutes: {skipped[peer]}") for peer in passed_over]
    return Found(best, len(proven) - len(best), [*unproven, *later])


def _liars(proven: Sequence[Candidate], claimed: Need) -> list[Unproven]:
    """Those whose own words are not what they were told to be."""
    reasons = ((one.capabilities.peer, misfit(one, claimed)) for one in proven)
    return [Unproven(peer, reason) for peer, reason in reasons if reason]


async def _count_bogus(core: "Core", what: str, providers: AbstractSet[PeerId], failed: Sequence[Unproven]) -> None:
    """Remembers who signed that it provides something and does not: such a pair is skipped for a while."""
    bogus = [one for one in failed if one.peer in providers]
    for one in bogus:
        why = f"is told of as a provider of {what} and is none: {one.reason}"
        core.mesh.host.blame(PeerFaultError(why, rule="bogus-provider", score=_BOGUS), peer=one.peer, remote=None)

    def work(tx: Transaction) -> None:
        for one in bogus:
            skipping.failed(tx, one.peer, what, one.reason)

    if bogus:
        await core.write(work)


async def _prove(core: "Core", entry: Known, turns: asyncio.Semaphore) -> Candidate | Unproven:
    """Has a peer prove its key and say what it offers."""
    async with turns:
        try:
            async with asyncio.timeout(_EACH_S):
                connection = await core.mesh.connect(entry.peer)
                said = core.mesh.heard.of(entry.peer, core.clock.wall_ms())
                if said is None:
                    said = await ask(connection, core.clock.wall_ms)
                    core.mesh.heard.take(said)
                seconds = await ping(connection, now=core.clock.monotonic)
        except TimeoutError:
            return Unproven(entry.peer, "took too long")
        except OrlopError as error:
            return Unproven(entry.peer, clean(error.why, 200))
    core.mesh.tell_round_trip(entry.peer, seconds)
    return Candidate(capabilities=said, latency_ms=seconds * 1000, failures=entry.failures, trusted=entry.worker)
