"""The demo's machine boots from a release that the demo serves: every step is passed, and its receipt is believed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

import assets
from boot.trust.verifier import STEPS
from console import slipway
from console.core import Core, CoreOptions
from console.rows import MachineRow
from console.ui.text.boot import failed_step, standing
from runtime.boot_events import BootReceipt, BootServing
from runtime.events import CoreError, Event, Record


@pytest.fixture
async def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Core]:
    monkeypatch.setattr(slipway, "_BEGINS_S", 0.0)
    started = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True))
    yield started
    await started.stop("test")


async def heard(core: Core, kind: type[Event], times: int = 1) -> None:
    """Until so many events of a type came after the machine began to live; then it lives no more."""
    loop, enough, came = asyncio.get_running_loop(), asyncio.Event(), list[Event]()

    def take(records: Sequence[Record]) -> None:
        came.extend(record.event for record in records if isinstance(record.event, kind))
        if len(came) >= times:
            loop.call_soon_threadsafe(enough.set)

    subscription = core.journal.subscribe(core.journal.last_seq(), take)
    living = asyncio.create_task(slipway.live(core, assets.path("jobs/hello/hello.wasm").read_bytes()))
    await asyncio.wait_for(enough.wait(), 120)
    subscription.close()
    living.cancel()
    await asyncio.wait({living})


def machines(core: Core) -> list[MachineRow]:
    return [*core.boot.rows.machines.values()]


async def test_it_passes_every_step_and_its_receipt_is_believed(core: Core) -> None:
    await heard(core, BootReceipt)
    (release,) = core.boot.rows.releases.values()
    assert (release.release, release.announced) == (slipway.RELEASE, ())
    assert release.url.startswith("http://127.0.0.1:")
    (machine,) = machines(core)
    told = [step.name for step in machine.steps]
    assert told == [*STEPS, "got.initramfs", "got.kernel", "got.rootfs"]
    assert all(step.ok for step in machine.steps)
    assert (machine.bytes, machine.manifest) == (release.size, release.hash)
    assert (machine.verdict, machine.names_manifest) == ("valid", True)
    assert standing(machine)[::2] == ("booted", "ok")


async def test_it_boots_again_with_the_key_that_it_has(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slipway, "_LATER_S", 0.01)
    await heard(core, BootReceipt, 2)
    first, second = machines(core)[:2]
    assert first.session != second.session
    assert first.key == second.key
    assert first.receipt != second.receipt


async def test_a_release_that_is_too_old_for_it_is_refused_and_the_reason_is_told(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slipway, "_FLOOR", 15)
    await heard(core, CoreError)
    (machine,) = machines(core)
    assert standing(machine)[0] == "stopped"
    assert failed_step(machine) == ("rollback", "version 14 is below 15, which was seen already")
    assert machine.receipt == ""


async def test_where_its_release_is_served_no_more_it_lies_still(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slipway, "_LATER_S", 0.01)
    loop, served = asyncio.get_running_loop(), asyncio.Event()

    def take(records: Sequence[Record]) -> None:
        if any(isinstance(record.event, BootServing) for record in records):
            loop.call_soon_threadsafe(served.set)

    subscription = core.journal.subscribe(core.journal.last_seq(), take)
    living = asyncio.create_task(slipway.live(core, b""))
    await asyncio.wait_for(served.wait(), 120)
    subscription.close()
    await core.boot.stop(None)
    await asyncio.wait_for(living, 120)
    assert not living.cancelled()
