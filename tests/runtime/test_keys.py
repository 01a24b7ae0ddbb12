"""Key rotation: both keys sign it, the past stays own, and a crash at any step leaves one valid identity."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import durable, keys
from runtime.canonical import Json, encode
from runtime.clock import ManualClock
from runtime.errors import RefusedError, UnavailableError
from runtime.events import CommandDone, KeyRotated
from runtime.identity import Identity, load_or_create
from runtime.keys import KeyStatement, ancestors, load_identity, read_statement, rotate, same_node, statements
from runtime.statedir import StateDir, prepare
from runtime.store import Store
from tests.runtime.rotating import STEPS

ROOT = Path(__file__).resolve().parents[2]
A, B, C = (Identity(bytes([number]) * 32) for number in range(3))
CLOCK = ManualClock(now_ms=1_735_787_045_678)


def link(old: Identity, new: Identity, number: int = 1) -> KeyStatement:
    return keys._signed(old, new, number, CLOCK.now_ms)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return prepare(tmp_path / "state")


@pytest.fixture
def store(state: StateDir) -> Iterator[Store]:
    with Store.open(state.database, CLOCK, owner=True) as made:
        yield made


def turned(state: StateDir, store: Store) -> tuple[Identity, KeyStatement]:
    return rotate(state, store, CLOCK, uid=1000, face="cli")


def test_a_statement_is_signed_by_both_keys_over_the_same_bytes() -> None:
    made = link(A, B)
    message = encode({"created_at": "2025-01-02T03:04:05.678Z", "new": B.public_hex, "number": 1, "old": A.public_hex})
    assert A.sign(b"orlop-key:v1:", message).hex() == made.signature
    assert B.sign(b"orlop-key:v1:", message).hex() == made.confirmation
    assert read_statement(encode(made.document())) == made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"number": 2}, "signature: does not fit"),
        ({"number": 0}, "number: expected an integer from 1"),
        ({"number": True}, "number"),
        ({"new": C.public_hex}, "signature: does not fit"),
        ({"old": C.public_hex}, "signature: does not fit"),
        ({"old": B.public_hex}, "signature: does not fit"),
        ({"old": "AB" * 32}, "old: expected 64"),
        ({"created_at": "2025-01-02T03:04:05Z"}, "signature: does not fit"),
        ({"created_at": "2025-01-02"}, "not a time"),
        ({"signature": "00" * 64}, "signature: does not fit"),
        ({"confirmation": "00" * 64}, "confirmation: does not fit"),
        ({"confirmation": None}, "confirmation: expected 128"),
        ({"more": 1}, "expected an object of"),
    ],
)
def test_a_changed_statement_is_refused(change: dict[str, Json], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        read_statement(encode(link(A, B).document() | change))


def test_nobody_claims_the_past_of_another() -> None:
    # An old key that signs a successor who does not confirm it, and a successor who names a past that never signed.
    mine = link(A, B)
    for forged in (replace(mine, confirmation=mine.signature), replace(mine, signature=mine.confirmation)):
        with pytest.raises(RefusedError, match="does not fit"):
            read_statement(encode(forged.document()))


@given(st.integers(0, 2000), st.integers(1, 255))
def test_no_changed_byte_is_accepted(at: int, change: int) -> None:
    raw = bytearray(encode(link(A, B).document()))
    raw[at % len(raw)] ^= change
    with pytest.raises(RefusedError):
        read_statement(bytes(raw))


def test_keys_of_one_node_are_found_in_either_direction() -> None:
    links = (link(A, B), link(B, C, 2))
    assert ancestors(links, C.public_hex) == (B.public_hex, A.public_hex)
    assert same_node(links, C.public_hex, A.public_hex) == 2
    assert same_node(links, A.public_hex, B.public_hex) == 1
    assert same_node(links, A.public_hex, A.public_hex) == 0
    assert same_node(links[:1], C.public_hex, A.public_hex) is None
    assert same_node((), A.public_hex, B.public_hex) is None
    assert ancestors((link(A, B), link(B, A)), A.public_hex) == (B.public_hex,)


def test_a_rotation_makes_another_key_that_knows_the_old_one(state: StateDir, store: Store) -> None:
    first = load_identity(state, store)
    second, made = turned(state, store)
    third, _ = turned(state, store)
    assert len({first.public_hex, second.public_hex, third.public_hex}) == 3
    assert (made.old, made.new, made.number) == (first.public_hex, second.public_hex, 1)
    assert all(third.is_own(key.public_hex) for key in (first, second, third))
    assert not first.is_own(second.public_hex)
    assert load_identity(state, store).public_hex == load_or_create(state).public_hex == third.public_hex
    assert [found.number for found in store.read_now(statements)] == [1, 2]
    rows = store.read_now(lambda db: db.execute("SELECT public, number FROM node_keys ORDER BY number").fetchall())
    assert rows == [(first.public_hex, 0), (second.public_hex, 1), (third.public_hex, 2)]
    assert state.identity_key.stat().st_mode & 0o777 == 0o600
    assert not state.identity_next.exists()


def test_it_is_told_and_can_be_audited(state: StateDir, store: Store) -> None:
    _, made = turned(state, store)
    query = "SELECT type, body FROM journal WHERE type IN (?, ?) ORDER BY seq"
    found = store.read_now(lambda db: db.execute(query, (KeyRotated.TYPE, CommandDone.TYPE)).fetchall())
    assert [name for name, _ in found] == [KeyRotated.TYPE, CommandDone.TYPE]
    assert json.loads(found[0][1]) == {"old": made.old, "new": made.new, "number": 1}


def test_a_damaged_or_forged_row_makes_no_key_our_own(state: StateDir, store: Store) -> None:
    first = load_identity(state, store)
    turned(state, store)
    forged = encode(link(A, B).document()).decode()
    sql = "INSERT INTO node_keys (public, number, statement, created_ms) VALUES (?, ?, ?, 0)"
    store.write(lambda tx: tx.execute(sql, (C.public_hex, 7, "junk"))).result()
    store.write(lambda tx: tx.execute(sql, (B.public_hex, 8, forged))).result()
    now = load_identity(state, store)
    assert now.is_own(first.public_hex)
    assert not any(now.is_own(key.public_hex) for key in (A, B, C))
    store.write(lambda tx: tx.execute("UPDATE node_keys SET statement = 'junk'")).result()
    assert not load_identity(state, store).is_own(first.public_hex)


def test_what_cannot_be_written_changes_nothing(state: StateDir, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_identity(state, store)

    def full(*_: object, **__: object) -> bool:
        raise UnavailableError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "create", full)
        with pytest.raises(UnavailableError, match="no space"):
            turned(state, store)
    trigger = "CREATE TRIGGER full BEFORE INSERT ON node_keys BEGIN SELECT RAISE(ABORT, 'full'); END"
    store.write(lambda tx: tx.execute(trigger)).result()
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        turned(state, store)
    assert not state.identity_next.exists()
    assert load_or_create(state).public_hex == before.public_hex


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_one_valid_identity(state: StateDir, step: str) -> None:
    first = load_or_create(state)
    script = str(ROOT / "tests/runtime/rotating.py")
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script, str(state.path), step], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    with Store.open(state.database, CLOCK, owner=True) as store:
        now = load_identity(state, store)
        links = store.read_now(statements)
        assert not state.identity_next.exists()
        assert load_identity(state, store).public_hex == load_or_create(state).public_hex == now.public_hex
        turned_over = step in {"behind the commit", "behind the rename"}
        assert (now.public_hex != first.public_hex) is turned_over
        assert [(found.old, found.new) for found in links] == [(first.public_hex, now.public_hex)] * turned_over
        assert now.is_own(first.public_hex)
        later, _ = rotate(state, store, CLOCK, uid=0, face="cli")
        assert later.is_own(first.public_hex)
        assert later.is_own(now.public_hex)
