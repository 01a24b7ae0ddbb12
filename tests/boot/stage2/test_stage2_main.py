"""How PID 1 of the second stage ends: as was asked, with the count of the first stage, and never by itself."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boot.stage1 import libc
from boot.stage1.handover import Handover, OnFail
from boot.stage1.image import Image
from boot.stage2 import main as second
from runtime.errors import FailedError

IMAGE = Image(arch="x86_64", channel="stable", floor=7, built_ms=0, release="1", kernel="6.1")
HANDOVER = Handover(
    mode="local", channel="stable", arch="x86_64", release="1", manifest_version=7, manifest_hash="ab" * 32
)


class Over(BaseException):
    """The machine is off, holds, or runs another program."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What is done to the machine, none of which is done to this one."""
    done: list[str] = []

    def over(what: str) -> None:
        done.append(what)
        raise Over

    monkeypatch.setattr(second, "_KEPT", tmp_path)
    monkeypatch.setattr(second, "open_consoles", lambda: [1])
    monkeypatch.setattr("boot.stage1.ending.time.sleep", lambda seconds: done.append(f"sleep {seconds:g}"))
    monkeypatch.setattr(libc, "umount", lambda place: done.append(f"umount {place}"))
    monkeypatch.setattr(libc, "reboot", lambda command: over(f"reboot {command:#x}"))
    monkeypatch.setattr(signal, "pause", lambda: over("pause"))
    monkeypatch.setattr(os, "execv", lambda path, words: over(f"exec {path} {words[-1]}"))
    monkeypatch.setattr(sys, "argv", ["-c"])
    (tmp_path / "image.json").write_bytes(IMAGE.document())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield done
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def fails(_stage: second.Stage2) -> None:
    raise FailedError("no", where="network")


AGAIN = ["sleep 30", "umount /cache"]


@pytest.mark.parametrize(
    "start",
    [
        ("reboot", 0, [], [*AGAIN, "exec /usr/bin/python3.11 --fails=1"]),
        ("reboot", 1, [], [*AGAIN, "exec /usr/bin/python3.11 --fails=2"]),
        ("reboot", 0, ["--fails=2"], [*AGAIN, "exec /usr/bin/python3.11 --fails=3"]),
        ("reboot", 0, ["--fails=3"], ["reboot 0x4321fedc"]),
        ("reboot", 3, [], ["reboot 0x4321fedc"]),
        ("poweroff", 0, [], ["reboot 0x4321fedc"]),
        ("hold", 0, [], ["pause"]),
    ],
)
def test_a_failure_ends_as_was_asked_of_the_first_stage(
    machine: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    start: tuple[OnFail, int, list[str], list[str]],
) -> None:
    onfail, before, words, done = start
    (tmp_path / "handover.json").write_bytes(replace(HANDOVER, onfail=onfail, fails=before).document())
    monkeypatch.setattr(second, "_live", fails)
    monkeypatch.setattr(sys, "argv", ["-c", *words])
    with pytest.raises(Over):
        second.main()
    assert machine == done
    said = capfd.readouterr().out
    assert "boot: failed: failed: network: no\n" in said
    assert said.endswith("boot: exit 1\n")


def test_what_the_first_stage_said_is_refused_where_it_has_another_form(
    machine: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "handover.json").write_bytes(b"{}")
    with pytest.raises(Over):
        second.main()
    assert machine == [*AGAIN, "exec /usr/bin/python3.11 --fails=1"]
    assert "boot: refused: malformed: handover" in capfd.readouterr().out


def test_a_machine_that_was_told_to_end_powers_off(
    machine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "handover.json").write_bytes(HANDOVER.document())
    monkeypatch.setattr(second, "_live", lambda _stage: None)
    with pytest.raises(Over):
        second.main()
    assert machine == ["reboot 0x4321fedc"]
    assert capfd.readouterr().out.endswith("boot: exit 0\n")
