"""What is said of a job: its limits and the one that struck, its pace, the command line that repeats it."""

import hashlib
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.client import Json
from console.cmdline.verbline import read_line
from console.petnames import short_peer
from console.registry import COMMANDS
from console.table_rows import fit_columns
from console.ui.figures import NOTHING
from console.ui.recent import Recent
from console.ui.screens.run_words import LABELS, PRESETS, hint_of, limits_of, split
from console.ui.sheet import plain
from console.ui.text.job_peers import is_foreign
from console.ui.text.job_sheet import JobFacts, job_sheet
from console.ui.text.jobs import COLUMNS, COLUMNS_AMONG_PEERS, Tail, job_row
from console.ui.text.pace import Pace
from console.ui.text.repeat import repeat_line
from console.verbs.values import check_values
from runtime import events
from runtime.events import Record
from runtime.jobs.limits import CEILINGS, JobLimits
from tests.console.ui import anchorage
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import NOW

RUNNING = world.JOBS[0]
QUEUED = world.JOBS[-1]


PEERS = {row.peer: row for row in anchorage.PEERS}
THERE = world.job(1, where=anchorage.HULL.peer, submitter="local")
FROM_THERE = world.job(1, submitter=anchorage.key_of("hull").hex())


def cell(row: world.JobRow, column: str) -> str:
    return dict(zip((each.name for each in COLUMNS), job_row(row, PEERS, NOW).cells, strict=True))[column].strip()


def said(row: world.JobRow, facts: JobFacts | None = None) -> str:
    return plain(job_sheet(row, facts or JobFacts(), NOW))


def manifest(**own: Json) -> dict[str, Json]:
    given_: dict[str, Json] = {"argv": ["hello.wasm"], "env": [], "dirs": []}
    return {"manifest": {"created_at": "2025-11-21T14:03:22.000Z", "payload": {"orlop": given_ | own}}}


# --- rows and limits ------------------------------------------------------------------------------------------------


def test_a_row_names_priority_and_the_limit_that_struck() -> None:
    assert (cell(QUEUED, "mark"), cell(QUEUED, "prio"), cell(QUEUED, "limit")) == ("◌", "-5", NOTHING)
    assert cell(world.job(1, state="failed", outcome="deadline", tripped="cpu_ms"), "limit") == "cpu_ms"


@pytest.mark.parametrize(
    ("limit", "line"),
    [
        ("timeout_ms", "clock"),
        ("cpu_ms", "cpu"),
        ("memory_bytes", "memory"),
        ("fuel", "fuel"),
        ("max_output_bytes", "output"),
        ("dir_bytes", "dirs"),
    ],
)
def test_the_limit_that_struck_stands_by_its_own_name_and_marks_its_bar(limit: str, line: str) -> None:
    text = said(world.job(1, state="failed", outcome="x", tripped=limit, exit_code=134))
    assert f"limit {limit} struck" in text
    marked = [each.split()[0] for each in text.split("\n") if each.endswith("✗")]
    assert marked == [line]


def test_a_limit_that_nobody_measured_and_that_struck_has_a_full_bar() -> None:
    text = said(world.job(1, state="failed", outcome="deadline", tripped="cpu_ms"))
    cpu = next(line for line in text.split("\n") if line.startswith("  cpu"))
    assert "█" * 14 in cpu
    assert f"{NOTHING} of 30.0s" in cpu


def test_the_quota_of_directories_is_shown_to_jobs_that_may_write_into_one() -> None:
    assert "dirs" not in said(RUNNING, JobFacts(document=manifest(dirs=["/data:ro"])))
    assert "of 256M" in said(RUNNING, JobFacts(document=manifest(dirs=["/data:rw"])))


def test_what_an_older_program_did_not_limit_is_left_out() -> None:
    text = said(world.job(1, limit_cpu_ms=0, limit_stack_bytes=0, limit_table_elements=0, limit_open_files=0))
    assert "cpu" not in text
    assert "stack" not in text


def test_terms_of_the_queue_are_said_where_they_are_not_the_usual_ones() -> None:
    text = said(QUEUED)
    assert "priority -5" in text
    assert "attempt 1 of 3" in text
    assert "starts within 10m 00s or never" in text
    assert "priority" not in said(RUNNING)


# --- among peers ----------------------------------------------------------------------------------------------------


def way(*steps: tuple[str, str], every_ms: int = 5) -> list[Record]:
    told = [events.JobStep(job=THERE.job, step=step, detail=detail) for step, detail in steps]
    return [Record(number, NOW + number * every_ms, event) for number, event in enumerate(told)]


def test_a_row_names_where_a_job_runs_and_who_gave_it_as_the_operator_calls_them() -> None:
    assert [cell(row, "where") for row in (RUNNING, THERE, FROM_THERE)] == ["local", "hull-2", "← hull-2"]
    stranger = world.job(1, where=anchorage.peer_id("nobody"))
    assert cell(stranger, "where") == short_peer(anchorage.peer_id("nobody"))
    assert job_row(stranger, PEERS, NOW).values[-1] == anchorage.peer_id("nobody")
    assert [job_row(row, PEERS, NOW).values[-1] for row in (THERE, FROM_THERE)] == ["hull-2", "hull-2"]


def test_only_jobs_between_nodes_ask_for_room_for_where_they_run() -> None:
    assert [is_foreign(row) for row in (RUNNING, THERE, FROM_THERE)] == [False, True, True]
    assert {column.name: column.width for column in COLUMNS} == {c.name: c.width for c in COLUMNS_AMONG_PEERS}
    for columns, there in ((COLUMNS, False), (COLUMNS_AMONG_PEERS, True)):
        names = {columns[place].name for place, _ in fit_columns(columns, 65)}
        assert ("where" in names, {"wall", "mem", "out", "exit"} <= names) == (there, True)


def test_the_sheet_tells_the_whole_id_of_the_peer_and_of_who_gave_the_job() -> None:
    text = said(THERE, JobFacts(peers=PEERS))
    assert "on hull-2" in text
    assert f"AT       hull-2  {anchorage.HULL.peer}" in text
    assert f"FROM     hull-2  {anchorage.HULL.peer}" in said(FROM_THERE, JobFacts(peers=PEERS))
    assert "AT  " not in said(RUNNING)


def test_the_way_is_told_with_the_time_since_its_first_step() -> None:
    steps = way(("dialled", "tcp /ip4/10.0.0.7/tcp/4001"), ("offered", ""), ("verified", "valid"))
    text = said(THERE, JobFacts(way=steps)).split("LIMITS")[0]
    assert text.split("WAY")[1].split("\n")[:4] == [
        "  since 14:03:22",
        "    +0ms  dialled   tcp /ip4/10.0.0.7/tcp/4001",
        "    +5ms  offered",
        "   +10ms  verified  valid",
    ]
    assert "WAY" not in said(THERE)


def test_who_offered_a_job_is_told_by_name() -> None:
    steps = way(("offered", f"by {anchorage.HULL.peer}"), ("offered", "module 5 bytes, input 1 bytes"))
    text = said(FROM_THERE, JobFacts(way=steps, peers=PEERS))
    assert "offered   by hull-2\n" in text
    assert "offered   module 5 bytes, input 1 bytes\n" in text


def test_what_went_wrong_on_the_way_stands_out() -> None:
    steps = way(
        ("cut", "reset"), ("rejected", "full"), ("verified", "invalid: chain"), ("verified", "valid"), ("sent", "")
    )
    lines = job_sheet(THERE, JobFacts(way=steps), NOW)
    inks = [line.spans[1][1] for line in lines if line.spans and line.spans[0][0].strip().startswith("+")]
    assert inks == ["trip", "trip", "alarm", "ok", ""]


def test_of_a_long_way_the_end_is_shown() -> None:
    text = said(THERE, JobFacts(way=way(*[("cut", f"number {number}") for number in range(40)])))
    assert "… 24 steps before" in text
    assert "number 23" not in text
    assert text.count("number") == 16


def test_what_is_kept_of_ways_is_bounded() -> None:
    recent = Recent()
    told = [events.JobStep(job=str(number // 50), step="cut", detail=str(number)) for number in range(50 * 300)]
    recent.take([Record(number, NOW, event) for number, event in enumerate(told)])
    assert recent.way("99") == ()
    assert [record.event for record in recent.way("100")] == told[100 * 50 + 10 : 101 * 50]
    assert len(recent.way("299")) == 40


# --- pace -----------------------------------------------------------------------------------------------------------


def pace(*seen: tuple[int, int]) -> Pace:
    made = Pace()
    for at_ms, amount in seen:
        made.note(amount, at_ms)
    return made


def test_a_running_job_says_how_fast_it_writes_and_how_long_that_can_go_on() -> None:
    fast = pace((0, 1_024), (2_000, 1_024 + 4_096))
    text = said(RUNNING, JobFacts(paces={"stdout": fast, "stderr": Pace()}))
    assert "ends within 27.6s" in text
    assert "stdout 2.0K/s, full in 1h 08m" in text
    assert "stderr" not in text.split("STDOUT")[0]


def test_an_ended_job_has_no_pace() -> None:
    assert "/s" not in said(world.JOBS[1], JobFacts(paces={"stdout": pace((0, 1), (2_000, 9_000))}))


def test_what_was_there_before_anybody_looked_counts_for_no_pace() -> None:
    assert pace((0, 0), (100, 1_000_000), (5_100, 1_000_050)).rate == 10


def test_a_pace_needs_half_a_second_and_forgets_what_is_older_than_five() -> None:
    assert pace((0, 1), (400, 9)).rate is None
    assert pace((0, 1), (1_000, 1_000_001), (5_000, 1_000_001), (10_000, 1_000_001), (15_000, 1_000_001)).rate == 0
    assert pace((0, 1), (1_000, 1)).remaining_ms(100) is None


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 10**12)), max_size=30))
def test_no_pace_is_negative_whatever_is_seen(seen: list[tuple[int, int]]) -> None:
    made = Pace()
    for at_ms, amount in zip(sorted(at for at, _ in seen), sorted(amount for _, amount in seen), strict=True):
        made.note(amount, at_ms)
    assert (made.rate or 0) >= 0
    assert (made.remaining_ms(10**12) or 0) >= 0


# --- the command line that repeats it -------------------------------------------------------------------------------


def test_the_line_repeats_every_limit_argument_and_variable() -> None:
    row = world.job(1, limit_timeout_ms=1_500, limit_memory_bytes=65_536 + 1, name="sort it.wasm")
    own = manifest(
        argv=["sort it.wasm", "-n", "two words"],
        env=["A=b c"],
        dirs=["/data:ro", "/out:rw"],
        deterministic=True,
        stdin_sha256="ab" * 32,
    )
    there = replace(row, where=anchorage.HULL.peer)
    assert repeat_line(there, own).startswith(f"orlop jobs run 'sort it.wasm' --on {anchorage.HULL.peer} --stdin FILE")
    assert repeat_line(row, own) == (
        "orlop jobs run 'sort it.wasm' --stdin FILE --env 'A=b c' --dir HOST:/data:ro --dir HOST:/out --deterministic"
        " --memory 65537 --fuel 1000000000 --timeout 1500ms --max-output 8MiB --cpu 30s --dir-quota 256MiB"
        " --open-files 64 --stack 1MiB --table 10000 -- -n 'two words'"
    )


@pytest.mark.parametrize(("digest", "given_"), [("ab" * 32, True), (hashlib.sha256(b"").hexdigest(), False)])
def test_input_that_only_the_receipt_knows_is_in_the_line(digest: str, given_: bool) -> None:
    extra = {"orlop.stdin_sha256": digest}
    document = {**manifest(), "receipt_document": {"result": {"metrics": {"extra": extra}}}}
    assert ("--stdin FILE" in repeat_line(world.JOBS[1], document)) is given_


def test_the_line_is_one_that_the_command_line_takes_with_the_very_limits() -> None:
    row = world.JOBS[1]
    line = read_line(shlex.split(repeat_line(row, manifest(argv=["x", "--help"])))[1:])
    assert line.command is COMMANDS["jobs run"]
    check_values(line.command, line.args)
    assert line.args["args"] == ["--help"]
    assert line.args["memory"] == "128MiB"
    assert line.args["timeout"] == "30s"


def test_every_limit_of_the_command_is_in_the_line() -> None:
    line = repeat_line(world.JOBS[1], manifest())
    assert [arg.name for arg in limits_of(COMMANDS["jobs run"]) if f"--{arg.name.replace('_', '-')} " not in line] == []


def test_paths_that_nobody_kept_are_said_to_be_missing() -> None:
    text = said(world.JOBS[1], JobFacts(document=manifest(dirs=["/data:ro"], stdin_sha256="ab" * 32)))
    assert "FILE and HOST: a manifest names no path of yours" in text
    assert "HOST" not in said(world.JOBS[1], JobFacts(document=manifest()))


def test_one_stream_can_be_shown_alone() -> None:
    out, err = Tail(), Tail()
    out.put(0, b"to out")
    err.put(0, b"to err")
    text = said(world.JOBS[1], JobFacts(output={"stdout": out, "stderr": err}, shown=("stderr",)))
    assert "to err" in text
    assert "to out" not in text
    assert "STDOUT" not in text


# --- the run dialog's words -----------------------------------------------------------------------------------------


def test_presets_are_limits_that_a_node_without_ceilings_allows() -> None:
    names = {arg.name for arg in limits_of(COMMANDS["jobs run"])}
    for preset in PRESETS.values():
        assert preset.keys() <= names
        check_values(COMMANDS["jobs run"], {"module": "x.wasm", **preset})
    assert JobLimits.of(memory_bytes=1 << 30, timeout_ms=600_000, max_output_bytes=64 << 20).above(CEILINGS) is None


def test_every_limit_has_a_label_and_says_what_holds_without_it() -> None:
    for arg in limits_of(COMMANDS["jobs run"]):
        assert arg.name in LABELS
        assert "default" not in hint_of(arg)


def test_a_line_with_an_open_quote_is_one_word() -> None:
    assert split("a 'b c'") == ["a", "b c"]
    assert split("a 'b") == ["a 'b"]
