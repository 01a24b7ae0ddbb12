"""The twelve imports as a guest meets them: each answer, each refusal, asked for by a real module."""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import wasmtime

from runtime.agents.abi import AgentLinker
from runtime.agents.calls import Performed, perform
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentModule, Sandbox
from runtime.agents.interface import FUNCTIONS, Trigger
from runtime.agents.limits import MAX_STATE_BYTES
from runtime.agents.manifest import Permission
from runtime.agents.view import AgentView
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task
from runtime.sandbox.engine import EpochTicker, agent_engine
from tests.hostile import HOST, agent, agent_wat, data, emits, wat

ENGINE = agent_engine()
ALL = frozenset(Permission)
NOW = 1_700_000_000_123
EVENT = b'{"type":"task_created","taskId":"t1"}'
ANN, BOB = "A" * 43, "B" * 43
BUFFER = 1024


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Calls that do not end within half a minute fail; none here takes that long."""
    ticker = EpochTicker(ENGINE)
    yield Sandbox(ENGINE, AgentLinker(ENGINE), ticker, 30_000)
    ticker.close()


def task(name: str, status: str = "pending", **fields: Any) -> Task:
    return Task(id=name, title=name, status=status, created_by=ANN, created_at=1, updated_at=1, **fields)


def member(key: str) -> Member:
    return Member(identity_key=key, display_name=key[:3])


class Guest:
    """A room, what is granted to its agent, and what it has kept; `run` enters a module once."""

    def __init__(
        self, sandbox: Sandbox, *tasks: Task, members: Sequence[Member] = (), granted: frozenset[Permission] = ALL
    ) -> None:
        self.sandbox = sandbox
        self.tasks: Mapping[str, Task] = {one.id: one for one in tasks}
        self.members = members
        self.granted = granted
        self.state: bytes | None = None

    def run(self, wasm: bytes, trigger: Trigger = "tick", event: bytes | None = None) -> tuple[Performed, HostCall]:
        view = AgentView(self.tasks, self.members)
        call = HostCall(view, self.granted, self.state, lambda: NOW, event)
        module = AgentModule.of(wasmtime.Module(ENGINE, wasm))
        done = perform(self.sandbox, module, None, call, trigger, tasks=self.tasks)
        assert done.ok, done.outcome
        assert done.instance is not None
        done.instance.close()
        return done, call

    def read(self, name: str, size: int = BUFFER, *, on: Trigger = "tick", event: bytes | None = None) -> Any:
        """What the import wrote into a buffer of `size` bytes, as the guest itself kept it in its state.

        Returns:
            The bytes, and why there are none.
        """
        body = (
            f"(i32.store (i32.const 0) (call ${name} (i32.const 4) (i32.const {size})))"
            f"(call $host_set_state (i32.const 0) (i32.const {4 + BUFFER}))"
        )
        hosts = {name, "host_set_state"}
        wasm = agent_wat(**{on: body}, hosts=sorted(hosts))  # type: ignore[arg-type]
        done, call = self.run(wat(wasm), on, event)
        assert call.state is not None
        (count,) = struct.unpack_from("<I", call.state)
        assert not any(call.state[4 + count :]), "more was written than it said"
        assert not done.emissions.drafts
        return call.state[4 : 4 + count], list(call.notes)

    def emit(self, name: str, *texts: str) -> tuple[list[TaskDraft], list[str]]:
        """What came of handing these texts to the import: what goes to the room, and why something does not."""
        places = [(64 * number, text.encode()) for number, text in enumerate(texts)]
        arguments = "".join(f"(i32.const {at}) (i32.const {len(raw)})" for at, raw in places)
        decls = "".join(data(at, raw) for at, raw in places)
        done, _ = self.run(wat(agent_wat(f"(call ${name} {arguments})", hosts=(name,), decls=decls)))
        return done.emissions.drafts, [one.reason for one in done.emissions.dropped]


def test_there_are_exactly_these_twelve() -> None:
    assert set(FUNCTIONS) == set(HOST)


# --- tasks and members ----------------------------------------------------------------------------------------------


ROOM = ([task("t1"), task("Käse", assignee=BOB, blocked_by=("t1",))], [member(ANN), member(BOB)])
JSON = {
    "host_get_tasks": (Permission.READ_TASKS, ["t1", "Käse"], "id"),
    "host_get_members": (Permission.READ_MEMBERS, [ANN, BOB], "identityKey"),
}


@pytest.mark.parametrize("name", JSON)
def test_tasks_and_members_are_read_as_json(sandbox: Sandbox, name: str) -> None:
    tasks, members = ROOM
    permission, expected, field = JSON[name]
    guest = Guest(sandbox, *tasks, members=members, granted=frozenset({permission, Permission.PERSIST_STATE}))
    raw, notes = guest.read(name)
    assert [one[field] for one in json.loads(raw)] == expected
    assert b"\\u" not in raw
    assert notes == []


@pytest.mark.parametrize("name", JSON)
def test_a_buffer_for_tasks_or_members_holds_all_of_them_or_nothing(sandbox: Sandbox, name: str) -> None:
    tasks, members = ROOM
    guest = Guest(sandbox, *tasks, members=members)
    raw, _ = guest.read(name)
    assert guest.read(name, len(raw)) == (raw, [])
    short = f"{name}: {len(raw)} bytes do not fit into a buffer of {len(raw) - 1}"
    assert guest.read(name, len(raw) - 1) == (b"", [short])


@pytest.mark.parametrize("name", JSON)
def test_tasks_and_members_are_denied_without_their_permission(sandbox: Sandbox, name: str) -> None:
    tasks, members = ROOM
    permission = JSON[name][0]
    guest = Guest(sandbox, *tasks, members=members, granted=ALL - {permission})
    assert guest.read(name) == (b"", [f"{name}: {permission.value} is not granted"])


# --- now, log, event ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("guest", "form"), [("now_i32", "<i"), ("now_i64", "<q"), ("now_f64", "<d")])
def test_now_is_the_time_of_the_call(sandbox: Sandbox, guest: str, form: str) -> None:
    _, call = Guest(sandbox).run(agent(guest))
    (now,) = struct.unpack_from(form, call.state or b"")
    assert now == (NOW if form != "<i" else (NOW + 2**31) % 2**32 - 2**31)


def test_a_log_line_needs_no_permission_and_changes_nothing(sandbox: Sandbox) -> None:
    wasm = wat(agent_wat("(call $host_log (i32.const 0) (i32.const 5))", hosts=("host_log",), decls=data(0, b"hello")))
    done, call = Guest(sandbox, granted=frozenset()).run(wasm)
    assert call.log == ["hello"]
    assert (call.state, call.requests, list(call.notes)) == (None, [], [])
    assert (done.emissions.drafts, done.emissions.dropped) == ([], [])


def test_an_event_is_read_in_its_call(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, granted=frozenset({Permission.PERSIST_STATE}))
    assert guest.read("host_get_event", on="event", event=EVENT) == (EVENT, [])


def test_outside_of_an_event_there_is_none(sandbox: Sandbox) -> None:
    assert Guest(sandbox).read("host_get_event") == (b"", [])


def test_an_event_that_does_not_fit_is_not_written(sandbox: Sandbox) -> None:
    raw, (note,) = Guest(sandbox).read("host_get_event", len(EVENT) - 1, on="event", event=EVENT)
    assert raw == b""
    assert note.startswith(f"host_get_event: {len(EVENT)} bytes do not fit")


# --- state ----------------------------------------------------------------------------------------------------------


def test_the_state_that_is_kept_is_read(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, granted=frozenset({Permission.PERSIST_STATE}))
    guest.state = b"what it knew"
    assert guest.read("host_get_state") == (b"what it knew", [])


def test_where_no_state_is_kept_none_is_read(sandbox: Sandbox) -> None:
    assert Guest(sandbox).read("host_get_state") == (b"", [])


def test_a_state_that_is_written_is_the_new_one(sandbox: Sandbox) -> None:
    guest = Guest(sandbox)
    for expected in (1, 2, 3):
        _, call = guest.run(agent("counts_ticks"))
        guest.state = call.state
        assert guest.state == struct.pack("<I", expected)


def test_without_its_permission_a_state_is_neither_read_nor_written(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, granted=ALL - {Permission.PERSIST_STATE})
    guest.state = b"kept"
    wasm = agent_wat(
        "(if (call $host_get_state (i32.const 0) (i32.const 64)) (then unreachable))"
        "(if (i32.load (i32.const 0)) (then unreachable))"
        "(call $host_set_state (i32.const 0) (i32.const 2))",
        hosts=("host_get_state", "host_set_state"),
    )
    _, call = guest.run(wat(wasm))
    assert call.state == b"kept"
    denied = "persist_state is not granted"
    assert list(call.notes) == [f"host_get_state: {denied}", f"host_set_state: {denied}"]


def test_a_state_of_more_than_a_mebibyte_is_ignored(sandbox: Sandbox) -> None:
    guest = Guest(sandbox)
    guest.state = b"kept"
    _, call = guest.run(agent("state_1mib_plus1"))
    assert call.state == b"kept"
    assert len(call.notes) == 1
    _, call = guest.run(agent("state_1mib"))
    assert call.state == b"a" * MAX_STATE_BYTES


def test_out_of_bounds_is_0_or_nothing_for_every_import(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, task("t1"), members=[member(ANN)])
    done, call = guest.run(agent("out_of_bounds"))
    assert call.state == b"keep"
    assert call.log == ["alive"]
    assert done.emissions.drafts == []
    assert {note.split(":")[0] for note in call.notes} >= HOST.keys() - {
        "host_get_now",
        "host_get_event",  # there is none in a tick
        "host_emit_event",
        "host_emit_assignment",
        "host_emit_urgency",
    }


# --- events that an agent makes -------------------------------------------------------------------------------------


def made(guest: Guest, event: str) -> tuple[list[TaskDraft], list[str]]:
    done, _ = guest.run(emits(event))
    return done.emissions.drafts, [one.reason for one in done.emissions.dropped]


def test_a_valid_event_goes_to_the_room_without_the_actor_and_time_that_it_claims(sandbox: Sandbox) -> None:
    event = '{"type":"task_status_changed","taskId":"t1","task":{"status":"completed"},"actorId":"eve","timestamp":1}'
    drafts, dropped = made(Guest(sandbox, task("t1"), granted=frozenset({Permission.EMIT_EVENTS})), event)
    assert drafts == [TaskDraft("task_status_changed", "t1", {"status": "completed"})]
    assert dropped == []


CREATIONS = ("task_created", "subtask_created")
CHANGES = ("task_assigned", "task_status_changed", "task_dependencies_changed", "task_urgency_changed")


@pytest.mark.parametrize("kind", [*CREATIONS, *CHANGES])
def test_each_of_the_six_types_goes_to_the_room(sandbox: Sandbox, kind: str) -> None:
    name = "new" if kind in CREATIONS else "t1"
    event = json.dumps({"type": kind, "taskId": name, "task": {"title": "x"}})
    assert made(Guest(sandbox, task("t1")), event) == ([TaskDraft(kind, name, {"title": "x"})], [])


@pytest.mark.parametrize("known", [[], [task("t1")]], ids=["an empty room", "a room"])
@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_a_task_that_is_not_known_is_refused_in_any_room(
    sandbox: Sandbox, kind: str, known: list[Task]
) -> None:
    unknown = "Agent emitted event for unknown taskId: ghost"
    assert made(Guest(sandbox, *known), json.dumps({"type": kind, "taskId": "ghost"})) == ([], [unknown])


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ('{"type":"room_burned","taskId":"t1"}', "Disallowed event type: room_burned"),
        ('{"taskId":"t1"}', "Disallowed event type: null"),
        ('{"type":"task_assigned","task":{}}', "Event missing taskId"),
    ],
)
def test_an_event_with_something_wrong_is_dropped_with_its_reason(sandbox: Sandbox, event: str, reason: str) -> None:
    assert made(Guest(sandbox, task("t1")), event) == ([], [reason])


def test_an_event_is_denied_without_its_permission(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, granted=ALL - {Permission.EMIT_EVENTS})
    denied = "host_emit_event: emit_events is not granted"
    assert made(guest, '{"type":"task_created","taskId":"new","task":{}}') == ([], [denied])


# --- layout A and assignments ---------------------------------------------------------------------------------------


def assignments(raw: bytes) -> tuple[list[tuple[bytes, int]], list[tuple[bytes, int]]]:
    """Tasks with their blocked flag, and members with their load."""
    tasks, members = struct.unpack_from("<II", raw)
    assert len(raw) == 8 + 37 * tasks + 44 * members
    first = [struct.unpack_from("<36sB", raw, 8 + 37 * number) for number in range(tasks)]
    second = [struct.unpack_from("<36sII", raw, 8 + 37 * tasks + 44 * number) for number in range(members)]
    return [(name.rstrip(b"\0"), blocked) for name, blocked in first], [(key, load) for key, load, _ in second]


def test_assignment_data_of_an_empty_room_is_its_header(sandbox: Sandbox) -> None:
    assert Guest(sandbox).read("host_get_assignment_data") == (bytes(8), [])


def test_assignment_data_has_only_tasks_that_wait_for_somebody(sandbox: Sandbox) -> None:
    tasks = [task("free"), task("taken", assignee=BOB), task("runs", "in_progress"), task("done", "completed")]
    raw, _ = Guest(sandbox, *tasks).read("host_get_assignment_data")
    assert assignments(raw) == ([(b"free", 0)], [])


def test_assignment_data_says_what_is_blocked(sandbox: Sandbox) -> None:
    tasks = [task("free"), task("done", "completed"), task("a", blocked_by=("free",)), task("b", blocked_by=("done",))]
    raw, _ = Guest(sandbox, *tasks).read("host_get_assignment_data")
    assert assignments(raw)[0] == [(b"free", 0), (b"a", 1), (b"b", 0)]


def test_loads_in_assignment_data_leave_out_completed_tasks(sandbox: Sandbox) -> None:
    tasks = [task("one", "in_progress", assignee=BOB), task("two", assignee=BOB), task("x", "completed", assignee=BOB)]
    guest = Guest(sandbox, *tasks, members=[member(ANN), member(BOB)])
    raw, _ = guest.read("host_get_assignment_data")
    assert assignments(raw)[1] == [(ANN.encode()[:36], 0), (BOB.encode()[:36], 2)]


@pytest.mark.parametrize("missing", [Permission.READ_TASKS, Permission.READ_MEMBERS])
def test_assignment_data_is_denied_without_either_permission(sandbox: Sandbox, missing: Permission) -> None:
    guest = Guest(sandbox, task("t1"), members=[member(ANN)], granted=ALL - {missing})
    denied = f"host_get_assignment_data: {missing.value} is not granted"
    assert guest.read("host_get_assignment_data") == (b"", [denied])


def test_an_assignment_goes_to_the_room(sandbox: Sandbox) -> None:
    granted = frozenset({Permission.EMIT_EVENTS, Permission.READ_TASKS})
    guest = Guest(sandbox, task("t1"), members=[member(BOB)], granted=granted)
    draft = TaskDraft("task_assigned", "t1", {"assignee": BOB})
    assert guest.emit("host_emit_assignment", "t1", BOB) == ([draft], [])


@pytest.mark.parametrize("texts", [("", BOB), ("t1", ""), ("", "")])
def test_an_assignment_of_nothing_or_to_nobody_is_none(sandbox: Sandbox, texts: tuple[str, str]) -> None:
    guest = Guest(sandbox, task("t1"), members=[member(BOB)])
    assert guest.emit("host_emit_assignment", *texts) == ([], [])


@pytest.mark.parametrize("missing", [Permission.EMIT_EVENTS, Permission.READ_TASKS])
def test_an_assignment_is_denied_without_either_permission(sandbox: Sandbox, missing: Permission) -> None:
    guest = Guest(sandbox, task("t1"), members=[member(BOB)], granted=ALL - {missing})
    denied = f"host_emit_assignment: {missing.value} is not granted"
    assert guest.emit("host_emit_assignment", "t1", BOB) == ([], [denied])


# --- layout D and urgency -------------------------------------------------------------------------------------------


def dependencies(raw: bytes) -> dict[str, tuple[int, int, int]]:
    """Status, urgency and dependents of each task."""
    (count,) = struct.unpack_from("<I", raw)
    assert len(raw) == 4 + 39 * count
    records = [struct.unpack_from("<36sBBB", raw, 4 + 39 * number) for number in range(count)]
    return {name.rstrip(b"\0").decode(): (status, urgent, waiting) for name, status, urgent, waiting in records}


def test_dependency_data_of_an_empty_room_is_its_header(sandbox: Sandbox) -> None:
    assert Guest(sandbox).read("host_get_dependency_data") == (bytes(4), [])


def test_dependency_data_has_every_task_with_its_status(sandbox: Sandbox) -> None:
    tasks = [task("waits"), task("runs", "in_progress", assignee=BOB), task("done", "completed")]
    raw, _ = Guest(sandbox, *tasks).read("host_get_dependency_data")
    assert dependencies(raw) == {"waits": (0, 0, 0), "runs": (1, 0, 0), "done": (2, 0, 0)}


def test_dependency_data_says_what_is_urgent(sandbox: Sandbox) -> None:
    tasks = [task("a", urgent=True), task("b", urgent=False), task("c")]
    raw, _ = Guest(sandbox, *tasks).read("host_get_dependency_data")
    assert [urgent for _, urgent, _ in dependencies(raw).values()] == [1, 0, 0]


def test_dependency_data_counts_who_waits_for_a_task(sandbox: Sandbox) -> None:
    tasks = [task("root"), task("a", blocked_by=("root",)), task("b", "in_progress", blocked_by=("a", "root"))]
    raw, _ = Guest(sandbox, *tasks).read("host_get_dependency_data")
    assert [waiting for _, _, waiting in dependencies(raw).values()] == [2, 1, 0]


def test_a_completed_task_waits_for_nothing(sandbox: Sandbox) -> None:
    tasks = [task("root"), task("a", "completed", blocked_by=("root",)), task("b", blocked_by=("gone",))]
    raw, _ = Guest(sandbox, *tasks).read("host_get_dependency_data")
    assert [waiting for _, _, waiting in dependencies(raw).values()] == [0, 0, 0]


def test_more_than_255_who_wait_are_255(sandbox: Sandbox) -> None:
    tasks = [task("root"), *(task(f"t{number}", blocked_by=("root",)) for number in range(256))]
    copies = "(call $host_set_state (i32.const 0) (call $host_get_dependency_data (i32.const 0) (i32.const 65536)))"
    wasm = wat(agent_wat(copies, hosts=("host_get_dependency_data", "host_set_state")))
    _, call = Guest(sandbox, *tasks).run(wasm)
    assert dependencies(call.state or b"")["root"] == (0, 0, 255)


def test_dependency_data_fits_whole_or_is_not_written(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, task("a"), task("b"))
    raw, _ = guest.read("host_get_dependency_data", 82)
    assert len(raw) == 82
    short = "host_get_dependency_data: 82 bytes do not fit into a buffer of 81"
    assert guest.read("host_get_dependency_data", 81) == (b"", [short])


def test_dependency_data_is_denied_without_its_permission(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, task("a"), granted=ALL - {Permission.READ_TASKS})
    denied = "host_get_dependency_data: read_tasks is not granted"
    assert guest.read("host_get_dependency_data") == (b"", [denied])


def test_urgency_goes_to_the_room(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, task("t1"), granted=frozenset({Permission.EMIT_EVENTS, Permission.READ_TASKS}))
    draft = TaskDraft("task_urgency_changed", "t1", {"urgent": True})
    assert guest.emit("host_emit_urgency", "t1") == ([draft], [])


def test_what_is_urgent_already_is_not_made_so_again(sandbox: Sandbox) -> None:
    guest = Guest(sandbox, task("t1", urgent=True))
    assert guest.emit("host_emit_urgency", "t1") == ([], ["task t1 is urgent already"])


def test_a_task_that_is_not_known_is_not_made_urgent(sandbox: Sandbox) -> None:
    unknown = "Agent emitted event for unknown taskId: ghost"
    assert Guest(sandbox, task("t1")).emit("host_emit_urgency", "ghost") == ([], [unknown])


def test_urgency_of_nothing_is_none(sandbox: Sandbox) -> None:
    assert Guest(sandbox, task("t1")).emit("host_emit_urgency", "") == ([], [])


@pytest.mark.parametrize("missing", [Permission.EMIT_EVENTS, Permission.READ_TASKS])
def test_urgency_is_denied_without_either_permission(sandbox: Sandbox, missing: Permission) -> None:
    guest = Guest(sandbox, task("t1"), granted=ALL - {missing})
    assert guest.emit("host_emit_urgency", "t1") == ([], [f"host_emit_urgency: {missing.value} is not granted"])
