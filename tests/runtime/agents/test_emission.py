"""From bytes to drafts: section 8's wordings, and drops that say why."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.emission import ALLOWED, Dropped, Emissions, read_requests, rejections, withdrawn
from runtime.agents.host import Assignment, HostCall, Invalid, RawEvent, Request, Urgency
from runtime.agents.view import AgentView
from runtime.rooms.drafts import Rejection, TaskDraft
from runtime.rooms.tasks import Task

TASKS = {
    name: Task(id=name, title="", status="pending", created_by="x", created_at=1, updated_at=1, urgent=urgent)
    for name, urgent in (("t1", None), ("t2", True))
}


def read(*requests: Request, refused: int = 0, tasks: Any = TASKS) -> Emissions:
    call = HostCall(AgentView(tasks, ()), frozenset(), None, lambda: 0)
    call.requests.extend(requests)
    call.refused = refused
    return read_requests(call, tasks)


def raw(**event: Any) -> RawEvent:
    return RawEvent(json.dumps(event).encode())


def reason(*requests: Request, **options: Any) -> str:
    found = read(*requests, **options)
    assert not found.drafts
    assert len(found.dropped) == 1
    return found.dropped[0].reason


@pytest.mark.parametrize("kind", sorted(ALLOWED))
def test_six_types_pass(kind: Any) -> None:
    task_id = "new" if kind.endswith("created") else "t1"
    found = read(raw(type=kind, taskId=task_id, task={"title": "x"}, actorId="mallory", timestamp=1))
    assert found.drafts == [TaskDraft(kind, task_id, {"title": "x"})]
    assert found.dropped == []


@pytest.mark.parametrize(
    ("kind", "shown"), [("task_updated", "task_updated"), ("x", "x"), (None, "null"), (7, "7"), ([], "[]"), ({}, "{}")]
)
def test_another_type_is_disallowed(kind: Any, shown: Any) -> None:
    assert reason(raw(type=kind, taskId="t1")) == f"Disallowed event type: {shown}"


def test_a_missing_type_is_disallowed() -> None:
    assert reason(raw(taskId="t1")) == "Disallowed event type: null"


@pytest.mark.parametrize("event", [{}, {"taskId": None}, {"taskId": ""}, {"taskId": 0}, {"taskId": False}])
def test_a_task_id_must_be_there(event: Any) -> None:
    assert reason(raw(type="task_assigned", **event)) == "Event missing taskId"


def test_a_task_id_must_be_a_string() -> None:
    assert reason(raw(type="task_assigned", taskId=[1])) == "Event taskId is not a string"


@pytest.mark.parametrize("kind", sorted(ALLOWED - {"task_created", "subtask_created"}))
def test_the_task_must_be_known_except_for_creations(kind: Any) -> None:
    assert reason(raw(type=kind, taskId="ghost")) == "Agent emitted event for unknown taskId: ghost"


def test_w7_an_empty_list_of_tasks_bypasses_nothing() -> None:
    event = raw(type="task_assigned", taskId="ghost", task={})
    assert reason(event, tasks={}) == "Agent emitted event for unknown taskId: ghost"


def test_a_task_that_the_call_itself_creates_is_known_from_there_on() -> None:
    later = raw(type="task_assigned", taskId="new", task={"assignee": "bob"})
    found = read(later, raw(type="task_created", taskId="new", task={}), later)
    assert [draft.type for draft in found.drafts] == ["task_created", "task_assigned"]
    assert len(found.dropped) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b'{"type":"task_created","taskId":"\xff"}',
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"[" * 5000,
        b'{"type":"task_created","taskId":"\\ud800"}',
    ],
)
def test_w44_what_is_no_json_is_dropped_with_its_text(data: Any) -> None:
    found = read(RawEvent(data))
    assert found.dropped == [Dropped(found.dropped[0].reason, data.decode(errors="replace"))]
    assert found.dropped[0].reason.startswith("Event is not valid JSON: ")


@pytest.mark.parametrize("data", [b"[]", b"1", b'"task_created"'])
def test_what_is_no_object_is_dropped(data: Any) -> None:
    assert reason(RawEvent(data)) == "Event is not an object"


def test_null_is_no_object() -> None:
    assert reason(RawEvent(b"null")) == "Event is not an object"


@pytest.mark.parametrize("task", [[], "x", 1])
def test_the_payload_must_be_an_object(task: Any) -> None:
    assert reason(raw(type="task_assigned", taskId="t1", task=task)) == "Event task is not an object"


def test_a_refused_request_keeps_its_reason() -> None:
    assert reason(Invalid("denied")) == "denied"


def test_assignment_and_urgency_become_events() -> None:
    found = read(Assignment("t1", "bob"), Urgency("t1"))
    assert found.drafts == [
        TaskDraft("task_assigned", "t1", {"assignee": "bob"}),
        TaskDraft("task_urgency_changed", "t1", {"urgent": True}),
    ]
    assert found.events == [
        {"type": "task_assigned", "taskId": "t1", "task": {"assignee": "bob"}},
        {"type": "task_urgency_changed", "taskId": "t1", "task": {"urgent": True}},
    ]


def test_urgency_of_an_urgent_or_unknown_task_is_no_event() -> None:
    assert reason(Urgency("t2")) == "task t2 is urgent already"
    assert reason(Urgency("ghost")) == "Agent emitted event for unknown taskId: ghost"
    assert len(read(Urgency("t1"), Urgency("t1")).drafts) == 1


def test_emissions_beyond_the_cap_are_one_drop() -> None:
    assert reason(refused=3) == "more than 64 emissions in one call: 3 dropped"


def test_what_the_room_refuses_comes_back_as_it_was_written() -> None:
    found = read(raw(type="task_created", taskId="new", extra=1), Urgency("t1"))
    assert rejections(found, [Rejection(found.drafts[0], "no")]) == [
        Dropped("no", {"type": "task_created", "taskId": "new", "extra": 1})
    ]
    assert rejections(found, [Rejection(TaskDraft("a", "b"), "no")]) == [Dropped("no", {"type": "a", "taskId": "b"})]


def test_drafts_can_be_taken_back() -> None:
    found = read(Assignment("t1", "bob"), Urgency("t1"))
    assert [one.reason for one in withdrawn(found, "slow", keep=1)] == ["slow"]
    assert [draft.type for draft in found.drafts] == ["task_assigned"]


def test_reasons_are_harmless_lines() -> None:
    found = read(raw(type="\x1b[2J\n", taskId="t1"), raw(type="task_assigned", taskId="\x1b]0;x\x07"))
    assert all(one.reason.isprintable() for one in found.dropped)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
events = st.dictionaries(st.sampled_from(["type", "taskId", "task", "timestamp"]), json_values) | json_values


@given(st.lists(st.binary() | events.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_every_request_becomes_a_draft_or_a_drop(texts: Any) -> None:
    found = read(*(RawEvent(text) for text in texts))
    assert len(found.drafts) + len(found.dropped) == len(texts)
    for draft in found.drafts:
        assert draft.type in ALLOWED
