"""Releases and machines as rows: one event after the other, and the same ones again."""

from dataclasses import replace

from console.boot_folds import MACHINES_MAX, BootRows
from console.rows import StepRow
from runtime.boot_events import BootMachine, BootReceipt, BootReport, BootServing, BootStopped
from runtime.events import CoreReady

NOW = 1_700_000_000_000
SESSION = "4f" * 16
SERVING = BootServing(
    urls=("http://10.0.0.2:8080/",),
    announced=(),
    release="harbor-14",
    manifest_version=14,
    channel="stable",
    arch="x86_64",
    hash="5c3d" * 16,
    created_ms=NOW - 1,
    expires_ms=NOW + 1,
    size=100,
    keys=("ab" * 32,),
    root_version=2,
    root_keys=3,
    threshold=2,
)


def machine(sent: int = 0, session: str = SESSION, artifact: str = "") -> BootMachine:
    return BootMachine(
        session=session, address="10.0.0.17", manifest="5c3d" * 16, artifact=artifact, bytes=sent, size=100
    )


def report(step: str, *, ok: bool = True, detail: str = "") -> BootReport:
    return BootReport(session=SESSION, address="10.0.0.17", step=step, ok=ok, detail=detail)


def receipt(*, ok: bool | None) -> BootReceipt:
    return BootReceipt(
        session=SESSION,
        address="10.0.0.17",
        receipt="c0de" * 16,
        key="ab" * 32,
        ok=ok,
        detail="why",
        names_manifest=True,
    )


def test_a_release_is_there_from_when_it_is_served_until_it_is_no_more() -> None:
    rows = BootRows()
    url = SERVING.urls[0]
    assert rows.fold_releases(SERVING) == {url}
    assert (rows.releases[url].threshold, rows.releases[url].keys) == (2, ("ab" * 32,))
    assert rows.fold_releases(SERVING) == set()
    assert rows.fold_releases(replace(SERVING, announced=("10.0.0.2",))) == {url}
    assert rows.releases[url].announced == ("10.0.0.2",)
    assert rows.fold_releases(BootStopped(urls=SERVING.urls, requests=1, bytes=1)) == {url}
    assert not rows.releases
    assert rows.fold_releases(BootStopped(urls=SERVING.urls, requests=1, bytes=1)) == set()


def test_a_machine_asks_gets_bytes_reports_steps_and_delivers_a_receipt() -> None:
    rows = BootRows()
    for place, event in enumerate(
        (machine(), report("form", detail="1 byte"), machine(40, artifact="kernel"), receipt(ok=True))
    ):
        assert rows.fold_machines(event, NOW + place) == {SESSION}
    row = rows.machines[SESSION]
    assert (row.bytes, row.size, row.artifact, row.manifest) == (40, 100, "kernel", "5c3d" * 16)
    assert (row.began_ms, row.moved_ms, row.seen_ms) == (NOW, NOW + 2, NOW + 3)
    assert row.steps == (StepRow(name="form", ok=True, detail="1 byte", ts_ms=NOW + 1),)
    assert (row.receipt, row.verdict, row.doubt, row.names_manifest) == ("c0de" * 16, "valid", "why", True)


def test_each_verdict_has_its_word() -> None:
    for ok, word in ((True, "valid"), (False, "invalid"), (None, "unchecked")):
        rows = BootRows()
        rows.fold_machines(receipt(ok=ok), NOW)
        assert rows.machines[SESSION].verdict == word


def test_folding_again_changes_nothing_and_bytes_never_go_back() -> None:
    rows = BootRows()
    events = (machine(), machine(60), report("form"), report("schema", ok=False, detail="no"), receipt(ok=None))
    for event in events:
        rows.fold_machines(event, NOW)
    before = rows.machines[SESSION]
    for event in events:
        rows.fold_machines(event, NOW)
    assert rows.machines[SESSION] == before
    assert before.bytes == 60
    assert [step.name for step in before.steps] == ["form", "schema"]


def test_a_machine_that_tries_again_reports_a_step_anew() -> None:
    rows = BootRows()
    rows.fold_machines(report("form", ok=False), NOW)
    rows.fold_machines(report("form"), NOW + 1)
    assert [(step.name, step.ok) for step in rows.machines[SESSION].steps] == [("form", True)]


def test_a_machine_that_reports_without_end_has_a_bounded_row() -> None:
    rows = BootRows()
    for number in range(200):
        rows.fold_machines(report(f"step{number}"), NOW)
    assert len(rows.machines[SESSION].steps) == 64


def test_the_oldest_machine_makes_room_and_is_told_gone() -> None:
    rows = BootRows()
    for number in range(MACHINES_MAX):
        rows.fold_machines(machine(session=f"{number:032x}"), NOW)
    assert rows.fold_machines(machine(), NOW) == {SESSION, f"{0:032x}"}
    assert len(rows.machines) == MACHINES_MAX


def test_other_events_are_of_no_interest() -> None:
    rows = BootRows()
    assert rows.fold_releases(CoreReady(ms=1)) == rows.fold_machines(CoreReady(ms=1), NOW) == set()
