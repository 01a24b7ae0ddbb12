"""The first job of a booted node, which shows that all of it works: run by the node, signed, printed, delivered.

It goes the ordinary way, through the running node's socket by the ordinary command line, in a process of its own.
"""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.errors import BootUnavailableError
from boot.fetch.fetcher import post
from boot.fetch.http import Location
from boot.fetch.pace import Patience
from boot.stage1.handover import Handover
from runtime.canonical import CanonicalError, decode
from runtime.errors import FailedError, OrlopError, RefusedError
from runtime.sanitise import clean

__all__ = ["Greeting", "deliver", "greet"]

GREETING: Final = b"Hello, World"
_RECEIPT_MAX: Final = 64 << 10
_LOOK_S: Final = 0.1
_ACCEPTED: Final = range(200, 300)
_PATIENCE: Final = Patience(deadline_s=60.0, connect_s=15.0)
_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What is run, and where.

    Attributes:
        command: the program `orlop`.
        environment: all of it.
        state: the node's state directory.
        config: the node's configuration file.
        module: of the hello job.
        receipt: where its receipt goes; in memory.
        kept: whether the node had its key before.
        ready_s: how long the node may take to be there.
        job_s: how long the job may take, the start of the program included.
        pauses_s: between tries: a machine that is very busy just after its start exceeds what compiling may take.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    state: Path
    config: Path
    module: Path
    receipt: Path
    kept: bool
    ready_s: float = 300.0
    job_s: float = 300.0
    pauses_s: tuple[float, ...] = (2.0, 10.0)


def greet(greeting: Greeting, handover: Handover, say: Callable[[str], None]) -> int:
    """Runs the first job, and says how it went.

    Args:
        greeting: what, and where.
        handover: who is to get the receipt.
        say: takes lines for the console.

    Returns:
        0, or 1 where it failed, which is said.
    """
    from net.peer_id import PeerId  # noqa: PLC0415 - the initramfs carries none of it
    from runtime.jobs import parse_receipt  # noqa: PLC0415

    try:
        _wait_for(greeting.state / "control.sock", greeting.ready_s)
        raw = _run_until_done(greeting)
        receipt = parse_receipt(decode(raw, limit=_RECEIPT_MAX))
    except (OrlopError, CanonicalError, OSError, subprocess.SubprocessError) as error:
        say(f"failed: hello: {_why(error)}")
        return 1
    say(f"identity {PeerId.from_key(bytes.fromhex(receipt.worker))} ({'kept' if greeting.kept else 'new'})")
    say(f"receipt {receipt.id}")
    if handover.report and handover.provider:
        deliver(raw, handover, say)
    say("ready")
    return 0


def deliver(raw: bytes, handover: Handover, say: Callable[[str], None]) -> bool:
    """Gives the receipt to whoever served the release.

    Args:
        raw: the receipt.
        handover: who, and the session.
        say: hears how it went.

    Returns:
        Whether it was taken.
    """
    why = "no answer"
    for attempt in range(_TRIES):
        time.sleep(_PATIENCE.pause_s(attempt) if attempt else 0.0)
        try:
            place = Location.parse(handover.provider).join("/receipts")
            status = asyncio.run(_post(place, raw, handover.session))
        except (BootUnavailableError, TimeoutError) as error:
            why = error.why if isinstance(error, BootUnavailableError) else "no answer in time"
            continue
        if status in _ACCEPTED:
            say(f"receipt delivered to {place}")
            return True
        why = f"answers {status}"
        break
    say(f"receipt not delivered: {clean(why, 200)}")
    return False


async def _post(place: Location, raw: bytes, session: str) -> int:
    async with asyncio.timeout(_PATIENCE.deadline_s):
        return await post(place, raw, "application/json", _PATIENCE, session=session)


def _wait_for(place: Path, wait_s: float) -> None:
    """Until the node answers at its socket.

    Raises:
        FailedError: it does not.
    """
    until = time.monotonic() + wait_s
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tool:
            if tool.connect_ex(str(place)) == 0:
                return
        if time.monotonic() >= until:
            raise FailedError(f"the node was not there within {wait_s:g} s")
        time.sleep(_LOOK_S)


def _run_until_done(greeting: Greeting) -> bytes:
    """As `_run`, several times.

    Raises:
        FailedError: the last time too.
    """
    for pause_s in greeting.pauses_s:
        try:
            return _run(greeting)
        except FailedError:
            greeting.receipt.unlink(missing_ok=True)
            time.sleep(pause_s)
    return _run(greeting)


def _run(greeting: Greeting) -> bytes:
    """The hello job; gives its receipt.

    Raises:
        FailedError: it was not run, or did something else.
    """
    options = ["--state-dir", str(greeting.state), "--config", str(greeting.config)]
    words = ["jobs", "run", str(greeting.module), "--stdin", "-", "--receipt", str(greeting.receipt)]
    ran = subprocess.run(  # noqa: S603 - of the image; the words are ours
        [*greeting.command, *words, *options],
        input=GREETING,
        capture_output=True,
        env=greeting.environment,
        timeout=greeting.job_s,
        check=False,
    )
    if ran.returncode or ran.stdout != GREETING[::-1]:
        said = clean(ran.stderr.decode(errors="replace").strip() or ran.stdout.decode(errors="replace"), 300)
        raise FailedError(f"status {ran.returncode}: {said}")
    descriptor = os.open(greeting.receipt, os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(_RECEIPT_MAX + 1)
    if len(raw) > _RECEIPT_MAX:
        raise RefusedError("the receipt is too long")
    return raw


def _why(error: Exception) -> str:
    return clean(str(error) if isinstance(error, OrlopError) else f"{type(error).__name__}: {error}", 300)
