"""What agents read as JSON."""

import json

from runtime.agents.view import AgentView, event_json
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task, TaskEvent

TASK = Task(id="t1", title="Käse", status="pending", created_by="me", created_at=1, updated_at=2, blocked_by=("t0",))


def test_tasks_are_compact_unescaped_and_without_absent_fields() -> None:
    view = AgentView({"t1": TASK}, ())
    assert view.tasks_json.decode() == (
        '[{"id":"t1","title":"Käse","status":"pending","createdBy":"me","createdAt":1,"updatedAt":2,"blockedBy":["t0"]}]'
    )
    assert view.members_json == b"[]"


def test_members() -> None:
    view = AgentView({}, (Member(identity_key="k", display_name="Ann", is_self=True),))
    assert view.members_json == b'[{"identityKey":"k","displayName":"Ann"}]'
    assert view.tasks_json == b"[]"
    assert len(view.assignment_data) == 8 + 44
    assert view.dependency_data == bytes(4)


def test_an_event_is_compact_json() -> None:
    event = TaskEvent(type="task_assigned", task_id="t1", task={"assignee": "k"}, timestamp=5, actor_id="me")
    assert event_json(event) == (
        b'{"type":"task_assigned","taskId":"t1","task":{"assignee":"k"},"timestamp":5,"actorId":"me"}'
    )


def test_a_lone_surrogate_does_not_stop_the_room() -> None:
    view = AgentView({}, (Member(identity_key="k", display_name="\ud800"),))
    assert json.loads(view.members_json) == [{"identityKey": "k", "displayName": "?"}]
