"""The reference page of the peers' protocols: its examples are what the program writes, its figures the program's."""

import re
from collections.abc import Iterator
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from zeroconf import ServiceInfo

from net.capabilities.measured import Measured
from net.capabilities.record import Offered, make_record, read_record
from net.dht.answers import Answers
from net.dht.contact import Contact, node_id
from net.dht.datagram import Body, Kind, parse
from net.dht.record import Record, key_id, peer_key, sign_record
from net.dht.record import read_record as read_dht_record
from net.dht.requests import Requests
from net.dht.store import RecordStore
from net.dht.table import Table
from net.identify import Identify, decode_identify, encode_identify
from net.lan.announcement import PEERS, instance_of, text_of
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.multistream import Multistream
from net.peer_id import PeerId
from net.quic.certificate import signed_key
from net.varint import encode_varint
from net.yamux_frames import Flag, GoAway, frame
from net.yamux_frames import Kind as Frame
from runtime.identity import Identity, verify
from tests.net.noise_ends import DIALLER, LISTENER, always, end, peer_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "peer-protocol.md"
LIMITS = NetLimits()
NOW_MS = 1_767_225_600_000
PLACE = ("192.0.2.1", 4001)
WIDTH = 150


def examples() -> dict[str, str]:
    """Every example of the page: its name, and hexadecimal text, or text."""
    made = peer_id() | addresses() | multistream() | noise() | yamux() | quic() | identify() | capabilities()
    return made | dict(dht()) | record() | lan()


def peer_id() -> dict[str, str]:
    peer = peer_of(Identity(sha256(b"orlop worked example 1").digest()))
    return {"public key": peer.key.hex(), "protobuf": peer.protobuf.hex(), "PeerId": str(peer)}


def addresses() -> dict[str, str]:
    texts = [
        "/ip4/1.2.3.4/tcp/4001",
        "/ip6/::1/udp/4001/quic-v1",
        "/dns4/node.example/tcp/443",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{peer_of(Identity(sha256(b'orlop worked example 1').digest()))}",
    ]
    assert [str(Multiaddr.from_bytes(Multiaddr.parse(text).to_bytes())) for text in texts] == texts
    return {text: Multiaddr.parse(text).to_bytes().hex() for text in texts}


def multistream() -> dict[str, str]:
    dialler, listener = (
        Multistream(dialler=True, names=["/tls/1.0.0", "/noise"]),
        Multistream(dialler=False, names=["/noise"]),
    )
    said = {"dialler: /tls/1.0.0": dialler.take()}
    listener.receive(said["dialler: /tls/1.0.0"])
    said["listener: na"] = listener.take()
    dialler.receive(said["listener: na"])
    said["dialler: /noise"] = dialler.take()
    listener.receive(said["dialler: /noise"])
    said["listener: /noise"] = listener.take()
    return {name: raw.hex() for name, raw in said.items()}


def noise() -> dict[str, str]:
    dialler, listener = end(DIALLER), end(LISTENER)
    first = dialler.take()
    listener.receive(first)
    second = listener.take()
    here = dialler.receive(second)
    third = dialler.take()
    there = listener.receive(third)
    assert here is not None
    assert there is not None
    sealed = bytes(here.transport.seal(b"hello"))
    assert b"".join(there.transport.receive(memoryview(bytearray(sealed)))) == b"hello"
    return {"message 1": first.hex(), "message 2": second.hex(), "message 3": third.hex(), "hello": sealed.hex()}


def yamux() -> dict[str, str]:
    made = {
        "opens 1": frame(Frame.WINDOW_UPDATE, Flag.SYN, 1, 0),
        "takes 1": frame(Frame.WINDOW_UPDATE, Flag.ACK, 1, 0),
        "says hello": frame(Frame.DATA, Flag.NONE, 1, 5) + b"hello",
        "ends": frame(Frame.WINDOW_UPDATE, Flag.FIN, 1, 0),
        "resets": frame(Frame.WINDOW_UPDATE, Flag.RST, 1, 0),
        "pings": frame(Frame.PING, Flag.SYN, 0, 7),
        "answers": frame(Frame.PING, Flag.ACK, 0, 7),
        "goes": frame(Frame.GO_AWAY, Flag.NONE, 0, GoAway.NORMAL),
    }
    return {name: raw.hex() for name, raw in made.items()}


def quic() -> dict[str, str]:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    return {"extension": signed_key(DIALLER, key).hex()}


def identify() -> dict[str, str]:
    said = Identify(
        peer=peer_of(DIALLER),
        listening=(Multiaddr.parse("/ip4/192.0.2.1/tcp/4001"),),
        protocols=("/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"),
        observed=Multiaddr.parse("/ip4/192.0.2.2/tcp/40404"),
        protocol_version="orlop/1",
        agent_version="orlop/0.1.0",
    )
    message = encode_identify(said)
    assert decode_identify(message, said.peer) == said
    return {"identify": (encode_varint(len(message)) + message).hex()}


def capabilities() -> dict[str, str]:
    machine = Measured("x86_64", "linux", 4, 3500, 8 << 30, 6 << 30)
    maxima = {"module": 1 << 24, "input": 1 << 26, "output": 1 << 30, "memory": 4 << 30, "wall_ms": 1000, "fuel": 10**9}
    offered = Offered(
        slots_total=2, slots_free=1, queue=0, kinds=["wasm"], runtimes={"wasmtime": "37.0.0"}, maxima=maxima,
        abi={"jobs": 1, "rooms": 1}, relay=False, version="0.1.0",
    )  # fmt: skip
    packed = make_record(DIALLER, machine, offered, seq=1, now_ms=NOW_MS)
    assert read_record(packed, peer_of(DIALLER), NOW_MS).offered == offered
    head = encode_varint(len(packed)) + packed[:64]
    return {"capabilities": head.hex(), "its text": packed[64:].decode()}


def dht() -> Iterator[tuple[str, str]]:
    """A FIND, all that is said until it is answered, and the contact that the answer names."""
    sent: list[bytes] = []
    asker = Requests(
        DIALLER, LIMITS, random_bytes=always(bytes(range(16))), verify=verify, serves=True,
        send=lambda raw, _: sent.append(raw), heard=lambda *_: None, missed=lambda _: None,
    )  # fmt: skip
    own = node_id(LISTENER.public)
    table = Table(own, LIMITS.dht_k, 0.0)
    known = Contact(Identity(b"\3" * 32).public, ("192.0.2.3", 4003))
    table.seen(known)
    answerer = Answers(
        LISTENER, LIMITS, RecordStore(own, LIMITS), table, random_bytes=always(b"\x55" * 32), verify=verify,
        wall_ms=lambda: NOW_MS,
    )  # fmt: skip
    at = Contact(LISTENER.public, ("192.0.2.2", 4002))
    answered = list[bool]()
    target = key_id(peer_key(peer_of(DIALLER)))

    def done(body: Body | None, _now: float) -> bool:
        answered.append(body is not None)
        return True

    asker.ask(at, Kind.FIND, {"t": target, "h": b""}, 0.0, done)
    for question, answer in (("FIND", "RETRY"), ("FIND with its cookie", "FOUND")):
        yield question, sent[-1].hex()
        back = answerer.receive(parse(sent[-1]), len(sent[-1]), PLACE, 0.0).answer
        assert back is not None
        yield answer, back.hex()
        asker.receive(parse(back), at.address, 0.0)
    assert answered == [True]
    yield "contact", known.packed.hex()
    yield "its id", node_id(known.key).hex()


def record() -> dict[str, str]:
    peer = peer_of(DIALLER)
    body = {"addresses": ["/ip4/192.0.2.1/udp/4001/quic-v1"], "relays": []}
    made: Record = sign_record(DIALLER, "peer", peer_key(peer), body, seq=1, issued_ms=NOW_MS, life_ms=4 * 3_600_000)
    assert read_dht_record(made.packed, NOW_MS) == made
    return {"record": made.packed[:64].hex(), "signed text": made.packed[64:].decode(), "place": made.key_id.hex()}


def lan() -> dict[str, str]:
    peer = peer_of(DIALLER)
    name = f"{instance_of(peer)}.{PEERS}"
    return {"instance": name, "TXT": ServiceInfo(PEERS, name, properties=dict(text_of(peer, 4001, 4001))).text.hex()}


def shown(name: str, text: str) -> list[str]:
    """An example as it stands on the page: its name, and its lines below it."""
    return [name, *(f"  {text[at : at + WIDTH]}" for at in range(0, len(text), WIDTH))]


def test_the_examples_are_what_is_written() -> None:
    on_page = "\n".join(re.findall(r"^```text\n(.*?)\n```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)).splitlines()
    assert on_page == [line for name, text in examples().items() for line in shown(name, text)]


def test_the_table_of_limits_has_every_limit_with_its_figure() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", PAGE.read_text(), re.MULTILINE))
    wanted = {field.name for field in fields(NetLimits)} - {"spare_loopback"}
    assert rows == {name: f"{getattr(LIMITS, name):,}".removesuffix(".0") for name in wanted}


def test_the_names_of_a_peer_are_those_of_the_worked_example() -> None:
    page = PAGE.read_text()
    peer = peer_of(Identity(sha256(b"orlop worked example 1").digest()))
    names = re.findall(r"`(b[a-z2-7]{60,}|k[a-z0-9]{55,})`", page)
    assert len(names) == 2
    assert {PeerId.parse(name) for name in names} == {peer}
