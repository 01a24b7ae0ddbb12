"""What is said of a job: its limits and the one that struck, its pace, the command line that repeats it."""

import hashlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.client import Json
from console.cmdline.verbline import read_line
from console.registry import COMMANDS
from console.ui.figures import NOTHING
from console.ui.screens.run_words import LABELS, PRESETS, hint_of, limits_of, split
from console.ui.sheet import plain
from console.ui.text.job_sheet import JobFacts, job_sheet
from console.ui.text.jobs import COLUMNS, Tail, job_row
from console.ui.text.pace import Pace
from console.ui.text.repeat import repeat_line
from console.verbs.values import check_values
from runtime.jobs.spec import CEILINGS, JobLimits
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import NOW

RUNNING = world.JOBS[0]
QUEUED = world.JOBS[-1]


def cell(row: world.JobRow, column: str) -> str:
    return dict(zip((each.name for each in COLUMNS), job_row(row, NOW).cells, strict=True))[column].strip()


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
