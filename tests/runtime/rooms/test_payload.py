"""The payload of task events by itself: keys, values, and what agents may not say."""

from typing import Any

import pytest

from runtime.rooms.entries import TIME_MAX_MS
from runtime.rooms.payload import (
    AGENT_TYPES,
    DEPENDENCIES,
    HOST_OWNED,
    ID_CHARACTERS,
    PayloadError,
    check_keys,
    check_value,
    is_sound,
    may_clear,
    text_of,
)
from runtime.rooms.tasks import CREATIONS, TYPES, TaskEvent

ALL_KEYS = ("title", "status", "assignee", "parentId", "dueAt", "blockedBy", "description", "urgent")


def event(kind: str, task: Any, task_id: str = "t1") -> TaskEvent:
    return TaskEvent(type=kind, task_id=task_id, task=task, timestamp=1, actor_id="me")


def sound(kind: str, task: Any, *, task_id: str = "t1", by_agent: bool = False) -> bool:
    return is_sound(event(kind, task, task_id), by_agent=by_agent)


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("task_created", {}),
        ("task_created", {"title": "x", "urgent": True, "dueAt": 0, "blockedBy": ["a"], "status": "pending"}),
        ("subtask_created", {"parentId": "a"}),
        ("task_assigned", {"assignee": None}),
        ("task_status_changed", {"status": "completed"}),
        ("task_dependencies_changed", {"blockedBy": []}),
        ("task_urgency_changed", {"urgent": False}),
    ],
)
@pytest.mark.parametrize("by_agent", [False, True], ids=["member", "agent"])
def test_what_both_members_and_agents_say(kind: str, payload: dict[str, Any], by_agent: bool) -> None:
    assert sound(kind, payload, by_agent=by_agent)


def test_only_members_update_a_task_and_edit_under_its_status() -> None:
    assert sound("task_updated", {"title": "x", "dueAt": None, "parentId": None, "description": None})
    assert not sound("task_updated", {"title": "x"}, by_agent=True)
    assert sound("task_status_changed", {"dueAt": 5})
    assert not sound("task_status_changed", {"dueAt": 5}, by_agent=True)
    assert sound("task_status_changed", {"title": "anew", "description": "by its maker"}, by_agent=True)
    assert TYPES - {"task_updated"} == AGENT_TYPES


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("task_exploded", {"title": "x"}),
        ("task_created", None),
        ("task_assigned", {}),
        ("subtask_created", {}),
        ("subtask_created", {"parentId": ""}),
        ("task_created", {"assignee": None}),
        ("task_urgency_changed", {"urgent": None}),
        ("task_assigned", {"assignee": "a", "title": "besides"}),
    ],
)
def test_what_counts_for_nobody(kind: str, payload: Any) -> None:
    assert not sound(kind, payload)


@pytest.mark.parametrize("task_id", ["", "x" * (ID_CHARACTERS + 1), "\ud800"])
def test_a_task_is_named_by_a_text_of_some_length(task_id: str) -> None:
    assert not sound("task_created", {}, task_id=task_id)
    assert sound("task_created", {}, task_id="x" * ID_CHARACTERS)


@pytest.mark.parametrize("kind", sorted(TYPES))
@pytest.mark.parametrize("key", sorted(HOST_OWNED))
def test_w7_nobody_sets_what_follows_from_who_signs(kind: str, key: str) -> None:
    assert not sound(kind, {key: "x", "title": "x"})
    with pytest.raises(PayloadError) as caught:
        check_keys(kind, {key: 1}, by_agent=False)
    assert str(caught.value.reason) == f"{kind} may not set {key}"


@pytest.mark.parametrize("kind", sorted(CREATIONS))
def test_creations_take_every_key_of_a_task(kind: str) -> None:
    check_keys(kind, dict.fromkeys(ALL_KEYS), by_agent=True)


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", "x" * 1_000),
        ("title", ""),
        ("description", "x" * 16_384),
        ("description", None),
        ("status", "in_progress"),
        ("urgent", True),
        ("dueAt", 0),
        ("dueAt", TIME_MAX_MS),
        ("dueAt", None),
        ("assignee", "x" * ID_CHARACTERS),
        ("assignee", None),
        ("parentId", "a"),
        ("blockedBy", []),
        ("blockedBy", ("a",) * DEPENDENCIES),
    ],
)
def test_a_key_takes(key: str, value: Any) -> None:
    check_value(key, value)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("title", None, "title must be a string"),
        ("title", "x" * 1_001, "title is longer than 1000 characters"),
        ("title", "\udfff", "title is not valid Unicode"),
        ("description", "x" * 16_385, "description is longer than 16384 characters"),
        ("status", "done", "status must be one of pending, in_progress, completed"),
        ("status", None, "status must be one of pending, in_progress, completed"),
        ("urgent", 1, "urgent must be true or false"),
        ("dueAt", True, "dueAt must be a time in milliseconds since 1970"),
        ("dueAt", -1, "dueAt must be a time in milliseconds since 1970"),
        ("dueAt", TIME_MAX_MS + 1, "dueAt must be a time in milliseconds since 1970"),
        ("dueAt", "tomorrow", "dueAt must be a time in milliseconds since 1970"),
        ("assignee", 7, "assignee must be a string"),
        ("parentId", "x" * (ID_CHARACTERS + 1), "parentId is longer than 128 characters"),
        ("blockedBy", "a", "blockedBy must be a list of at most 256 task ids"),
        ("blockedBy", ["a"] * (DEPENDENCIES + 1), "blockedBy must be a list of at most 256 task ids"),
        ("blockedBy", [7], "the dependency 7 is not a task of the room"),
        ("blockedBy", ["x" * (ID_CHARACTERS + 1)], "blockedBy is longer than 128 characters"),
    ],
)
def test_a_key_does_not_take_and_says_why(key: str, value: Any, why: str) -> None:
    with pytest.raises(PayloadError) as caught:
        check_value(key, value)
    assert str(caught.value.reason) == why


@pytest.mark.parametrize("key", ["assignee", "parentId", "dueAt", "description"])
def test_null_takes_away_what_a_task_need_not_have(key: str) -> None:
    assert may_clear(key)


@pytest.mark.parametrize("key", ["title", "status", "blockedBy", "urgent"])
def test_null_takes_nothing_else_away(key: str) -> None:
    with pytest.raises(PayloadError) as caught:
        may_clear(key)
    assert str(caught.value.reason) == f"{key} cannot be null"


def test_a_text_is_given_back() -> None:
    assert text_of("title", "\U0001f600", 1) == "\U0001f600"
