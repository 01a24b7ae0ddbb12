"""Records that are none, given to a node over UDP or published by a liar: nobody keeps them or believes them."""

import asyncio
import os
from collections.abc import Callable

import pytest

from net.dht.datagram import DATAGRAM_MAX, Kind, unpack, write
from net.dht.events import Equivocated, Fault
from net.dht.messages import verdict_code
from net.dht.record import DOMAIN, capability_key, peer_key
from net.dht.store import Verdict
from net.errors import UnreachableError, WrongPeerError
from net.peer_id import PeerId
from runtime.canonical import Json, encode
from runtime.clock import SystemClock
from runtime.identity import Identity
from tests.net.dht.machines import PATIENCE_S, Attacker, Town, town
from tests.net.nodes import ANY_PORT, hosts

KEY = capability_key("x86_64", "wasm")
HOUR_MS = 3_600_000
OTHER = Identity(b"o" * 32)


@pytest.fixture
async def made():  # type: ignore[no-untyped-def] # noqa: ANN201
    async with asyncio.timeout(3 * PATIENCE_S), town() as add:
        yield add


@pytest.fixture
async def attacker():  # type: ignore[no-untyped-def] # noqa: ANN201
    opened = await Attacker().open("127.6.6.8")
    yield opened
    await opened.socket.aclose()


def text(who: Identity, **changes: Json) -> bytes:
    """What a record signs."""
    now = SystemClock().wall_ms()
    fields: dict[str, Json] = {
        "body": {}, "expires_ms": now + HOUR_MS, "issued_ms": now, "key": KEY, "kind": "provider",
        "peer": who.peer_id, "seq": 5, "v": 1,
    }  # fmt: skip
    return encode(fields | changes)


def packed(who: Identity, signer: Identity | None = None, **changes: Json) -> bytes:
    said = text(who, **changes)
    return (signer or who).sign(DOMAIN, said) + said


def hours(count: int) -> int:
    return SystemClock().wall_ms() + count * HOUR_MS


BAD: dict[str, tuple[str, Callable[[Identity], bytes]]] = {
    "unsigned": ("signature", lambda me: bytes(64) + text(me)),
    "without its signature": ("form", text),
    "of a peer, signed by another": ("signature", lambda me: packed(OTHER, me)),
    "for the key of another peer": (
        "key",
        lambda me: packed(me, kind="peer", key=peer_key(PeerId(OTHER.public)), body={"addresses": [], "relays": []}),
    ),
    "expired": ("time", lambda me: packed(me, issued_ms=hours(-2), expires_ms=hours(-1))),
    "from the future": ("time", lambda me: packed(me, issued_ms=hours(1), expires_ms=hours(2))),
    "that lives too long": ("time", lambda me: packed(me, expires_ms=hours(27))),
    "too large": ("size", lambda me: packed(me, key=KEY + "x" * (1001 - len(packed(me))))),
    "in another spelling": (
        "form",
        lambda me: me.sign(DOMAIN, text(me).replace(b'"v":1', b'"v": 1')) + text(me).replace(b'"v":1', b'"v": 1'),
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_row_26_sec12_a_record_that_is_none_is_not_stored(made: Town, attacker: Attacker, name: str) -> None:
    rule, make = BAD[name]
    victim, reader = await made(), await made()
    answer = await attacker.ask(victim, Kind.STORE, {"r": make(attacker.identity)})
    assert unpack(answer.packed)["c"] == verdict_code(None)
    assert victim.dht.node.counts[f"record-{rule}"] == 1
    assert (victim.dht.node.store.count, await reader.dht.find(KEY)) == (0, [])
    (fault,) = [event for event in victim.events if isinstance(event, Fault)]
    assert (fault.key, fault.address) == (attacker.identity.public, attacker.address)


async def test_row_26_an_old_record_and_another_of_the_same_number_change_nothing(
    made: Town, attacker: Attacker
) -> None:
    victim, reader = await made(), await made()
    good = packed(attacker.identity)
    for raw, verdict in (
        (good, Verdict.STORED),
        (packed(attacker.identity, seq=4), Verdict.OLD),
        (packed(attacker.identity, expires_ms=hours(2)), Verdict.EQUIVOCATION),
    ):
        answer = await attacker.ask(victim, Kind.STORE, {"r": raw})
        assert unpack(answer.packed)["c"] == verdict_code(verdict)
    assert [record.packed for record in await reader.dht.find(KEY)] == [good]
    (told,) = [event for event in victim.events if isinstance(event, Equivocated)]
    assert told.record.peer == attacker.identity.public


async def test_a_record_of_a_megabyte_is_dropped_with_its_datagrams(made: Town, attacker: Attacker) -> None:
    victim, reader = await made(), await made()
    megabyte = packed(attacker.identity, body={"x": "x" * 1_000_000})
    cookie = await attacker.cookie_of(victim)
    head = write(Kind.STORE, os.urandom(16), attacker.identity.public, {"r": b""}, cookie)
    pieces = [head + megabyte[at : at + 60_000] for at in range(0, len(megabyte), 60_000)]
    received = victim.received
    for number, piece in enumerate(pieces, 1):
        assert len(piece) > DATAGRAM_MAX
        attacker.socket.send(piece, victim.address)
        await victim.until(lambda number=number: victim.received == received + number)  # type: ignore[misc]
    assert victim.dht.node.store.count == 0
    assert attacker.inbox.empty()
    await reader.dht.publish("provider", KEY, {})
    assert await victim.dht.find(KEY)


class Skewed(SystemClock):
    """The machine's clock, set by somebody who was mistaken."""

    def __init__(self, hours: int) -> None:
        super().__init__()
        self._off_ms = hours * HOUR_MS

    def wall_ms(self) -> int:
        return super().wall_ms() + self._off_ms


async def test_records_of_a_clock_an_hour_ahead_are_refused_and_of_one_behind_taken(
    made: Town,
) -> None:
    reader, ahead, behind = await made(), await made(clock=Skewed(1)), await made(clock=Skewed(-1))
    for machine in (ahead, behind):
        await machine.dht.publish("provider", KEY, {})
    (record,) = await reader.dht.find(KEY)
    assert record.peer == behind.identity.public
    assert record.issued_ms < hours(0) - HOUR_MS + 60_000
    (fault,) = [event for event in reader.events if isinstance(event, Fault)]
    assert (fault.rule, fault.key) == ("record-time", ahead.identity.public)


async def test_row_27_a_bogus_provider_is_dialled_where_it_says_and_proves_nothing(made: Town) -> None:
    first, bogus = await made(), await made()
    async with hosts(2) as (us, somebody):
        place = (await somebody.host.listen(ANY_PORT)).without_peer()
        me = PeerId(bogus.identity.public)
        await bogus.dht.publish("provider", KEY, {})
        await bogus.dht.publish("peer", peer_key(me), {"addresses": [str(place)], "relays": []})
        (provider,) = await first.dht.find(KEY)
        assert provider.peer == me.key
        places = await first.dht.find_peer(me)
        with pytest.raises(WrongPeerError, match="answered with another key"):
            await us.host.connect(me, places)
        with pytest.raises(UnreachableError, match="a moment ago"):
            await us.host.connect(me, places)
        assert list(us.host.connections()) == []
        assert (await us.host.connect(somebody.peer, [place])).peer == somebody.peer
