"""Where machines are booted: at most two at a time, by journeys that are described once and looked at by many tests.

A journey is a function that boots a machine, waits for what it says, and gives what it saw. Those that the chosen tests
look at begin when the first test asks, two beside one another, in the order of the tests: each machine keeps one core.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.qemu.machine import Direct, Machine, direct
from tests.qemu.matrix import Booted, Outcome
from tests.qemu.release import Release

__all__ = ["EVENTS", "Journey", "Laboratory", "Runs", "boots", "events_port", "lines_of"]

EVENTS = "org.orlop.events"
_AT_A_TIME = 2


def events_port(path: Path) -> list[str]:
    """QEMU's words for a port through which a node in the machine writes its events into a file."""
    chardev = ["-device", "virtio-serial-pci", "-chardev", f"file,id=o,path={path}"]
    return [*chardev, "-device", f"virtserialport,chardev=o,name={EVENTS}"]


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The events in a file; a last one that was cut off is none."""
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.strip()]


class Laboratory:
    """Gives machines of one release, and folders for what they leave.

    Args:
        folder: for all of it.
        release: what machines start from.
    """

    def __init__(self, folder: Path, release: Release) -> None:
        self.folder = folder
        self.release = release
        self._running: set[Machine] = set()
        self._of_thread: dict[int, list[tuple[Sequence[str], Machine]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._closed = False

    def place(self, name: str) -> Path:
        """A new folder."""
        path = self.folder / name
        path.mkdir()
        return path

    def boots(
        self,
        place: Path,
        line: str,
        *words: str,
        expects: Sequence[str] = (),
        log: str = "console.log",
        **changes: Any,
    ) -> Machine:
        """Starts a machine whose kernel and first stage are those of the release.

        Args:
            place: for its log.
            line: the words of orlop on its command line.
            words: further ones of QEMU.
            expects: failures that are asked for.
            log: name of the file.
            changes: of `Direct`.
        """
        plain = Direct(kernel=self.release.kernel, initrd=self.release.initramfs, line=line)
        return self.starts([*direct(replace(plain, **changes)), *words], place / log, expects)

    def starts(self, words: Sequence[str], log: Path, expects: Sequence[str] = ()) -> Machine:
        """Starts a machine by QEMU's words."""
        with self._lock:
            assert not self._closed
            machine = Machine(words, log=log, expects=expects)
            self._running.add(machine)
            self._of_thread[threading.get_ident()].append((words, machine))
            return machine

    def booted(self) -> list[Booted]:
        """What was started by the thread that asks, since it asked last."""
        with self._lock:
            return [Booted(words, machine.text) for words, machine in self._of_thread.pop(threading.get_ident(), [])]

    def close(self) -> None:
        """Ends what runs still, so that nothing outlives the tests."""
        with self._lock:
            self._closed = True
            for machine in self._running:
                machine.close()


Journey = Callable[[Laboratory], Any]


class Runs:
    """Begins journeys and keeps what each of them saw.

    Args:
        laboratory: in which.
        journeys: in the order in which they begin.

    Attributes:
        outcomes: of those that came to their ends.
    """

    def __init__(self, laboratory: Laboratory, journeys: Iterable[Journey]) -> None:
        self._laboratory = laboratory
        self.outcomes: dict[Journey, Outcome] = {}
        self._pool = ThreadPoolExecutor(_AT_A_TIME)
        self._all: dict[Journey, Future[Any]] = {one: self._pool.submit(self._run, one) for one in journeys}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._laboratory.close()
        self._pool.shutdown(wait=True)

    @property
    def went_well(self) -> bool:
        """Whether all of them came to their ends."""
        return len(self.outcomes) == len(self._all)

    def _run(self, journey: Journey) -> Any:
        began = time.monotonic()
        self._laboratory.booted()  # whatever a journey left that failed
        seen = journey(self._laboratory)
        what = (journey.__doc__ or "").partition("\n")[0]
        where, seconds = journey.__module__.rpartition(".")[2], time.monotonic() - began
        self.outcomes[journey] = Outcome(where, what, seconds, self._laboratory.booted())
        return seen

    def of(self, journey: Journey) -> Any:
        """What one of them saw; waits for it."""
        return self._all[journey].result()


def boots(journey: Journey) -> pytest.MarkDecorator:
    """A test that looks at a journey, by its argument `seen`."""
    return pytest.mark.parametrize("seen", [journey], indirect=True, ids=[journey.__name__])
