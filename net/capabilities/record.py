"""The capabilities record: what a node says that it offers, signed by its key, good for two minutes.

On the wire: signature, then the canonical text that was signed. It ranks candidates and promises nothing: only a lease
reserves. Told apart from records of the DHT, which are signed under the same domain, by its `kind`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from net.capabilities.measured import Measured
from net.errors import PeerFaultError
from net.limits import NetLimits
from net.peer_id import PeerId
from runtime import identity
from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.identity import Identity
from runtime.sanitise import clean

__all__ = ["Capabilities", "Offered", "make_record", "read_record", "worth_telling"]

DOMAIN: Final = b"orlop-record:v1:"
LIFE_MS: Final = 120_000
_SIGNATURE: Final = 64
_SCORE: Final = 20
_CPUS: Final = 4096
_MEMORY: Final = 1 << 50
_COUNT: Final = 1 << 20
_TEXT: Final = 64
_LIST: Final = 16
_MAXIMA: Final = frozenset({"module", "input", "output", "memory", "wall_ms", "fuel"})
_INTEGER_MAX: Final = 2**63 - 1
_BOUNDS: Final = {
    "cpus": _CPUS, "cpu_free_milli": 1000 * _CPUS, "mem_total": _MEMORY, "mem_free": _MEMORY, "slots_total": _COUNT,
    "slots_free": _COUNT, "queue": _COUNT, "seq": _INTEGER_MAX, "issued_ms": _INTEGER_MAX, "expires_ms": _INTEGER_MAX,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What the node itself decides to offer, beside what its machine has.

    Attributes:
        slots_total: jobs that it runs at once.
        slots_free: of these, not in use.
        queue: jobs that wait.
        kinds: of jobs, such as `wasm`.
        runtimes: engines and their versions.
        abi: interfaces and their versions.
        maxima: `module`, `input`, `output`, `memory` in bytes, `wall_ms`, `fuel`: what one job may have at most.
        relay: whether it relays for others.
        version: of the program.
    """

    slots_total: int
    slots_free: int
    queue: int
    kinds: Sequence[str]
    runtimes: Mapping[str, str]
    abi: Mapping[str, int]
    maxima: Mapping[str, int]
    relay: bool
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A record whose checks have passed; its texts are harmless to show.

    Attributes:
        peer: whose key signed it.
        seq: rises with each of a peer's records; a lower one is passed over.
        issued_ms: Unix milliseconds.
        expires_ms: Unix milliseconds; from then on it is shown as stale.
        machine: what the peer says that its machine has.
        offered: what it says that it offers.
    """

    peer: PeerId
    seq: int
    issued_ms: int
    expires_ms: int
    machine: Measured
    offered: Offered

    def is_stale(self, now_ms: int) -> bool:
        """Whether it is older than it wanted to be."""
        return now_ms >= self.expires_ms


def make_record(signer: Identity, machine: Measured, offered: Offered, *, seq: int, now_ms: int) -> bytes:
    """Signs what this node offers.

    Args:
        signer: its key.
        machine: as it was measured.
        offered: as it was decided.
        seq: higher than the last one's.
        now_ms: Unix milliseconds.
    """
    fields: dict[str, Json] = {**asdict(machine), **asdict(offered)}
    fields["max"] = fields.pop("maxima")
    fields |= {
        "v": 1, "kind": "capabilities", "peer": signer.peer_id, "seq": seq, "issued_ms": now_ms,
        "expires_ms": now_ms + LIFE_MS,
    }  # fmt: skip
    text = encode(fields)
    return signer.sign(DOMAIN, text) + text


def read_record(packed: bytes, peer: PeerId, now_ms: int, limits: NetLimits = NetLimits()) -> Capabilities:
    """Reads and checks a record.

    Args:
        packed: as it came.
        peer: whose key the connection has proven.
        now_ms: Unix milliseconds.
        limits: how large it may be, and how far clocks may differ.

    Raises:
        PeerFaultError: it is too large, malformed, of another peer, out of all bounds, from the future or not signed.
    """
    if len(packed) > limits.capabilities:
        raise _fault(f"a record of {len(packed)} bytes")
    signature, text = packed[:_SIGNATURE], packed[_SIGNATURE:]
    try:
        document = decode(text, limit=limits.capabilities)
        if not isinstance(document, Mapping) or document.get("kind") != "capabilities":
            raise _fault("a record of another kind")
        if encode(document) != text:
            raise _fault("a record that is not canonical")
    except CanonicalError as error:
        raise _fault(error.why) from None
    found = _Fields(document)
    if document.get("peer") != str(peer):
        raise _fault("a record of another peer")
    if not identity.verify(peer.key, DOMAIN, text, signature):
        raise _fault("a record whose signature does not fit")
    read = _capabilities(found, peer)
    if read.issued_ms > now_ms + limits.dht_record_skew_s * 1000:
        raise _fault("a record from the future")
    if not read.issued_ms < read.expires_ms <= read.issued_ms + LIFE_MS:
        raise _fault("a record that lives too long or not at all")
    return read


def _capabilities(found: "_Fields", peer: PeerId) -> Capabilities:
    if found.names != _NAMES or found.number("v", 1) != 1:
        raise _fault("a record with other fields")
    return Capabilities(
        peer=peer,
        seq=found.bounded("seq"),
        issued_ms=found.bounded("issued_ms"),
        expires_ms=found.bounded("expires_ms"),
        machine=Measured(
            found.text("arch"),
            found.text("os"),
            found.bounded("cpus"),
            found.bounded("cpu_free_milli"),
            found.bounded("mem_total"),
            found.bounded("mem_free"),
        ),
        offered=Offered(
            slots_total=found.bounded("slots_total"),
            slots_free=found.bounded("slots_free"),
            queue=found.bounded("queue"),
            kinds=found.texts("kinds"),
            runtimes=found.text_map("runtimes"),
            abi=found.number_map("abi"),
            maxima=found.number_map("max", _MAXIMA),
            relay=found.flag("relay"),
            version=found.text("version"),
        ),
    )


_NAMES: Final = frozenset(
    {*_BOUNDS, "v", "kind", "peer", "arch", "os", "kinds", "runtimes", "abi", "max", "relay", "version"}
)


def worth_telling(machine: Measured, offered: Offered, new_machine: Measured, new_offered: Offered) -> bool:
    """Whether what a node has and offers differs so much from what it told that it is told anew.

    Args:
        machine: as it was told.
        offered: as it was told.
        new_machine: as it is.
        new_offered: as it is.

    Returns:
        Whether a figure of the machine differs by more than a tenth, or anything of the offer at all.
    """
    if offered != new_offered:
        return True
    old, new = asdict(machine), asdict(new_machine)
    return any(
        abs(new[name] - value) * 10 > value if isinstance(value, int) else new[name] != value
        for name, value in old.items()
    )


class _Fields:
    """The fields of a document, each read as what it must be."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document
        self.names = frozenset(document)

    def number(self, name: str, most: int) -> int:
        return _whole(self._document.get(name), name, most)

    def bounded(self, name: str) -> int:
        return self.number(name, _BOUNDS[name])

    def flag(self, name: str) -> bool:
        value = self._document.get(name)
        if not isinstance(value, bool):
            raise _fault(f"{name}: expected true or false")
        return value

    def text(self, name: str) -> str:
        return _short(self._document.get(name), name)

    def texts(self, name: str) -> Sequence[str]:
        value = self._document.get(name)
        if not isinstance(value, list) or len(value) > _LIST:
            raise _fault(f"{name}: expected a short list")
        return [_short(item, name) for item in value]

    def text_map(self, name: str) -> Mapping[str, str]:
        return {key: _short(value, name) for key, value in self._map(name).items()}

    def number_map(self, name: str, names: frozenset[str] | None = None) -> Mapping[str, int]:
        found = {key: _whole(value, name, _INTEGER_MAX) for key, value in self._map(name).items()}
        if names is not None and found.keys() != names:
            raise _fault(f"{name}: expected {', '.join(sorted(names))}")
        return found

    def _map(self, name: str) -> Mapping[str, Json]:
        value = self._document.get(name)
        if not isinstance(value, Mapping) or len(value) > _LIST:
            raise _fault(f"{name}: expected a small object")
        return {_short(key, name): item for key, item in value.items()}


def _whole(value: Json, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _fault(f"{name}: expected an integer from 0 to {most}")
    return value


def _short(value: Json, name: str) -> str:
    if not isinstance(value, str) or len(value) > _TEXT:
        raise _fault(f"{name}: expected texts of at most {_TEXT} characters")
    return clean(value, _TEXT)


def _fault(why: str) -> PeerFaultError:
    return PeerFaultError(f"sent as its capabilities {why}", rule="capabilities", score=_SCORE)
