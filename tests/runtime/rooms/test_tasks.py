"""The reducer: its rules one by one, and against a naive reading of them for any sequence of events."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RefusedError
from runtime.rooms import tasks
from runtime.rooms.tasks import (
    EMPTY,
    Folding,
    TaskEvent,
    event_to_json,
    fold,
    parse_task,
    parse_task_event,
    reduce,
    task_to_json,
)

IDS = ["a", "b", "c", "d"]
ACTORS = ["alice", "bob", "agent:x"]


def event(kind: str, task_id: str, payload: dict[str, Any] | None, at: int = 1000, actor: str = "alice") -> TaskEvent:
    return TaskEvent(type=kind, task_id=task_id, task=payload, timestamp=at, actor_id=actor)


def oracle(events: list[TaskEvent]) -> dict[str, dict[str, Any]]:
    """The rules as they are written, on plain dictionaries, without any care for cost."""
    found: dict[str, dict[str, Any]] = {}
    last: dict[str, str] = {}
    seen = []
    for e in events:
        if (e.task_id, e.type, e.timestamp, e.actor_id) in seen:
            continue
        seen.append((e.task_id, e.type, e.timestamp, e.actor_id))
        if e.task is None:
            continue
        payload = dict(e.task)
        if payload.get("blockedBy") is not None:
            before = {k: set(v.get("blockedBy") or ()) for k, v in found.items()}
            for _ in before:  # everything that each task waits for
                before = {k: v.union(*(before.get(o, set()) for o in v)) for k, v in before.items()}
            payload["blockedBy"] = [
                o for o in payload["blockedBy"] if o != e.task_id and o in found and e.task_id not in before[o]
            ]
        if e.type in {"task_created", "subtask_created"}:
            task = {"title": "", "status": "pending", "createdBy": e.actor_id, "createdAt": e.timestamp}
            task |= {k: v for k, v in payload.items() if v is not None}
        else:
            old = found.get(e.task_id)
            if old is None or e.timestamp < old["updatedAt"]:
                continue
            if e.timestamp == old["updatedAt"] and not e.actor_id > last[e.task_id]:
                continue
            task = old | payload
            if e.type == "task_assigned" and payload.get("assignee") and task["status"] == "pending":
                task["status"] = "in_progress"
        task |= {"id": e.task_id, "updatedAt": e.timestamp}
        found[e.task_id] = {k: v for k, v in task.items() if v is not None}
        last[e.task_id] = e.actor_id
    return found


payloads = st.fixed_dictionaries(
    {},
    optional={
        "title": st.text(max_size=3),
        "status": st.sampled_from(tasks.STATUSES),
        "assignee": st.sampled_from([None, "", "alice", "bob"]),
        "blockedBy": st.lists(st.sampled_from([*IDS, "unknown"]), max_size=4),
        "dueAt": st.none() | st.integers(0, 9),
        "urgent": st.booleans(),
        "parentId": st.sampled_from(IDS),
        "description": st.none() | st.just("x"),
    },
)
events = st.builds(
    event,
    st.sampled_from(sorted(tasks.TYPES)),
    st.sampled_from(IDS),
    st.none() | payloads,
    st.integers(1000, 1006),
    st.sampled_from(ACTORS),
)


@given(st.lists(events, max_size=40))
def test_any_sequence_folds_as_the_rules_say(sequence: list[TaskEvent]) -> None:
    state = fold(sequence)
    assert {key: task_to_json(task) for key, task in state.tasks.items()} == oracle(sequence)
    assert list(state.tasks) == list(oracle(sequence))


@given(st.lists(events, max_size=30))
def test_reduce_is_pure_and_a_second_time_changes_nothing(sequence: list[TaskEvent]) -> None:
    states = [EMPTY]
    for one in sequence:
        states.append(reduce(states[-1], one))
    for upto, state in enumerate(states):
        assert state == fold(sequence[:upto])
    again = fold(sequence, states[-1])
    assert again == states[-1]


@given(st.lists(events, max_size=40))
def test_in_the_order_of_time_older_keys_may_be_forgotten(sequence: list[TaskEvent]) -> None:
    ordered = sorted(sequence, key=lambda e: (e.timestamp, e.actor_id))
    folding, last = Folding(), 0
    for one in ordered:
        if one.timestamp > last:
            folding.forget()
        last = one.timestamp
        folding.apply(one)
    assert folding.state().tasks == fold(ordered).tasks


@given(st.lists(events, max_size=20), events)
def test_a_lent_state_does_not_change(sequence: list[TaskEvent], more: TaskEvent) -> None:
    folding = Folding()
    for one in sequence:
        folding.apply(one)
    lent = folding.state()
    before = dict(lent.tasks)
    folding.apply(more)
    assert dict(lent.tasks) == before


@given(st.lists(events, max_size=30))
def test_dependencies_never_form_a_circle(sequence: list[TaskEvent]) -> None:
    found = fold(sequence).tasks
    for task in found.values():
        assert not tasks.reaches(found, task.id, task.id)


def test_creation_fills_in_defaults() -> None:
    task = fold([event("task_created", "a", {}, 7)]).tasks["a"]
    assert task_to_json(task) == {
        "id": "a", "title": "", "status": "pending", "createdBy": "alice", "createdAt": 7, "updatedAt": 7,
    }  # fmt: skip


def test_creation_replaces_even_a_newer_task() -> None:
    state = fold(
        [
            event("task_created", "a", {"title": "new", "urgent": True}, 9),
            event("task_created", "a", {"title": "old"}, 5),
        ]
    )
    assert (state.tasks["a"].title, state.tasks["a"].urgent, state.tasks["a"].updated_at) == ("old", None, 5)


@pytest.mark.parametrize(("actor", "wins"), [("alice", False), ("aaron", False), ("bob", True)])
def test_equal_times_are_decided_by_the_greater_actor(actor: str, wins: bool) -> None:
    state = fold(
        [event("task_created", "a", {"title": "first"}), event("task_updated", "a", {"title": "second"}, 1000, actor)]
    )
    assert state.tasks["a"].title == ("second" if wins else "first")


def test_a_key_is_recorded_even_when_its_event_changed_nothing() -> None:
    early = event("task_updated", "a", {"title": "x"}, 2000)
    state = fold([early, event("task_created", "a", {}), early])
    assert state.tasks["a"].title == ""
    assert early.key in state.seen


def test_only_an_assignment_starts_a_pending_task() -> None:
    made = [event("task_created", "a", {"assignee": "bob"}), event("task_created", "b", {"status": "completed"})]
    assert fold(made).tasks["a"].status == "pending"
    assert fold([*made, event("task_updated", "a", {"assignee": "bob"}, 2000)]).tasks["a"].status == "pending"
    assert fold([*made, event("task_assigned", "a", {"assignee": ""}, 2000)]).tasks["a"].status == "pending"
    assert fold([*made, event("task_assigned", "a", {"assignee": "bob"}, 2000)]).tasks["a"].status == "in_progress"
    assert fold([*made, event("task_assigned", "b", {"assignee": "bob"}, 2000)]).tasks["b"].status == "completed"


def test_dependencies_are_judged_against_the_graph_before_the_event() -> None:
    made = [event("task_created", task_id, {}, 1000 + n) for n, task_id in enumerate("abc")]
    chain = [
        event("task_dependencies_changed", "b", {"blockedBy": ["a"]}, 2000),
        event("task_dependencies_changed", "c", {"blockedBy": ["b", "a", "c", "nobody"]}, 2001),
        event("task_dependencies_changed", "a", {"blockedBy": ["b", "c"]}, 2002),
    ]
    found = fold(made + chain).tasks
    assert (found["a"].blocked_by, found["b"].blocked_by, found["c"].blocked_by) == ((), ("a",), ("b", "a"))


@given(events)
def test_events_survive_json(one: TaskEvent) -> None:
    assert parse_task_event(event_to_json(one)) == one


@given(st.lists(events, max_size=20))
def test_tasks_survive_json(sequence: list[TaskEvent]) -> None:
    for task in fold(sequence).tasks.values():
        assert parse_task(task_to_json(task)) == task


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "task_deleted"}, "is not a type"),
        ({"type": 3}, "type: must be a string"),
        ({"taskId": None}, "taskId: must be a string"),
        ({"task": []}, "task: must be an object"),
        ({"timestamp": True}, "timestamp: must be an integer"),
        ({"actorId": 1}, "actorId: must be a string"),
    ],
)
def test_events_are_read_strictly(change: dict[str, Any], says: str) -> None:
    good = {"type": "task_updated", "taskId": "a", "task": {}, "timestamp": 1, "actorId": "x"}
    assert parse_task_event(good).task == {}
    with pytest.raises(RefusedError, match=says):
        parse_task_event(good | change)
    with pytest.raises(RefusedError, match="must be an object"):
        parse_task_event([])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": None}, "title: must be a string"),
        ({"status": "done"}, "status: must be one of"),
        ({"createdAt": 1.5}, "createdAt: must be an integer"),
        ({"urgent": 1}, "urgent: must be true or false"),
        ({"blockedBy": "a"}, "blockedBy: must be a list"),
        ({"blockedBy": [1]}, "blockedBy: must be a list of task ids"),
    ],
)
def test_tasks_are_read_strictly(change: dict[str, Any], says: str) -> None:
    good = {
        "id": "a",
        "title": "",
        "status": "pending",
        "createdBy": "x",
        "createdAt": 1,
        "updatedAt": 1,
        "assignee": None,
    }
    assert parse_task(good).assignee is None
    with pytest.raises(RefusedError, match=says):
        parse_task(good | change)
