"""The frame around host operations: records, handles, waits, faults, and a policy that changes meanwhile."""

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from runtime.components.bindings.ext_filesystem_types import FilesystemError, IoError, NotFound
from runtime.components.host.audit import RECORDS_PER_SECOND, AuditLog, Facts
from runtime.components.host.context import ComponentId, Context, HostLimits
from runtime.components.host.handles import HandleLimitError, HandleTable
from runtime.components.permissions import Decision
from runtime.components.values import Err, Ok, Result
from tests.runtime.components.host.frame import RememberingCore, context_of, policy_of

Answer = Result[int, FilesystemError]


class Thing:
    """A resource that remembers how it ended."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def end(self, why: str) -> None:
        """Remembers."""
        self.ends.append(why)


def call(context: Context, work: Callable[[], Answer], *, hot: bool = False) -> Answer:
    """One operation."""
    return context.call("test.operation", work, lambda text: Err(IoError(text)), hot=hot)


def told(context: Context) -> RememberingCore:
    """What the core was told."""
    context.audit.flush()
    core = context.core
    assert isinstance(core, RememberingCore)
    return core


def test_a_call_leaves_one_record_with_what_decided() -> None:
    context = context_of(policy_of(7, read=["/data/**"]))

    def work() -> Answer:
        assert context.allow(context.policy.read("/data/f"), "/data/f\x1b[2J")
        context.note(size=5)
        return Ok(1)

    assert call(context, work) == Ok(1)
    [record] = told(context).records()
    assert record | {"ts": 0, "duration_us": 0} == {
        "seq": 1,
        "ts": 0,
        "op": "test.operation",
        "target": "/data/f\\x1b[2J",
        "rules_version": 7,
        "decision": "allowed",
        "rule": "permissions.filesystem.read[0]",
        "line": None,
        "remedy": "",
        "outcome": "ok",
        "bytes": 5,
        "duration_us": 0,
        "calls": 1,
    }


def test_a_denial_is_recorded_alone_also_of_a_hot_operation() -> None:
    context = context_of(policy_of())

    def work() -> Answer:
        assert not context.allow(context.policy.read("/a"), "/a")
        assert context.allow(Decision.by("permissions.filesystem.read[9]"), "/b")
        return Err(NotFound("nothing"))

    call(context, work, hot=True)
    call(context, work, hot=True)
    first, second = told(context).records()
    assert (first["decision"], first["target"], first["outcome"], first["calls"]) == ("denied", "/a", "not-found", 1)
    assert first["remedy"] == "--grant filesystem.read=/a"
    assert second["seq"] == 2


def test_hot_operations_are_summed_by_what_they_have_in_common() -> None:
    context = context_of(policy_of())

    def on(target: str) -> Callable[[], Answer]:
        def work() -> Answer:
            context.note(target, 10)
            return Ok(0)

        return work

    for target in ("/a", "/b", "/a", "/a"):
        call(context, on(target), hot=True)
    call(context, lambda: Err(NotFound("")), hot=True)
    records = told(context).records()
    assert [(record["target"], record["calls"], record["bytes"], record["outcome"]) for record in records] == [
        ("/a", 3, 30, "ok"),
        ("/b", 1, 10, "ok"),
        ("", 1, 0, "not-found"),
    ]


def test_what_a_guest_does_too_often_is_counted_without_targets() -> None:
    sent: list[dict[str, Any]] = []
    log = AuditLog(sent.extend)
    facts = Facts("test.operation", "", 1, "denied", None, None, "", "permission-denied")
    for number in range(RECORDS_PER_SECOND + 50):
        log.note(facts._replace(target=f"/{number}"), size=1, began=1_000_000, duration_us=2, hot=False)
    log.note(facts._replace(target="/later"), size=1, began=2_000_000, duration_us=2, hot=False)
    log.flush()
    assert len(sent) == RECORDS_PER_SECOND + 2
    assert sum(record["calls"] for record in sent) == RECORDS_PER_SECOND + 51
    [summed] = [record for record in sent if record["calls"] > 1]
    assert (summed["target"], summed["calls"], summed["bytes"], summed["duration_us"]) == ("", 50, 50, 100)
    assert sorted(record["seq"] for record in sent) == list(range(1, len(sent) + 1))


def test_a_long_target_is_cut() -> None:
    context = context_of(policy_of())

    def work() -> Answer:
        context.note("x" * 5000)
        return Ok(0)

    call(context, work)
    assert len(told(context).records()[0]["target"]) == 256


def test_a_fault_of_ours_becomes_an_answer_and_is_reported() -> None:
    context = context_of(policy_of())

    def work() -> Answer:
        raise ZeroDivisionError("a mistake of ours")

    assert call(context, work) == Err(IoError("internal"))
    core = told(context)
    [fault] = [fields for kind, fields in core.told if kind == "fault"]
    assert str(fault["trace"]).startswith("ZeroDivisionError: a mistake of ours (test_host_context.py:")
    assert core.records()[0]["outcome"] == "internal"


def test_a_new_policy_holds_from_the_next_operation_and_closes_what_it_would_not_open() -> None:
    context = context_of(policy_of(1, read=["/a", "/b"]))
    by_rule, by_question, free = Thing(), Thing(), Thing()
    context.handles.add("file", by_rule, "permissions.filesystem.read[1]")
    context.handles.add("file", by_question, None, lambda policy: policy.read("/a").allowed)
    context.handles.add("watch", free, None)
    context.replace_policy(policy_of(2, read=["/a"], deny_all=["/a"]))
    assert context.policy.version == 1
    call(context, lambda: Ok(0))
    assert context.policy.version == 2
    assert by_rule.ends == by_question.ends == ["the permission that opened it was taken back"]
    assert free.ends == []
    assert context.handles.count("file") == 0
    assert len(context.handles) == 3


def test_a_wait_ends_with_its_descriptor_its_timeout_and_the_wish_to_stop() -> None:
    wishes: list[bool] = []
    context = Context(
        ComponentId("local", "tested", "1.0.0", 0), policy_of(), HostLimits(), RememberingCore(), lambda: bool(wishes)
    )
    reading, writing = os.pipe()
    try:
        assert context.wait(reading, select.POLLIN, 0) == 0
        assert context.wait(reading, select.POLLIN, 250) == 0
        os.write(writing, b"x")
        assert context.wait(reading, select.POLLIN, None) == select.POLLIN
        os.read(reading, 1)
        wishes.append(True)
        assert context.wait(reading, select.POLLIN, None) == 0
    finally:
        os.close(reading)
        os.close(writing)


def test_a_wait_never_goes_beyond_the_calls_deadline() -> None:
    context = context_of(policy_of())
    context.deadline = time.monotonic() + 0.05
    assert context.wait_any([], (1 << 64) - 1) == []
    assert time.monotonic() >= context.deadline
    assert context.time_left(None) == 0.0
    assert context.time_left((1 << 64) - 1) == 0.0


def test_a_wait_is_woken_by_another_thread() -> None:
    context = context_of(policy_of())
    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: os.write(writing, b"x"))
    thread.start()
    try:
        assert context.wait(reading, select.POLLIN, 60_000) == select.POLLIN
    finally:
        thread.join()
        os.close(reading)
        os.close(writing)


def test_numbers_are_never_used_again() -> None:
    table = HandleTable({}, 10)
    numbers = []
    for _ in range(20):
        thing = Thing()
        number = table.add("file", thing, None)
        assert table.number_of(thing) == number
        assert table.resource(number) is thing
        numbers.append(number)
        table.drop(number)
        with pytest.raises(KeyError):
            table.resource(number)
    assert len(set(numbers)) == 20


def test_kinds_and_all_handles_have_their_ceilings() -> None:
    table = HandleTable({"file": 2}, 4)
    first = Thing()
    table.add("file", first, None)
    table.add("file", Thing(), None)
    late = Thing()
    with pytest.raises(HandleLimitError, match="2 of the kind file are open"):
        table.add("file", late, None)
    assert late.ends == ["closed"]
    table.closed(first)
    table.closed(first)
    assert table.count("file") == 1
    table.add("file", Thing(), None)
    table.add("socket", Thing(), None)
    with pytest.raises(HandleLimitError, match="4 handles are open"):
        table.room("socket")


def test_what_was_given_away_does_not_end() -> None:
    table = HandleTable({}, 4)
    thing = Thing()
    number = table.add("socket", thing, None)
    assert table.take(number) is thing
    assert thing.ends == []
    table.drop(number)
    assert thing.ends == []
    assert table.count("socket") == 0


def test_everything_ends_with_the_instance_the_youngest_first() -> None:
    context = context_of(policy_of())
    things = [Thing() for _ in range(3)]
    order: list[Thing] = []
    for thing in things:
        thing.end = lambda _, thing=thing: order.append(thing)
        context.handles.add("child", thing, None)
    context.close()
    assert order == things[::-1]
    assert len(context.handles) == 0
