"""One machine in QEMU: without KVM, without a clock; what it says on its serial line is all that is waited for.

QEMU's exit status says nothing (it is 0 after a kernel panic), so the lines of the machine decide, and one that tells
of a failure that nobody asked for ends the wait at once.
"""

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["DEADLINE_S", "ENDED", "Direct", "Machine", "MachineError", "direct"]

DEADLINE_S = 600.0
"""For a machine that hangs; those that do not are far quicker on any computer."""
ENDED = "(the machine went off)"
_ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
_FAILURES = ("Kernel panic", "boot: failed", "boot: refused", "boot: unavailable")
_TAIL = 60


class MachineError(AssertionError):
    """A machine did something else than what was waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """A machine whose kernel QEMU loads by itself.

    Attributes:
        kernel: its file.
        initrd: its file.
        line: the kernel's command line, after what every one has.
        memory: in MiB.
        cpu: as QEMU names it.
        arch: `x86_64` or `arm64`.
    """

    kernel: Path
    initrd: Path
    line: str
    memory: int = 768
    cpu: str = "Nehalem,+rdrand"
    arch: str = "x86_64"


def direct(machine: Direct) -> list[str]:
    """QEMU's command line of a machine without firmware, discs and network."""
    arm = machine.arch == "arm64"
    console = "ttyAMA0" if arm else "ttyS0"
    line = f"console={console} quiet panic=-1 no_timer_check rdinit=/init {machine.line}"
    program = ["qemu-system-aarch64", "-M", "virt,gic-version=2"] if arm else ["qemu-system-x86_64", "-M", "q35"]
    cpu = ["-cpu", "cortex-a57" if arm else machine.cpu, "-m", str(machine.memory)]
    return [*program, *cpu, "-kernel", str(machine.kernel), "-initrd", str(machine.initrd), "-append", line]


class Machine:
    """Runs from its construction until it goes off, or the block that it is used in ends.

    Args:
        arguments: QEMU's command line, but for what every machine here has.
        log: a file for what the machine says, for people.
        expects: beginnings of failures that are asked for, such as `boot: refused`.
        descriptors: which QEMU inherits.
    """

    def __init__(
        self, arguments: Sequence[str], *, log: Path, expects: Sequence[str] = (), descriptors: Sequence[int] = ()
    ) -> None:
        self._failures = tuple(one for one in _FAILURES if one not in expects)
        self._came = threading.Condition()
        self._text = ""
        self._ended = False
        self._log = log
        self._control, theirs = socket.socketpair()
        self._replies = self._control.makefile("rb")
        chardev = ["-chardev", f"socket,id=q,fd={theirs.fileno()}", "-mon", "chardev=q,mode=control"]
        serial = ["-chardev", "stdio,id=s,signal=off", "-serial", "chardev:s"]
        plain = ["-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot", "-S"]
        with theirs:
            self._process = subprocess.Popen(
                [*arguments, *plain, *chardev, *serial],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno(), *descriptors],
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def text(self) -> str:
        """What it said, without what is meant for the terminal only."""
        with self._came:
            return _ESCAPES.sub("", self._text)

    def lines(self, beginning: str) -> list[str]:
        """What followed this on each line that has it."""
        return [line.partition(beginning)[2] for line in self.text.splitlines() if beginning in line]

    def until(self, marker: str, seconds: float = DEADLINE_S) -> str:
        """Waits for a line with this.

        Args:
            marker: part of a line.
            seconds: the deadline.

        Returns:
            What followed on that line.

        Raises:
            MachineError: something went wrong, or the machine went off without having said it.
        """

        def found() -> str | None:
            whole = _ESCAPES.sub("", self._text)
            line = next((one for one in whole.split("\n")[:-1] if marker in one), None)
            if line is not None:
                return line.partition(marker)[2]
            self._look(repr(marker))
            return None

        with self._came:
            if not self._came.wait_for(lambda: found() is not None, seconds):
                raise MachineError(f"{marker!r} did not come in {seconds:g} s\n{self._tail()}")
            line = found()
        assert line is not None
        return line

    def until_off(self, seconds: float = DEADLINE_S) -> str:
        """Waits until the machine goes off by itself.

        Returns:
            All that it said.

        Raises:
            MachineError: it does not, or said of a failure that nobody asked for.
        """
        with self._came:
            if not self._came.wait_for(lambda: self._ended, seconds):
                raise MachineError(f"the machine did not go off in {seconds:g} s\n{self._tail()}")
            self._look_at_failures("its end")
        return self.text

    def until_written(self, drive: str, count: int, seconds: float = DEADLINE_S) -> None:
        """Waits until a machine has written so much to a disc.

        Args:
            drive: its name.
            count: bytes, since the machine was started.
            seconds: the deadline.

        Raises:
            MachineError: something went wrong, or the machine went off before.
        """
        until = time.monotonic() + seconds
        while self._written(drive) < count:
            with self._came:
                self._came.wait(0.1)  # for what it says meanwhile; QEMU tells of bytes only when it is asked
                self._look("bytes on a disc")
            if time.monotonic() > until:
                raise MachineError(f"{count} bytes did not come in {seconds:g} s\n{self._tail()}")

    def _written(self, drive: str) -> int:
        stats = {one["device"]: one["stats"] for one in self.execute("query-blockstats")}
        return int(stats[drive]["wr_bytes"])

    def execute(self, command: str, **arguments: object) -> Any:
        """Has QEMU's monitor do something.

        Raises:
            MachineError: it did not.
        """
        self._control.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self._replies:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise MachineError(f"{command}: {answer['error']}")
        raise MachineError(f"{command}: QEMU ended")

    def cut(self) -> None:
        """Takes the power away: nothing that the machine has not written to its discs is written any more."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Ends it, unless it has ended."""
        if self._process.poll() is None:
            with contextlib.suppress(OSError, MachineError, ValueError):
                self.execute("quit")
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.cut()
        self._reader.join(30)
        self._replies.close()
        self._control.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _begin(self) -> None:
        greeting = self._replies.readline()
        if not greeting:
            self._reader.join(30)
            raise MachineError(f"QEMU did not start: {self._text}")
        self.execute("qmp_capabilities")
        self.execute("cont")

    def _read(self) -> None:
        for part in self._parts():
            with self._came:
                self._text += part.decode(errors="replace")
                self._came.notify_all()
        with self._came:
            self._ended = True
            self._came.notify_all()

    def _parts(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        with self._log.open("wb") as log:
            while part := self._process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
                log.write(part)
                log.flush()
                yield part

    def _look(self, waiting_for: str) -> None:
        self._look_at_failures(waiting_for)
        if self._ended:
            raise MachineError(f"{ENDED}, waiting for {waiting_for}\n{self._tail()}")

    def _look_at_failures(self, waiting_for: str) -> None:
        whole = _ESCAPES.sub("", self._text)
        wrong = next((one for one in whole.split("\n")[:-1] if any(bad in one for bad in self._failures)), None)
        if wrong is not None:
            raise MachineError(f"{wrong}, waiting for {waiting_for}\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(_ESCAPES.sub("", self._text).splitlines()[-_TAIL:])
