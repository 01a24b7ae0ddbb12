"""Signals to own children: which may be sent, what they do, and that events of a child arrive."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runtime.components.bindings.ext_process_types import Exited, Signaled
from runtime.components.permissions.rules import SpawnRule
from tests.runtime.components.host.frame import RememberingCore, case_of, policy_of, value_of
from tests.runtime.components.host.programs import LONG_MS, SHELL, Programs, Spawner, programs_in, spawner

WAITING = "echo ready; while :; do sleep 1000; done"
TRAPPING = """
for name in TERM INT QUIT HUP USR1 USR2; do trap "echo $name" $name; done
echo ready
while :; do read -r line || sleep 0.01; done
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Spawner]:
    """A spawner for all tests that do not end it."""
    started = spawner()
    yield started
    started.close()


@pytest.fixture
def programs(shared: Spawner) -> Iterator[Programs]:
    """An instance that may send every signal."""
    programs = programs_in(by=shared)
    yield programs
    programs.close()


def ready(programs: Programs, script: str = WAITING, **changed: Any) -> Any:
    """A child that has begun."""
    child = programs.start(script, **changed)
    assert value_of(child.read_stdout(6, LONG_MS)).data == b"ready\n"
    return child


@pytest.mark.parametrize("name", ["term", "int", "quit", "hup", "usr1", "usr2"])
def test_a_signal_arrives_by_its_name(programs: Programs, name: str) -> None:
    child = ready(programs, TRAPPING, stdin="none")
    value_of(programs.signals.send_signal(child, name))
    assert value_of(child.read_stdout(99, LONG_MS)).data == f"{name.upper()}\n".encode()


def test_each_short_form_sends_its_signal(programs: Programs) -> None:
    child = ready(programs, TRAPPING)
    for send, said in [
        (programs.signals.send_term, b"TERM\n"),
        (programs.signals.send_int, b"INT\n"),
        (programs.signals.send_hup, b"HUP\n"),
        (lambda child: child.terminate(), b"TERM\n"),
        (lambda child: programs.signals.send_raw_signal(child, signal.SIGUSR1), b"USR1\n"),
    ]:
        value_of(send(child))
        assert value_of(child.read_stdout(99, LONG_MS)).data == said


def test_a_signal_to_the_group_reaches_what_the_child_started(programs: Programs) -> None:
    inner = "(trap 'echo inner; exit' USR1; echo ready; while :; do sleep 0.01; done)"
    script = f"trap : USR1; {inner} & while :; do sleep 1000; done"
    child = ready(programs, script)
    value_of(programs.signals.send_signal(child, "usr1"))
    value_of(programs.signals.send_signal_group(child, "usr1"))
    assert value_of(child.read_stdout(99, LONG_MS)).data == b"inner\n"


@pytest.mark.parametrize(
    "kill",
    [
        lambda _, child: child.kill(),
        lambda programs, child: programs.signals.send_kill(child),
        lambda programs, child: programs.signals.emergency_kill(child),
        lambda programs, child: programs.signals.emergency_kill_group(child),
        lambda programs, child: programs.signals.send_signal(child, "kill"),
        lambda programs, child: programs.signals.send_raw_signal(child, 9),
    ],
)
def test_killing_ends_a_child_that_wants_to_live(programs: Programs, kill: Callable[[Programs, Any], Any]) -> None:
    child = ready(programs, TRAPPING)
    value_of(kill(programs, child))
    assert value_of(child.wait()).exit_status == Signaled(9)


def test_a_graceful_shutdown_says_how_it_came_out(programs: Programs) -> None:
    polite, stubborn = ready(programs), ready(programs, TRAPPING)
    assert value_of(programs.signals.graceful_shutdown_group(polite, LONG_MS)) == "exited"
    assert value_of(programs.signals.graceful_shutdown(polite, LONG_MS)) == "already-terminated"
    assert value_of(programs.signals.graceful_shutdown(stubborn, 100)) == "killed"
    assert value_of(stubborn.wait()).exit_status == Signaled(9)
    assert value_of(programs.signals.emergency_kill(stubborn)) is None


def test_what_has_ended_takes_no_signal(programs: Programs) -> None:
    child = programs.start("exit 0")
    value_of(child.wait())
    answers = [
        child.terminate(),
        child.kill(),
        programs.signals.send_term(child),
        programs.signals.send_raw_signal(child, 34),
        programs.signals.send_signal_group(child, "hup"),
    ]
    assert {case_of(answer) for answer in answers} == {"already-terminated"}


@pytest.mark.parametrize("number", [0, 32, 33, 65, 1000, (1 << 32) - 1])
def test_numbers_that_are_no_signals_are_refused(programs: Programs, number: int) -> None:
    child = programs.start(WAITING)
    assert case_of(programs.signals.send_raw_signal(child, number)) == "signal-not-supported"
    assert case_of(programs.signals.signal_name(number)) == "signal-not-supported"
    assert value_of(child.is_running()) is True


def test_a_real_time_signal_is_sent_by_its_number(programs: Programs) -> None:
    child = ready(programs)
    value_of(programs.signals.send_raw_signal(child, 34))
    assert value_of(child.wait()).exit_status == Signaled(34)


def test_names_and_numbers_fit_each_other(programs: Programs) -> None:
    signals = programs.signals
    assert value_of(signals.signal_name(15)) == "TERM"
    assert value_of(signals.signal_number("TERM")) == value_of(signals.signal_number("SIGTERM")) == 15
    for number in [*range(1, 32), *range(34, 65)]:
        assert value_of(signals.signal_number(value_of(signals.signal_name(number)))) == number
    for name in ("", "SIG", "TERMINATE", "RTMIN+31", "RTMIN-1", "15", "SIGRTMIN+x"):
        assert case_of(signals.signal_number(name)) == "signal-not-supported"


def test_a_child_leads_its_group_and_cannot_change_it(programs: Programs) -> None:
    child = programs.start(WAITING)
    assert value_of(programs.signals.get_process_group(child)) == 1
    assert case_of(programs.signals.set_process_group(child, 1)) == "unsupported"


def test_stops_continues_and_the_end_are_told_in_order(programs: Programs) -> None:
    child = ready(programs)
    every, last = (
        value_of(watch(child)) for watch in (programs.signals.on_status_change, programs.signals.on_terminate)
    )
    kinds = []
    for send in (programs.signals.send_stop, programs.signals.send_cont, programs.signals.send_kill):
        value_of(send(child))
        event = value_of(every.next(LONG_MS))
        kinds.append((event.kind, event.exit, event.pid))
    assert kinds == [("stopped", None, 1), ("continued", None, 1), ("terminated", Signaled(9), 1)]
    assert value_of(last.next(LONG_MS)).kind == "terminated"
    assert value_of(every.next(0)) is None


def test_a_stopped_child_is_seen_as_such(programs: Programs) -> None:
    child = ready(programs)
    watch = value_of(programs.signals.on_status_change(child))
    value_of(programs.signals.send_stop(child))
    assert value_of(watch.next(LONG_MS)).kind == "stopped"
    assert value_of(child.get_status()).state == "stopped"
    value_of(programs.signals.send_cont(child))
    assert value_of(watch.next(LONG_MS)).kind == "continued"
    assert value_of(child.get_status()).state == "running"


def test_a_watch_of_what_has_ended_tells_so_at_once(programs: Programs) -> None:
    child = programs.start("exit 3")
    value_of(child.wait())
    event = value_of(value_of(programs.signals.on_terminate(child)).next(0))
    assert (event.kind, event.exit) == ("terminated", Exited(3))


def test_a_watch_ends_when_it_is_told_to(programs: Programs) -> None:
    child = programs.start(WAITING)
    watch = value_of(programs.signals.on_terminate(child))
    assert value_of(watch.next(0)) is None
    value_of(watch.unregister_handler())
    assert case_of(watch.next(0)) == "closed"
    assert case_of(watch.unregister_handler()) == "closed"
    value_of(child.kill())
    value_of(child.wait())


def test_events_that_nobody_takes_are_bounded(programs: Programs) -> None:
    child = programs.start(WAITING)
    watch = value_of(programs.signals.on_status_change(child))
    for number in range(100):
        with programs.line.changed:
            child.changed("stopped", number)
    times = []
    while event := value_of(watch.next(0)):
        times.append(event.at.nanoseconds)
    assert times == list(range(36, 100))


SENDS: dict[str, Callable[[Programs, Any], Any]] = {
    "term": lambda programs, child: programs.signals.send_term(child),
    "kill": lambda programs, child: programs.signals.send_kill(child),
    "child.terminate": lambda _, child: child.terminate(),
    "child.kill": lambda _, child: child.kill(),
    "graceful-shutdown": lambda programs, child: programs.signals.graceful_shutdown(child, 0),
    "graceful-shutdown-group": lambda programs, child: programs.signals.graceful_shutdown_group(child, 0),
    "emergency-kill": lambda programs, child: programs.signals.emergency_kill(child),
    "emergency-kill-group": lambda programs, child: programs.signals.emergency_kill_group(child),
    "int": lambda programs, child: programs.signals.send_int(child),
    "stop": lambda programs, child: programs.signals.send_stop(child),
    "cont": lambda programs, child: programs.signals.send_cont(child),
    "hup": lambda programs, child: programs.signals.send_hup(child),
    "signal": lambda programs, child: programs.signals.send_signal(child, "usr1"),
    "raw": lambda programs, child: programs.signals.send_raw_signal(child, 40),
    "group": lambda programs, child: programs.signals.send_signal_group(child, "quit"),
    "set-group": lambda programs, child: programs.signals.set_process_group(child, 1),
}


@pytest.mark.parametrize("name", SENDS)
def test_without_its_permission_a_signal_is_denied_recorded_and_not_sent(shared: Spawner, name: str) -> None:
    programs = programs_in(policy_of(spawn=[SpawnRule("process.spawn", 0, "permissions", SHELL, ("**",))]), by=shared)
    try:
        child = ready(programs, TRAPPING)
        context = programs.context
        answer = context.call("signals.test", lambda: SENDS[name](programs, child), lambda text: text, hot=False)
        assert case_of(answer) == "permission-denied"
        assert value_of(child.is_running()) is True
        assert case_of(child.read_stdout(9, 0)) == "timeout"
        assert programs.signals.list_signals() == ()
        context.audit.flush()
        core = context.core
        assert isinstance(core, RememberingCore)
        record = core.records()[-1]
        assert (record["decision"], record["outcome"]) == ("denied", "permission-denied")
        assert record["target"].startswith("signal ")
    finally:
        programs.close()


def test_the_signals_that_may_be_sent_are_listed() -> None:
    rule = SpawnRule("process.spawn", 0, "permissions", SHELL, ("**",))
    programs = programs_in(policy_of(spawn=[rule], process_kill=["true"], process_signals=["hup", "usr2"]))
    try:
        assert set(programs.signals.list_signals()) == {"HUP", "USR2", "KILL", "TERM"}
    finally:
        programs.close()
