"""What reads bytes of strangers, each as a function that gives a value or the one error that it promises.

Whoever writes such a parser adds it here, with inputs that it takes: the fuzzer begins with those and changes them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from net.errors import AddressError, MalformedError, PeerFaultError
from net.identify import Identify, decode_identify, encode_identify
from net.multiaddr import Multiaddr
from net.multistream import Multistream, Selected
from net.noise_transport import NoiseTransport
from net.peer_id import PeerId
from net.protobuf import bytes_fields, encode_fields
from net.varint import decode_varint, encode_varint
from runtime import base58
from runtime.errors import OrlopError
from tests.net.noise_ends import DIALLER, KEYS, LISTENER, end, peer_of, proof

__all__ = ["TARGETS", "Target", "in_pieces"]


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        name: of it.
        parse: reads bytes; anything that it raises beside `refusal` is a fault, an `AssertionError` too.
        refusal: the one error.
        seeds: inputs that are taken, at least one.
    """

    name: str
    parse: Callable[[bytes], object]
    refusal: type[OrlopError]
    seeds: tuple[bytes, ...]


def in_pieces(raw: bytes) -> list[bytes]:
    """The bytes as a socket may give them; their first says how long the pieces are."""
    size = max(1, raw[0] if raw else 1)
    return [raw[at : at + size] for at in range(0, len(raw), size)]


# --- names and addresses ----------------------------------------------------------------------------------------------

PEER = peer_of(DIALLER)
RELAY = peer_of(LISTENER)
PLACES = (
    "/ip4/192.0.2.1/tcp/4001",
    f"/ip6/2001:db8::1/udp/4001/quic-v1/p2p/{PEER}",
    "/ip6zone/eth0/ip6/fe80::1/tcp/1",
    f"/dns4/relay.example/tcp/443/p2p/{RELAY}/p2p-circuit/p2p/{PEER}",
)


def varint(raw: bytes) -> object:
    found = decode_varint(raw)
    assert found is None or encode_varint(found[0]) == raw[: found[1]]
    return found


def protobuf(raw: bytes) -> object:
    fields = list(bytes_fields(raw))
    assert list(bytes_fields(encode_fields(fields))) == fields
    return fields


def peer_id_text(raw: bytes) -> object:
    peer = PeerId.parse(raw.decode("latin-1"))
    assert PeerId.parse(str(peer)) == peer
    return peer


def peer_id_multihash(raw: bytes) -> object:
    assert PeerId.from_multihash(raw).multihash == raw
    return raw


def peer_id_protobuf(raw: bytes) -> object:
    assert PeerId.from_protobuf(raw).protobuf == raw
    return raw


def multiaddr_text(raw: bytes) -> object:
    address = Multiaddr.parse(raw.decode("latin-1"))
    assert Multiaddr.parse(str(address)) == Multiaddr.from_bytes(address.to_bytes()) == address
    return address


def multiaddr_bytes(raw: bytes) -> object:
    address = Multiaddr.from_bytes(raw)
    assert Multiaddr.parse(str(address)) == Multiaddr.from_bytes(address.to_bytes()) == address
    return address


def base58_text(raw: bytes) -> object:
    decoded = base58.decode(raw.decode("latin-1"))
    assert decoded is None or base58.encode(decoded).encode() == raw
    return decoded


# --- the upgrade of a connection --------------------------------------------------------------------------------------

MULTISTREAM = b"\x13/multistream/1.0.0\n"


def _negotiate(side: Multistream, raw: bytes) -> object:
    for piece in in_pieces(raw):
        event = side.receive(piece)
        assert len(side.take()) < 200
        if event is not None:
            assert not isinstance(event, Selected) or event.name == "/noise"
            return event
    return None


def multistream_dialler(raw: bytes) -> object:
    return _negotiate(Multistream(dialler=True, names=["/tls/1.0.0", "/noise"]), MULTISTREAM + raw)


def multistream_listener(raw: bytes) -> object:
    return _negotiate(Multistream(dialler=False, names=["/noise"]), raw)


def _sounds() -> tuple[bytes, bytes]:
    """What a dialler and a listener hear in a handshake that comes to an end."""
    dialler, listener = end(DIALLER), end(LISTENER)
    first = dialler.take()
    listener.receive(first)
    second = listener.take()
    dialler.receive(second)
    return second, first + dialler.take()


def noise_dialler(raw: bytes) -> object:
    dialler = end(DIALLER)
    return [dialler.receive(piece) for piece in in_pieces(raw)]


def noise_listener(raw: bytes) -> object:
    listener = end(LISTENER)
    return [listener.receive(piece) for piece in in_pieces(raw)]


def noise_payload(raw: bytes) -> object:
    peer, muxers = end(LISTENER)._prove(KEYS[DIALLER].public, raw)
    assert peer == PEER
    return muxers


def noise_frames(raw: bytes) -> object:
    transport = NoiseTransport(b"\1" * 32, b"\2" * 32)
    return [transport.receive(memoryview(piece)) for piece in in_pieces(raw)]


def _frames() -> bytes:
    peer = NoiseTransport(b"\2" * 32, b"\1" * 32)
    return bytes(peer.seal(b"one") + peer.seal(b"two" * 50))


# --- what is told on streams ------------------------------------------------------------------------------------------


def identify(raw: bytes) -> object:
    said = decode_identify(raw, PEER)
    assert len(said.listening) <= 32
    assert len(said.protocols) <= 128
    assert decode_identify(encode_identify(said), PEER) == said
    return said


IDENTIFY = Identify(
    peer=PEER,
    listening=tuple(map(Multiaddr.parse, PLACES)),
    protocols=("/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"),
    observed=Multiaddr.parse(PLACES[0]),
    protocol_version="orlop/1",
    agent_version="orlop/0.2.0",
)

TARGETS = (
    Target("varint", varint, MalformedError, (b"\0", b"\xac\x02", b"\xff" * 8 + b"\x7f")),
    Target("protobuf", protobuf, MalformedError, (proof(DIALLER), b"\x08\x96\x01\x0d\0\0\0\0\x12\x01a")),
    Target("base58", base58_text, MalformedError, (str(PEER).encode(), b"1112")),
    Target(
        "peer id, text",
        peer_id_text,
        AddressError,
        (
            str(PEER).encode(),
            b"bafzaajaiaejcahbmfgihvy2h7maqlttcgarkrk5qyenzaz4tcwsfmmvseurhue6l",
            b"k51qzi5uqu5dgvv87gb35pjzo9qynwmc5ecxyo84dsa5ck4h9z3yqdstpzv8i3",
        ),
    ),
    Target("peer id, multihash", peer_id_multihash, AddressError, (PEER.multihash,)),
    Target("peer id, protobuf", peer_id_protobuf, AddressError, (PEER.protobuf,)),
    Target("multiaddr, text", multiaddr_text, AddressError, tuple(place.encode() for place in PLACES)),
    Target("multiaddr, bytes", multiaddr_bytes, AddressError, tuple(Multiaddr.parse(p).to_bytes() for p in PLACES)),
    Target("multistream, dialler", multistream_dialler, PeerFaultError, (b"\x03na\n\x07/noise\n", b"\x03na\n\x03na\n")),
    Target("multistream, listener", multistream_listener, PeerFaultError, (MULTISTREAM + b"\x03ls\n\x07/noise\nx",)),
    Target("noise, dialler", noise_dialler, PeerFaultError, _sounds()[:1]),
    Target("noise, listener", noise_listener, PeerFaultError, _sounds()[1:]),
    Target(
        "noise, payload",
        noise_payload,
        PeerFaultError,
        (proof(DIALLER), proof(DIALLER, b"\x22\x0e\x12\x0c/yamux/1.0.0")),
    ),
    Target("noise, frames", noise_frames, PeerFaultError, (_frames(),)),
    Target("identify", identify, PeerFaultError, (encode_identify(IDENTIFY), proof(DIALLER))),
)
