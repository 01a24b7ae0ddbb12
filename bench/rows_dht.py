"""Finding peers: providers in a DHT of which 30 % is dead, in virtual time, and a peer that is announced on the LAN."""

import asyncio
import os
import time
from typing import Final

from bench.measure import Figure, figure, percentile
from net.dht.record import content_key, key_id, sign_record
from net.dht.simulated import HashSigner, SimulatedDht
from net.dht.store import PER_KEY
from net.lan.service import Lan, LanEvent, Sighted
from net.peer_id import PeerId
from runtime.identity import Identity

__all__ = ["measure"]

_LIFE_MS: Final = 4 * 3_600_000
_KEY: Final = content_key("ab" * 32)
_LOOPBACK: Final = "127.0.0.1"
_PATIENCE_S: Final = 30.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    nodes, lookups = (60, 20) if quick else (200, 100)
    seconds, missing, datagrams, cpu_ms = _dht(nodes, lookups)
    seen = [asyncio.run(_seen_s()) for _ in range(1 if quick else 5)]
    among = f"{PER_KEY} providers of a key among {nodes} nodes, 30 % of them dead"
    return [
        figure(
            f"lookup of {among}, p95",
            "s",
            [percentile(seconds, 95)],
            bound=3.0,
            note=f"virtual time, 20 to 160 ms there and back; p50 {percentile(seconds, 50):.2f} s",
        ),
        figure("live providers that a lookup does not find", "%", [missing], bound=5.0),
        figure(
            "datagrams of a lookup", "", [datagrams], note="sent by anybody, so that 32 records come from two paths"
        ),
        figure("computing time of a lookup, all nodes together", "ms", [cpu_ms], note="signatures by hashes"),
        figure("a peer announced on the loopback is seen", "s", seen, bound=2.0, bound_of="median"),
    ]


def _dht(many: int, lookups: int) -> tuple[list[float], float, float, float]:
    """Seconds of each lookup, percent of live providers that were not found, datagrams and CPU time of a lookup."""
    dht = SimulatedDht(7)
    signers = [HashSigner(dht.random.randbytes(32)) for _ in range(many)]
    addresses = [dht.add(number, signer) for number, signer in enumerate(signers)]
    for number in range(1, many):
        dht.join(addresses[number], addresses[dht.random.randrange(number)])
    providers = dht.random.sample(range(many), PER_KEY)
    for number in providers:
        record = sign_record(signers[number], "provider", _KEY, {}, seq=1, issued_ms=dht.wall_ms(), life_ms=_LIFE_MS)
        dht.publish(addresses[number], record)
    order = dht.random.sample(range(many), many)
    dead, readers = set(order[: many * 3 // 10]), order[many * 3 // 10 :]
    for number in dead:
        dht.kill(addresses[number])
    live = {signers[number].public for number in providers if number not in dead}
    before, began = dht.datagrams, time.process_time()
    found = [dht.find(addresses[dht.random.choice(readers)], key_id(_KEY)) for _ in range(lookups)]
    cpu_ms = (time.process_time() - began) * 1000
    missed = sum(len(live - {record.peer for record in done.records}) for done in found)
    seconds = [done.seconds for done in found]
    return seconds, 100 * missed / (lookups * len(live)), (dht.datagrams - before) / lookups, cpu_ms / lookups


async def _seen_s() -> float:
    """Seconds from the beginning of browsing until a peer that is announced already is seen."""
    there, seen = PeerId(Identity(os.urandom(32)).public), asyncio.Event()

    def tell(event: LanEvent) -> None:
        if isinstance(event, Sighted) and event.announcement.peer == there:
            seen.set()

    announcer = Lan(there, [_LOOPBACK], on_event=lambda _event: None)
    browser = Lan(PeerId(Identity(os.urandom(32)).public), [_LOOPBACK], on_event=tell)
    try:
        await announcer.start()
        await announcer.announce(tcp=4001, quic=4001)
        began = time.monotonic()
        await browser.start()
        async with asyncio.timeout(_PATIENCE_S):
            await seen.wait()
        return time.monotonic() - began
    finally:
        await browser.aclose()
        await announcer.aclose()
