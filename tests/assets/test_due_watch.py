"""`due-watch`: urgency before due dates; only its own marks are taken back, and who decides otherwise is heard."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assets
from tests.assets.bare_host import Host
from tests.assets.trying import DAY, HOUR, NOW, Kit, Tried, task

WASM = assets.path("agents/due-watch/due-watch.wasm").read_bytes()
URGENT, CALM = {"urgent": True}, {"urgent": False}


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


def watch(kit: Kit, *tasks: dict[str, Any], **options: Any) -> Tried:
    return kit.tried("due-watch", list(tasks), **options)


def settings(text: str) -> dict[str, Any]:
    return task("s", title="due-watch-settings", description=text)


def test_tasks_that_are_due_within_two_hours_become_urgent(kit: Kit) -> None:
    tried = watch(
        kit,
        task("past", dueAt=NOW - DAY),
        task("exactly", dueAt=NOW + 2 * HOUR),
        task("a moment later", dueAt=NOW + 2 * HOUR + 1),
        task("without a date"),
        task("done", dueAt=NOW, status="completed"),
        task("already", dueAt=NOW, urgent=True),
        task('quoted "\\" é\n', dueAt=NOW, status="in_progress"),
        ticks=2,
    )
    marks = [("task_urgency_changed", name, URGENT) for name in ("past", "exactly", 'quoted "\\" é\n')]
    assert tried.said(1) == marks
    assert tried.said(2) == [], "once"


def test_its_own_mark_is_taken_back_when_the_date_moves_away(kit: Kit) -> None:
    first = watch(kit, task("a", dueAt=NOW + HOUR), ticks=2)
    moved = watch(kit, task("a", dueAt=NOW + DAY, urgent=True), state=first.state, ticks=2)
    assert moved.said(1) == [("task_urgency_changed", "a", CALM)]
    assert moved.said(2) == []
    gone = watch(kit, task("a", urgent=True), state=first.state)
    assert gone.said() == [("task_urgency_changed", "a", CALM)], "a date that is taken away has moved too"


def test_nobody_elses_mark_is_taken_back(kit: Kit) -> None:
    first = watch(kit, task("a", dueAt=NOW + HOUR, urgent=True))
    assert watch(kit, task("a", dueAt=NOW + DAY, urgent=True), state=first.state).said() == []


def test_a_mark_that_somebody_took_back_stays_away_until_the_date_moves(kit: Kit) -> None:
    first = watch(kit, task("a", dueAt=NOW + HOUR), ticks=2)
    calm = watch(kit, task("a", dueAt=NOW + HOUR, urgent=False), state=first.state, ticks=3)
    assert [calm.said(call) for call in (1, 2, 3)] == [[], [], []]
    moved = watch(kit, task("a", dueAt=NOW + HOUR + 1, urgent=False), state=calm.state)
    assert moved.said() == [("task_urgency_changed", "a", URGENT)]


@pytest.mark.parametrize("payload", [URGENT, CALM])
def test_an_event_of_somebody_else_about_urgency_ends_its_own_claim(kit: Kit, payload: dict[str, Any]) -> None:
    first = watch(kit, task("a", dueAt=NOW + HOUR), ticks=2)
    told = {"type": "task_urgency_changed", "taskId": "a", "task": payload, "timestamp": NOW, "actorId": "ann"}
    now = task("a", dueAt=NOW + HOUR, **payload)
    second = watch(kit, now, state=first.state, event=told)
    assert second.said() == []
    later = watch(kit, now | {"dueAt": NOW + DAY}, state=second.state)
    assert later.said() == [], "it was not ours any more"


def test_an_event_about_something_else_changes_nothing(kit: Kit) -> None:
    first = watch(kit, task("a", dueAt=NOW + HOUR), ticks=2)
    told = {"type": "task_assigned", "taskId": "a", "task": {"assignee": "ann"}, "timestamp": NOW, "actorId": "ann"}
    assert watch(kit, task("a", dueAt=NOW + HOUR, urgent=True), state=first.state, event=told).state == first.state


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("within: 4h", 4 * HOUR),
        ("4h", 4 * HOUR),
        (" Within:  90 m \n", 90 * 60_000),
        ("30s", 30_000),
        ("366d", 366 * DAY),
    ],
)
def test_the_time_before_comes_from_a_task_and_is_kept(kit: Kit, text: str, before: int) -> None:
    tasks = [task("soon", dueAt=NOW + before), task("later", dueAt=NOW + before + 1)]
    tried = watch(kit, *tasks, settings(text))
    assert tried.said() == [("task_urgency_changed", "soon", URGENT)]
    assert tried.log == []
    kept = watch(kit, *tasks, state=tried.state)
    assert kept.said() == tried.said(), "without the settings the time in the state holds; the mark was not seen yet"


@pytest.mark.parametrize(
    "text", ["", "soon", "within: h", "within: 4", "4w", "0h", "367d", "4h or so", "9" * 40 + "h", "-4h"]
)
def test_settings_that_cannot_be_read_change_nothing_and_say_so_once(kit: Kit, text: str) -> None:
    tried = watch(kit, task("a", dueAt=NOW + 2 * HOUR), task("b", dueAt=NOW + 3 * HOUR), settings(text), ticks=3)
    assert tried.said(1) == [("task_urgency_changed", "a", URGENT)]
    (line,) = tried.log
    assert line.startswith("due-watch-settings: write how long before")


@pytest.mark.parametrize("change", [{"status": "completed"}, {"createdBy": "agent:x:y@z"}, {"title": "due-watch"}])
def test_settings_of_agents_and_completed_ones_do_not_count(kit: Kit, change: dict[str, Any]) -> None:
    assert watch(kit, task("a", dueAt=NOW + 3 * HOUR), settings("4h") | change).said() == []


def test_more_than_64_marks_wait_for_the_next_tick(kit: Kit) -> None:
    tried = watch(kit, *(task(f"t{n}", dueAt=NOW) for n in range(150)), ticks=4)
    assert [len(tried.said(call)) for call in (1, 2, 3, 4)] == [64, 64, 22, 0]


def test_completed_tasks_are_forgotten(kit: Kit) -> None:
    first = watch(kit, task("a", dueAt=NOW), ticks=2)
    done = watch(kit, task("a", dueAt=NOW, urgent=True, status="completed"), state=first.state)
    assert done.said() == []
    assert done.state == "01000000201c0000", "only the two hours are left"


def test_a_mark_that_was_dropped_is_made_again() -> None:
    host = Host(now=NOW, tasks=json.dumps([task("a", dueAt=NOW)]).encode())
    call = host.start(WASM)
    call("on_tick")
    call("on_tick")
    assert len(host.emitted) == 2


@given(st.lists(st.sampled_from(["tick", "soon", "sooner", "away", "none", "mark", "unmark", "restart"]), max_size=25))
def test_whoever_decides_last_about_a_task_is_never_overruled(steps: list[str]) -> None:
    """One task, any history: what a person said about urgency stands until the date moves; the rest is the agent's."""
    host = Host(now=NOW)
    call = host.start(WASM)
    due = {"soon": NOW + HOUR, "sooner": NOW, "away": NOW + DAY, "none": 0}
    at, urgent, ours, decided = 0, False, False, False
    for step in steps:
        if step in due:
            if due[step] != at:
                at, decided = due[step], False
        elif step in {"mark", "unmark"}:
            urgent = step == "mark"
            decided, ours = decided or ours, False
            host.event = json.dumps({"type": "x", "taskId": "a", "task": {"urgent": urgent}}).encode()
            call("on_task_event")
        elif step == "restart":
            call = host.start(WASM)
        else:
            host.tasks = json.dumps([task("a", urgent=urgent) | ({"dueAt": at} if at else {})]).encode()
            host.emitted.clear()
            call("on_tick")
            for (raw,) in host.emitted:
                wanted = json.loads(raw)["task"]["urgent"]
                assert not decided
                assert wanted is (0 < at <= NOW + 2 * HOUR)
                assert wanted or ours, "it takes back only what it made"
                assert wanted is not urgent
                urgent = ours = wanted
