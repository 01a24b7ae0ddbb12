"""The PIN: what fits, what a wrong one costs, what of it lies on the disk."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.pin import ITERATIONS, TRIES, Outcome, Pin, PinKeeper, checked_pin, new_pin
from runtime.store import Store
from runtime.vault import Vault

QUICK = 1_000
RIGHT, WRONG = "493027", "493028"


class Desk:
    """A store with a PIN; opened again it is another start of the program."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "orlop.db"
        self.clock = ManualClock()
        self.vault = Vault(b"v" * 32)
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, self.clock, owner=True)
        self.keeper = PinKeeper(self.store, self.vault, self.clock.wall_ms, iterations=QUICK)

    def restart(self) -> None:
        self.store.close()
        self.open()

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.clock.advance(24 * 3600)
            assert self.keeper.try_pin(WRONG).outcome in {Outcome.WRONG, Outcome.USED_UP}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    found.keeper.set(RIGHT)
    yield found
    found.store.close()


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "\u0661\u0662\u0663\u0664\u0665\u0666", "-12345"])
def test_a_pin_is_six_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(UsageError, match="exactly 6 digits"):
        checked_pin(text)


def test_the_right_pin_opens_and_a_wrong_one_does_not(desk: Desk) -> None:
    assert desk.keeper.try_pin(WRONG).outcome is Outcome.WRONG
    assert desk.keeper.try_pin(RIGHT).outcome is Outcome.RIGHT


def test_a_guess_costs_600_000_iterations_of_pbkdf2() -> None:
    assert new_pin(RIGHT).iterations == ITERATIONS == 600_000


def test_two_pins_of_the_same_digits_have_nothing_in_common() -> None:
    one, other = new_pin(RIGHT, iterations=QUICK), new_pin(RIGHT, iterations=QUICK)
    assert one.salt != other.salt
    assert one.digest != other.digest


def test_w25_each_failure_from_the_third_on_doubles_the_wait(desk: Desk) -> None:
    waits = []
    for _ in range(TRIES - 1):
        desk.clock.advance(24 * 3600)
        waits.append(desk.keeper.try_pin(WRONG).wait_ms)
    assert waits == [0, 0, *(30_000 * 2**n for n in range(7))]


def test_during_the_wait_no_try_is_looked_at_and_none_counts(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.advance(29.9)
    answer = desk.keeper.try_pin(RIGHT)
    assert (answer.outcome, answer.failures, answer.wait_ms) == (Outcome.WAIT, 3, 100)
    desk.clock.advance(0.1)
    assert desk.keeper.try_pin(RIGHT).outcome is Outcome.RIGHT


def test_w25_failures_and_the_wait_survive_a_restart(desk: Desk) -> None:
    desk.fail(4)
    desk.restart()
    answer = desk.keeper.try_pin(RIGHT)
    assert (answer.outcome, answer.failures, answer.wait_ms) == (Outcome.WAIT, 4, 60_000)


def test_w25_the_tenth_failure_is_the_last_until_somebody_knows_the_passphrase(desk: Desk) -> None:
    desk.fail(9)
    desk.clock.advance(24 * 3600)
    assert desk.keeper.try_pin(WRONG).outcome is Outcome.USED_UP
    desk.restart()
    desk.clock.advance(365 * 24 * 3600)
    assert desk.keeper.try_pin(RIGHT).outcome is Outcome.USED_UP
    desk.keeper.forgive()
    assert desk.keeper.try_pin(RIGHT).outcome is Outcome.RIGHT


def test_a_right_pin_forgets_the_failures_before_it(desk: Desk) -> None:
    desk.fail(2)
    assert desk.keeper.try_pin(RIGHT).outcome is Outcome.RIGHT
    assert desk.keeper.try_pin(WRONG).failures == 1


def test_a_try_counts_also_when_the_program_ends_while_it_is_looked_at(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_pin: Pin, _digits: str) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pin, "fits", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.keeper.try_pin(RIGHT)
    desk.restart()
    pin = desk.keeper.load()
    assert pin is not None
    assert pin.failures == 1


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_failure_costs(desk: Desk) -> None:
    desk.fail(3)
    desk.clock.now_ms -= 365 * 24 * 3_600_000
    assert desk.keeper.try_pin(RIGHT).wait_ms == 30_000


def test_what_is_no_pin_counts_as_no_try(desk: Desk) -> None:
    with pytest.raises(UsageError):
        desk.keeper.try_pin("12345")
    assert desk.keeper.try_pin(WRONG).failures == 1


def test_without_a_pin_there_is_nothing_to_try(desk: Desk) -> None:
    assert desk.keeper.clear()
    assert not desk.keeper.clear()
    assert desk.keeper.load() is None
    with pytest.raises(NotFoundError, match="no PIN is set"):
        desk.keeper.try_pin(RIGHT)


def test_another_vault_does_not_open_it(desk: Desk) -> None:
    other = PinKeeper(desk.store, Vault(b"w" * 32), desk.clock.wall_ms)
    with pytest.raises(RefusedError, match="the PIN cannot be opened"):
        other.load()


def test_a_row_of_another_form_is_told(desk: Desk) -> None:
    sealed = desk.vault.seal(b"\x02" + bytes(78), b"orlop-secret:pin")
    with closing(sqlite3.connect(desk.path)) as connection:
        connection.execute("UPDATE secrets SET sealed = ? WHERE name = 'pin'", (sealed,))
        connection.commit()
    with pytest.raises(RefusedError, match="form that is not known"):
        desk.keeper.load()


@given(failures=st.integers(0, TRIES), until=st.integers(0, 2**53))
def test_what_is_packed_has_always_the_same_size_and_comes_back(failures: int, until: int) -> None:
    pin = Pin(os.urandom(32), os.urandom(32), ITERATIONS, failures, until)
    assert Pin.unpacked(pin.packed()) == pin
    assert len(pin.packed()) == 79


def test_w25_without_the_vaults_key_nothing_on_the_disk_tells_a_right_pin_from_a_wrong_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.keeper.set(RIGHT)
    desk.fail(3)
    pin = desk.keeper.load()
    assert pin is not None
    desk.store.close()
    for file in filter(Path.is_file, tmp_path.rglob("*")):
        content = file.read_bytes()
        for secret in (pin.salt, pin.digest, RIGHT.encode()):
            for form in (secret, secret.hex().encode(), secret.hex().upper().encode()):
                assert form not in content, f"{file.name} holds a part of the PIN"
    # What an attacker can compute from each guess takes the salt, and the salt is nowhere. What is left is the row
    # itself: it looks alike, and has the same size, whatever the PIN is and however often it was tried.
    with closing(sqlite3.connect(desk.path)) as connection:
        sizes = {len(row[0]) for row in connection.execute("SELECT sealed FROM secrets WHERE name = 'pin'")}
    assert sizes == {1 + 12 + 79 + 16}
