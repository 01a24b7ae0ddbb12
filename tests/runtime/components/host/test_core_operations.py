"""The operations of `orlop:core`: what they ask the core, what they make of its answer, and what they deny unasked."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from runtime.canonical import Json
from runtime.components.bindings.core_capabilities import Denied, Granted, PortRange
from runtime.components.bindings.core_types import (
    ComponentId,
    ComponentInfo,
    ComponentInternalError,
    ComponentPermissionDenied,
    Delivery,
    JobInvalidArgument,
    JobNotFound,
    JobPermissionDenied,
    JobResult,
    JobSpec,
    JobUnavailable,
    KeyPage,
    MailboxStatus,
    MessagingMailboxFull,
    MessagingPermissionDenied,
    MessagingTargetFailed,
    MessagingTooLarge,
    ResourceLimits,
    RoomPermissionDenied,
    RoomTooLarge,
    StorageIoError,
    StoragePermissionDenied,
    StorageQuotaExceeded,
    StorageTooLarge,
    StorageUsage,
)
from runtime.components.errors import CoreSilentError
from runtime.components.host.context import ComponentId as Own
from runtime.components.host.context import Context, HostLimits
from runtime.components.host.jobs import ComponentJobs
from runtime.components.host.log_pace import LogPace
from runtime.components.host.messaging import Messaging
from runtime.components.host.permission_checks import PermissionChecks
from runtime.components.host.rooms import ComponentRooms
from runtime.components.host.services import Services
from runtime.components.host.storage import Storage
from runtime.components.permissions import Policy
from runtime.components.permissions.ports import PortRange as Ports
from runtime.components.permissions.rules import HostRule, PatternRule, Rules, SpawnRule, StorageRule
from runtime.components.values import Err, Ok

PAYLOAD_MAX = 1 << 20
PEER = ComponentId("acme", "peer", "1.0.0", 0)
PEER_JSON: dict[str, Json] = {"namespace": "acme", "name": "peer", "version": "1.0.0", "instance": 0}
STRANGER = ComponentId("other", "stranger", "1.0.0", 0)


def pattern(group: str, text: str) -> PatternRule:
    return PatternRule(group, 0, "permissions", text)


RULES = Rules(
    patterns=(
        pattern("messaging.send", "acme/*"),
        pattern("messaging.request", "acme/*"),
        pattern("messaging.broadcast", "acme/*"),
        pattern("messaging.publish", "news.*"),
        pattern("messaging.subscribe", "news.*"),
        pattern("jobs.submit", "aa*"),
        pattern("rooms.post", "lobby"),
        pattern("filesystem.read", "/data/**"),
        pattern("filesystem.deny.read", "/data/secret"),
        pattern("environment.read", "LANG"),
        pattern("process.signals", "hup"),
    ),
    hosts=(HostRule("network.outbound", 0, "permissions", "example.org", (Ports(443, 443),)),),
    spawn=(SpawnRule("process.spawn", 0, "permissions", "/usr/bin/true"),),
    storage=(StorageRule("storage.namespaces", 0, "permissions", "mine:*", ("read", "write", "delete")),),
)


@dataclass
class ScriptedLine:
    """A core that answers what the test says."""

    answer: Json = None
    silent: bool = False
    asked: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)
    told: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)

    def request(self, kind: str, fields: Mapping[str, Json]) -> Json:
        self.asked.append((kind, fields))
        if self.silent:
            raise CoreSilentError("the host could not answer")
        return self.answer

    def notify(self, kind: str, fields: Mapping[str, Json]) -> None:
        self.told.append((kind, fields))


@pytest.fixture
def line() -> ScriptedLine:
    return ScriptedLine()


def context_of(line: ScriptedLine, rules: Rules = RULES) -> Context:
    return Context(Own("acme", "me", "2.0.0", 1), Policy(rules), HostLimits(), line)


Operation = Callable[[Context], object]

ANSWERED: list[tuple[str, Operation, Json, str, Mapping[str, Json], object]] = [
    (
        "get",
        lambda c: Storage(c).get("mine:a", "k"),
        "AAE=",
        "storage.get",
        {"namespace": "mine:a", "key": "k"},
        b"\0\1",
    ),
    (
        "get none",
        lambda c: Storage(c).get("mine:a", "k"),
        None,
        "storage.get",
        {"namespace": "mine:a", "key": "k"},
        None,
    ),
    (
        "set",
        lambda c: Storage(c).set("mine:a", "k", b"\0"),
        None,
        "storage.set",
        {"namespace": "mine:a", "key": "k", "value": "AA=="},
        None,
    ),
    (
        "compare-and-set",
        lambda c: Storage(c).compare_and_set("mine:a", "k", b"old", b"\0"),
        True,
        "storage.compare-and-set",
        {
            "namespace": "mine:a",
            "key": "k",
            "expected": {"sha256": hashlib.sha256(b"old").hexdigest()},
            "value": "AA==",
        },
        True,
    ),
    (
        "compare-and-set none",
        lambda c: Storage(c).compare_and_set("mine:a", "k", None, b"\0"),
        False,
        "storage.compare-and-set",
        {"namespace": "mine:a", "key": "k", "expected": None, "value": "AA=="},
        False,
    ),
    (
        "delete",
        lambda c: Storage(c).delete("mine:a", "k"),
        True,
        "storage.delete",
        {"namespace": "mine:a", "key": "k"},
        True,
    ),
    (
        "exists",
        lambda c: Storage(c).exists("mine:a", "k"),
        False,
        "storage.exists",
        {"namespace": "mine:a", "key": "k"},
        False,
    ),
    (
        "list-keys",
        lambda c: Storage(c).list_keys("mine:a", "p", None),
        {"keys": ["a", "b"], "next": "b"},
        "storage.list-keys",
        {"namespace": "mine:a", "prefix": "p", "after": None},
        KeyPage(("a", "b"), "b"),
    ),
    (
        "usage",
        lambda c: Storage(c).usage("mine:a"),
        {"used": 1, "quota": 2, "count": 3},
        "storage.usage",
        {"namespace": "mine:a"},
        StorageUsage(1, 2, 3),
    ),
    (
        "send-message",
        lambda c: Messaging(c, 9).send_message(PEER, "t", b"\0"),
        None,
        "messaging.send-message",
        {"target": PEER_JSON, "content_type": "t", "payload": "AA=="},
        None,
    ),
    (
        "send-request",
        lambda c: Messaging(c, 9).send_request(PEER, "t", b"\0", 500),
        7,
        "messaging.send-request",
        {"target": PEER_JSON, "content_type": "t", "payload": "AA==", "timeout_ms": 500},
        7,
    ),
    (
        "cancel-request",
        lambda c: Messaging(c, 9).cancel_request(7),
        None,
        "messaging.cancel-request",
        {"request": 7},
        None,
    ),
    (
        "broadcast",
        lambda c: Messaging(c, 9).broadcast("acme/*", "t", b"\0"),
        [[PEER_JSON, None], [PEER_JSON, ["mailbox-full", "full"]]],
        "messaging.broadcast",
        {"pattern": "acme/*", "content_type": "t", "payload": "AA=="},
        (Delivery(PEER, None), Delivery(PEER, MessagingMailboxFull("full"))),
    ),
    (
        "publish",
        lambda c: Messaging(c, 9).publish("news.local", "t", b"\0"),
        3,
        "messaging.publish",
        {"topic": "news.local", "content_type": "t", "payload": "AA=="},
        3,
    ),
    (
        "subscribe",
        lambda c: Messaging(c, 9).subscribe("news.*"),
        None,
        "messaging.subscribe",
        {"pattern": "news.*"},
        None,
    ),
    ("unsubscribe", lambda c: Messaging(c, 9).unsubscribe("x"), None, "messaging.unsubscribe", {"pattern": "x"}, None),
    (
        "submit",
        lambda c: ComponentJobs(c).submit(JobSpec("aa" + "b" * 62, None, ("x",), b"\0", 5, None)),
        "job-1",
        "jobs.submit",
        {
            "module_hash": "aa" + "b" * 62,
            "entry": None,
            "arguments": ["x"],
            "stdin": "AA==",
            "timeout": 5,
            "max_memory_bytes": None,
        },
        "job-1",
    ),
    (
        "wait",
        lambda c: ComponentJobs(c).wait("job-1", 1_100),
        {"outcome": "exit", "exit_code": 0, "receipt": "r", "stdout": "AA=="},
        "jobs.wait",
        {"id": "job-1", "timeout_ms": 1_000},
        JobResult("exit", 0, "r", b"\0"),
    ),
    ("cancel", lambda c: ComponentJobs(c).cancel("job-1"), None, "jobs.cancel", {"id": "job-1"}, None),
    (
        "post-message",
        lambda c: ComponentRooms(c).post_message("lobby", "hi"),
        "m1",
        "rooms.post-message",
        {"room": "lobby", "text": "hi"},
        "m1",
    ),
    (
        "create-task",
        lambda c: ComponentRooms(c).create_task("lobby", "t", "d"),
        "t1",
        "rooms.create-task",
        {"room": "lobby", "title": "t", "description": "d"},
        "t1",
    ),
    (
        "get-component-metadata",
        lambda c: services(c).get_component_metadata(PEER),
        {"id": PEER_JSON, "description": "d", "state": "running", "status": "healthy", "detail": ""},
        "services.component",
        {"id": PEER_JSON},
        ComponentInfo(PEER, "d", "running", "healthy"),
    ),
]


def services(context: Context) -> Services:
    return Services(context, ResourceLimits(1, 2, 3, None, 4), 2)


@pytest.mark.parametrize(
    ("work", "answer", "kind", "fields", "value"), [row[1:] for row in ANSWERED], ids=[row[0] for row in ANSWERED]
)
def test_a_question_to_the_core_and_its_answer(
    line: ScriptedLine, *, work: Operation, answer: Json, kind: str, fields: Mapping[str, Json], value: object
) -> None:
    line.answer = {"ok": answer}
    assert work(context_of(line)) == Ok(value)
    assert line.asked == [(kind, fields)]


@pytest.mark.parametrize("work", [row[1] for row in ANSWERED], ids=[row[0] for row in ANSWERED])
@pytest.mark.parametrize("answer", ["nonsense", {"ok": {"odd": 1}}, {"err": ["mailbox-full"]}])
def test_an_answer_that_is_none_is_an_error_and_no_fault(line: ScriptedLine, work: Operation, answer: Json) -> None:
    line.answer = answer
    result = work(context_of(line))
    assert isinstance(result, Err)
    assert result.error.reason == "the host answered something else"


@pytest.mark.parametrize("work", [row[1] for row in ANSWERED], ids=[row[0] for row in ANSWERED])
def test_a_silent_core_is_an_error_of_the_interface(line: ScriptedLine, work: Operation) -> None:
    line.silent = True
    result = work(context_of(line))
    assert isinstance(result, Err)
    assert isinstance(
        result.error, StorageIoError | MessagingTargetFailed | JobUnavailable | ComponentInternalError
    ) or (result.error.case == "unavailable")


DENIED = [row for row in ANSWERED if row[0] not in {"cancel-request", "unsubscribe", "wait", "cancel"}]


@pytest.mark.parametrize("work", [row[1] for row in DENIED], ids=[row[0] for row in DENIED])
def test_without_a_rule_nothing_is_asked_and_the_record_says_denied(line: ScriptedLine, work: Operation) -> None:
    context = context_of(line, Rules())
    result = context.call("interface.operation", lambda: work(context), Err, hot=False)
    assert isinstance(result, Err)
    assert isinstance(
        result.error,
        StoragePermissionDenied
        | MessagingPermissionDenied
        | JobPermissionDenied
        | RoomPermissionDenied
        | ComponentPermissionDenied,
    )
    assert line.asked == []
    context.audit.flush()
    ((_, told),) = line.told
    (record,) = told["records"]  # type: ignore[misc]
    assert (record["decision"], record["outcome"]) == ("denied", "permission-denied")  # type: ignore[call-overload, index]


@pytest.mark.parametrize(
    ("case", "error"),
    [("quota-exceeded", StorageQuotaExceeded("why")), ("never-heard-of", StorageIoError("why"))],
)
def test_a_refusal_of_the_core_is_the_case_of_that_name(line: ScriptedLine, case: str, error: object) -> None:
    line.answer = {"err": [case, "why"]}
    assert Storage(context_of(line)).set("mine:a", "k", b"") == Err(error)


def test_what_fits_into_no_frame_is_not_asked(line: ScriptedLine) -> None:
    context = context_of(line)
    large = bytes(PAYLOAD_MAX + 1)
    assert isinstance(Storage(context).set("mine:a", "k", large), Err)
    compared = Storage(context).compare_and_set("mine:a", "k", None, large)
    assert compared == Err(StorageTooLarge("a value has at most 1,048,576 bytes"))
    sent = Messaging(context, 4).send_message(PEER, "t", b"12345")
    assert sent == Err(MessagingTooLarge("a message of this component has at most 4 bytes"))
    assert isinstance(Messaging(context, 4).send_request(PEER, "t", b"12345", 10), Err)
    assert isinstance(Messaging(context, 4).broadcast("acme/*", "t", b"12345"), Err)
    assert isinstance(Messaging(context, 4).publish("news.x", "t", b"12345"), Err)
    submitted = ComponentJobs(context).submit(JobSpec("aa" + "b" * 62, None, (), large, None, None))
    assert submitted == Err(JobInvalidArgument("the input has at most 1,048,576 bytes"))
    posted = ComponentRooms(context).post_message("lobby", "x" * 65_537)
    assert posted == Err(RoomTooLarge("a text has at most 65,536 characters"))
    assert line.asked == []


def test_an_own_job_that_is_unknown(line: ScriptedLine) -> None:
    line.answer = {"err": ["not-found", "no such job"]}
    assert ComponentJobs(context_of(line)).wait("x", 0) == Err(JobNotFound("no such job"))


def test_the_mailbox_and_what_stands_for_it_when_the_core_is_silent(line: ScriptedLine) -> None:
    messaging = Messaging(context_of(line), 9)
    line.answer = {"ok": {"length": 1, "capacity": 2, "dropped": 3, "pending": 4}}
    assert messaging.mailbox() == MailboxStatus(1, 2, 3, 4)
    line.silent = True
    assert messaging.mailbox() == MailboxStatus(0, 0, 0, 0)


def test_only_those_that_it_may_message_are_listed(line: ScriptedLine) -> None:
    line.answer = {"ok": [PEER_JSON, PEER_JSON | {"namespace": "other"}]}
    assert services(context_of(line)).list_components() == (PEER,)
    line.silent = True
    assert services(context_of(line)).list_components() == ()


def test_clocks_id_limits_and_the_wish_to_stop(line: ScriptedLine) -> None:
    own = services(context_of(line))
    assert own.self_id() == ComponentId("acme", "me", "2.0.0", 1)
    assert own.limits() == ResourceLimits(1, 2, 3, None, 4)
    assert own.stop_requested() is False
    assert own.monotonic_nanos() <= own.monotonic_nanos()
    seconds = own.current_time().seconds
    assert 0 <= own.current_time_millis() // 1000 - seconds <= 60


def test_lines_of_the_log_are_harmless_and_bounded(line: ScriptedLine) -> None:
    own = services(context_of(line))
    own.log("warn", "a\x1b[2J" + "b" * 5_000, (("n\n", "v"),) * 40)
    ((kind, fields),) = line.told
    assert kind == "log"
    assert str(fields["message"]).startswith("a\\x1b[2Jb")
    assert len(str(fields["message"])) == 4_096
    assert fields["fields"] == [["n⏎", "v"]] * 32


def test_lines_beyond_the_rate_are_counted_and_told_of() -> None:
    pace = LogPace(2)
    assert [pace.line(now) for now in (5.0, 5.1, 5.2, 5.9)] == [0, 0, None, None]
    assert [pace.line(now) for now in (6.0, 6.1, 6.2)] == [2, 0, None]
    assert (pace.left_out(), pace.left_out()) == (1, 0)


CHECKS: list[tuple[str, Callable[[PermissionChecks], object], bool]] = [
    ("read", lambda p: p.check_file_read("/data/a"), True),
    ("read relative", lambda p: p.check_file_read("a"), True),
    ("read denied", lambda p: p.check_file_read("/data/secret"), False),
    ("write", lambda p: p.check_file_write("/data/a"), False),
    ("delete", lambda p: p.check_file_delete("/data/a"), False),
    ("list", lambda p: p.check_directory_list("/data"), False),
    ("outbound", lambda p: p.check_network_outbound("example.org", 443), True),
    ("outbound port", lambda p: p.check_network_outbound("example.org", 80), False),
    ("inbound", lambda p: p.check_network_inbound("127.0.0.1", 1), False),
    ("spawn", lambda p: p.check_process_spawn("/usr/bin/true", ()), True),
    ("spawn arguments", lambda p: p.check_process_spawn("/usr/bin/true", ("x",)), False),
    ("signal", lambda p: p.check_process_signal("hup"), True),
    ("signal usr1", lambda p: p.check_process_signal("usr1"), False),
    ("environment", lambda p: p.check_environment("LANG"), True),
    ("environment path", lambda p: p.check_environment("PATH"), False),
    ("storage", lambda p: p.check_storage_access("mine:a", "delete"), True),
    ("storage other", lambda p: p.check_storage_access("yours:a", "read"), False),
    ("message", lambda p: p.check_message(PEER, "send"), True),
    ("message receive", lambda p: p.check_message(PEER, "receive"), False),
    ("publish", lambda p: p.check_message(ComponentId("", "news.local", "", 0), "publish"), True),
    ("subscribe", lambda p: p.check_message(ComponentId("", "old.local", "", 0), "subscribe"), False),
]


@pytest.mark.parametrize(("check", "granted"), [row[1:] for row in CHECKS], ids=[row[0] for row in CHECKS])
def test_advice_about_oneself(line: ScriptedLine, check: Callable[[PermissionChecks], object], granted: bool) -> None:
    context = context_of(line)
    checks = PermissionChecks(context, lambda: "/data")
    result = context.call("permissions.check", lambda: check(checks), lambda _: None, hot=True)
    if granted:
        assert result == Granted()
    else:
        assert isinstance(result, Denied)
        assert result.value
    context.audit.flush()
    ((_, told),) = line.told
    (record,) = told["records"]  # type: ignore[misc]
    assert record["decision"] == "none"  # type: ignore[call-overload, index]


def test_what_is_granted_is_listed_with_what_is_denied(line: ScriptedLine) -> None:
    granted = PermissionChecks(context_of(line), lambda: "/").granted()
    assert [(one.action, one.path_pattern) for one in granted.filesystem] == [("read", "/data/**")]
    assert [(one.action, one.host_pattern, one.ports) for one in granted.network] == [
        ("outbound", "example.org", (PortRange(443, 443),))
    ]
    assert [(one.action, one.command_pattern) for one in granted.process] == [
        ("spawn", "/usr/bin/true"),
        ("signal", "hup"),
    ]
    assert [(one.action, one.namespace_pattern) for one in granted.storage] == [
        ("read", "mine:*"),
        ("write", "mine:*"),
        ("delete", "mine:*"),
    ]
    assert [one.action for one in granted.messaging] == ["send", "request", "broadcast", "publish", "subscribe"]
    assert (granted.environment[0].name_pattern, granted.jobs, granted.rooms) == ("LANG", ("aa*",), ("lobby",))
    assert granted.deny == ("permissions.filesystem.deny.read[0]",)
