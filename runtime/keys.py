"""The node's keys, one after another: a rotation in which the old key signs the new one, and the new one the old.

Both signatures are over the same bytes. Whoever believes either key believes the other: the old one says who comes
after it, the new one says what it was before, so nobody else can claim a node's past for himself.

A rotation is three durable steps: the new secret in a file of its own, the statement in the database, the new file in
the place of the old. Whoever loads the identity after a crash finishes or undoes what he finds between them.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime import durable
from runtime.canonical import CanonicalError, Json, decode, encode, parse_timestamp, timestamp
from runtime.clock import Clock
from runtime.errors import RefusedError, UnavailableError
from runtime.events import CommandDone, KeyRotated
from runtime.identity import Identity, load_or_create, new_seed, read_seed, verify
from runtime.statedir import StateDir
from runtime.store import Store, Transaction

__all__ = ["KeyStatement", "ancestors", "load_identity", "read_statement", "rotate", "same_node", "statements"]

_DOMAIN: Final = b"orlop-key:v1:"
_SIZE_MAX: Final = 4096
_SIGNED: Final = ("created_at", "new", "number", "old")
_FIELDS: Final = frozenset({*_SIGNED, "confirmation", "signature"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatement:
    """That one key of a node came after another; both signatures are known to fit.

    Attributes:
        created_at: as it was signed.
        new: the public key that came, 64 hexadecimal characters.
        old: the public key that went.
        number: the new key's; a node's first key has number 0.
        signature: the old key's, 128 hexadecimal characters.
        confirmation: the new key's, over the same bytes.
    """

    created_at: str
    new: str
    old: str
    number: int
    signature: str
    confirmation: str

    def document(self) -> dict[str, Json]:
        """The statement as it travels."""
        return {
            "confirmation": self.confirmation,
            "created_at": self.created_at,
            "new": self.new,
            "number": self.number,
            "old": self.old,
            "signature": self.signature,
        }


def _signed(old: Identity, new: Identity, number: int, created_ms: int) -> KeyStatement:
    signed: dict[str, Json] = {
        "created_at": timestamp(created_ms), "new": new.public_hex, "number": number, "old": old.public_hex,
    }  # fmt: skip
    message = encode(signed)
    return KeyStatement(
        created_at=timestamp(created_ms),
        new=new.public_hex,
        old=old.public_hex,
        number=number,
        signature=old.sign(_DOMAIN, message).hex(),
        confirmation=new.sign(_DOMAIN, message).hex(),
    )


def read_statement(raw: bytes) -> KeyStatement:
    """Reads a statement and checks both its signatures.

    Raises:
        RefusedError: it has another form, or one of the signatures does not fit.
    """
    try:
        document = decode(raw, limit=_SIZE_MAX)
        if not isinstance(document, Mapping) or set(document) != _FIELDS:
            raise RefusedError(f"expected an object of {', '.join(sorted(_FIELDS))}", where="key statement")
        parse_timestamp(str(document["created_at"]))
    except CanonicalError as error:
        raise RefusedError(error.why, where="key statement") from None
    number = document["number"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise RefusedError("number: expected an integer from 1", where="key statement")
    message = encode({name: document[name] for name in _SIGNED})
    old, new = _hex(document, "old", 32), _hex(document, "new", 32)
    signature, confirmation = _hex(document, "signature", 64), _hex(document, "confirmation", 64)
    for name, key, made in (("signature", old, signature), ("confirmation", new, confirmation)):
        if old == new or not verify(key, _DOMAIN, message, made):
            raise RefusedError(f"{name}: does not fit", where="key statement")
    return KeyStatement(
        created_at=str(document["created_at"]),
        new=new.hex(),
        old=old.hex(),
        number=number,
        signature=signature.hex(),
        confirmation=confirmation.hex(),
    )


def _hex(document: Mapping[str, Json], name: str, size: int) -> bytes:
    value = document[name]
    if not isinstance(value, str) or len(value) != 2 * size or value.strip("0123456789abcdef"):
        raise RefusedError(f"{name}: expected {2 * size} lower-case hexadecimal characters", where="key statement")
    return bytes.fromhex(value)


def ancestors(links: Iterable[KeyStatement], key: str) -> tuple[str, ...]:
    """The keys that a key came after, the nearest first."""
    before = {link.new: link.old for link in links}
    line = [key]
    while (key := before.get(key, "")) and key not in line:
        line.append(key)
    return tuple(line[1:])


def same_node(links: Sequence[KeyStatement], known: str, key: str) -> int | None:
    """How many rotations lie between two keys of one node.

    Args:
        links: statements whose signatures fit.
        known: a key that is believed.
        key: the key that is asked about.

    Returns:
        0 for the same key; None when the statements do not connect them.
    """
    for younger, older in ((known, key), (key, known)):
        line = (younger, *ancestors(links, younger))
        if older in line:
            return line.index(older)
    return None


def statements(db: sqlite3.Connection) -> tuple[KeyStatement, ...]:
    """The statements that are stored here, in their order; a damaged one is passed over, since it proves nothing."""
    found: list[KeyStatement] = []
    for (text,) in db.execute("SELECT statement FROM node_keys WHERE statement != '' ORDER BY number"):
        with contextlib.suppress(RefusedError):
            found.append(read_statement(str(text).encode()))
    return tuple(found)


def load_identity(state: StateDir, store: Store) -> Identity:
    """The node's present key, which knows its past ones; a rotation that was cut off is finished or undone.

    Args:
        state: the directory; the caller holds its lock, shared or alone.
        store: of the same directory.

    Raises:
        RefusedError: a key's file is short, long, open to others or not ours.
        UnavailableError: a file or the database cannot be read or written.
    """
    links = store.read_now(statements)
    _settle(state, links)
    present = load_or_create(state)
    return load_or_create(state, past=ancestors(links, present.public_hex))


def _settle(state: StateDir, links: Sequence[KeyStatement]) -> None:
    """A new secret whose statement is stored takes its place; one without is forgotten, as nobody has heard of it."""
    seed = read_seed(state.identity_next)
    if seed is None:
        return
    if any(link.new == Identity(seed).public_hex for link in links):
        _take_place(state)
    else:
        with contextlib.suppress(FileNotFoundError):
            state.identity_next.unlink()


def _take_place(state: StateDir) -> None:
    try:
        state.identity_next.replace(state.identity_key)
    except FileNotFoundError:
        return  # another process, which found the same, was faster
    except OSError as error:
        raise durable.unavailable(state.identity_key, error) from error
    durable.sync_directory(state.path)


def rotate(state: StateDir, store: Store, clock: Clock, *, uid: int, face: str) -> tuple[Identity, KeyStatement]:
    """Gives the node a new key; from then on its receipts stand in a chain of their own.

    Args:
        state: the directory; the caller holds its lock alone, so that nobody signs with the old key meanwhile.
        store: of the same directory.
        clock: for the statement.
        uid: who asked for it.
        face: through what.

    Returns:
        The new key, and the statement that links it to the old one.

    Raises:
        RefusedError: the old key's file is bad.
        UnavailableError: a file or the database cannot be written; then the old key stays.
    """
    began = clock.monotonic()
    old = load_identity(state, store)
    seed = new_seed()
    if not durable.create(state.identity_next, seed):
        raise UnavailableError("is in the way of a new key", where=str(state.identity_next))

    def tell(tx: Transaction) -> KeyStatement:
        row = tx.one("SELECT coalesce(max(number), 0) FROM node_keys")
        link = _signed(old, Identity(seed), int(row[0] if row else 0) + 1, clock.wall_ms())
        tx.execute(
            "INSERT INTO node_keys (public, number, statement, created_ms)"
            " SELECT ?, 0, '', ? WHERE NOT EXISTS (SELECT 1 FROM node_keys)",
            (old.public_hex, tx.now_ms),
        )
        tx.execute(
            "INSERT INTO node_keys (public, number, statement, created_ms) VALUES (?, ?, ?, ?)",
            (link.new, link.number, encode(link.document()).decode(), tx.now_ms),
        )
        tx.emit(KeyRotated(old=link.old, new=link.new, number=link.number))
        took_ms = round((clock.monotonic() - began) * 1000)
        tx.emit(CommandDone(command="init", uid=uid, face=face, ok=True, duration_ms=took_ms))
        return link

    try:
        link = store.write(tell).result()
    except BaseException:
        _settle(state, store.read_now(statements))
        raise
    _take_place(state)
    return load_identity(state, store), link
