"""What a real first stage posts lands on its step of the machine's row, whatever it was refused for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boot.errors import CODES, BootRefusedError, BootUnavailableError
from boot.fetch.release import Order, fetch_release
from boot.stage1 import course
from boot.stage1.course import Telling
from boot.stage1.payload import NAMES, Payload
from boot.stage1.reporting import Reporter
from boot.trust.root import Trusted
from boot.trust.verifier import STEPS, Step, StepName, Verified, Wanted
from console.boot_desk import Place, Shelf
from console.rows import MachineRow
from console.ui.text.boot import failed_step, machine_row, marks, place_of, standing
from tests.boot.fetch.scripted import QUICK
from tests.boot.serve.releases import release
from tests.boot.trust.signed import DAY_MS, KEYS, NOW_MS, TRUSTED, WANTED, root
from tests.console.living import Harbor

PLACES: dict[str, StepName] = {
    "too-large": "form",
    "schema": "schema",
    "root": "root",
    "bad-signature": "signatures",
    "unknown-key": "signatures",
    "revoked-key": "signatures",
    "threshold": "signatures",
    "channel": "channel",
    "arch": "arch",
    "not-yet-valid": "time",
    "expired": "time",
    "rollback": "version",
}
"""Where the verifier refuses for which reason."""
AFTER = {"hash", "length", "memory", "unavailable", "malformed", "unknown-key"}
"""Reasons to stop once a manifest is proven."""


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    found = Harbor(tmp_path)
    await found.start()
    yield found
    await found.core.stop("test")


@pytest.fixture
def payload() -> Iterator[Payload]:
    with Payload() as made:
        yield made


async def served(harbor: Harbor, path: Path) -> str:
    return (await harbor.core.boot.serve(Shelf(path, "release"), Place("127.0.0.1", 0))).url


def machine(harbor: Harbor) -> MachineRow:
    (row,) = harbor.core.boot.rows.machines.values()
    return row


async def booted(url: str, order: Order, payload: Payload) -> None:
    """As the first stage goes, and what it says on the way."""
    reporter = Reporter(wanted=True, wait_s=100.0)
    listener = Telling(lambda _line: None, reporter, payload)
    mine = replace(order, listener=listener, patience=replace(QUICK, rounds=1, tries=1), names=NAMES)
    try:
        await fetch_release([url], mine)
    finally:
        await reporter.flush()


async def told(harbor: Harbor, url: str, passed: int, word: str) -> MachineRow:
    """A machine that passed so many steps and then says one word."""
    reporter = Reporter(wanted=True, wait_s=100.0)

    class Stops(Telling):
        def passed(self, step: Step) -> None:
            if STEPS.index(step.name) < passed:
                super().passed(step)

        def proven(self, verified: Verified) -> None:  # noqa: ARG002 - any
            if word == "unavailable":
                raise BootUnavailableError("said here")
            raise BootRefusedError(word, "said here")

    with Payload() as unused:
        listener = Stops(lambda _line: None, reporter, unused)
        order = Order(trusted=TRUSTED, wanted=WANTED, sink_of=unused.sink, listener=listener, patience=QUICK)
        with pytest.raises((BootRefusedError, BootUnavailableError)):
            await fetch_release([url], replace(order, patience=replace(QUICK, rounds=1, tries=1)))
        await reporter.flush()
    return [*harbor.core.boot.rows.machines.values()][-1]


def places(row: MachineRow) -> dict[str, bool]:
    return {place_of(step, row.steps): step.ok for step in row.steps}


async def test_a_machine_that_goes_on_has_every_step_green(harbor: Harbor, tmp_path: Path, payload: Payload) -> None:
    url = await served(harbor, release(tmp_path / "release"))
    await booted(url, Order(trusted=TRUSTED, wanted=WANTED, sink_of=payload.sink), payload)
    row = machine(harbor)
    assert marks(row) == "✓" * (len(STEPS) + len(NAMES))
    assert standing(row)[0] == "fetched"


@pytest.mark.parametrize(
    ("word", "changed", "trusted", "wanted"),
    [
        ("expired", {"created_ms": NOW_MS - 3 * DAY_MS, "expires_ms": NOW_MS - DAY_MS}, TRUSTED, WANTED),
        ("not-yet-valid", {"created_ms": NOW_MS + 2 * DAY_MS}, TRUSTED, WANTED),
        ("rollback", {}, TRUSTED, replace(WANTED, floor=8)),
        ("channel", {}, TRUSTED, replace(WANTED, channel="nightly")),
        ("arch", {}, TRUSTED, replace(WANTED, arch="arm64")),
        ("threshold", {}, Trusted(root(1, 2, 0, 1)), WANTED),
        ("unknown-key", {}, Trusted(root(1, 1, 2)), WANTED),
        ("revoked-key", {}, Trusted(root(2, 1, 2), frozenset({KEYS[0].public_hex})), WANTED),
        ("root", {}, Trusted(root(expires_ms=NOW_MS - DAY_MS)), WANTED),
    ],
)
async def test_a_refusal_is_red_at_its_step_with_the_reason(
    harbor: Harbor, tmp_path: Path, payload: Payload, *, word: str, changed: Any, trusted: Trusted, wanted: Wanted
) -> None:
    url = await served(harbor, release(tmp_path / "release", **changed))
    with pytest.raises(BootRefusedError) as refused:
        await booted(url, Order(trusted=trusted, wanted=wanted, sink_of=payload.sink), payload)
    row = machine(harbor)
    before: tuple[str, ...] = STEPS[: STEPS.index(PLACES[word])]
    assert places(row) == {**dict.fromkeys(before, True), str(PLACES[word]): False}
    assert marks(row) == "✓" * len(before) + "✗" + "·" * (len(STEPS) - len(before) - 1)
    assert failed_step(row) == (word, refused.value.why)
    assert standing(row)[::2] == ("stopped", "trip")
    assert refused.value.why in machine_row(row, NOW_MS).cells[-1]


async def test_every_reason_has_a_place(harbor: Harbor, tmp_path: Path) -> None:
    url = await served(harbor, release(tmp_path / "release"))
    for word, place in PLACES.items():
        row = await told(harbor, url, STEPS.index(place), word)
        assert [name for name, ok in places(row).items() if not ok] == [place], word
    for number, place in enumerate(STEPS):
        row = await told(harbor, url, number, "malformed")
        assert [name for name, ok in places(row).items() if not ok] == [place]
    for word in AFTER:
        row = await told(harbor, url, len(STEPS), word)
        assert places(row) == {**dict.fromkeys(map(str, STEPS), True), word: False}
    assert {*PLACES, *AFTER} - {"unavailable"} == CODES - {"cmdline"}  # which no server ever hears of


async def test_what_fails_after_the_release_came_is_told_too(harbor: Harbor, tmp_path: Path, payload: Payload) -> None:
    url = await served(harbor, release(tmp_path / "release"))
    reporter = Reporter(wanted=True, wait_s=100.0)
    listener = Telling(lambda _line: None, reporter, payload)
    order = Order(trusted=TRUSTED, wanted=WANTED, sink_of=payload.sink, listener=listener, patience=QUICK, names=NAMES)
    await fetch_release([url], order)

    def fails() -> None:
        with course.telling(reporter):
            raise BootRefusedError("unknown-key", "kernel: not signed")

    with pytest.raises(BootRefusedError):
        await asyncio.to_thread(fails)
    row = machine(harbor)
    assert failed_step(row) == ("unknown-key", "kernel: not signed")
    assert places(row)["signatures"]


async def test_a_server_that_was_left_hears_why(harbor: Harbor, tmp_path: Path, payload: Payload) -> None:
    bad = await served(harbor, release(tmp_path / "bad", channel="nightly"))
    good = await served(harbor, release(tmp_path / "good"))
    reporter = Reporter(wanted=True, wait_s=100.0)
    listener = Telling(lambda _line: None, reporter, payload)
    order = Order(trusted=TRUSTED, wanted=WANTED, sink_of=payload.sink, listener=listener, patience=QUICK, names=NAMES)
    await fetch_release([bad, good], order)
    await reporter.flush()
    refused, taken = harbor.core.boot.rows.machines.values()
    assert failed_step(refused) is not None
    assert failed_step(taken) is None
    assert len(taken.steps) == len(STEPS) + len(NAMES)
