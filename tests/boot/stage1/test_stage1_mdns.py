"""Servers on the link: one question, answers within limits, and hints only of what is in our own network."""

import asyncio
import struct
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.serve import shelf
from boot.serve.announcing import Announcer
from boot.stage1 import mdns
from boot.stage1.mdns import Hearing, Offer
from boot.stage1.mdns_messages import PTR, SRV, TXT, A, MessageError, question, records_of
from boot.stage1.mdns_messages import text_of as fields_of
from net.lan.announcement import BOOT, Boot, text_of
from net.peer_id import PeerId
from runtime.identity import Identity
from tests.boot.serve.releases import release

HERE = IPv4Interface("10.0.2.15/24")
PEER = PeerId.parse(Identity(b"\1" * 32).peer_id)
SERVED = Boot("stable", "x86_64", 7, "ab" * 32)
NAME = f"one.{BOOT}"
HOST = "host.local."
WRONG = {"v": "2", "id": "x", "tcp": "0", "mv": "0", "root": "x", "arch": "A B"}
"""Values that no server announces."""


def name(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.rstrip(".").split(".")) + b"\0"


def record(owner: bytes, kind: int, value: bytes, cls: int = 0x8001) -> bytes:
    return owner + struct.pack("!HHIH", kind, cls, 120, len(value)) + value


def answer(*records: bytes, flags: int = 0x8400, questions: bytes = b"", asked: int = 0) -> bytes:
    return struct.pack("!HHHHHH", 0, flags, asked, len(records), 0, 0) + questions + b"".join(records)


def txt(**changed: str) -> bytes:
    fields = {**text_of(PEER, 8080, None, SERVED), **changed}
    strings = [f"{key}={value}".encode() for key, value in fields.items()]
    return b"".join(bytes([len(one)]) + one for one in strings)


def announced(host: str = "10.0.2.2", text: bytes | None = None) -> list[bytes]:
    return [
        record(name(BOOT), PTR, name(NAME), 1),
        record(name(NAME), SRV, struct.pack("!HHH", 0, 0, 8080) + name(HOST)),
        record(name(NAME), TXT, txt() if text is None else text),
        record(name(HOST), A, IPv4Address(host).packed),
    ]


def heard(*datagrams: bytes) -> Hearing:
    hearing = Hearing(HERE)
    for raw in datagrams:
        hearing.take(raw)
    return hearing


def test_a_server_that_says_all_of_it_is_offered() -> None:
    assert heard(answer(*announced())).offers() == [Offer("http://10.0.2.2:8080/", SERVED)]


def test_in_pieces_and_any_order_it_is_the_same_and_what_is_missing_is_asked_for() -> None:
    pointer, service, text, address = announced()
    hearing = heard()
    assert hearing.asks() == [(BOOT, PTR)]
    hearing.take(answer(pointer))
    assert hearing.asks() == [(BOOT, PTR), (NAME, SRV), (NAME, TXT)]
    hearing.take(answer(text))
    hearing.take(answer(service))
    assert hearing.asks() == [(BOOT, PTR), (HOST, A)]
    assert hearing.offers() == []
    hearing.take(answer(address))
    assert hearing.asks() == [(BOOT, PTR)]
    assert [offer.url for offer in hearing.offers()] == ["http://10.0.2.2:8080/"]


def test_names_may_be_compressed_and_in_capitals() -> None:
    service = name("_ORLOP-boot._tcp.local.")
    first = record(service, PTR, b"\x03one" + b"\xc0\x0c")
    where = 12 + len(service) + 10
    pointer = struct.pack("!H", 0xC000 | where)
    rest = [
        record(pointer, SRV, struct.pack("!HHH", 0, 0, 8080) + name("HOST.local.")),
        record(pointer, TXT, txt()),
        record(name("host.LOCAL."), A, bytes([10, 0, 2, 2])),
    ]
    assert [offer.url for offer in heard(answer(first, *rest)).offers()] == ["http://10.0.2.2:8080/"]


@pytest.mark.parametrize("host", ["10.0.3.2", "192.0.2.1", "127.0.0.1", "169.254.169.254", "224.0.0.1"])
def test_nobody_makes_a_machine_ask_outside_its_network(host: str) -> None:
    assert heard(answer(*announced(host))).offers() == []


@pytest.mark.parametrize(
    "text",
    [b"", b"\x00", b"\xffv=1", txt(v="2"), txt(id="x"), txt(tcp="0"), txt(mv="0"), txt(root="x"), txt(arch="A B")],
)
def test_a_text_of_another_form_is_no_offer(text: bytes) -> None:
    assert heard(answer(*announced(text=text))).offers() == []


def test_a_flood_of_names_is_bounded() -> None:
    hearing = Hearing(HERE)
    for number in range(500):
        one = f"n{number}.{BOOT}"
        hearing.take(
            answer(
                record(name(BOOT), PTR, name(one)),
                record(name(one), SRV, struct.pack("!HHH", 0, 0, 1) + name(f"h{number}.local.")),
                record(name(one), TXT, txt()),
                *(record(name(f"h{number}.local."), A, bytes([10, 0, 2, last])) for last in range(40)),
            )
        )
    assert len(hearing.asks()) <= 1 + 2 * 16
    assert len(hearing.offers()) <= 16 * 16
    assert len(question(hearing.asks())) < 9000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(12),  # a question
        bytes(9001),
        answer(*announced())[:-1],
        answer(*announced(), asked=1),
        answer(record(b"\xc0\x0c", PTR, name(BOOT))),  # points to itself
        answer(record(b"\xc0\xff", PTR, name(BOOT))),  # points forward
        answer(record(b"\x40" + b"a" * 64 + b"\0", A, bytes(4))),
        answer(record((b"\x3f" + b"a" * 63) * 5 + b"\0", A, bytes(4))),
        answer(record(name(BOOT), PTR, name(NAME) + b"x")),
        struct.pack("!HHHHHH", 0, 0x8400, 0, 60_000, 0, 0),
    ],
)
def test_what_is_not_sound_is_no_answer(raw: bytes) -> None:
    with pytest.raises(MessageError):
        records_of(raw)
    assert heard(raw).offers() == []


@given(st.binary(max_size=600))
def test_any_datagram_is_survived(raw: bytes) -> None:
    hearing = heard(raw, answer(raw), struct.pack("!HHHHHH", 0, 0x8400, 1, 4, 1, 1) + raw)
    assert hearing.offers() == []
    assert question(hearing.asks())
    assert isinstance(fields_of(raw), dict)


@given(st.data())
def test_a_good_answer_with_any_byte_changed_is_survived(data: st.DataObject) -> None:
    raw = bytearray(answer(*announced()))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for offer in heard(bytes(raw)).offers():
        assert offer.url.startswith("http://10.0.2.")


@given(st.lists(st.tuples(st.sampled_from([BOOT, NAME, HOST]), st.sampled_from([A, PTR, SRV, TXT])), max_size=20))
def test_a_question_has_all_that_was_asked(asked: list[tuple[str, int]]) -> None:
    raw = question(asked)
    assert struct.unpack_from("!HHHHHH", raw) == (0, 0, len(asked), 0, 0, 0)
    assert raw.count(b"\x05local\x00") == len(asked)


async def test_p11_a_real_server_is_found_by_one_question(tmp_path: Path) -> None:
    contents = shelf.load(release(tmp_path / "release"))
    announcer = Announcer(["127.0.0.1"])
    here = IPv4Interface("127.0.0.1/8")
    try:
        await announcer.start(contents, 4322)

        def ours(offer: Offer) -> bool:
            return offer.url == "http://127.0.0.1:4322/"

        found = await asyncio.to_thread(mdns.look, here, 100.0, ours)
    finally:
        await announcer.close()
    assert [(one.boot.channel, one.boot.arch, one.boot.version) for one in found] == [("stable", "x86_64", 7)]


def test_an_address_that_is_not_ours_finds_nothing_and_does_not_fail() -> None:
    assert mdns.look(IPv4Interface("203.0.113.77/24"), 0.2, lambda _: True) == []


def test_a_link_without_servers_is_left_in_time() -> None:
    assert mdns.look(IPv4Interface("127.0.0.1/8"), 0.1, lambda offer: offer.boot.arch == "none") == []
