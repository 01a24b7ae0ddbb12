"""The host functions without an engine: permissions, bounds, sizes, and what is noted about them (W9)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.host import Assignment, HostCall, Invalid, RawEvent, Urgency
from runtime.agents.limits import MAX_EMISSIONS, MAX_LOG_LINES, MAX_STATE_BYTES
from runtime.agents.manifest import Permission

ALL = frozenset(Permission)
GETTERS = {
    "get_tasks": (b"[1]", {Permission.READ_TASKS}),
    "get_members": (b"[2]", {Permission.READ_MEMBERS}),
    "get_assignment_data": (b"A" * 8, {Permission.READ_TASKS, Permission.READ_MEMBERS}),
    "get_dependency_data": (b"D" * 4, {Permission.READ_TASKS}),
    "get_event": (b'{"e":1}', set()),
    "get_state": (b"state", {Permission.PERSIST_STATE}),
}


class Memory:
    def __init__(self, size: int = 65_536) -> None:
        self.data = bytearray(size)

    def holds(self, ptr: int, length: int) -> bool:
        return ptr >= 0 and length >= 0 and ptr + length <= len(self.data)

    def read(self, ptr: int, length: int) -> bytes | None:
        return bytes(self.data[ptr : ptr + length]) if self.holds(ptr, length) else None

    def write(self, ptr: int, data: bytes) -> bool:
        if not self.holds(ptr, len(data)):
            return False
        self.data[ptr : ptr + len(data)] = data
        return True

    def put(self, text: str | bytes, ptr: int = 0) -> tuple[int, int]:
        raw = text.encode() if isinstance(text, str) else text
        self.data[ptr : ptr + len(raw)] = raw
        return ptr, len(raw)


class Room:
    tasks_json = b"[1]"
    members_json = b"[2]"
    assignment_data = b"A" * 8
    dependency_data = b"D" * 4


def host(granted: Any = ALL, state: Any = b"state", event: Any = b'{"e":1}') -> HostCall:
    return HostCall(Room(), frozenset(granted), state, lambda: 1_700_000_000_000, event)


@pytest.mark.parametrize("name", GETTERS)
def test_a_getter_writes_what_there_is_and_says_how_much(name: Any) -> None:
    answer, _ = GETTERS[name]
    memory, call = Memory(), host()
    assert getattr(call, name)(memory, 100, len(answer)) == len(answer)
    assert memory.data[100 : 100 + len(answer)] == answer
    assert not any(memory.data[:100] + memory.data[100 + len(answer) :])
    assert not call.notes


@pytest.mark.parametrize("name", GETTERS)
def test_a_getter_writes_nothing_when_the_buffer_is_too_small(name: Any) -> None:
    answer, _ = GETTERS[name]
    memory, call = Memory(), host()
    assert getattr(call, name)(memory, 0, len(answer) - 1) == 0
    assert not any(memory.data)
    assert list(call.notes) == [f"host_{name}: {len(answer)} bytes do not fit into a buffer of {len(answer) - 1}"]


@pytest.mark.parametrize("name", GETTERS)
@pytest.mark.parametrize(("ptr", "length"), [(-1, 100), (65_535, 100), (0x7FFFFFFF, 100), (-0x80000000, 100)])
def test_a_getter_out_of_bounds_writes_nothing(name: Any, ptr: Any, length: Any) -> None:
    memory, call = Memory(), host()
    assert getattr(call, name)(memory, ptr, length) == 0
    assert not any(memory.data)
    assert list(call.notes) == [f"host_{name}: out of bounds"]


def test_only_the_payload_must_fit_not_the_whole_buffer() -> None:
    assert host().get_tasks(Memory(), 65_533, 1_000_000) == 3


@pytest.mark.parametrize("name", GETTERS)
def test_a_getter_needs_every_permission_of_its_row(name: Any) -> None:
    answer, needed = GETTERS[name]
    for one in needed:
        memory, call = Memory(), host(ALL - {one})
        assert getattr(call, name)(memory, 0, 100) == 0
        assert not any(memory.data)
        assert list(call.notes) == [f"host_{name}: {one.value} is not granted"]
    assert getattr(host(needed), name)(Memory(), 0, 100) == len(answer)


def test_no_state_and_no_event_are_zero_without_a_note() -> None:
    call = host(state=None, event=None)
    assert call.get_state(Memory(), 0, 100) == 0
    assert call.get_event(Memory(), 0, 100) == 0
    assert not call.notes


def test_an_event_may_be_read_repeatedly() -> None:
    call = host()
    assert [call.get_event(Memory(), 0, 100) for _ in range(3)] == [7, 7, 7]


def test_now() -> None:
    assert host().get_now() == 1_700_000_000_000


class TestState:
    def test_it_is_replaced(self) -> None:
        memory, call = Memory(), host()
        call.set_state(memory, *memory.put("new"))
        assert call.state == b"new"
        assert call.get_state(memory, 10, 3) == 3

    def test_it_needs_the_permission(self) -> None:
        call = host(ALL - {Permission.PERSIST_STATE})
        call.set_state(Memory(), 0, 3)
        assert call.state == b"state"
        assert list(call.notes) == ["host_set_state: persist_state is not granted"]

    def test_w30_out_of_bounds_leaves_it_as_it_was(self) -> None:
        call = host()
        for ptr, length in [(-1, 4), (0, -1), (65_536, 1), (65_533, 4), (0x7FFFFFFF, 16)]:
            call.set_state(Memory(), ptr, length)
        assert call.state == b"state"
        assert list(call.notes) == ["host_set_state: out of bounds; the state is as it was"]

    def test_exactly_one_mebibyte_is_kept_and_one_more_byte_ignored(self) -> None:
        memory, call = Memory(2 * MAX_STATE_BYTES), host()
        call.set_state(memory, 0, MAX_STATE_BYTES)
        assert call.state == bytes(MAX_STATE_BYTES)
        call.set_state(memory, 5, MAX_STATE_BYTES + 1)
        assert call.state == bytes(MAX_STATE_BYTES)
        assert "1048577 bytes are more than 1048576" in next(iter(call.notes))

    def test_it_may_become_empty(self) -> None:
        call = host()
        call.set_state(Memory(), 0, 0)
        assert call.state == b""
        assert call.get_state(Memory(), 0, 10) == 0


class TestLog:
    def test_a_line_is_kept_without_any_permission(self) -> None:
        memory, call = Memory(), host(())
        call.write_log(memory, *memory.put("hällo"))
        assert call.log == ["hällo"]

    def test_invalid_utf8_is_read_leniently(self) -> None:
        memory, call = Memory(), host()
        call.write_log(memory, *memory.put(b"a\xffb"))
        assert call.log == ["a\ufffdb"]

    def test_w45_a_line_is_cut(self) -> None:
        memory, call = Memory(), host()
        memory.put("x" * 3000)
        call.write_log(memory, 0, 3000)
        assert call.log == ["x" * 2048 + "…"]

    def test_w45_lines_are_counted_beyond_the_cap(self) -> None:
        call = host()
        for _ in range(MAX_LOG_LINES + 5):
            call.write_log(Memory(), 0, 1)
        assert len(call.log) == MAX_LOG_LINES
        assert call.cut == 5

    def test_out_of_bounds_is_noted(self) -> None:
        call = host()
        call.write_log(Memory(), -1, 4)
        call.write_log(Memory(), 0, -4)
        call.write_log(Memory(), 65_000, 0x7FFFFFFF)
        assert call.log == []
        assert list(call.notes) == ["host_log: out of bounds"]


class TestEmission:
    def test_events_are_collected_in_order(self) -> None:
        memory, call = Memory(), host()
        call.emit_event(memory, *memory.put("{}"))
        call.emit_assignment(memory, *memory.put("t1"), *memory.put("bob", 100))
        call.emit_urgency(memory, *memory.put("t2", 200))
        assert call.requests == [RawEvent(b"{}"), Assignment("t1", "bob"), Urgency("t2")]

    def test_zero_padding_of_a_field_is_no_part_of_an_id(self) -> None:
        memory, call = Memory(), host()
        call.emit_assignment(memory, *memory.put(b"t1".ljust(36, b"\0")), *memory.put(b"bob\0\0", 100))
        assert call.requests == [Assignment("t1", "bob")]

    def test_empty_texts_are_no_op(self) -> None:
        memory, call = Memory(), host()
        memory.put("t1")
        call.emit_assignment(memory, 0, 0, 0, 2)
        call.emit_assignment(memory, 0, 2, 0, 0)
        call.emit_assignment(memory, 0, 2, -1, 2)
        call.emit_urgency(memory, 0, 0)
        call.emit_urgency(memory, 100, 36)
        assert call.requests == []

    @pytest.mark.parametrize("missing", [Permission.EMIT_EVENTS, Permission.READ_TASKS])
    def test_they_need_their_permissions(self, missing: Any) -> None:
        memory, call = Memory(), host(ALL - {missing})
        memory.put("t1")
        call.emit_urgency(memory, 0, 2)
        call.emit_assignment(memory, 0, 2, 0, 2)
        assert call.requests == [
            Invalid(f"host_emit_urgency: {missing.value} is not granted"),
            Invalid(f"host_emit_assignment: {missing.value} is not granted"),
        ]

    def test_a_raw_event_needs_emit_events_only(self) -> None:
        call = host({Permission.EMIT_EVENTS})
        call.emit_event(Memory(), 0, 2)
        assert call.requests == [RawEvent(b"\0\0")]
        denied = host(())
        denied.emit_event(Memory(), 0, 2)
        assert denied.requests == [Invalid("host_emit_event: emit_events is not granted")]

    def test_w45_too_large_and_out_of_bounds(self) -> None:
        call = host()
        call.emit_event(Memory(), 0, 16_385)
        call.emit_event(Memory(), -1, 5)
        assert call.requests == [
            Invalid("an event of 16385 bytes is larger than 16384"),
            Invalid("host_emit_event: out of bounds"),
        ]

    def test_w3_at_most_64_in_one_call(self) -> None:
        memory, call = Memory(), host()
        memory.put("t1")
        for _ in range(MAX_EMISSIONS + 3):
            call.emit_urgency(memory, 0, 2)
        assert len(call.requests) == MAX_EMISSIONS
        assert call.refused == 3


i32 = st.integers(-(2**31), 2**31 - 1)


@given(i32, i32, i32, i32)
def test_no_numbers_make_it_raise(a: Any, b: Any, c: Any, d: Any) -> None:
    memory, call = Memory(), host()
    for name in GETTERS:
        assert getattr(call, name)(memory, a, b) >= 0
    for name in ("set_state", "write_log", "emit_event", "emit_urgency"):
        getattr(call, name)(memory, a, b)
    call.emit_assignment(memory, a, b, c, d)
    assert len(call.notes) <= 16
