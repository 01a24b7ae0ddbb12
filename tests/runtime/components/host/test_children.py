"""Children: what they are given, what they write, how they end, and that nothing of them stays."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.components.bindings.ext_process_types import Exited, ResourceLimits, Signaled
from runtime.components.host.context import HostLimits
from runtime.components.host.rings import RING_BYTES
from runtime.components.permissions.rules import SpawnRule
from runtime.components.values import Err
from tests.runtime.components.host.frame import RememberingCore, case_of, policy_of, value_of
from tests.runtime.components.host.programs import (
    LONG_MS,
    SHELL,
    Programs,
    Spawner,
    everything,
    options,
    programs_in,
    runs,
    spawner,
)

NO_LIMITS = ResourceLimits(None, None, None, None, None)


@pytest.fixture(scope="module")
def shared() -> Iterator[Spawner]:
    """A spawner for all tests that do not end it."""
    started = spawner()
    yield started
    started.close()


@pytest.fixture
def programs(shared: Spawner) -> Iterator[Programs]:
    """An instance that may start any shell script."""
    programs = programs_in(limits=HostLimits(children=8), by=shared)
    yield programs
    programs.close()


@pytest.fixture
def alone() -> Iterator[Programs]:
    """An instance with a spawner of its own."""
    programs = programs_in()
    yield programs
    programs.close()


def output(child: Any) -> bytes:
    """All that it writes, until its end."""
    read = b""
    while True:
        piece = value_of(child.read_stdout(1 << 20, LONG_MS))
        read += piece.data
        if piece.end_of_file:
            return read


def gone(pids: list[int]) -> bool:
    """Waits until processes are gone; not for ever."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not any(map(runs, pids)):
            return True
        os.sched_yield()
    return False


def test_a_program_runs_with_its_arguments_as_they_are(programs: Programs) -> None:
    child = programs.start('printf "%s|" "$@"', "a b", "$HOME", "; ls", "ä")
    assert output(child) == "a b|$HOME|; ls|ä|".encode()
    result = value_of(child.wait())
    assert (result.pid, result.exit_status) == (1, Exited(0))
    assert result.peak_memory_bytes > 0


def test_the_way_it_ends_is_told(programs: Programs) -> None:
    assert value_of(programs.start("exit 7").wait()).exit_status == Exited(7)
    assert value_of(programs.start("kill -9 $$").wait()).exit_status == Signaled(9)


def test_a_command_needs_an_absolute_path_that_a_rule_names(programs: Programs) -> None:
    for command in ("sh", "./sh", "", "/bin/sh\0"):
        assert case_of(programs.lifecycle.spawn(options("true", command=command))) == "permission-denied"
    assert case_of(programs.lifecycle.spawn(options("true", command="/bin/nothing"))) == "permission-denied"
    assert programs.lifecycle.get_children() == ()


def test_a_command_is_decided_on_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "allowed").symlink_to(SHELL)
    by_link = SpawnRule("process.spawn", 0, "permissions", str(tmp_path / "*"), ("**",))
    programs = programs_in(policy_of(spawn=[by_link]))
    try:
        answer = programs.lifecycle.spawn(options("true", command=str(tmp_path / "allowed")))
        assert case_of(answer) == "permission-denied"
    finally:
        programs.close()


def test_arguments_are_decided_too() -> None:
    rule = SpawnRule("process.spawn", 0, "permissions", SHELL, ("-c", "exit 0", "sh"))
    programs = programs_in(policy_of(spawn=[rule]))
    try:
        assert value_of(programs.start("exit 0").wait()).exit_status == Exited(0)
        assert case_of(programs.lifecycle.spawn(options("exit 1"))) == "permission-denied"
    finally:
        programs.close()


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    for name, text, mode in [("data", b"\0no program", 0o700), ("plain", b"#!/bin/sh\n", 0o600)]:
        (tmp_path / name).write_bytes(text)
        (tmp_path / name).chmod(mode)
    (tmp_path / "orphan").write_bytes(b"#!/no/interpreter\n")
    (tmp_path / "orphan").chmod(0o700)
    place = os.path.realpath(tmp_path)
    rule = SpawnRule("process.spawn", 0, "permissions", f"{place}/**", ("**",))
    programs = programs_in(policy_of(spawn=[rule]))
    try:
        cases = {
            name: case_of(programs.lifecycle.spawn(options("", command=f"{place}/{name}")))
            for name in ("data", "plain", "orphan", "nothing", "")
        }
        assert cases == {
            "data": "exec-format-error",
            "plain": "spawn-failed",
            "orphan": "not-found",
            "nothing": "not-found",
            "": "spawn-failed",
        }
        assert len(programs.context.handles) == 0
        assert programs.lifecycle.get_children() == ()
    finally:
        programs.close()


def test_a_script_is_started_by_its_interpreter(tmp_path: Path) -> None:
    script = Path(os.path.realpath(tmp_path)) / "script"
    script.write_text('#!/bin/sh\nprintf "script %s" "$1"\n')
    script.chmod(0o700)
    programs = programs_in(policy_of(spawn=[SpawnRule("process.spawn", 0, "permissions", str(script), ("*",))]))
    try:
        child = programs.start("", command=str(script), arguments=("one",))
        assert output(child) == b"script one"
    finally:
        programs.close()


def test_a_program_with_a_hash_is_started_only_with_that_content() -> None:
    right = hashlib.sha256(Path(SHELL).read_bytes()).hexdigest()
    for digest, case in [(right, None), ("0" * 64, "permission-denied")]:
        programs = programs_in(everything(sha256=digest))
        try:
            answer = programs.lifecycle.spawn(options("true"))
            assert (case_of(answer) if isinstance(answer, Err) else None) == case
        finally:
            programs.close()


def test_a_child_gets_nothing_but_a_clean_environment() -> None:
    secrets = {"ORLOP_SECRET": "hidden", "HOME": "/root", "LD_PRELOAD": "", "API_KEY": "hidden"}
    programs = programs_in(outside=secrets)
    try:
        found = output(programs.start("cat /proc/$$/environ")).split(b"\0")
        assert {pair for pair in found if pair} == {b"PATH=/usr/bin:/bin", b"LANG=C.UTF-8"}
    finally:
        programs.close()


def test_variables_are_given_and_inherited_as_far_as_names_are_allowed() -> None:
    policy = everything(environment=("MODE", "EMPTY"))
    read = policy_of(environment_read=["ZONE", "ABSENT"]).rules.patterns
    rules = policy.rules.plus(type(policy.rules)(patterns=read))
    programs = programs_in(type(policy)(rules), environment={"ZONE": "UTC", "OTHER": "hidden"})
    try:
        script = 'printf "%s|" "$MODE" "${EMPTY-unset}" "$ZONE" "${ABSENT-unset}"'
        given = (("MODE", "fast"), ("EMPTY", ""))
        child = programs.start(script, environment=given, inherit_environment=("ZONE", "ABSENT"))
        assert output(child) == b"fast||UTC|unset|"
        refused = [
            {"environment": (("OTHER", "x"),)},
            {"environment": (("LD_PRELOAD", "x"),)},
            {"environment": (("PATH", "/tmp"),)},
            {"environment": (("A=B", "x"),)},
            {"inherit_environment": ("OTHER",)},
            {"inherit_environment": ("ORLOP_SECRET",)},
        ]
        for changed in refused:
            assert case_of(programs.lifecycle.spawn(options("true", **changed))) == "permission-denied"
        assert case_of(programs.lifecycle.spawn(options("true", environment=(("MODE", "a\0b"),)))) == "invalid-argument"
    finally:
        programs.close()


def test_a_child_inherits_no_descriptor(programs: Programs) -> None:
    child = programs.start("exec ls /proc/self/fd", stdin="pipe")
    # Its three streams, and the directory that it lists.
    assert output(child).split() == [b"0", b"1", b"2", b"3"]


def test_a_child_leads_a_session_and_gains_no_privileges(programs: Programs) -> None:
    child = programs.start("cut -d' ' -f1,5,6 /proc/$$/stat; echo $$; grep NoNewPrivs /proc/self/status; umask; pwd")
    pid, group, session, number, _, no_new, mask, directory = output(child).split()
    assert pid == group == session == number
    assert (no_new, mask, directory) == (b"1", b"0077", b"/")


def test_a_child_works_in_a_directory_that_its_component_may_list(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "f").write_text("")
    (tmp_path / "out").symlink_to("..")
    programs = programs_in(directories=[("/data", tmp_path)])
    try:
        start = programs.lifecycle.spawn_in_directory
        child = value_of(start("/bin/sh", ("-c", "pwd -P"), "/data/work"))
        assert output(child).decode().strip() == os.path.realpath(tmp_path / "work")
        assert case_of(start("/bin/sh", ("-c", "pwd"), "/data/out")) == "permission-denied"
        assert case_of(start("/bin/sh", ("-c", "pwd"), "/data/none")) == "not-found"
        assert case_of(start("/bin/sh", ("-c", "pwd"), "/data/f")) == "invalid-argument"
        assert case_of(start("/bin/sh", ("-c", "pwd"), "/etc")) == "not-found"
    finally:
        programs.close()


def test_input_is_written_and_ended(programs: Programs) -> None:
    child = programs.start("wc -c", stdin="pipe")
    value_of(child.write_stdin(bytes(300_000), LONG_MS))
    value_of(child.close_stdin())
    assert output(child).strip() == b"300000"
    assert case_of(child.write_stdin(b"x", LONG_MS)) == "closed"
    assert case_of(child.close_stdin()) == "closed"


def test_input_that_is_closed_early_is_an_answer_and_no_signal(programs: Programs) -> None:
    child = programs.start("exec <&-; echo closed; read -r x < /dev/null; sleep 1000", stdin="pipe")
    assert value_of(child.read_stdout(99, LONG_MS)).data == b"closed\n"
    assert case_of(child.write_stdin(bytes(1 << 20), LONG_MS)) == "closed"


def test_a_child_that_does_not_read_lets_a_write_time_out(programs: Programs) -> None:
    child = programs.start("sleep 1000", stdin="pipe")
    answer = child.write_stdin(bytes(1 << 20), 200)
    assert case_of(answer) == "timeout"
    assert answer.error.reason.endswith(" bytes were written")


def test_streams_that_are_not_captured_say_so(programs: Programs) -> None:
    child = programs.start("echo x", stdout="none", stderr="none")
    assert case_of(child.read_stdout(9, 0)) == "not-captured"
    assert case_of(child.read_stderr(9, 0)) == "not-captured"
    assert case_of(child.write_stdin(b"x", 0)) == "not-captured"
    assert value_of(child.wait()).exit_status == Exited(0)


def test_standard_error_is_its_own_stream(programs: Programs) -> None:
    child = programs.start("echo out; echo err >&2")
    assert output(child) == b"out\n"
    assert value_of(child.read_stderr(2, LONG_MS)).data == b"er"
    assert value_of(child.read_stderr(99, LONG_MS)).data == b"r\n"


def test_a_flood_of_output_is_cut_counted_and_holds_up_nobody(programs: Programs) -> None:
    child = programs.start(f"head -c {3 * RING_BYTES} /dev/zero")
    assert value_of(child.wait()).exit_status == Exited(0)
    ring = child._streams.stdout
    assert programs.line.wait(programs.context, lambda: ring.ended, LONG_MS)
    last = value_of(child.read_stdout((1 << 32) - 1, LONG_MS))
    read = len(last.data)
    while not last.end_of_file:
        last = value_of(child.read_stdout(1 << 20, LONG_MS))
        read += len(last.data)
    assert (read, last.dropped_bytes) == (RING_BYTES, 2 * RING_BYTES)


def test_nothing_to_read_is_a_timeout(programs: Programs) -> None:
    child = programs.start("sleep 1000")
    assert case_of(child.read_stdout(9, 0)) == "timeout"
    assert case_of(child.wait_with_timeout(0)) == "timeout"
    assert case_of(child.join(0)) == "timeout"
    assert value_of(child.is_running()) is True


def test_output_goes_to_the_log_line_by_line(programs: Programs) -> None:
    child = programs.start("printf 'one\\n\\033[2Jtwo\\nrest'; echo err >&2", stdout="log", stderr="log")
    value_of(child.wait())
    core = programs.context.core
    assert isinstance(core, RememberingCore)
    expected = {("one", "1 stdout"), ("\\x1b[2Jtwo", "1 stdout"), ("rest", "1 stdout"), ("err", "1 stderr")}

    def logged() -> set[Any]:
        return {(told["message"], told["fields"][0][1]) for kind, told in core.told if kind == "log"}

    assert programs.line.wait(programs.context, lambda: logged() == expected, LONG_MS), logged()


def test_a_log_that_would_be_flooded_takes_what_its_rate_allows(programs: Programs) -> None:
    value_of(programs.start("seq 100000", stdout="log").wait())
    core = programs.context.core
    assert isinstance(core, RememberingCore)
    assert len(core.told) < 10_000


@pytest.mark.parametrize(
    ("script", "limit", "status"),
    [
        ("while :; do :; done", {"max_cpu_time": 1}, Signaled(signal.SIGXCPU)),
        ("ulimit -n; exit 3", {"max_open_files": 17}, Exited(3)),
    ],
)
def test_limits_hold(programs: Programs, script: str, limit: dict[str, int], status: Any) -> None:
    limits = ResourceLimits(**(dict.fromkeys(ResourceLimits.__slots__) | limit))
    child = value_of(programs.lifecycle.spawn_with_limits("/bin/sh", ("-c", script), limits))
    result = value_of(child.wait())
    assert result.exit_status == status
    if "max_open_files" in limit:
        assert output(child) == b"17\n"


def test_a_file_beyond_its_limit_ends_the_writer(programs: Programs, tmp_path: Path) -> None:
    limits = ResourceLimits(None, None, 4096, None, None)
    script = f"exec dd if=/dev/zero of={tmp_path / 'big'} bs=8192 count=4"
    child = value_of(programs.lifecycle.spawn_with_limits("/bin/sh", ("-c", script), limits))
    assert value_of(child.wait()).exit_status == Signaled(signal.SIGXFSZ)
    assert (tmp_path / "big").stat().st_size == 4096


def test_memory_beyond_its_limit_is_not_given() -> None:
    python = os.path.realpath(sys.executable)
    rule = SpawnRule("process.spawn", 0, "permissions", python, ("**",))
    programs = programs_in(policy_of(spawn=[rule]))
    try:
        code = "try:\n bytearray(300 << 20)\nexcept MemoryError:\n print('refused')"
        limits = ResourceLimits(128 << 20, None, None, None, None)
        child = value_of(programs.lifecycle.spawn_with_limits(python, ("-I", "-S", "-c", code), limits))
        assert output(child) == b"refused\n", value_of(child.read_stderr(4096, 0))
    finally:
        programs.close()


@pytest.mark.parametrize("script", ["f() { f & f & wait; }; f", "f() { setsid sh -c 'sleep 1000' & f; }; f"])
def test_a_bomb_of_forks_is_stopped(programs: Programs, script: str) -> None:
    limits = ResourceLimits(None, None, None, None, 20)
    child = value_of(programs.lifecycle.spawn_with_limits("/bin/sh", ("-c", script), limits))
    assert value_of(child.wait()).exit_status == Signaled(signal.SIGKILL)
    assert value_of(programs.start("exit 5").wait()).exit_status == Exited(5)


@pytest.mark.parametrize(
    "limits",
    [
        ResourceLimits(0, None, None, None, None),
        ResourceLimits(None, 0, None, None, None),
        ResourceLimits(1 << 40, None, None, None, None),
        ResourceLimits(None, None, None, 10_000, None),
        ResourceLimits(None, None, None, None, (1 << 32) - 1),
    ],
)
def test_limits_of_nothing_and_above_the_ceiling_are_refused(programs: Programs, limits: ResourceLimits) -> None:
    answer = programs.lifecycle.spawn_with_limits("/bin/sh", ("-c", "true"), limits)
    assert case_of(answer) == "invalid-argument"


def test_limits_of_a_running_child_are_lowered_and_never_raised(programs: Programs) -> None:
    child = programs.start("sleep 1000")
    before = value_of(child.get_resource_limits())
    assert before.max_open_files == 256
    value_of(child.set_resource_limits(ResourceLimits(None, 10, None, 32, 5)))
    after = value_of(child.get_resource_limits())
    assert (after.max_cpu_time, after.max_open_files, after.max_processes) == (10, 32, 5)
    assert case_of(child.set_resource_limits(ResourceLimits(None, None, None, 33, None))) == "invalid-argument"
    assert case_of(child.set_resource_limits(ResourceLimits(None, 11, None, None, None))) == "invalid-argument"
    assert value_of(child.get_resource_limits()) == after


def test_a_child_beyond_its_time_is_killed(programs: Programs) -> None:
    child = programs.start("sleep 1000", timeout=100)
    assert value_of(child.wait()).exit_status == Signaled(signal.SIGKILL)


def test_status_and_usage_are_the_systems(programs: Programs) -> None:
    child = programs.start("echo ready; read -r line", stdin="pipe")
    value_of(child.read_stdout(9, LONG_MS))
    status = value_of(child.get_status())
    assert (status.pid, status.ppid, status.state, status.exit, status.thread_count) == (1, 0, "running", None, 1)
    assert status.start_time == child.info().start_time
    usage = value_of(child.get_resource_usage())
    assert usage.peak_memory_bytes >= usage.memory_bytes > 0
    assert usage.written_bytes >= 6
    assert value_of(child.get_uptime()) >= 0
    value_of(child.close_stdin())
    value_of(child.wait())
    status = value_of(child.get_status())
    assert (status.state, status.exit, status.memory_bytes) == ("terminated", Exited(1), 0)
    assert value_of(child.is_running()) is False
    assert value_of(child.get_resource_usage()).peak_memory_bytes > 0


def test_children_are_numbered_from_one_and_never_anew(programs: Programs) -> None:
    first, second = programs.start("true"), programs.start("sleep 1000")
    assert programs.lifecycle.get_children() == (1, 2)
    value_of(first.join(LONG_MS))
    assert programs.lifecycle.get_children() == (2,)
    assert programs.start("true").info().pid == 3
    second.end("dropped")
    assert programs.lifecycle.get_children() == (3,)
    assert (programs.lifecycle.get_parent_id(), programs.lifecycle.get_current_id()) == (0, 0)


def test_the_next_child_that_ends_is_waited_for_once(programs: Programs) -> None:
    assert case_of(programs.lifecycle.wait_any_child()) == "not-found"
    slow = programs.start("read -r line; exit 2", stdin="pipe")
    programs.start("exit 1")
    assert value_of(programs.lifecycle.wait_any_child()).exit_status == Exited(1)
    assert case_of(programs.lifecycle.wait_any_child_with_timeout(0)) == "timeout"
    value_of(slow.close_stdin())
    assert value_of(programs.lifecycle.wait_any_child_with_timeout(LONG_MS)).pid == 1
    assert case_of(programs.lifecycle.wait_any_child()) == "not-found"


def test_a_joined_child_is_closed_to_everything(programs: Programs) -> None:
    child = programs.start("echo x")
    assert value_of(child.join(LONG_MS)).exit_status == Exited(0)
    answers = [
        child.wait(),
        child.wait_with_timeout(0),
        child.is_running(),
        child.get_status(),
        child.get_uptime(),
        child.terminate(),
        child.kill(),
        child.set_resource_limits(NO_LIMITS),
        child.get_resource_limits(),
        child.get_resource_usage(),
        child.join(0),
        child.read_stdout(1, 0),
        child.read_stderr(1, 0),
        child.write_stdin(b"", 0),
        child.close_stdin(),
        programs.signals.send_term(child),
        programs.signals.on_terminate(child),
        programs.signals.get_process_group(child),
    ]
    assert {case_of(answer) for answer in answers} == {"closed"}
    assert programs.context.handles.count("child") == 0


def test_only_so_many_children_are_there() -> None:
    programs = programs_in(everything(max=2), limits=HostLimits(children=3))
    try:
        first = programs.start("sleep 1000")
        programs.start("sleep 1000")
        assert case_of(programs.lifecycle.spawn(options("true"))) == "too-many-processes"
        value_of(first.kill())
        value_of(first.wait())
        programs.start("sleep 1000")
        assert case_of(programs.lifecycle.spawn(options("true"))) == "resource-exhausted"
    finally:
        programs.close()


def test_what_a_child_started_ends_with_it(programs: Programs) -> None:
    child = programs.start("sleep 1000 & echo $!; sleep 1000 & echo $!; exit 0")
    pids = [int(pid) for pid in output(child).split()]
    assert value_of(child.wait()).exit_status == Exited(0)
    assert gone(pids)


def test_what_left_its_session_ends_when_its_parents_are_gone(programs: Programs) -> None:
    child = programs.start("setsid sh -c 'echo $$; exec sleep 1000' & wait")
    pid = int(value_of(child.read_stdout(99, LONG_MS)).data)
    assert runs(pid)
    value_of(child.kill())
    value_of(child.wait())
    assert gone([pid])


def test_dropping_a_child_kills_its_group(programs: Programs) -> None:
    child = programs.start("sleep 1000 & echo $! $$; wait")
    pids = [int(pid) for pid in value_of(child.read_stdout(99, LONG_MS)).data.split()]
    programs.context.handles.drop(programs.context.handles.number_of(child))
    assert gone(pids)
    assert case_of(child.wait()) == "closed"


def test_a_permission_that_is_taken_back_kills_what_it_started(programs: Programs) -> None:
    child = programs.start("echo $$; exec sleep 1000")
    pid = int(value_of(child.read_stdout(99, LONG_MS)).data)
    programs.context.replace_policy(policy_of(2))
    assert programs.context.adopt_policy() == 1
    assert gone([pid])
    assert child.wait().error.reason == "the permission that opened it was taken back"


def test_the_end_of_an_instance_ends_everything_that_was_started() -> None:
    programs = programs_in()
    child = programs.start(
        "sleep 1000 & echo $!; setsid sleep 1000 & echo $!; setsid setsid sleep 1000 & echo $!; wait"
    )
    pids: list[int] = []
    while len(pids) < 3:
        pids += [int(pid) for pid in value_of(child.read_stdout(99, LONG_MS)).data.split()]
    programs.close()
    assert gone(pids)
    assert programs.process.returncode == 0


def test_a_worker_that_dies_leaves_nothing(alone: Programs) -> None:
    child = alone.start("sleep 1000 & echo $!; setsid sleep 1000 & echo $!; wait")
    pids: list[int] = []
    while len(pids) < 2:
        pids += [int(pid) for pid in value_of(child.read_stdout(99, LONG_MS)).data.split()]
    alone.line._line.shutdown(2)
    assert alone.process.wait(60) == 0
    assert gone(pids)
    assert case_of(alone.lifecycle.spawn(options("true"))) == "io-error"


def test_a_spawner_that_dies_takes_the_leaders_with_it(alone: Programs) -> None:
    child = alone.start("echo $$; exec sleep 1000")
    pid = int(value_of(child.read_stdout(99, LONG_MS)).data)
    alone.process.kill()
    alone.process.wait()
    assert gone([pid])
    assert case_of(alone.lifecycle.spawn(options("true"))) == "io-error"
    assert case_of(child.terminate()) == "io-error"


def test_a_call_whose_time_is_over_does_not_wait(programs: Programs) -> None:
    child = programs.start("sleep 1000")
    programs.context.deadline = time.monotonic() + 0.2
    assert case_of(child.wait()) == "timeout"
    assert case_of(child.read_stdout(1, LONG_MS)) == "timeout"
    assert case_of(programs.lifecycle.spawn(options("true"))) == "timeout"


def test_many_arguments_are_refused_before_anything_is_started(programs: Programs) -> None:
    assert case_of(programs.lifecycle.spawn(options("true", *["x"] * 2000))) == "invalid-argument"
    assert case_of(programs.lifecycle.spawn(options("true", "x" * (1 << 20)))) == "invalid-argument"
    assert value_of(programs.start("exit 4").wait()).exit_status == Exited(4)


def test_a_hundred_children_leave_no_descriptor_and_no_zombie(alone: Programs) -> None:
    value_of(alone.start("true").join(LONG_MS))
    before = len(list(Path("/proc/self/fd").iterdir()))
    theirs = Path(f"/proc/{alone.process.pid}/fd")
    held = len(list(theirs.iterdir()))
    for _ in range(100):
        child = alone.start("echo x; echo y >&2", stdin="pipe")
        value_of(child.join(LONG_MS))
        alone.context.handles.drop(alone.context.handles.number_of(child))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(list(theirs.iterdir())) == held
    assert Path(f"/proc/{alone.process.pid}/task/{alone.process.pid}/children").read_text() == ""


def test_a_number_that_is_used_again_is_not_hit(programs: Programs) -> None:
    child = programs.start("exit 0")
    value_of(child.wait())
    stranger = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        for answer in (child.terminate(), child.kill(), programs.signals.send_signal_group(child, "hup")):
            assert case_of(answer) == "already-terminated"
        assert programs.process.poll() is None
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
