"""What stands in the bodies of datagrams, read into values. A field that no version knows is passed over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from net.dht.contact import ID_BYTES, Contact, parse_contact
from net.dht.datagram import Body
from net.dht.store import Verdict
from net.errors import MalformedError

__all__ = [
    "CONTACTS_MAX",
    "HAVE_MAX",
    "MARK_BYTES",
    "Found",
    "Query",
    "hello_of",
    "read_found",
    "read_query",
    "read_record_field",
    "read_records",
    "read_stored",
    "serves",
    "verdict_code",
]

CONTACTS_MAX: Final = 20
"""Contacts in one answer."""

HAVE_MAX: Final = 64
MARK_BYTES: Final = 8
_SIGNATURE: Final = 64
_MOST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Query:
    """What a FIND or a GET asks for.

    Attributes:
        target: 20 bytes, an id or the place of a key.
        have: marks of the records that the asker has already.
    """

    target: bytes
    have: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a FIND.

    Attributes:
        contacts: nodes near the target, only hints.
        more: records under the target that the asker did not have.
    """

    contacts: Sequence[Contact]
    more: int


def hello_of(body: Body) -> bytes | None:
    """The signature by which a datagram proves its sender's key; None without one.

    Raises:
        MalformedError: not 64 bytes.
    """
    found = body.get("s")
    if found is None:
        return None
    if not isinstance(found, bytes) or len(found) != _SIGNATURE:
        raise MalformedError("a signature of another size")
    return found


def serves(body: Body) -> bool:
    """Whether the asker answers requests itself."""
    return body.get("a") is True


def read_query(body: Body) -> Query:
    """Reads the body of a FIND or a GET.

    Raises:
        MalformedError: no target, or marks of another size.
    """
    target, have = _bytes(body, "t"), _bytes(body, "h", b"")
    if len(target) != ID_BYTES or len(have) % MARK_BYTES or len(have) > HAVE_MAX * MARK_BYTES:
        raise MalformedError("a query of another form")
    marks = (have[at : at + MARK_BYTES] for at in range(0, len(have), MARK_BYTES))
    return Query(target, frozenset(marks))


def read_found(body: Body) -> Found:
    """Reads the body of a FOUND.

    Raises:
        MalformedError: more than 20 contacts, malformed ones, or no count.
    """
    packed = _list(body, "n", CONTACTS_MAX)
    contacts = [contact for raw in packed if (contact := parse_contact(raw)) is not None]
    return Found(contacts, _count(body, "m"))


def read_records(body: Body) -> tuple[Sequence[bytes], int]:
    """Reads the body of a RECORDS.

    Returns:
        Records, none of which is checked, and how many more there are.

    Raises:
        MalformedError: no list, or no count.
    """
    return _list(body, "r", HAVE_MAX), _count(body, "m")


def read_record_field(body: Body) -> bytes:
    """The record in a STORE, not checked.

    Raises:
        MalformedError: none.
    """
    return _bytes(body, "r")


def read_stored(body: Body) -> Verdict | None:
    """What became of a record; None: it was refused as bad.

    Raises:
        MalformedError: a number that stands for nothing.
    """
    code = _count(body, "c")
    if code > len(_VERDICTS):
        raise MalformedError("an answer that means nothing")
    return _VERDICTS[code - 1] if code else None


_VERDICTS: Final = tuple(Verdict)


def verdict_code(verdict: Verdict | None) -> int:
    """The number that stands for a verdict in a STORED."""
    return 0 if verdict is None else _VERDICTS.index(verdict) + 1


def _bytes(body: Body, name: str, default: bytes | None = None) -> bytes:
    found = body.get(name, default)
    if not isinstance(found, bytes):
        raise MalformedError(f"no bytes in the field {name}")
    return found


def _list(body: Body, name: str, most: int) -> Sequence[bytes]:
    found = body.get(name)
    if not isinstance(found, list) or len(found) > most:
        raise MalformedError(f"no list in the field {name}, or a long one")
    return found


def _count(body: Body, name: str) -> int:
    found = body.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < _MOST:
        raise MalformedError(f"no count in the field {name}")
    return found
