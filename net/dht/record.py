"""Records of the DHT: signed, expiring, small; whoever stores or reads one checks all of it.

On the wire a record is its signature and then its canonical text, which is what was signed; contracts, section 2.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from net.errors import AddressError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime import identity
from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.errors import RefusedError, UsageError

__all__ = [
    "DOMAIN",
    "KINDS",
    "Record",
    "RecordError",
    "Signer",
    "Verify",
    "capability_key",
    "content_key",
    "key_id",
    "manifest_key",
    "peer_key",
    "read_record",
    "sign_record",
]

DOMAIN: Final = b"orlop-record:v1:"
LIFE_MOST_MS: Final = 26 * 3_600_000
_SIGNATURE: Final = 64
_FIELDS: Final = frozenset({"body", "expires_ms", "issued_ms", "key", "kind", "peer", "seq", "v"})
_ADDRESSES: Final = 8
_RELAYS: Final = 4
_URLS: Final = 4
_PROVIDE: Final = re.compile(r"/orlop/provide/(?:[0-9a-f]{64}|[a-z0-9_]{1,16}/[a-z0-9._-]{1,32})", re.ASCII)
_BOOT: Final = re.compile(r"/orlop/boot/[a-z0-9._-]{1,32}/[a-z0-9_]{1,16}/[0-9a-f]{64}", re.ASCII)
_URL: Final = re.compile(r"https?://[!-~]{1,240}", re.ASCII)

Verify = Callable[[bytes, bytes, bytes, bytes], bool]
"""Whether a signature fits: of public key, domain, message, signature; `runtime.identity.verify`."""


class Signer(Protocol):
    """Who signs; `runtime.identity.Identity`."""

    public: bytes

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """The signature of `domain + message`, 64 bytes."""
        ...


class RecordError(RefusedError):
    """A record that is none, or that proves nothing.

    Args:
        why: in words.
        rule: one short word for counters; `time` is the only one that an honest node may meet.
    """

    def __init__(self, why: str, *, rule: str) -> None:
        super().__init__(why, where="DHT record")
        self.rule: Final = rule


@dataclass(frozen=True)
class Record:
    """A record whose checks have all passed.

    Attributes:
        kind: one of `KINDS`.
        key: the text of its key.
        peer: the public key that signed it.
        seq: rises with each record of this signer under this key.
        issued_ms: Unix milliseconds.
        expires_ms: Unix milliseconds; from then on it is nothing.
        body: by kind; see section 5.2 of the protocol.
        packed: as it travels.
    """

    kind: str
    key: str
    peer: bytes
    seq: int
    issued_ms: int
    expires_ms: int
    body: Mapping[str, Json]
    packed: bytes

    @cached_property
    def key_id(self) -> bytes:
        """Where it is stored."""
        return key_id(self.key)

    @cached_property
    def mark(self) -> bytes:
        """Eight bytes by which a reader says that it has this one."""
        return hashlib.sha256(self.packed).digest()[:8]


def key_id(key: str) -> bytes:
    """The place of a key: the first 20 bytes of the SHA-256 of its text."""
    return hashlib.sha256(key.encode()).digest()[:20]


def peer_key(peer: PeerId) -> str:
    """The key under which a peer says where it is."""
    return f"/orlop/peer/{peer}"


def content_key(sha256_hex: str) -> str:
    """The key of who holds some content.

    Raises:
        UsageError: not 64 lower-case hexadecimal characters.
    """
    return _fitting(f"/orlop/provide/{sha256_hex}", _PROVIDE)


def capability_key(arch: str, kind: str) -> str:
    """The key of who runs jobs of a kind on an architecture, such as `x86_64` and `wasm`.

    Raises:
        UsageError: not words of lower-case letters, digits and `._-`.
    """
    return _fitting(f"/orlop/provide/{arch}/{kind}", _PROVIDE)


def manifest_key(channel: str, arch: str, root_hex: str) -> str:
    """The key of who serves boot manifests that a root key signs.

    Raises:
        UsageError: words with other letters, or a root key that is not 64 hexadecimal characters.
    """
    return _fitting(f"/orlop/boot/{channel}/{arch}/{root_hex}", _BOOT)


def _fitting(key: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(key):
        raise UsageError("is not a key of the DHT", where=repr(key)[:120])
    return key


def sign_record(
    signer: Signer, kind: str, key: str, body: Mapping[str, Json], *, seq: int, issued_ms: int, life_ms: int
) -> Record:
    """Makes a record of ours.

    Args:
        signer: whose it is.
        kind: one of `KINDS`.
        key: its text; it fits kind and signer.
        body: as its kind has it.
        seq: higher than the last one's under this key.
        issued_ms: now, Unix milliseconds.
        life_ms: until it expires, 26 hours at most.

    Raises:
        RecordError: others would refuse it, for one of these.
    """
    text = encode(
        {
            "body": body,
            "expires_ms": issued_ms + life_ms,
            "issued_ms": issued_ms,
            "key": key,
            "kind": kind,
            "peer": str(PeerId(signer.public)),
            "seq": seq,
            "v": 1,
        }
    )
    return read_record(signer.sign(DOMAIN, text) + text, issued_ms, verify=_made_here)


def _made_here(_public: bytes, _domain: bytes, _message: bytes, _signature: bytes) -> bool:
    return True


def read_record(
    packed: bytes, now_ms: int, *, verify: Verify = identity.verify, limits: NetLimits = NetLimits()
) -> Record:
    """Reads a record and checks all that it says about itself.

    Args:
        packed: as it travelled.
        now_ms: Unix milliseconds.
        verify: for signatures.
        limits: what is taken at most.

    Raises:
        RecordError: it is too large, malformed, not valid now, of another key or not signed by its peer.
    """
    if len(packed) > limits.dht_record:
        raise RecordError(f"has {len(packed)} bytes, more than {limits.dht_record}", rule="size")
    text = packed[_SIGNATURE:]
    record = _parsed(text, packed)
    _check_times(record, now_ms, limits)
    _check_body(record)
    if not verify(record.peer, DOMAIN, text, packed[:_SIGNATURE]):
        raise RecordError("is not signed by its peer", rule="signature")
    return record


def _parsed(text: bytes, packed: bytes) -> Record:
    try:
        document = decode(text, limit=len(text))
        if not isinstance(document, dict) or document.get("kind") not in KINDS:
            raise RecordError("is of no kind that is stored here", rule="kind")
        if set(document) != _FIELDS or encode(document) != text:
            raise RecordError("has another form", rule="form")
        if document["v"] is True or document["v"] != 1:
            raise RecordError("is of another version", rule="form")
        return Record(
            kind=_text(document, "kind"),
            key=_text(document, "key"),
            peer=_peer(_text(document, "peer")),
            seq=_whole(document, "seq"),
            issued_ms=_whole(document, "issued_ms"),
            expires_ms=_whole(document, "expires_ms"),
            body=_mapping(document, "body"),
            packed=packed,
        )
    except (CanonicalError, AddressError, RefusedError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(error.why, rule="form") from None


def _peer(text: str) -> bytes:
    peer = PeerId.parse(text)
    if str(peer) != text:
        raise RecordError("names its peer in another spelling", rule="form")
    return peer.key


def _text(document: Mapping[str, Json], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise RecordError(f"{name}: expected text", rule="form")
    return value


def _whole(document: Mapping[str, Json], name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RecordError(f"{name}: expected an integer from 0", rule="form")
    return value


def _mapping(document: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = document[name]
    if not isinstance(value, Mapping):
        raise RecordError(f"{name}: expected an object", rule="form")
    return value


def _check_times(record: Record, now_ms: int, limits: NetLimits) -> None:
    if record.issued_ms > now_ms + limits.dht_record_skew_s * 1000:
        raise RecordError("comes from the future", rule="time")
    if record.expires_ms <= now_ms:
        raise RecordError("has expired", rule="time")
    if record.expires_ms > now_ms + LIFE_MOST_MS:
        raise RecordError("would live too long", rule="time")


def _check_body(record: Record) -> None:
    names, fits = KINDS[record.kind]
    if set(record.body) != names:
        raise RecordError("body: has other fields", rule="form")
    fits(record)


def _check_peer(record: Record) -> None:
    if record.key != peer_key(PeerId(record.peer)):
        raise RecordError("is of another peer than its key", rule="key")
    for name, most in (("addresses", _ADDRESSES), ("relays", _RELAYS)):
        for text in _texts(record.body, name, most):
            try:
                Multiaddr.parse(text)
            except AddressError:
                raise RecordError(f"body: {name}: expected multiaddrs", rule="form") from None


def _check_provider(record: Record) -> None:
    if not _PROVIDE.fullmatch(record.key):
        raise RecordError("has a key of another kind", rule="key")


def _check_manifest(record: Record) -> None:
    if not _BOOT.fullmatch(record.key):
        raise RecordError("has a key of another kind", rule="key")
    if _whole(record.body, "version") < 1:
        raise RecordError("body: version: expected an integer from 1", rule="form")
    if not all(_URL.fullmatch(url) for url in _texts(record.body, "urls", _URLS)):
        raise RecordError("body: urls: expected addresses of HTTP", rule="form")


def _texts(body: Mapping[str, Json], name: str, most: int) -> Sequence[str]:
    value = body[name]
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, str) for item in value):
        raise RecordError(f"body: {name}: expected at most {most} texts", rule="form")
    return [item for item in value if isinstance(item, str)]


KINDS: Final[Mapping[str, tuple[frozenset[str], Callable[[Record], None]]]] = {
    "peer": (frozenset({"addresses", "relays"}), _check_peer),
    "provider": (frozenset(), _check_provider),
    "manifest": (frozenset({"urls", "version"}), _check_manifest),
}
"""What is stored here, with the fields of its body and what else must hold."""
