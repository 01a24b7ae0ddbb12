"""Lines on consoles: on each of them, whole, harmless, and never the reason why a machine stops."""

import errno
import os
import pty
from pathlib import Path

import pytest

from boot.stage1.modules import load_modules
from boot.stage1.mounts import Mount, mount_all
from boot.stage1.say import Say, console_names, open_consoles
from runtime.errors import UnavailableError


def test_every_console_is_named_once() -> None:
    consoles = "ttyS0                -W- (EC p a)    4:64\nhvc0  -W- (E)\n\n../x -W-\n"
    assert console_names("tty0 ttyS0\n", consoles) == ["tty0", "ttyS0", "hvc0"]


def test_a_line_is_on_every_console_and_harmless(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys/class/tty/console").mkdir(parents=True)
    (tmp_path / "sys/class/tty/console/active").write_text("tty0 ttyS0 ttyS9\n")
    (tmp_path / "proc/consoles").write_text("ttyS0 -W- (EC p a) 4:64\n")
    for name in ("tty0", "ttyS0"):
        (tmp_path / "dev" / name).write_bytes(b"")
    consoles = open_consoles(tmp_path)
    try:
        say = Say(consoles)
        say.line("exit \x1b[2J3")
        say.lines("one\ntwo")
    finally:
        for descriptor in consoles:
            os.close(descriptor)
    assert len(consoles) == 2
    first, second = ((tmp_path / "dev" / name).read_bytes() for name in ("tty0", "ttyS0"))
    assert first == second
    ends = [line.split(b"] ", 1)[1] for line in first.splitlines()]
    assert ends == [b"boot: exit \\x1b[2J3", b"boot: | one", b"boot: | two"]


def test_without_consoles_the_standard_output_is_one(tmp_path: Path) -> None:
    assert open_consoles(tmp_path) == [1]


def test_a_console_that_is_gone_or_stuck_stops_nobody() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    leader, follower = pty.openpty()
    os.close(leader)
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb"), os.fdopen(follower, "wb"):
        while True:
            try:
                os.write(writer, bytes(4096))
            except BlockingIOError:
                break
        Say([writer, follower]).line("still here")


def test_mounts_are_made_in_their_order_and_one_that_is_there_stays(tmp_path: Path) -> None:
    made: list[tuple[str, str, str, int, str]] = []

    def mount(*words: object) -> None:
        made.append(words)  # type: ignore[arg-type]
        if words[0] == "proc":
            raise OSError(errno.EBUSY, "busy")

    wanted = (Mount("proc", str(tmp_path / "a"), 14), Mount("tmpfs", str(tmp_path / "b"), 6, "mode=0755"))
    mount_all(wanted, mount)
    assert [words[2] for words in made] == ["proc", "tmpfs"]
    assert made[1] == ("tmpfs", str(tmp_path / "b"), "tmpfs", 6, "mode=0755")


def test_what_cannot_be_mounted_is_named(tmp_path: Path) -> None:
    def mount(*_: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    with pytest.raises(UnavailableError, match="devtmpfs cannot be mounted"):
        mount_all((Mount("devtmpfs", str(tmp_path / "dev"), 2),), mount)


def test_modules_are_loaded_in_their_order_whatever_one_of_them_does(tmp_path: Path) -> None:
    for name in ("a.ko", "b.ko", "c.ko"):
        (tmp_path / name).write_bytes(name.encode())
    seen: list[bytes] = []

    def load(descriptor: int) -> None:
        data = os.read(descriptor, 100)
        seen.append(data)
        if data == b"a.ko":
            raise OSError(errno.EEXIST, "File exists")
        if data == b"b.ko":
            raise OSError(errno.ENODEV, "No such device")

    failed = load_modules(["a.ko", "b.ko", "missing.ko", "c.ko"], tmp_path, load)
    assert seen == [b"a.ko", b"b.ko", b"c.ko"]
    assert failed == ["b: no such device", "missing: no such file or directory"]
