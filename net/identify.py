"""identify: what a peer says of itself, asked once when a connection stands, and told anew when it changes.

All of it but the key is a claim. The opener of `/ipfs/id/1.0.0` says nothing and hears one message; the opener of
`/ipfs/id/push/1.0.0` says one. Format: https://github.com/libp2p/specs/tree/master/identify.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from net.errors import AddressError, MalformedError, PeerFaultError, UnreachableError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.protobuf import bytes_fields, encode_fields
from net.stream import Connection, Handler, Stream, finish, read_varint_frame
from net.varint import encode_varint
from runtime.sanitise import clean

__all__ = [
    "IDENTIFY",
    "IDENTIFY_PUSH",
    "Identify",
    "ask",
    "decode_identify",
    "encode_identify",
    "hears_pushes",
    "push",
    "says",
]

IDENTIFY: Final = "/ipfs/id/1.0.0"
IDENTIFY_PUSH: Final = "/ipfs/id/push/1.0.0"

_LIMITS: Final = NetLimits()
_SCORE: Final = 20
_VERSION_MAX: Final = 100

_KEY: Final = 1
_LISTENING: Final = 2
_PROTOCOLS: Final = 3
_OBSERVED: Final = 4
_PROTOCOL_VERSION: Final = 5
_AGENT_VERSION: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """What a node says of itself.

    Args:
        peer: whose words these are.
        listening: where it says that it is reached.
        protocols: what it says that it serves.
        observed: where it sees the one whom it tells this.
        protocol_version: what it is a node of, such as `orlop/1`.
        agent_version: the program, such as `orlop/0.2.0`.
    """

    peer: PeerId
    listening: tuple[Multiaddr, ...] = ()
    protocols: tuple[str, ...] = ()
    observed: Multiaddr | None = None
    protocol_version: str = ""
    agent_version: str = ""


def encode_identify(said: Identify, limits: NetLimits = _LIMITS) -> bytes:
    """The message; of addresses and protocols only as many as are read elsewhere.

    Args:
        said: what is told.
        limits: how many that is.
    """
    listening = said.listening[: limits.identify_addresses]
    protocols = said.protocols[: limits.identify_protocols]
    observed = [(_OBSERVED, said.observed.to_bytes())] if said.observed else []
    return encode_fields(
        [
            (_KEY, said.peer.protobuf),
            *((_LISTENING, address.to_bytes()) for address in listening),
            *((_PROTOCOLS, name.encode()) for name in protocols),
            *observed,
            (_PROTOCOL_VERSION, said.protocol_version.encode()),
            (_AGENT_VERSION, said.agent_version.encode()),
        ]
    )


def decode_identify(raw: bytes, peer: PeerId, limits: NetLimits = _LIMITS) -> Identify:
    """Reads a message.

    Addresses that orlop does not speak to, or that lead to somebody else, and names that are none are passed over;
    others' nodes have many. What is kept is harmless to show.

    Args:
        raw: the message, no longer than the limit.
        peer: whose key the connection has proven.
        limits: how many addresses and protocols are looked at.

    Raises:
        PeerFaultError: no such message, or one about another key.
    """
    try:
        fields = list(bytes_fields(raw))
    except MalformedError as error:
        raise _fault(f"said of itself what is no protobuf: {error.why}") from None
    if any(value != peer.protobuf for value in _all(fields, _KEY)):
        raise _fault("named another key than the one that it proved")
    listening = map(_address, islice(_all(fields, _LISTENING), limits.identify_addresses))
    protocols = map(_name, islice(_all(fields, _PROTOCOLS), limits.identify_protocols))
    return Identify(
        peer=peer,
        listening=tuple(at for at in listening if at and at.peer in {None, peer}),
        protocols=tuple(name for name in protocols if 0 < len(name) <= limits.protocol_name),
        observed=_address(_last(fields, _OBSERVED)),
        protocol_version=_text(_last(fields, _PROTOCOL_VERSION)),
        agent_version=_text(_last(fields, _AGENT_VERSION)),
    )


async def ask(connection: Connection, limits: NetLimits = _LIMITS) -> Identify:
    """Asks a peer what it says of itself.

    Raises:
        UnsupportedProtocolError: it says nothing.
        UnreachableError: not in time.
        ConnectionLostError: the connection ended.
        StreamResetError: it took the stream away.
        PeerFaultError: it said what is no such message, or named another key; the connection is to be closed.
    """
    try:
        async with asyncio.timeout(limits.identify_s):
            stream = await connection.open(IDENTIFY)
            try:
                raw = await read_varint_frame(stream, limits.identify)
            except BaseException:
                stream.reset()
                raise
    except TimeoutError:
        why = f"did not say what it is within {limits.identify_s:g} s"
        raise UnreachableError(why, where=str(connection.peer)) from None
    await finish(stream)
    return decode_identify(raw, connection.peer, limits)


async def push(connection: Connection, own: Identify, limits: NetLimits = _LIMITS) -> None:
    """Tells a peer what this node says of itself now.

    Args:
        connection: to whom.
        own: what is told; `observed` is filled in.
        limits: how long it may take, and how much it may be.

    Raises:
        UnsupportedProtocolError: the peer does not listen to that.
        UnreachableError: it did not take it in time.
        ConnectionLostError: the connection ended.
        StreamResetError: it took the stream away.
    """
    try:
        async with asyncio.timeout(limits.identify_s):
            stream = await connection.open(IDENTIFY_PUSH)
            try:
                await _say(stream, replace(own, observed=connection.remote), limits)
                await stream.end()
                await stream.read(1)  # until it is heard
            finally:
                stream.reset()
    except TimeoutError:
        why = f"did not hear what we are within {limits.identify_s:g} s"
        raise UnreachableError(why, where=str(connection.peer)) from None


def says(describe: Callable[[], Identify], limits: NetLimits = _LIMITS) -> Handler:
    """Serves `IDENTIFY`.

    Args:
        describe: what this node says of itself now; `observed` is filled in.
        limits: how much it may be.
    """

    async def handle(connection: Connection, stream: Stream) -> None:
        await _say(stream, replace(describe(), observed=connection.remote), limits)

    return handle


def hears_pushes(told: Callable[[Connection, Identify], None], limits: NetLimits = _LIMITS) -> Handler:
    """Serves `IDENTIFY_PUSH`.

    Args:
        told: what a peer said of itself; does not block.
        limits: how much it may be, and how long it may take.
    """

    async def handle(connection: Connection, stream: Stream) -> None:
        try:
            async with asyncio.timeout(limits.identify_s):
                raw = await read_varint_frame(stream, limits.identify)
        except TimeoutError:
            why = f"did not say what it is within {limits.identify_s:g} s"
            raise UnreachableError(why, where=str(connection.peer)) from None
        told(connection, decode_identify(raw, connection.peer, limits))

    return handle


async def _say(stream: Stream, said: Identify, limits: NetLimits) -> None:
    message = encode_identify(said, limits)
    await stream.write(encode_varint(len(message)) + message)


def _all(fields: list[tuple[int, bytes]], wanted: int) -> list[bytes]:
    return [value for number, value in fields if number == wanted]


def _last(fields: list[tuple[int, bytes]], wanted: int) -> bytes:
    """Of a field that may be there once, protobuf takes the last."""
    return next(iter(_all(fields, wanted)[::-1]), b"")


def _address(raw: bytes) -> Multiaddr | None:
    try:
        return Multiaddr.from_bytes(raw) if raw else None
    except AddressError:
        return None


def _name(raw: bytes) -> str:
    """The name of a protocol; empty for what is none."""
    text = raw.decode("latin-1")
    return text if text.isascii() and text.isprintable() else ""


def _text(raw: bytes) -> str:
    return clean(raw[: 8 * _VERSION_MAX].decode(errors="replace"), _VERSION_MAX)


def _fault(why: str) -> PeerFaultError:
    return PeerFaultError(why, rule="identify", score=_SCORE)
