"""The first stage, step by step: modules, network, release, memory, the next kernel."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.release import Fetched, Listener, Order
from boot.modes import Rules, narrowed
from boot.stage1 import kexec, link
from boot.stage1.cache import Cache, Partitions, mounted
from boot.stage1.cmdline import CommandLine, second_command_line
from boot.stage1.disks import make_read_only, writable_disks
from boot.stage1.handover import Handover
from boot.stage1.image import ROOT, Image
from boot.stage1.lease import Lease
from boot.stage1.memory import MEMINFO, available, check_memory
from boot.stage1.network import System, connect
from boot.stage1.payload import NAMES, Payload
from boot.stage1.reporting import Reporter
from boot.stage1.say import Say
from boot.stage1.search import Place, Search, first_that_gives
from boot.stage1.stored import fetch_stored
from boot.trust.root import Trusted, pinned
from boot.trust.verifier import Step, Times, Verified, Wanted
from runtime.errors import FailedError, OrlopError, UnavailableError

__all__ = ["Course", "Telling", "check_rules", "run", "telling"]

_DISK_S: Final = 0.5
_STICK_S: Final = 5.0
"""How long the disk that a machine was started from may take to appear, inside it and on a bus that is slow."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is known before anything is done.

    Attributes:
        image: of this machine.
        line: its command line, as it was understood.
        text: the same, as it was written.
        fails: how often it failed before.
        say: the consoles.
    """

    image: Image
    line: CommandLine
    text: str
    fails: int
    say: Say

    @property
    def rules(self) -> Rules:
        """Of its mode, less what the command line takes away."""
        return narrowed(self.line.mode, cache=self.line.cache, nowrite=self.line.nowrite, report=self.line.report)

    @property
    def channel(self) -> str:
        """Which line of releases it takes."""
        return self.line.channel or self.image.channel


def run(course: Course, load_modules: Callable[[], None]) -> None:
    """Runs the first stage; where it goes well, it does not return.

    Args:
        course: what is known.
        load_modules: gives the kernel what it needs for disks and networks.

    Raises:
        BootRefusedError: what was found may not be booted.
        BootUnavailableError: nothing was found.
        OrlopError: this machine cannot do it.
    """
    image, rules, say = course.image, course.rules, course.say
    kexec.check_allowed()
    load_modules()
    if rules.block_devices == "read-only":
        say.line(f"disks read-only: {' '.join(make_read_only()) or 'none there'}")
    lease = _lease(course)
    reporter = Reporter(wanted=rules.reports)
    partitions = Partitions(image.cache, image.seed, _patience(image))
    with Payload() as payload:
        with mounted(partitions, rules, say.line) as cache:
            fetched = _fetch(course, lease, cache, payload, reporter)
            with telling(reporter):
                payload.seal(_handover(course, fetched, cache))
                payload.check()
                cache.keep(fetched, payload.sources())
        with telling(reporter):
            check_rules(rules)
            second = second_command_line(course.text, fetched.verified.manifest.cmdline, course.fails)
            kexec.load(payload.kernel, payload.initrd, second, kexec.load_file(image.arch))
            if not kexec.is_loaded():
                raise UnavailableError("the kernel does not say that another one is loaded", where="kexec")
            say.line("kexec loaded")
            reporter.tell("kexec", f"release {fetched.verified.manifest.release}")
    kexec.jump()


@contextlib.contextmanager
def telling(reporter: Reporter) -> Iterator[None]:
    """Tells the server what was told until the end, and why it does not go on, where it does not.

    Args:
        reporter: knows the server that gave the release.
    """
    try:
        yield
    except OrlopError as error:
        reporter.tell(error.step if isinstance(error, BootRefusedError) else error.code, error.why, ok=False)
        raise
    finally:
        asyncio.run(reporter.flush())


def check_rules(rules: Rules) -> None:
    """Looks once more at what the mode promises, since it was switched long ago.

    Args:
        rules: of the mode.

    Raises:
        FailedError: it is otherwise now.
    """
    if rules.check == "no-default-route" and link.has_default_route():
        raise FailedError("there is a default route, which this mode must not have", where="network")
    if rules.block_devices == "read-only":
        make_read_only()
        if names := writable_disks():
            raise FailedError(f"{' '.join(names)} can be written, which this mode must not", where="disks")


def _lease(course: Course) -> Lease | None:
    try:
        return connect(course.rules, System(), course.say.line)
    except BootUnavailableError as error:
        if course.rules.network == "required":
            raise
        course.say.line(f"no network: {error}")
        return None


def _fetch(course: Course, lease: Lease | None, cache: Cache, payload: Payload, reporter: Reporter) -> Fetched:
    image, say = course.image, course.say
    trusted = cache.trusted(_pinned())
    times = Times(time.time_ns() // 1_000_000, image.built_ms, cache.remembered.created_ms)
    floor = max(image.floor, cache.remembered.floor(course.channel, image.arch))
    wanted = Wanted(course.channel, image.arch, floor, times)
    listener = Telling(say.line, reporter, payload)
    order = Order(trusted=trusted, wanted=wanted, sink_of=payload.sink, listener=listener, names=NAMES)
    search = Search(image, course.line, course.rules, lease, order, reporter, say.line)
    return first_that_gives(_places(course, search, cache, order))


def _places(course: Course, search: Search, cache: Cache, order: Order) -> Iterator[Place]:
    yield from search.places()
    for stored in cache.sources(course.rules, course.channel, course.image.arch):
        yield lambda stored=stored: fetch_stored(stored, order)  # type: ignore[misc]


def _pinned() -> Trusted:
    return pinned(Path(ROOT).read_bytes())


def _handover(course: Course, fetched: Fetched, cache: Cache) -> Handover:
    manifest, rules = fetched.verified.manifest, course.rules
    return Handover(
        mode=course.line.mode,
        channel=manifest.channel,
        arch=manifest.arch,
        release=manifest.release,
        manifest_version=manifest.manifest_version,
        manifest_hash=manifest.hash,
        provider=fetched.provider if rules.reports else "",
        session=fetched.session if rules.reports else "",
        report=rules.reports,
        cache=course.image.cache if cache.writes else "",
        fails=course.fails,
        onfail=course.line.onfail,
        bootstrap=course.line.bootstrap,
    )


def _patience(image: Image) -> float:
    return _STICK_S if any("usb" in name for name in image.modules) else _DISK_S


class Telling(Listener):
    """Says how it goes on the consoles and to the server, and sees to it that what comes has room.

    Args:
        said: takes lines for the consoles.
        reporter: tells the server.
        payload: where artifacts go.
    """

    def __init__(self, said: Callable[[str], None], reporter: Reporter, payload: Payload) -> None:
        self._said = said
        self._reporter = reporter
        self._payload = payload

    def asks(self, provider: str) -> None:
        """A server, or a disk, is asked now."""
        self._said(f"provider {provider}")
        self._reporter.asks(provider)

    def gave_up(self, provider: str, error: BootRefusedError | BootUnavailableError) -> None:
        """It was of no use."""
        word = error.step if isinstance(error, BootRefusedError) else "unavailable"
        self._said(f"nothing from {provider}: {word}: {error.why}")
        self._reporter.tell(word, error.why, ok=False)

    def answered(self, session: str) -> None:
        """It gave a manifest."""
        self._reporter.answered(session)

    def passed(self, step: Step) -> None:
        """The manifest passed one step."""
        self._said(f"step {step.name}: {step.detail}")
        self._reporter.tell(step.name, step.detail)

    def proven(self, verified: Verified) -> None:
        """It passed all of them; now it has to fit."""
        for note in verified.notes:
            self._said(f"note: {note}")
        taken = {name: one for name, one in verified.manifest.artifacts.items() if name in NAMES}
        check_memory(taken.values(), available(MEMINFO.read_text("ascii")))
        self._payload.begin(taken)

    def got(self, name: str, have: int, size: int) -> None:
        """All of an artifact came, or part of it."""
        if have == size:
            self._said(f"got {name} {size}")
            self._reporter.tell(f"got.{name}", f"{size} bytes")
