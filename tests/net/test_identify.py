import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError, StreamResetError, UnreachableError, UnsupportedProtocolError
from net.identify import (
    IDENTIFY,
    IDENTIFY_PUSH,
    Identify,
    ask,
    decode_identify,
    encode_identify,
    hears_pushes,
    push,
    says,
)
from net.limits import NetLimits
from net.memory import MemoryConnection, pair
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.protobuf import encode_fields
from net.stream import Connection, Protocols, Stream
from net.varint import encode_varint
from runtime.identity import Identity
from runtime.sanitise import clean

HERE = PeerId(Identity(b"\1" * 32).public)
THERE = PeerId(Identity(b"\2" * 32).public)
AT = Multiaddr.parse("/ip4/192.0.2.1/tcp/4001")
QUIC = Multiaddr.parse("/ip6/2001:db8::1/udp/4001/quic-v1")
SAID = Identify(
    peer=THERE,
    listening=(AT, QUIC),
    protocols=("/ipfs/ping/1.0.0", "/orlop/jobs/1.0.0"),
    observed=AT,
    protocol_version="orlop/1",
    agent_version="orlop/0.2.0",
)
HASTY = NetLimits(identify_s=0.05)
PATIENT = NetLimits(identify_s=60.0)


def connected(*, here: Protocols | None = None, there: Protocols | None = None) -> tuple[Connection, MemoryConnection]:
    return pair(HERE, THERE, here or Protocols(), there or Protocols())


def answering(raw: bytes, *, ends: bool = True) -> Protocols:
    """Serves identify by these bytes."""

    async def handle(connection: Connection, stream: Stream) -> None:
        await stream.write(raw)
        if not ends:
            await connection.wait_closed()

    return served(IDENTIFY, handle)


def served(name: str, handle: Callable[[Connection, Stream], Awaitable[None]]) -> Protocols:
    protocols = Protocols()
    protocols.serve(name, handle)
    return protocols


def test_the_message_is_that_of_libp2p() -> None:
    raw = encode_identify(SAID)
    assert raw == (
        b"\x0a\x24" + THERE.protobuf + b"\x12\x08" + AT.to_bytes() + b"\x12\x17" + QUIC.to_bytes()
        + b"\x1a\x10/ipfs/ping/1.0.0" + b"\x1a\x11/orlop/jobs/1.0.0" + b"\x22\x08" + AT.to_bytes()
        + b"\x2a\x07orlop/1" + b"\x32\x0borlop/0.2.0"
    )  # fmt: skip
    assert decode_identify(raw, THERE) == SAID


def test_what_is_not_said_is_empty() -> None:
    assert decode_identify(b"", THERE) == Identify(peer=THERE)
    assert decode_identify(encode_identify(Identify(peer=THERE)), THERE) == Identify(peer=THERE)


def test_row_14_a_foreign_key_ends_it() -> None:
    for raw in (encode_identify(SAID), encode_fields([(1, HERE.protobuf), (1, THERE.protobuf)]), b"\x0a\0"):
        with pytest.raises(PeerFaultError, match="named another key than the one that it proved") as caught:
            decode_identify(raw, HERE)
        assert (caught.value.rule, caught.value.score) == ("identify", 20)


def test_what_is_no_protobuf_ends_it() -> None:
    with pytest.raises(PeerFaultError, match="no protobuf: a field is cut short"):
        decode_identify(encode_identify(SAID)[:-1], THERE)


def test_row_14_only_so_much_is_looked_at() -> None:
    many = encode_fields([(2, AT.to_bytes())] * 500 + [(3, b"/a")] * 500)
    said = decode_identify(many, THERE)
    assert (len(said.listening), len(said.protocols)) == (32, 128)


def test_only_so_much_is_told() -> None:
    raw = encode_identify(Identify(peer=THERE, listening=(AT,) * 100, protocols=("/a",) * 200))
    assert len(raw) == len(THERE.protobuf) + 2 + 32 * 10 + 128 * 4 + 2 * 2


def test_addresses_that_lead_elsewhere_or_nowhere_are_passed_over() -> None:
    own, foreign = AT.with_peer(THERE), AT.with_peer(HERE)
    websocket = AT.to_bytes() + encode_varint(477)
    raw = encode_fields([(2, a) for a in (websocket, b"", b"\xff", foreign.to_bytes(), own.to_bytes(), AT.to_bytes())])
    assert decode_identify(raw, THERE).listening == (own, AT)
    assert decode_identify(encode_fields([(4, b"\xff")]), THERE).observed is None


def test_names_that_are_none_are_passed_over() -> None:
    names = [b"/good", b"", b"/\x1b[31m", b"/\xc3\xa9", b"/" + b"a" * 140, b"/" + b"a" * 139]
    said = decode_identify(encode_fields([(3, name) for name in names]), THERE)
    assert said.protocols == ("/good", "/" + "a" * 139)


def test_row_14_sec10_text_is_harmless_and_short() -> None:
    raw = encode_fields([(5, b"\x1b]52;c;aGk=\x07\xff"), (6, "é\u202e".encode() * 5_000)])
    said = decode_identify(raw, THERE)
    assert said.protocol_version == "\\x1b]52;c;aGk=\\x07\N{REPLACEMENT CHARACTER}"
    assert len(said.agent_version) == 100
    assert clean(said.agent_version) == said.agent_version


@given(st.binary(max_size=300))
def test_garbage_is_a_message_or_a_fault(raw: bytes) -> None:
    try:
        said = decode_identify(raw, THERE)
    except PeerFaultError as fault:
        shown = str(fault)
    else:
        shown = said.agent_version
        assert decode_identify(encode_identify(said), THERE) == said
    assert clean(shown) == shown


async def test_a_peer_is_asked() -> None:
    here, there = connected(there=served(IDENTIFY, says(lambda: SAID)))
    said = await ask(here, PATIENT)
    assert said.agent_version == "orlop/0.2.0"
    assert said.listening == (AT, QUIC)
    assert said.observed == there.remote  # where it sees us
    await here.close()


async def test_a_message_of_other_nodes_may_be_longer_than_127_bytes() -> None:
    raw = encode_identify(SAID) + encode_fields([(8, b"\0" * 360)])
    here, _ = connected(there=answering(encode_varint(len(raw)) + raw))
    assert await ask(here, PATIENT) == SAID
    await here.close()


async def test_who_does_not_end_the_stream_is_heard_all_the_same() -> None:
    raw = encode_identify(SAID)
    here, there = connected(there=answering(encode_varint(len(raw)) + raw, ends=False))
    assert await ask(here, PATIENT) == SAID
    await here.close()
    assert there.faults == []


async def test_a_message_that_is_too_long_is_refused_by_its_length() -> None:
    here, _ = connected(there=answering(encode_varint(16_385), ends=False))
    with pytest.raises(PeerFaultError, match="more than 16384 bytes"):
        await ask(here, PATIENT)
    await here.close()


async def test_a_foreign_key_is_told_to_who_asked() -> None:
    raw = encode_identify(Identify(peer=HERE))
    here, _ = connected(there=answering(encode_varint(len(raw)) + raw))
    with pytest.raises(PeerFaultError, match="named another key"):
        await ask(here, PATIENT)
    await here.close()


async def test_who_says_nothing_is_not_waited_for() -> None:
    here, _ = connected(there=answering(b"", ends=False))
    with pytest.raises(UnreachableError, match=f"{THERE}: did not say what it is within 0.05 s"):
        await ask(here, HASTY)
    await here.close()


async def test_who_does_not_speak_it_is_not_asked() -> None:
    here, _ = connected()
    with pytest.raises(UnsupportedProtocolError):
        await ask(here, PATIENT)
    with pytest.raises(UnsupportedProtocolError):
        await push(here, SAID, PATIENT)
    await here.close()


async def test_what_changed_is_told() -> None:
    told: list[tuple[Connection, Identify]] = []
    here, there = connected(there=served(IDENTIFY_PUSH, hears_pushes(lambda *news: told.append(news))))
    own = Identify(peer=HERE, agent_version="orlop/0.3.0")
    await push(here, own, PATIENT)  # returns when it was heard
    assert told == [(there, Identify(peer=HERE, agent_version="orlop/0.3.0", observed=here.remote))]
    await here.close()


async def test_a_push_about_somebody_else_counts_against_who_pushed() -> None:
    told: list[object] = []
    here, there = connected(there=served(IDENTIFY_PUSH, hears_pushes(lambda *news: told.append(news))))
    with pytest.raises(StreamResetError):
        await push(here, SAID, PATIENT)
    assert [fault.rule for fault in there.faults] == ["identify"]
    assert told == []
    await here.close()


async def test_a_push_without_words_is_not_waited_for() -> None:
    heard = served(IDENTIFY_PUSH, hears_pushes(lambda *_: None, HASTY))
    here, there = connected(there=heard)
    stream = await here.open(IDENTIFY_PUSH)
    with pytest.raises(StreamResetError):
        await stream.read()
    assert there.faults == []
    await here.close()


async def test_a_push_that_nobody_hears_is_not_waited_for() -> None:
    async def deaf(connection: Connection, stream: Stream) -> None:
        await connection.wait_closed()

    here, _ = connected(there=served(IDENTIFY_PUSH, deaf))
    with pytest.raises(UnreachableError, match="did not hear what we are"):
        await push(here, SAID, HASTY)
    await here.close()


async def test_no_stream_is_left() -> None:
    here, there = connected(there=served(IDENTIFY, says(lambda: SAID)))
    for _ in range(3):
        await ask(here, PATIENT)
    await there.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
