"""PID 1 of the second stage, as an ordinary process with real children."""

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from boot.stage2.processes import Account, BackOff, Program, begin, begin_call, reap
from boot.stage2.watchdog import Watchdog

ROOT = Path(__file__).resolve().parents[3]

Begins = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begins(tmp_path: Path) -> Iterator[Begins]:
    """Begins a supervisor of a shell program."""
    begun: list[subprocess.Popen[str]] = []

    def begin_one(node: str, drain_s: float = 120.0) -> "subprocess.Popen[str]":
        words = [sys.executable, "-m", "tests.boot.stage2.supervised", node, str(drain_s), str(tmp_path / "watchdog")]
        begun.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        return begun[-1]

    yield begin_one
    for process in begun:  # asked, so that its node ends with it
        process.terminate()
        process.wait(240)
        if process.stdout is not None:
            process.stdout.close()


def until(stream: IO[str] | None, wanted: str) -> list[str]:
    """The lines up to one that begins so."""
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if lines[-1].startswith(wanted):
            return lines
    raise AssertionError(lines)


def test_a_node_that_ends_is_begun_again_and_it_is_said(begins: Begins) -> None:
    process = begins("echo lives; exit 3")
    lines = [line for line in (*until(process.stdout, "lives"), *until(process.stdout, "lives")) if line != "greeted"]
    assert lines == ["lives", "the node ended with status 3 and is begun again in 0.01 s", "lives"]


def test_a_node_that_is_killed_is_begun_again(begins: Begins) -> None:
    process = begins("echo lives; kill -9 $$")
    assert until(process.stdout, "the node ended")[-1].startswith("the node ended with signal 9")
    until(process.stdout, "lives")


def test_the_word_to_end_goes_to_the_node_and_its_end_is_waited_for(begins: Begins) -> None:
    process = begins("trap 'echo asked; exit 0' TERM; echo lives; while :; do sleep 0.05; done")
    until(process.stdout, "lives")
    process.terminate()
    assert [line for line in until(process.stdout, "ended") if line != "greeted"] == ["asked", "ended"]
    assert process.wait(120) == 0


def test_the_power_button_ends_it_as_a_signal_does(begins: Begins, tmp_path: Path) -> None:
    keys = tmp_path / "sys/event0/device/capabilities/key"
    keys.parent.mkdir(parents=True)
    keys.write_text("10000000000000 0\n")
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/event0")
    button = os.open(tmp_path / "dev/event0", os.O_RDWR)
    process = begins("trap 'echo asked; exit 0' TERM; echo lives; while :; do sleep 0.05; done")
    until(process.stdout, "lives")
    os.write(button, struct.pack("=qqHHi", 0, 0, 1, 116, 1))
    lines = [line for line in until(process.stdout, "ended") if line != "greeted"]
    assert lines == ["the power button was pressed", "asked", "ended"]
    assert process.wait(120) == 0
    os.close(button)


def test_a_node_that_does_not_end_is_ended(begins: Begins) -> None:
    process = begins("trap '' TERM; echo lives; while :; do sleep 0.05; done", 0.2)
    until(process.stdout, "lives")
    process.terminate()
    until(process.stdout, "ended")
    assert process.wait(120) == 0


def test_whoever_runs_the_first_job_is_waited_for_once_and_not_begun_again(begins: Begins) -> None:
    process = begins("echo lives; while :; do sleep 0.05; done")
    until(process.stdout, "greeted")
    process.terminate()
    assert "greeted" not in until(process.stdout, "ended")


def test_orphans_are_reaped(begins: Begins) -> None:
    process = begins("(sh -c 'echo orphan $$' &); while :; do sleep 0.05; done")
    pid = int(until(process.stdout, "orphan")[-1].split()[1])
    while Path(f"/proc/{pid}").exists():
        assert process.poll() is None


def test_the_watchdog_is_fed_and_told_that_the_end_is_meant(begins: Begins, tmp_path: Path) -> None:
    (tmp_path / "watchdog").touch()
    process = begins("echo lives; exit 0")
    until(process.stdout, "lives")
    until(process.stdout, "lives")
    process.terminate()
    until(process.stdout, "ended")
    fed = (tmp_path / "watchdog").read_bytes()
    assert len(fed) > 2
    assert fed.strip(b"\n") == b"V"


def test_a_machine_without_a_watchdog_has_none(tmp_path: Path) -> None:
    watchdog = Watchdog(tmp_path / "missing")
    watchdog.feed()
    watchdog.close()
    assert not watchdog.there


# --- children -------------------------------------------------------------------------------------------------------


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def output_of(program: str, account: Account | None = None) -> str:
    reader, writer = os.pipe()
    pid = begin(Program(words=("/bin/sh", "-c", program), environment={"A": "b"}, account=account, output=writer))
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    ended(pid)
    return text


def test_a_child_has_the_environment_that_it_was_given_and_no_signal_is_blocked_in_it() -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        text = output_of("echo $A; grep SigBlk /proc/self/status; cat")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert text.split() == ["b", "SigBlk:", "0" * 16]


def test_a_child_with_an_account_has_no_group_but_its_own_and_gets_no_right_back() -> None:
    if os.geteuid():  # nobody but root gives rights up; that it is refused is said, and nothing runs
        assert output_of("echo runs", Account(1000, 1000)) == ""
        return
    text = output_of("id -u; id -G; grep NoNewPrivs /proc/self/status", Account(1000, 1000))
    assert text.split() == ["1000", "1000", "NoNewPrivs:", "1"]


def test_what_a_child_raises_ends_it_alone() -> None:
    def fails() -> int:
        raise OSError(2, "not there")

    assert ended(begin_call(fails, None)) == 127
    assert ended(begin(Program(words=("/missing",)))) == 127
    assert ended(begin_call(lambda: 7, None)) == 7


def test_without_children_there_is_nobody_to_reap() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if reap() == [] else 1)
    assert ended(child) == 0


def test_the_pause_grows_until_it_lasts() -> None:
    pause = BackOff()
    assert [pause.ended(0.0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause.ended(60.0) == 1.0
    assert pause.ended(0.0) == 1.0
