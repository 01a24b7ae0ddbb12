"""Expressions of `--until` and `--events`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.until import parse_events, parse_until
from runtime import events
from runtime.errors import UsageError
from runtime.events import Event, Record

JOB = "7f3a" + "0" * 60
STATE = events.JobState(job=JOB, state="done", previous="running", reason="exit")
TICK = events.TickCompleted(
    room="r1", agent="balance", n=3, trigger="tick", duration_us=1500, emitted=2, dropped=(events.Drop(reason="loop"),)
)
TRIP = events.BreakerTripped(room="r1", agent="faulty", trigger="tick", failures=3, reasons=("unreachable", "stack"))
USAGE = events.JobUsage(job=JOB, wall_ms=3, fuel=None, memory_peak_bytes=None, output_bytes=0, exit_code=0)


@pytest.mark.parametrize(
    ("text", "event", "matches"),
    [
        ("job.state", STATE, True),
        ("job.*", STATE, True),
        ("tick.*", STATE, False),
        ("job.state,job=7f3a,state=done", STATE, True),
        ("job.state,job=7f3", STATE, False),
        ("job.state,job=7f3*", STATE, True),
        ("job.state,state!=done", STATE, False),
        ("job.*,state=done", USAGE, False),
        ("job.usage,fuel=null", USAGE, True),
        ("job.usage,exit_code=0,wall_ms<=3", USAGE, True),
        ("job.usage,fuel>0", USAGE, False),
        ("tick.completed,duration_us>1499,emitted>=2", TICK, True),
        ("tick.completed,duration_us<1500", TICK, False),
        ("tick.completed,dropped>0", TICK, True),
        ("tick.completed,dropped=1", TICK, True),
        ("tick.completed,state_changed=false", TICK, True),
        ("breaker.tripped,reasons=stack", TRIP, True),
        ("breaker.tripped,reasons=memory", TRIP, False),
        ("breaker.tripped,next_probe=null", TRIP, True),
    ],
)
def test_matching(text: str, event: Event, matches: bool) -> None:
    assert parse_until(text).matches(Record(1, 0, event)) is matches


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("job.stat", "did you mean `job.state`?"),
        ("", "fits no type"),
        ("job.state,sate=done", "did you mean `state`?"),
        ("job.state,done", "is no condition"),
        ("job.state,state>done", "is no number"),
        ("agent.log,text=x", "is content"),
        ("job.state,", "is no condition"),
    ],
)
def test_mistakes_are_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError, match="--until") as caught:
        parse_until(text)
    assert words in str(caught.value)


def test_globs_choose_types_and_some_are_always_written() -> None:
    chosen = parse_events(["tick.*", "!tick.summary"])
    assert chosen.wants(TICK)
    assert not chosen.wants(STATE)
    assert "tick.summary" not in chosen.types
    assert chosen.wants(events.CoreStopped(exit_code=0, uptime_s=1))
    assert chosen.wants(events.StreamGap(first=1, to=2, reason="slow"))


def test_only_taking_away_leaves_the_rest() -> None:
    chosen = parse_events(["!job.output,!job.state"])
    assert not chosen.wants(STATE)
    assert chosen.wants(TICK)


def test_a_glob_that_fits_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"did you mean `tick\.failed`"):
        parse_events(["tick.faild"])


@given(st.text(alphabet="jobste.*,=<>!01x_[", max_size=40))
def test_any_text_parses_or_is_refused_and_matching_never_raises(text: str) -> None:
    try:
        until = parse_until(text)
    except UsageError:
        return
    for event in (STATE, TICK, TRIP, USAGE):
        until.matches(Record(1, 0, event))
