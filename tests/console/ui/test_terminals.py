"""The screen in a real pseudo-terminal: what it writes, what it leaves behind, how it ends."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyte
import pytest

ROOT = Path(__file__).parents[3]
RESTORED = (
    b"\x1b[?1049l",
    b"\x1b[?25h",
    b"\x1b[?1000l",
    b"\x1b[?1003l",
    b"\x1b[?1006l",
    b"\x1b[?2004l",
    b"\x1b[?1004l",
)
_PATIENCE_S = 60


class Terminal:
    """One program on a pseudo-terminal; every wait has the same generous bound."""

    def __init__(self, spec: Mapping[str, object], size: tuple[int, int] = (120, 40), **environment: str) -> None:
        self.raw = b""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.code: int | None = None
        kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLORTERM", "TERM"}}
        env = kept | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"} | environment
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, "-m", "tests.console.ui.on_terminal", json.dumps(spec)], env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, *words: str) -> None:
        """Reads until these words stand on the screen."""
        deadline = time.monotonic() + _PATIENCE_S
        while not all(word in self.text for word in words):
            assert time.monotonic() < deadline, f"never saw {words} on\n{self.text}"
            assert self._read(0.2), f"ended before {words} on\n{self.text}"

    def listen(self, seconds: float) -> bytes:
        """What the program writes in this time."""
        start, deadline = len(self.raw), time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(0.2)
        return self.raw[start:]

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self) -> int:
        """Reads to the end and reaps; the exit code."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read(0.2):
            assert time.monotonic() < deadline, f"never ended\n{self.text}"
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def hang_up(self) -> int:
        """Closes the terminal; the exit code."""
        os.close(self.fd)
        self.fd = -1
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def _read(self, wait: float) -> bool:
        ready, _, _ = select.select([self.fd], [], [], wait)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65_536)
        except OSError:  # EIO: the other end is closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def close(self) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)


@contextlib.contextmanager
def terminal(
    world: str = "harbor",
    size: tuple[int, int] = (120, 40),
    *,
    options: Mapping[str, object] | None = None,
    **environment: str,
) -> Iterator[Terminal]:
    found = Terminal({"world": world, "options": dict(options or {})}, size, **environment)
    try:
        yield found
    finally:
        found.close()


def assert_restored(raw: bytes) -> None:
    for sequence in RESTORED:
        assert sequence in raw, sequence
    assert raw.rindex(b"\x1b[?1049l") > raw.rindex(b"\x1b[?1049h")


@pytest.mark.parametrize(
    ("ending", "code"),
    [("quit", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)],
    ids=["quit", "term", "hup", "int"],
)
def test_every_end_restores_the_terminal(ending: str | signal.Signals, code: int) -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "? help", "mara")
        if isinstance(ending, signal.Signals):
            tty.kill(ending)
        else:
            tty.press("q")
            tty.until("Quit and cancel 1 job")
            tty.press("\t\r")
        assert tty.end() == code
        assert_restored(tty.raw)


def test_a_terminal_that_goes_away_ends_the_screen() -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "mara")
        assert tty.hang_up() == 129


def test_an_error_of_the_screen_itself_says_one_line_and_no_secret() -> None:
    with terminal("broken") as tty:
        assert tty.end() == 1
        assert_restored(tty.raw)
        tail = tty.raw[tty.raw.rindex(b"\x1b[?1049l") :].decode()
        assert "orlop: screen: " in tail
        assert "unexpected KeyError" in tail
        assert "Traceback" not in tail
        assert b"the-secret-in-a-local" not in tty.raw


def test_a_core_that_cannot_start_ends_the_screen_with_its_line_and_code() -> None:
    with terminal("refused") as tty:
        assert tty.end() == 6
        assert_restored(tty.raw)
        assert b"another orlop uses this directory; it is process 4711" in tty.raw


def test_no_color_means_no_colour_code_at_all() -> None:
    with terminal(NO_COLOR="1", COLORTERM="truecolor") as tty:
        tty.until("quiet-harbor", "mara")
        tty.press("2")
        tty.until("unsigned")
        tty.kill(signal.SIGTERM)
        tty.end()
        codes = {part for match in re.findall(rb"\x1b\[([0-9;]*)m", tty.raw) for part in match.split(b";")}
        assert not [
            code
            for code in codes
            if code.isdigit() and (30 <= int(code) < 39 or 40 <= int(code) < 49 or int(code) >= 90)
        ]


def test_sixteen_colours_where_the_terminal_has_no_more() -> None:
    with terminal(TERM="screen") as tty:
        tty.until("quiet-harbor", "mara")
        tty.kill(signal.SIGTERM)
        tty.end()
        assert b"38;2" not in tty.raw
        assert b"38;5" not in tty.raw
        assert re.search(rb"\x1b\[[0-9;]*3[1-7][;m]", tty.raw)


def test_hostile_text_reaches_no_pane_raw() -> None:
    with terminal("hostile", COLORTERM="truecolor") as tty:
        tty.until("? help", "evil")
        walk = {
            "2": "AGENT",
            " ": "agents activate",
            "\r": "BREAKER",
            "4": "WALL",
            "L": "STDERR",
            "q": "EXIT",
            "5": "VERDICT",
        }
        for keys, words in (*walk.items(), ("\r", "IT SAYS"), ("3", "IT MAY"), ("7", "TYPE"), ("1", "STATUS")):
            tty.press(keys)
            tty.until(words)
        tty.kill(signal.SIGTERM)
        tty.end()
        body = tty.raw
        assert b"]52;" not in body.replace(b"\\x1b]52;", b"")
        for raw in ("\x9b", "\u202e", "\u2066", "\u200b", "\U000e0041"):
            assert raw.encode() not in body
        assert b"\x1b[31m\\x9b" not in body
        assert b"\0" not in body
        assert b"\x7f" not in body


def test_wide_characters_do_not_shift_the_columns_behind_them() -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "日本語")
        row = next(number for number, line in enumerate(tty.screen.display) if "日本語" in line)
        edge = [x for x in range(120) if tty.screen.buffer[row][x].data == "│"]
        above = [x for x in range(120) if tty.screen.buffer[row - 1][x].data == "│"]
        assert edge == above


def test_a_screen_of_any_size_and_storms_of_resizes() -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "mara")
        for columns, rows in ((20, 5), (1, 1), (200, 60), (60, 15), (80, 24), (20, 5), (120, 40)):
            tty.screen.resize(rows, columns)
            fcntl.ioctl(tty.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            tty.kill(signal.SIGWINCH)
        tty.press("5")
        tty.until("VERDICT")
        tty.kill(signal.SIGTERM)
        assert tty.end() == 143


def test_the_mouse_can_be_given_back_to_the_terminal() -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "mara")
        before = tty.raw.count(b"\x1b[?1003l")
        tty.press("M")
        tty.until("mouse off")
        assert tty.raw.count(b"\x1b[?1003l") == before + 1
        tty.press("M")
        tty.until("mouse on")
        tty.kill(signal.SIGTERM)
        tty.end()


def test_a_copy_is_sent_as_base64() -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "mara")
        tty.press("2")
        tty.until("faulty")
        tty.press("Y")
        tty.until("sent to the terminal's clipboard: faulty")
        assert b"\x1b]52;c;ZmF1bHR5\x07" in tty.raw
        tty.kill(signal.SIGTERM)
        tty.end()


def test_an_unknown_colour_system_is_refused_before_anything_is_painted() -> None:
    with terminal(TEXTUAL_COLOR_SYSTEM="pink") as tty:
        assert tty.end() == 2
        assert b"TEXTUAL_COLOR_SYSTEM is 'pink'" in tty.raw
        assert b"\x1b[?1049h" not in tty.raw


def test_nothing_blinks_while_nothing_happens() -> None:
    with terminal() as tty:
        tty.until("quiet-harbor", "mara", "lag <5 ms")
        tty.press("2")
        tty.until("LIKELY")
        tty.listen(1)  # until everything is drawn
        written = tty.listen(3)
        assert len(written) <= 200 * (written.count(b" UTC ") + 1)  # the clock's seconds and nothing else
        tty.kill(signal.SIGTERM)
        tty.end()
