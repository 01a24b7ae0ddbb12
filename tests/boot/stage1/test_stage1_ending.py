"""Every end of a machine that started no other kernel: why, its status, and what it does then; PID 1 never returns."""

import errno
import os
from pathlib import Path

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.stage1 import course, ending, init, libc
from boot.stage1.ending import Plan, end, fails_of, status_of, told, verdict
from boot.stage1.handover import HANDOVER
from boot.stage1.image import Image
from boot.stage1.say import Say
from runtime.errors import FailedError, UnavailableError

IMAGE = Image(arch="x86_64", channel="stable", floor=7, built_ms=1_760_000_000_000, release="1", kernel="6.1")


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (BootRefusedError("hash", "kernel is another"), "refused: hash: kernel is another", 3),
        (BootUnavailableError("no answer", where="http://h/"), "unavailable: http://h/: no answer", 5),
        (FailedError("no", where="disks"), "failed: failed: disks: no", 1),
        (UnavailableError("no kexec", where="kexec"), "failed: unavailable: kexec: no kexec", 1),
        (ValueError("a \x1b[2J b"), r"failed: ValueError: a \x1b[2J b", 1),
        (KeyboardInterrupt(), "failed: KeyboardInterrupt: ", 1),
        (MemoryError(), "failed: MemoryError: ", 1),
    ],
)
def test_each_error_has_its_line_and_its_status(error: BaseException, line: str, status: int) -> None:
    assert told(error) == line
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("plan", "act"),
    [
        (Plan(), "again"),
        (Plan("reboot", 2), "again"),
        (Plan("reboot", 3), "off"),
        (Plan("reboot", 9), "off"),
        (Plan("poweroff"), "off"),
        (Plan("hold"), "hold"),
        (Plan("hold", 9), "hold"),
    ],
)
def test_after_three_new_starts_a_machine_powers_off(plan: Plan, act: str) -> None:
    assert verdict(plan).act == act


class Over(BaseException):
    """The machine is off, or holds."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the machine, none of which is done to this one."""
    done: list[str] = []

    def stop(word: str) -> None:
        done.append(word)
        raise Over

    monkeypatch.setattr(libc, "reboot", lambda command: stop(f"reboot {command:#x}"))
    monkeypatch.setattr(ending.signal, "pause", lambda: stop("pause"))
    monkeypatch.setattr(ending.time, "sleep", lambda seconds: done.append(f"sleep {seconds:g}"))
    monkeypatch.setattr(os, "execv", lambda _path, words: stop(f"exec {' '.join(words)}"))
    monkeypatch.setattr(ending.subprocess, "run", lambda words, **_: done.append(" ".join(words)))
    return done


def ended(error: BaseException, plan: Plan, tmp_path: Path) -> str:
    path = tmp_path / "console"
    with path.open("wb") as console, pytest.raises(Over):
        end(error, plan, Say([console.fileno()]), init._again)
    return path.read_text()


def test_the_status_is_the_last_line_before_power_off(machine: list[str], tmp_path: Path) -> None:
    said = ended(BootRefusedError("expired", "long ago"), Plan("poweroff"), tmp_path)
    assert [line.partition("boot: ")[2] for line in said.splitlines()] == [
        "refused: expired: long ago",
        "powers off",
        "exit 3",
    ]
    assert machine == ["reboot 0x4321fedc"]


def test_a_new_start_counts_itself(machine: list[str], tmp_path: Path) -> None:
    said = ended(BootUnavailableError("no network"), Plan("reboot", 1), tmp_path)
    assert "starts again in 30 s, 2 of 3 times" in said
    assert machine == ["sleep 30", "exec /init --fails=2"]


def test_an_exception_of_our_own_shows_where_it_came_from(machine: list[str], tmp_path: Path) -> None:
    try:
        raise ZeroDivisionError("a fault")
    except ZeroDivisionError as error:
        said = ended(error, Plan("hold"), tmp_path)
    assert "boot: | Traceback" in said
    assert "boot: failed: ZeroDivisionError: a fault" in said
    assert "boot: exit 1" in said
    assert machine == ["pause"]


def test_there_is_a_shell_only_where_the_image_was_built_with_one(machine: list[str], tmp_path: Path) -> None:
    ended(BootUnavailableError("no network"), Plan("poweroff"), tmp_path)
    assert "/bin/busybox sh" not in machine
    ended(BootUnavailableError("no network"), Plan("poweroff", shell=True), tmp_path)
    assert machine[-2:] == ["/bin/busybox sh", "reboot 0x4321fedc"]


def test_where_the_kernel_does_not_power_off_the_machine_holds(
    machine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_command: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(libc, "reboot", refuses)
    assert "cannot: [Errno 1]" in ended(BootUnavailableError("x"), Plan("poweroff"), tmp_path)
    assert machine == ["pause"]


def test_whatever_fails_first_is_said_and_pid_1_does_not_return(
    machine: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_proc() -> None:
        raise UnavailableError("proc cannot be mounted: no such device", where="/proc")

    monkeypatch.setattr(init, "mount_all", no_proc)
    with pytest.raises(Over):
        init.main()
    assert "boot: failed: unavailable: /proc: proc cannot be mounted" in capfd.readouterr().out
    assert machine == ["sleep 30", "exec /init --fails=1"]


@pytest.mark.parametrize(
    ("words", "fails"),
    [([], 0), (["single"], 0), (["--fails=2"], 2), (["--fails=99"], 0), (["--fails=x"], 0), (["--fails="], 0)],
)
def test_what_a_program_is_started_with_is_a_count_or_nothing(words: list[str], fails: int) -> None:
    assert fails_of(words) == fails


def test_the_hand_over_is_where_the_second_stage_looks() -> None:
    assert HANDOVER == "/handover.json"


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("orlop.mode=lokal", ["reboot 0x4321fedc"]),
        ("orlop.mode=internet orlop.onfail=hold", ["pause"]),
        ("orlop.mode=internet orlop.fails=3", ["reboot 0x4321fedc"]),
        ("orlop.mode=internet orlop.fails=1", ["sleep 30", "exec /init --fails=2"]),
    ],
)
def test_a_line_that_is_not_understood_is_not_tried_again_and_any_other_end_is_as_it_says(
    machine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, done: list[str]
) -> None:
    text = tmp_path / "cmdline"
    text.write_text(f"quiet {line}\n")

    def no_network(*_: object) -> None:
        raise BootUnavailableError("no network")

    monkeypatch.setattr(init, "mount_all", lambda: None)
    monkeypatch.setattr(init, "_take_console", lambda: None)
    monkeypatch.setattr(init, "_image", lambda: IMAGE)
    monkeypatch.setattr(init, "_COMMAND_LINE", text)
    monkeypatch.setattr(init.sys, "argv", ["/init"])
    monkeypatch.setattr(course, "run", no_network)
    with pytest.raises(Over):
        init.main()
    assert machine == done
