"""The panes of jobs and receipts under keys: views, streams, pace, reruns, chains, and their dialogs."""

from dataclasses import replace
from pathlib import Path

import pytest

from console.client import Result
from console.ui.panes.jobs import JobsPane
from console.ui.screens.export import ExportScreen
from runtime import events
from runtime.clock import ManualClock
from tests.console.ui import anchorage
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.harbor import JOBS, RECEIPT, RECEIPTS, harbor
from tests.console.ui.screen import (
    NARROW,
    WIDE,
    opened,
    pane,
    press,
    row_of,
    said,
    settled,
    sheet,
    shown,
    toasts,
    typed,
    until,
)

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
LIMITS = {"memory_bytes": 1, "fuel": 1, "timeout_ms": 1, "max_output_bytes": 1}
NAMES = {"kind": "wasm", "module": world.MODULE, "name": "hello.wasm", "submitter": "self", "where": "local"}


def submitted(job: str) -> events.JobSubmitted:
    return events.JobSubmitted(job=job, **NAMES, **LIMITS)  # type: ignore[arg-type]


def states(shown_jobs: JobsPane) -> set[str]:
    model = shown_jobs.main.model
    return {str(model.rows[key].values[3]) for key in model.order}


# --- jobs -----------------------------------------------------------------------------------------------------------


async def test_one_key_goes_round_those_that_wait_run_and_ended() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "4")
        jobs = pane(app)
        assert isinstance(jobs, JobsPane)
        found = []
        for _ in range(4):
            await press(pilot, "f")
            found.append((row_of(app, "status").split("·")[0].strip(), states(jobs)))
        assert found == [
            ("waiting", {"queued"}),
            ("running", {"running"}),
            ("ended", {"done", "failed", "cancelled"}),
            ("10 jobs", {"queued", "running", "done", "failed", "cancelled"}),
        ]


async def test_a_filter_of_one_s_own_is_no_view_and_escape_ends_a_view() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "4", "f", "escape")
        assert len(pane(app).main.model.order) == 10
        await press(pilot, "slash")
        await typed(pilot, "limit:memory")
        await press(pilot, "enter")
        assert row_of(app, "status").startswith(" 1 of 10 jobs · /limit:memory")


async def test_the_strip_tells_those_that_run_from_those_that_wait() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        assert "4 Jobs  10 ◐1 ◌1" in row_of(app, "strip")
        core.emit(events.JobState(job=JOBS[-1].job, state="running", previous="queued"))
        await until(pilot, lambda: "4 Jobs  10 ◐2 " in row_of(app, "strip"))
        assert "◌" not in row_of(app, "strip")


async def test_one_key_shows_one_stream_the_other_and_both() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "4")
        for streams in ({"STDOUT"}, {"STDERR"}, {"STDOUT", "STDERR"}):
            await press(pilot, "e")
            assert {word for word in ("STDOUT", "STDERR") if word in sheet(app, "job")} == streams


async def test_a_running_job_shows_its_pace_while_it_writes() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4")
        clock, job = app.desk.clock, JOBS[0].job
        assert isinstance(clock, ManualClock)
        core.emit(events.JobOutput(job=job, stream="stderr", offset=0, length=4, data_b64="YWJjZA=="))
        await until(pilot, lambda: "abcd" in sheet(app, "job"))
        clock.advance(1)
        core.emit(events.JobOutput(job=job, stream="stderr", offset=4, length=4, data_b64="ZWZnaA=="))
        await until(pilot, lambda: "stderr 4B/s" in sheet(app, "job"))
        core.emit(events.JobState(job=job, state="done", previous="running", reason="exit"))
        await until(pilot, lambda: "● done" in sheet(app, "job"))
        assert "/s" not in sheet(app, "job")


def steps_of(job: str, *steps: tuple[str, str]) -> list[events.JobStep]:
    return [events.JobStep(job=job, step=step, detail=detail) for step, detail in steps]


@SIZES
async def test_where_jobs_run_is_shown_from_the_first_one_on_that_has_to_do_with_a_peer(size: tuple[int, int]) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await press(pilot, "4")
        assert "WHERE" not in shown(app)
        ours = replace(submitted("a1" * 32), where=anchorage.HULL.peer)
        theirs = replace(submitted("b2" * 32), submitter=anchorage.key_of("hull").hex())
        core.emit(ours)
        core.emit(theirs)
        await until(pilot, lambda: "WHERE" in shown(app) and " hull-2" in shown(app) and "← hull" in shown(app))
        core.emit(events.PeerNamed(peer=anchorage.HULL.peer, name="keel"))
        await until(pilot, lambda: " keel" in shown(app) and "← keel" in shown(app))


async def test_the_way_of_a_job_is_told_step_by_step_beside_the_table() -> None:
    core, job = harbor(), JOBS[0].job
    async with opened(core) as (app, pilot):
        await press(pilot, "4")
        assert "WAY" not in sheet(app, "job")
        for step in steps_of(job, ("dialled", "tcp /ip4/10.0.0.7/tcp/4001"), ("cut", "the stream is reset")):
            core.emit(step)
        await until(pilot, lambda: "cut       the stream is reset" in sheet(app, "job"))
        assert "WAY  since 14:03:22" in sheet(app, "job")
        assert "+0ms  dialled   tcp /ip4/10.0.0.7/tcp/4001" in sheet(app, "job")


async def test_a_job_is_put_into_the_queue_once_more_and_the_cursor_follows() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4", "j", "R")
        assert core.changing() == [("jobs rerun", {"job": JOBS[1].job})]
        core.emit(submitted("ff" * 32))
        await until(pilot, lambda: pane(app).main.model.cursor == "ff" * 32)


async def test_a_rerun_that_is_refused_leaves_the_cursor_where_it_is() -> None:
    core = harbor()
    core.refuse("jobs rerun", "its module was not kept", "jobs run --keep-output keeps it")
    async with opened(core) as (app, pilot):
        await press(pilot, "4", "j", "R")
        assert "its module was not kept" in toasts(app)[-1]
        core.emit(submitted("ff" * 32))
        await until(pilot, lambda: "ff" * 32 in pane(app).main.model.index)
        assert pane(app).main.model.cursor == JOBS[1].job


@SIZES
async def test_the_exact_line_is_shown_and_can_be_copied(size: tuple[int, int]) -> None:
    core = harbor()
    own = {"argv": ["hello.wasm", "-n"], "env": [], "dirs": []}
    document = {"manifest": {"created_at": "2025-11-21T14:03:22.000Z", "payload": {"orlop": own}}}
    core.answers["jobs show"] = lambda _args: Result(ok=True, value=document)
    async with opened(core, size) as (app, pilot):
        await press(pilot, "4", "j")
        await until(pilot, lambda: "REPEAT" in sheet(app, "job"))
        line = "orlop jobs run hello.wasm --memory 128MiB --fuel 1000000000 --timeout 30s"
        assert line in sheet(app, "job")
        await press(pilot, "y")
        assert "repeat" in shown(app)
        assert f"orlop jobs rerun {JOBS[1].job[:20]}" in said(app)
        await press(pilot, "g", *["j"] * 5, "enter")
        assert app.clipboard.startswith(line)
        assert app.clipboard.endswith("-- -n")


# --- receipts -------------------------------------------------------------------------------------------------------


def world_of(*rows: world.ReceiptRow) -> FakeCore:
    core = harbor()
    core.receipts = list(rows)
    return core


def chain_cells(core: FakeCore, table: object) -> dict[int, str]:
    model = table.main.model  # type: ignore[attr-defined]
    place = [column.name for column in model.columns].index("chain")
    return {row.number: model.rows[row.receipt].cells[place] for row in core.receipts if row.receipt in model.rows}


async def test_gaps_and_breaks_are_marked_in_the_table_and_explained_beside_it() -> None:
    broken = world.receipt(3, previous="ab" * 32)
    core = world_of(world.receipt(7), world.receipt(4), broken, world.receipt(2), world.receipt(1))
    async with opened(core) as (app, pilot):
        await press(pilot, "5")
        cells = chain_cells(core, pane(app))
        assert cells == {7: "✗ 2 gone", 4: "← 3", 3: "✗ broken", 2: "← 1", 1: "←"}
        pane(app).main.select(core.receipts[0].receipt)
        await settled(pilot)
        assert "#5 to #6 are missing" in sheet(app, "receipt")
        pane(app).main.select(broken.receipt)
        await settled(pilot)
        assert "broken: it names abab" in sheet(app, "receipt")


async def test_a_new_receipt_hangs_on_the_last_and_what_hangs_on_it_is_drawn_anew() -> None:
    core = world_of(RECEIPTS[1], world.receipt(119))
    async with opened(core) as (app, pilot):
        await press(pilot, "5")
        assert chain_cells(core, pane(app)) == {117: "←", 119: "✗ 1 gone"}
        missing = RECEIPTS[0]
        core.emit(
            events.ReceiptIssued(
                receipt=missing.receipt, job=missing.job, worker=missing.worker, number=118, exit_code=0,
                outcome="exit", previous=missing.previous,
            )
        )  # fmt: skip
        await until(pilot, lambda: missing.receipt in pane(app).main.model.rows)
        core.receipts.append(missing)
        assert chain_cells(core, pane(app)) == {117: "←", 118: "← 117", 119: "← 118"}


@SIZES
async def test_the_whole_chain_is_verified_and_every_fault_named(size: tuple[int, int]) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await press(pilot, "5", "C")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert ("receipts verify", {"chain": "true"}) in core.calls
        text = sheet(app, "sheet")
        assert "✗ not whole: 19 receipts in 2 chains, 3 faults" in text
        assert "105 to 106 are missing before number 107" in text
        assert not toasts(app)


async def test_chains_that_cannot_be_verified_say_why() -> None:
    core = harbor()
    core.refuse("receipts verify", "the database is damaged", "put it back from a copy")
    async with opened(core) as (app, pilot):
        await press(pilot, "5", "C")
        assert "the database is damaged" in toasts(app)[-1]
        assert len(app.screen_stack) == 1


@SIZES
async def test_a_receipt_s_job_is_run_again_and_both_runs_stand_beside_one_another(size: tuple[int, int]) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await press(pilot, "5", "R")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert core.changing() == [("receipts rerun", {"receipt": RECEIPTS[0].receipt})]
        assert "✗ different: another output" in sheet(app, "sheet")
        assert not toasts(app)


async def test_a_rerun_that_lacks_its_module_says_so() -> None:
    core = harbor()
    core.refuse("receipts rerun", "the job's module was not kept", "give it: --module")
    async with opened(core) as (app, pilot):
        await press(pilot, "5", "R")
        assert "the job's module was not kept; give it: --module" in toasts(app)[-1]


async def test_neither_rerun_is_offered_read_only() -> None:
    core = harbor(read_only=True)
    async with opened(core) as (app, pilot):
        for keys in (("4", "R"), ("5", "R")):
            await press(pilot, *keys)
            assert "changing commands are off" in toasts(app)[-1]
        assert not core.changing()


@SIZES
async def test_receipts_are_exported_in_the_form_that_is_chosen(size: tuple[int, int], tmp_path: Path) -> None:
    core = harbor()
    core.answers["receipts export"] = lambda _args: Result(ok=True, value={"v": 1, "items": [RECEIPT]})
    async with opened(core, size) as (app, pilot):
        await press(pilot, "5", "E")
        dialog = app.screen
        assert isinstance(dialog, ExportScreen)
        dialog.query_one("#format").focus()
        assert not dialog.shows("with_output")
        proposed = []
        for _ in range(3):
            await press(pilot, "right")
            proposed.append(dialog.value("out"))
        assert proposed == ["receipts-0.1.jsonl", "receipts.intoto.jsonl", "proofs.jsonl"]
        dialog.query_one("#with_output").focus()
        await press(pilot, "space")
        dialog.query_one("#out").value = str(tmp_path / "proof.json")  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        name, args = core.calls[-1]
        assert (name, args["format"], args["with_output"]) == ("receipts export", "bundle", "true")
        assert (tmp_path / "proof.json").exists()


async def test_a_name_of_one_s_own_stays_when_another_form_is_chosen() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "5", "E")
        dialog = app.screen
        assert isinstance(dialog, ExportScreen)
        dialog.query_one("#out").value = "mine.jsonl"  # type: ignore[attr-defined]
        dialog.query_one("#format").focus()
        await press(pilot, "left")
        assert dialog.value("out") == "mine.jsonl"
        assert dialog.chosen("format") == "bundle"
        await pilot.click("#format", offset=(5, 0))
        assert dialog.chosen("format") == "receipt"


async def test_the_signed_message_is_offered_for_one_receipt_only() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "5", "E")
        assert app.screen.query("#signed_message")
        await press(pilot, "escape", "space", "space", "E")
        assert "2 receipts" in shown(app)
        assert not app.screen.query("#signed_message")
