"""What broke nodes of `kademlia`, row by row of the protocol's list of weaknesses, done to a node of ours over UDP."""

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from net.dht.contact import Contact
from net.dht.cookies import HELLO_DOMAIN, answer_message
from net.dht.datagram import DATAGRAM_MAX, Body, Kind, Value, parse, unpack, write
from net.dht.events import Equivocated, Fault
from net.dht.messages import verdict_code
from net.dht.record import DOMAIN, content_key, key_id, sign_record
from net.dht.store import Verdict
from net.errors import MalformedError, UnreachableError
from runtime.identity import Identity
from tests.net.dht.liars import ForgingAnswers, make_lie
from tests.net.dht.machines import PATIENCE_S, Attacker, Machine, Town, town

KEY = content_key("ab" * 32)
HOUR_MS = 3_600_000


@pytest.fixture
async def made():  # type: ignore[no-untyped-def] # noqa: ANN201
    async with asyncio.timeout(3 * PATIENCE_S), town() as add:
        yield add


@pytest.fixture
async def attacker():  # type: ignore[no-untyped-def] # noqa: ANN201
    opened = await Attacker().open("127.6.6.6")
    yield opened
    await opened.socket.aclose()


def signed(identity: Identity, wall_ms: int, *, key: str = KEY, seq: int = 1, life_ms: int = HOUR_MS) -> bytes:
    return sign_record(identity, "provider", key, {}, seq=seq, issued_ms=wall_ms, life_ms=life_ms).packed


def open_files() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


def now_ms(machine: Machine) -> int:
    return machine.dht._clock.wall_ms()


async def test_dht_row_1_nobody_overwrites_a_key(made: Town, attacker: Attacker) -> None:
    first, second, third = [await made() for _ in range(3)]
    await first.dht.publish("provider", KEY, {})
    own = (await second.dht.find(KEY))[0]
    others = Identity(b"x" * 32)
    text = own.packed[64:].replace(b'"seq":', b'"seq":9')
    forged = [bytes(64) + text, own.packed[:64] + text, attacker.identity.sign(DOMAIN, text) + text, b"", bytes(2000)]
    for raw in forged[:4] * 5:
        answer = await attacker.ask(second, Kind.STORE, {"r": raw})
        assert unpack(answer.packed)["c"] == verdict_code(None)
    assert [record.packed for record in await third.dht.find(KEY)] == [own.packed]
    assert second.dht.node.counts["record-signature"] + second.dht.node.counts["record-form"] == 20
    # Even somebody who signs well only stands beside it.
    await attacker.ask(second, Kind.STORE, {"r": signed(others, now_ms(second), seq=99)})
    assert own.packed in {record.packed for record in await third.dht.find(KEY)}


async def test_dht_row_2_three_liars_who_are_first_to_answer_decide_nothing(made: Town) -> None:
    machines = [await made() for _ in range(12)]
    publisher, reader = machines[0], machines[1]
    await publisher.dht.publish("provider", KEY, {})
    place = int.from_bytes(key_id(KEY))
    nearest = sorted(machines[2:], key=lambda machine: machine.contact.long_id ^ place)
    for liar in nearest[:3]:
        make_lie(liar.dht.node, ForgingAnswers)
    found = await reader.dht.find(KEY)
    assert [record.peer for record in found] == [publisher.identity.public]


async def test_dht_row_3_a_reader_stores_nothing_anywhere(made: Town) -> None:
    machines = [await made() for _ in range(5)]
    await machines[0].dht.publish("provider", KEY, {})
    reader = machines[4]
    reader.sent.clear()
    assert await reader.dht.find(KEY)
    assert Kind.STORE not in {parse(raw).kind for raw, _ in reader.sent}


async def test_row_29_dht_row_4_who_has_no_cookie_gets_less_than_it_sent(made: Town, attacker: Attacker) -> None:
    victim = await made()
    for kind in (Kind.PING, Kind.FIND, Kind.GET, Kind.STORE):
        for padding in (0, 10, 24, 25, 100, 900):
            raw = write(kind, os.urandom(16), attacker.identity.public, {"p": bytes(padding)})
            before = len(victim.sent)
            received = victim.received
            attacker.socket.send(raw, victim.address)
            await victim.until(lambda received=received: victim.received > received)
            answers = victim.sent[before:]
            assert sum(len(answer) for answer, _ in answers) <= len(raw)
            assert all(parse(answer).kind is Kind.RETRY for answer, _ in answers)


async def test_dht_row_4_nothing_is_pushed_to_a_new_node(made: Town, attacker: Attacker) -> None:
    victim = await made()
    for number in range(100):
        owner = Identity(number.to_bytes(32))
        key = content_key(f"{number:064x}")
        await victim.dht.publish("provider", key, {})
        victim.dht.node.store.offer(
            sign_record(owner, "provider", key, {}, seq=1, issued_ms=now_ms(victim), life_ms=HOUR_MS),
            "x",
            now_ms(victim),
        )
    victim.sent.clear()
    answer = await attacker.ask(victim, Kind.PING, {}, serves=True)
    assert answer.kind is Kind.PONG
    assert len(victim.sent) == 2  # the cookie and the answer


async def test_dht_row_5_a_key_is_not_believed_without_its_signature(made: Town, attacker: Attacker) -> None:
    victim, other = await made(), await made()
    cookie = await attacker.cookie_of(victim)
    body: Body = {"a": True, "s": bytes(64)}
    attacker.socket.send(write(Kind.PING, os.urandom(16), attacker.identity.public, body, cookie), victim.address)
    await victim.until(lambda: victim.dht.node.counts["unproven"] == 1)
    assert victim.dht.node.table.get(attacker.contact.id) is None
    # The same with the key of somebody else, who is where it was.
    stolen = other.identity.public
    attacker.socket.send(write(Kind.PING, os.urandom(16), stolen, {"p": bytes(40)}), victim.address)
    answer = await attacker.hear()
    hello = attacker.identity.sign(HELLO_DOMAIN, answer.cookie + stolen + victim.identity.public)
    raw = write(Kind.PING, os.urandom(16), stolen, {"a": True, "s": hello}, answer.cookie)
    attacker.socket.send(raw, victim.address)
    await victim.until(lambda: victim.dht.node.counts["unproven"] == 2)
    known = victim.dht.node.table.get(other.contact.id)
    assert known is not None
    assert known.address == other.address


async def test_dht_row_5_who_answers_must_prove_its_key_too(made: Town, attacker: Attacker) -> None:
    victim = await made()
    claimed = Contact(Identity(b"v" * 32).public, attacker.address)
    victim.dht.node.ping(claimed, victim.dht._clock.monotonic())
    victim.dht._pump()
    request = await attacker.hear()
    attacker.socket.send(write(Kind.RETRY, request.id, claimed.key, {}, bytes(24)), victim.address)
    request = await attacker.hear()
    lie = attacker.identity.sign(
        HELLO_DOMAIN, answer_message(bytes(24), request.id, claimed.key, victim.identity.public)
    )
    attacker.socket.send(write(Kind.PONG, request.id, claimed.key, {"s": lie}), victim.address)
    await victim.until(lambda: victim.dht.node.counts["unproven-answer"] == 1)
    assert victim.dht.node.table.get(claimed.id) is None


async def test_dht_row_6_a_thousand_malformed_datagrams_do_nothing(made: Town, attacker: Attacker) -> None:
    victim, other = await made(), await made()
    random = Random(6)
    good = write(Kind.FIND, bytes(16), attacker.identity.public, {"t": bytes(20)}, await attacker.cookie_of(victim))
    tasks = len(asyncio.all_tasks())
    for number in range(1000):
        raw = bytearray(good if number % 2 else random.randbytes(random.randrange(1300)))
        for _ in range(random.randrange(1, 8)):
            if raw:
                raw[random.randrange(len(raw))] = random.randrange(256)
        victim.dht.receive(bytes(raw), attacker.address)
    assert len(asyncio.all_tasks()) == tasks
    assert len([event for event in victim.events if isinstance(event, Fault)]) <= 1001
    await other.dht.publish("provider", KEY, {})
    assert await victim.dht.find(KEY)


async def test_dht_row_6_a_flood_is_answered_up_to_the_rate(made: Town, attacker: Attacker) -> None:
    victim = await made()
    cookie = await attacker.cookie_of(victim)
    hello = attacker.hello(victim, cookie)
    victim.sent.clear()
    raw = write(Kind.PING, bytes(16), attacker.identity.public, {"s": hello}, cookie)
    began = victim.dht._clock.monotonic()
    for _ in range(500):
        victim.dht.receive(raw, attacker.address)
    seconds = victim.dht._clock.monotonic() - began
    assert len(victim.sent) <= 60 + 20 * seconds + 1


async def test_dht_row_6_a_flood_in_somebodys_name_does_not_silence_it(made: Town) -> None:
    victim, other = await made(), await made()
    for _ in range(2000):
        raw = write(Kind.PING, os.urandom(16), os.urandom(32), {"p": bytes(40)})
        victim.dht.receive(raw, other.address)
    assert victim.dht.node.counts["rate"] > 1000
    await victim.dht.publish("provider", KEY, {})
    assert await other.dht.find(KEY)


async def test_dht_row_7_malformed_answers_end_no_lookup(made: Town, attacker: Attacker) -> None:
    publisher, reader = await made(), await made()
    await publisher.dht.publish("provider", KEY, {})
    answers: list[dict[str, Value]] = [
        {}, {"n": [], "m": -1}, {"n": [b"short"], "m": 0}, {"n": b"", "m": 0}, {"n": [], "m": 70_000},
        {"n": [b""] * 21, "m": 1},
    ]  # fmt: skip

    async def answer_badly(body: dict[str, Value]) -> None:
        request = await attacker.hear()
        while request.cookie != b"c" * 24:
            attacker.socket.send(write(Kind.RETRY, request.id, attacker.identity.public, {}, b"c" * 24), reader.address)
            request = await attacker.hear()
        proof = answer_message(b"c" * 24, request.id, attacker.identity.public, reader.identity.public)
        fields = {**body, "s": attacker.identity.sign(HELLO_DOMAIN, proof)}
        attacker.socket.send(write(Kind.FOUND, request.id, attacker.identity.public, fields), reader.address)

    for body in answers:
        reader.dht.hint([attacker.contact])
        lying = asyncio.create_task(answer_badly(body))
        found = await reader.dht.find(KEY)
        await lying
        assert [record.peer for record in found] == [publisher.identity.public]
    assert reader.dht.node.counts["bad-answer"] == len(answers)


async def test_dht_row_9_when_nobody_answers_the_error_says_so(made: Town) -> None:
    alone = await made()
    with pytest.raises(UnreachableError, match="no node of the DHT answered"):
        await alone.dht.find(KEY)


async def test_dht_row_10_a_node_that_comes_back_on_another_port_is_found_there(made: Town) -> None:
    first, second = await made(), await made()
    await second.aclose()
    again = await Machine(second.identity).open("127.9.0.2", known=[first.contact])
    try:
        known = first.dht.node.table.get(again.contact.id)
        assert known is not None
        assert known.address == again.address != second.address
    finally:
        await again.aclose()


async def test_dht_row_12_who_is_new_beside_a_key_gets_its_records_from_their_publisher(made: Town) -> None:
    publisher, reader = await made(), await made()
    await publisher.dht.publish("provider", KEY, {})
    newcomer = await made()
    assert newcomer.dht.node.store.count == 0
    for record in publisher.dht._publications.due(float("inf"), now_ms(publisher)):
        await publisher.dht._tell(record)
    assert newcomer.dht.node.store.count == 1
    assert len(await reader.dht.find(KEY)) == 1


async def test_dht_row_14_storing_a_record_again_and_again_does_not_make_it_live(
    made: Town, attacker: Attacker
) -> None:
    victim = await made()
    raw = signed(attacker.identity, now_ms(victim) - HOUR_MS + 3000)
    first = await attacker.ask(victim, Kind.STORE, {"r": raw})
    second = await attacker.ask(victim, Kind.STORE, {"r": raw})
    verdicts = [unpack(answer.packed)["c"] for answer in (first, second)]
    assert verdicts == [verdict_code(Verdict.STORED), verdict_code(Verdict.REFRESHED)]
    assert victim.dht.node.store.get(key_id(KEY), now_ms(victim) + 3000) == []


async def test_dht_row_16_no_datagram_is_larger_than_a_packet(made: Town, attacker: Attacker) -> None:
    victim = await made()
    for number in range(1, 33):
        record = sign_record(
            Identity(number.to_bytes(32)), "provider", KEY, {}, seq=1, issued_ms=now_ms(victim), life_ms=HOUR_MS
        )
        victim.dht.node.store.offer(record, f"{number}", now_ms(victim))
    asker = await made()
    assert len(await asker.dht.find(KEY)) == 32
    for number in range(200):
        victim.dht.node.table.seen(Contact(number.to_bytes(32), (f"2001:db8:{number:x}::1", 4001)))
    answer = await attacker.ask(victim, Kind.FIND, {"t": bytes(20)})
    named = unpack(answer.packed)["n"]
    assert isinstance(named, list)
    assert len(named) == 20
    assert max(len(raw) for raw, _ in (*victim.sent, *asker.sent)) <= DATAGRAM_MAX
    with pytest.raises(MalformedError):
        parse(bytes([2]) + bytes(DATAGRAM_MAX))


async def test_dht_row_17_closing_leaves_no_task_and_no_socket(made: Town) -> None:
    await made()
    before = asyncio.all_tasks()
    files = open_files()
    machine = await Machine(Identity(b"c" * 32)).open("127.9.1.1")
    silent = Contact(Identity(b"s" * 32).public, ("127.9.9.9", 9))
    machine.dht.hint([silent])
    search = asyncio.create_task(machine.dht.find(KEY))
    await asyncio.sleep(0)
    assert len(machine.dht._waiting) == 1
    await machine.aclose()
    with pytest.raises(UnreachableError):
        await search
    with pytest.raises(UnreachableError):
        await machine.dht.find(KEY)
    assert asyncio.all_tasks() == before
    assert open_files() == files


async def test_dht_row_18_an_answer_from_another_address_or_key_is_not_heard(made: Town, attacker: Attacker) -> None:
    victim = await made()
    asked = await Attacker().open("127.6.6.7")
    try:
        victim.dht.node.ping(asked.contact, victim.dht._clock.monotonic())
        victim.dht._pump()
        request = await asked.hear()
        for sender in (asked.identity.public, attacker.identity.public):
            attacker.socket.send(write(Kind.RETRY, request.id, sender, {}, bytes(24)), victim.address)
        asked.socket.send(write(Kind.PONG, request.id, attacker.identity.public, {}), victim.address)
        await victim.until(lambda: victim.dht.node.counts["unasked"] == 3)
        assert len(victim.dht.node.table) == 0
    finally:
        await asked.socket.aclose()


async def test_an_equivocation_is_reported(made: Town, attacker: Attacker) -> None:
    victim = await made()
    for life_ms in (HOUR_MS, HOUR_MS + 1):
        await attacker.ask(victim, Kind.STORE, {"r": signed(attacker.identity, now_ms(victim), life_ms=life_ms)})
    (event,) = [event for event in victim.events if isinstance(event, Equivocated)]
    assert event.record.peer == attacker.identity.public


async def test_a_node_that_only_asks_answers_nobody_and_is_in_no_table(made: Town, attacker: Attacker) -> None:
    server, client = await made(), await made(serves=False)
    assert server.dht.node.table.get(client.contact.id) is None
    client.sent.clear()
    received = client.received
    attacker.socket.send(write(Kind.PING, bytes(16), attacker.identity.public, {"p": bytes(40)}), client.address)
    await client.until(lambda: client.received > received)
    assert client.sent == []
    await server.dht.publish("provider", KEY, {})
    assert await client.dht.find(KEY)


async def test_private_addresses_are_named_to_no_stranger(made: Town, attacker: Attacker) -> None:
    victim = await made()
    victim.dht.node.table.seen(Contact(b"p" * 32, ("192.168.1.5", 4001)))
    victim.dht.node.table.seen(Contact(b"g" * 32, ("203.0.113.5", 4001)))
    answer = await attacker.ask(victim, Kind.FIND, {"t": bytes(20)})
    named = unpack(answer.packed)["n"]
    assert named == [Contact(b"g" * 32, ("203.0.113.5", 4001)).packed]
