"""Admission: what enters the log, what does not, and why."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.admission import FUTURE_MS, Admitted, Context, Held, Refused, admit, stamp
from runtime.rooms.members import Member, agent_actor
from runtime.rooms.tasks import CREATIONS, TYPES, Task, TaskEvent, fold, reduce, task_to_json

ROOM = "0" * 32
ME, ANN = "M" * 43, "A" * 43
AGENT = agent_actor(ROOM, "balance", ME)
NOW = 1_700_000_000_000


def task(task_id: str, **fields: Any) -> Task:
    return Task(id=task_id, title=task_id, status="pending", created_by=ME, created_at=1, updated_at=1, **fields)


TASKS = {one.id: one for one in [task("a"), task("b", blocked_by=("a",)), task("child", parent_id="a")]}
CONTEXT = Context(
    ROOM,
    TASKS,
    [Member(identity_key=ME, display_name="Me", is_self=True), Member(identity_key=ANN, display_name="Ann")],
    NOW,
)


def judge(kind: str, task_id: str, payload: Any, *, actor: str = ME, at: int = NOW, author: str = ME) -> Any:
    return admit(
        TaskEvent(type=kind, task_id=task_id, task=payload, timestamp=at, actor_id=actor), CONTEXT, author=author
    )


GOOD = [
    ("task_created", "new", {}, {}),
    (
        "task_created",
        "new",
        {"title": "x", "urgent": True, "dueAt": 5, "blockedBy": ["a", "a"]},
        {"title": "x", "urgent": True, "dueAt": 5, "blockedBy": ["a"]},
    ),
    (
        "task_created",
        "new",
        {"id": "new", "createdBy": "z", "createdAt": 1, "updatedAt": 2, "title": "x"},
        {"title": "x"},
    ),
    ("task_created", "new", {"assignee": None, "description": None}, {}),
    ("subtask_created", "new", {"parentId": "a"}, {"parentId": "a"}),
    ("task_assigned", "a", {"assignee": ANN}, {"assignee": ANN}),
    ("task_assigned", "a", {"assignee": ANN[:36]}, {"assignee": ANN}),
    ("task_assigned", "a", {"assignee": ""}, {"assignee": None}),
    ("task_status_changed", "a", {"id": "a", "status": "completed"}, {"status": "completed"}),
    ("task_dependencies_changed", "a", {"blockedBy": ["child"]}, {"blockedBy": ["child"]}),
    ("task_dependencies_changed", "b", {"blockedBy": []}, {"blockedBy": []}),
    ("task_urgency_changed", "a", {"urgent": True}, {"urgent": True}),
]


@pytest.mark.parametrize("actor", [ME, AGENT], ids=["member", "agent"])
@pytest.mark.parametrize(("kind", "task_id", "payload", "stored"), GOOD)
def test_what_is_honest_is_admitted(kind: str, task_id: str, payload: Any, stored: Any, actor: str) -> None:
    verdict = judge(kind, task_id, payload, actor=actor)
    assert isinstance(verdict, Admitted), verdict
    assert verdict.event.task == stored
    assert verdict.event.actor_id == actor


BAD = [
    ("task_created", "a", {"title": "overwritten"}, "exists already"),
    ("task_created", "", {}, "Event missing taskId"),
    ("task_created", "x" * 129, {}, "longer than 128"),
    ("task_created", "new", None, "no task payload"),
    ("task_created", "new", {"id": "other"}, "payload's id"),
    ("task_created", "new", {"colour": "red"}, "may not set colour"),
    ("task_created", "new", {"title": 5}, "title must be a string"),
    ("task_created", "new", {"title": "x" * 1001}, "longer than 1000"),
    ("task_created", "new", {"title": "\ud800"}, "not valid Unicode"),
    ("task_created", "new", {"description": "x" * 16_385}, "longer than 16384"),
    ("task_created", "new", {"dueAt": True}, "dueAt must be"),
    ("task_created", "new", {"dueAt": 1.5}, "dueAt must be"),
    ("task_created", "new", {"dueAt": -1}, "dueAt must be"),
    ("task_created", "new", {"dueAt": 10**17}, "dueAt must be"),
    ("subtask_created", "new", {"title": "x"}, "needs a parentId"),
    ("subtask_created", "new", {"parentId": "nope"}, "parent nope is not a task"),
    ("task_assigned", "nope", {"assignee": ANN}, "for unknown taskId: nope"),
    ("task_assigned", "a", {"assignee": "mallory"}, "not a member"),
    ("task_assigned", "a", {"assignee": 7}, "assignee must be a string"),
    ("task_assigned", "a", {"assignee": ANN, "createdBy": ANN}, "may not set createdBy"),
    ("task_status_changed", "a", {"status": "done"}, "status must be one of"),
    ("task_status_changed", "a", {"status": ["completed"]}, "status must be one of"),
    ("task_status_changed", "a", {"status": None}, "status cannot be null"),
    ("task_status_changed", "a", {"createdAt": 1}, "may not set createdAt"),
    ("task_status_changed", "a", {"id": "b", "status": "completed"}, "payload's id"),
    ("task_status_changed", "a", {}, "payload is empty"),
    ("task_status_changed", "a", None, "no task payload"),
    ("task_dependencies_changed", "a", {"blockedBy": ["b"]}, "would close a circle"),
    ("task_dependencies_changed", "a", {"blockedBy": ["a"]}, "cannot wait for itself"),
    ("task_dependencies_changed", "a", {"blockedBy": ["nope"]}, "dependency nope is not a task"),
    ("task_dependencies_changed", "a", {"blockedBy": [["a"]]}, "is not a task"),
    ("task_dependencies_changed", "a", {"blockedBy": "b"}, "must be a list"),
    ("task_dependencies_changed", "a", {"blockedBy": ["b"] * 257}, "at most 256"),
    ("task_urgency_changed", "a", {"urgent": 1}, "urgent must be true or false"),
    ("task_deleted", "a", {}, "Disallowed event type: task_deleted"),
]


@pytest.mark.parametrize("actor", [ME, AGENT], ids=["member", "agent"])
@pytest.mark.parametrize(("kind", "task_id", "payload", "reason"), BAD)
def test_what_is_not_is_refused_with_the_reason(kind: str, task_id: str, payload: Any, reason: str, actor: str) -> None:
    verdict = judge(kind, task_id, payload, actor=actor)
    assert isinstance(verdict, Refused), verdict
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("task_updated", {"title": "x"}), ("task_status_changed", {"title": "x"}), ("task_status_changed", {"dueAt": 1})],
)
def test_edits_are_for_members(kind: str, payload: Any) -> None:
    assert isinstance(judge(kind, "a", payload), Admitted)
    assert isinstance(judge(kind, "a", payload, actor=AGENT), Refused)


def test_an_agent_may_word_anew_only_what_it_made_under_whichever_runner() -> None:
    made = task("made", description="old")
    made = replace(made, created_by=agent_actor(ROOM, "balance", ANN))
    context = replace(CONTEXT, tasks={**TASKS, "made": made})
    payload = {"title": "x", "description": "new", "status": "completed"}

    def by(actor: str) -> Any:
        event = TaskEvent(type="task_status_changed", task_id="made", task=payload, timestamp=NOW, actor_id=actor)
        return admit(event, context, author=ME)

    verdict = by(AGENT)
    assert isinstance(verdict, Admitted)
    assert verdict.event.task == payload
    refused = by(agent_actor(ROOM, "other", ME))
    assert isinstance(refused, Refused)
    assert "only a task that it made, not made" in refused.reason
    assert isinstance(judge("task_status_changed", "a", {"description": "x"}, actor=AGENT), Refused)


def test_members_may_take_values_away() -> None:
    verdict = judge("task_updated", "child", {"parentId": None, "dueAt": None, "description": None})
    assert isinstance(verdict, Admitted)
    assert verdict.event.task == {"parentId": None, "dueAt": None, "description": None}


@pytest.mark.parametrize("parent", ["a", "child"])
def test_a_task_is_never_part_of_itself(parent: str) -> None:
    verdict = judge("task_updated", "a", {"parentId": parent})
    assert isinstance(verdict, Refused)
    assert "part of itself" in verdict.reason


def test_the_author_answers_for_the_actor() -> None:
    for actor, author in [
        (ANN, ME),
        (agent_actor(ROOM, "x", ANN), ME),
        (agent_actor("1" * 32, "x", ME), ME),
        ("agent:x", ME),
    ]:
        verdict = judge("task_created", "new", {}, actor=actor, author=author)
        assert isinstance(verdict, Refused)
        assert "actor" in verdict.reason
    assert isinstance(judge("task_created", "new", {}, actor=ANN, author=ANN), Admitted)


def test_the_future_is_held_beyond_five_minutes() -> None:
    assert isinstance(judge("task_created", "new", {}, at=NOW + FUTURE_MS), Admitted)
    assert judge("task_created", "new", {}, at=NOW + FUTURE_MS + 1) == Held(NOW + 1)


def test_stamps_rise() -> None:
    assert (stamp(5, 3), stamp(5, 5), stamp(5, 9)) == (5, 6, 10)


def test_reasons_are_harmless_lines() -> None:
    verdict = judge("task_assigned", "\x1b[31m\n", {"assignee": ANN})
    assert isinstance(verdict, Refused)
    assert verdict.reason.isprintable()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([ME, ANN, "a", "b", "child", "pending"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
keys = st.sampled_from(
    ["id", "title", "status", "createdBy", "assignee", "parentId", "dueAt", "blockedBy", "description", "urgent", "x"]
)


@given(
    st.sampled_from(sorted(TYPES)),
    st.sampled_from(["a", "b", "child", "new"]),
    st.none() | st.dictionaries(keys, json_values, max_size=4),
    st.sampled_from([ME, AGENT]),
)
def test_whatever_is_admitted_folds_into_a_sound_task(kind: str, task_id: str, payload: Any, actor: str) -> None:
    verdict = judge(kind, task_id, payload, actor=actor)
    if not isinstance(verdict, Admitted):
        return
    made = [
        TaskEvent(type="task_created", task_id=one.id, task=task_to_json(one), timestamp=n, actor_id=ME)
        for n, one in enumerate(TASKS.values())
    ]
    before = fold(made)
    after = reduce(before, verdict.event).tasks[task_id]
    assert after.updated_at == NOW
    if kind in CREATIONS:
        assert (after.created_by, after.created_at) == (actor, NOW)
    else:
        assert (after.created_by, after.created_at) == (
            before.tasks[task_id].created_by,
            before.tasks[task_id].created_at,
        )
    assert after.assignee in {None, ME, ANN}


def test_a_reason_names_no_member() -> None:
    """Reasons are in the journal, and no content is."""
    twins = [Member(identity_key=f"same{name}", display_name=f"Secret {name}") for name in ("One", "Two")]
    event = TaskEvent(type="task_assigned", task_id="a", task={"assignee": "same"}, timestamp=NOW, actor_id=ME)
    assert admit(event, Context(ROOM, TASKS, twins, NOW), author=ME) == Refused(
        "the assignee same fits several members"
    )
