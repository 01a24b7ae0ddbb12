"""Consoles of members who meet in a room, and the relay between them, each in a terminal of its own."""

import os
import random
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.terminal.tmux import Terminal

__all__ = ["Console", "RelayTerminal", "consoles"]


class RelayTerminal(Terminal):
    """`orlop rooms relay`, which may be killed and begin again under the same address."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = _free_port()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    def serve(self) -> None:
        """Starts it."""
        self.orlop("rooms", "relay", "--bind", f"127.0.0.1:{self._port}")
        self.wait(rf"the relay listens on {self.url}")

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        shell = int(self.facts("#{pane_pid}"))
        [relay] = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        os.kill(int(relay), signal.SIGKILL)
        self.wait("ended with 137")
        self.keys("C-l")
        self.gone("ended with 137")


class Console(Terminal):
    """The screen of one member."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, environ={"ORLOP_NODE_NAME": name})
        self.name = name

    def welcome(self) -> None:
        """Closes what the program says when it is started for the first time."""
        self.wait("Welcome aboard")
        self.keys("Escape")
        self.gone("Welcome aboard")

    def command(self, line: str) -> None:
        """Runs a command in the line that `:` opens, and waits until it went well."""
        self.keys(":")
        self.wait("esc closes")
        self.type(line)
        self.wait(re.escape(line[-30:]))
        self.keys("Enter")
        first, second = line.split()[:2]
        shown = self.wait(rf"[✓✗] {first} {second}")
        assert f"✓ {first} {second}" in shown, shown

    def invitation(self) -> str:
        """The invitation to the room under the cursor, as the screen shows it."""
        self.keys("i")
        shown = self.wait(r"orlop-room:1:[^│]*│\n│ +\S+ +│\n╰─.* esc closes")
        lines = shown[shown.index("orlop-room:1:") :].split("╰")[0].splitlines()
        self.keys("Escape")
        self.gone("orlop-room:1:")
        return "".join(line.strip(" │") for line in lines)

    def join(self, invitation: str) -> None:
        """Joins by the dialog."""
        self.keys("+")
        self.wait("Join a room")
        self.type(invitation)
        self.wait("which meets at ws://127.0.0.1")
        self.keys("C-s")
        self.gone("Join a room")

    def say(self, text: str) -> None:
        """Types into the chat line, and leaves it."""
        self.keys("c")
        self.wait("enter say")
        self.type(text)
        self.wait(re.escape(text[-30:]))
        self.keys("Enter")
        self.wait("✓ rooms say")
        self.keys("Escape")
        self.gone("enter say")

    def member(self, name: str, state: str) -> None:
        """Waits until a member is listed so, here and now."""
        self.wait(rf"● {name} +{state}")


def _free_port() -> int:
    """One that no outgoing connection gets by chance while the relay is away: below the range of those."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def consoles(folder: Path, *names: str) -> Iterator[tuple[RelayTerminal, list[Console]]]:
    """A relay that serves and consoles that have begun, all of them ended at the end."""
    for name in ("relay", *names):
        (folder / name).mkdir()
    with RelayTerminal(folder / "relay") as relay:
        found: list[Console] = []
        try:
            for name in names:
                found.append(Console(folder / name, name).__enter__())
                found[-1].orlop()
            relay.serve()
            for console in found:
                console.welcome()
            yield relay, found
        finally:
            for console in found:
                console.__exit__()
