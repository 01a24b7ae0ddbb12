"""The demo's release, and a machine that boots from it now and then.

What is seen is real: a release that is hashed and signed here, a server on the loopback, a machine that fetches it over
HTTP as the first stage does and judges it step by step with the same verifier, a node of its own that runs a first job,
and the receipt that it delivers. Only no kernel is started: the artifacts are a few words, and say so.
"""

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.fetcher import post
from boot.fetch.http import Location
from boot.fetch.keeping import Keeping
from boot.fetch.pace import Patience
from boot.fetch.release import Fetched, Listener, Order, fetch_release
from boot.folder import ARTIFACTS
from boot.stage1.reporting import Reporter
from boot.trust.root import Trusted, pinned
from boot.trust.verifier import Step, Times, Wanted
from console.boot_desk import Place, Shelf
from console.verbs import boot_trust
from net.book import saying
from net.peer_id import PeerId
from runtime import durable
from runtime.booted import Booted
from runtime.errors import FailedError, OrlopError
from runtime.jobs import JobRequest, Streams

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["FOLDER", "NAME", "RELEASE", "live"]

NAME: Final = "lamp-2"
RELEASE: Final = "harbor-14"
FOLDER: Final = "slipway"
"""Its keys, its release and its machine, inside the demo's state directory."""

_VERSION: Final = 14
_FLOOR: Final = 14
_CHANNEL: Final = "stable"
_ARCH: Final = "x86_64"
_MODE: Final = "internet"
_EXPIRES_MS: Final = 30 * 86_400_000
_BEGINS_S: Final = 1.0
_LATER_S: Final = 420.0
"""Seconds before the first boot, and before each later one: a demo may run for days."""
_PATIENCE: Final = Patience(deadline_s=60.0, tries=1, rounds=1)
"""It is on the same machine: what does not come at once is tried again at the next boot."""
_WORDS: Final = 100
_GREETING: Final = b"Hello, World"
_TAKEN: Final = range(200, 300)


async def live(core: "Core", module: bytes) -> None:
    """Serves the release, and boots the machine now and then, until this is cancelled or it is served no more.

    Args:
        core: the demo's, which believes the machine's key and serves until it ends.
        module: the machine's first job.
    """
    folder = core.state.path / FOLDER
    try:
        trusted = await asyncio.to_thread(_signed, folder)
        served = await core.boot.serve(Shelf(folder / "release", RELEASE), Place("127.0.0.1", 0))
    except OrlopError as error:
        core.report("demo", error)
        return
    for pause in itertools.chain((_BEGINS_S,), itertools.repeat(_LATER_S)):
        await asyncio.sleep(pause)
        if served.url not in core.boot.rows.releases:
            return
        try:
            fetched = await _fetched(core, served.url, trusted)
            await _deliver(fetched, await _greeted(core, fetched, module))
        except OrlopError as error:
            core.report("demo", error)


def _signed(folder: Path) -> Trusted:
    """The release, signed at each start for as long as releases are of use; blocks.

    Returns:
        What the machine believes.
    """
    keys, release = folder / "keys", folder / "release"
    for each in (folder, keys, release):
        durable.make_directory(each)
    if not (keys / "root.key").exists():
        boot_trust.make_key(keys)
    for name in ARTIFACTS:
        durable.replace(release / name, f"No {name}: the demo's machine boots words.\n".encode() * _WORDS, mode=0o644)
    wanted: dict[str, str | int | None] = {
        "channel": _CHANNEL,
        "arch": _ARCH,
        "version": _VERSION,
        "expires": _EXPIRES_MS,
        "name": RELEASE,
    }
    boot_trust.sign(release, [keys / "root.key"], wanted)
    return pinned((keys / "root.pub").read_bytes())


async def _fetched(core: "Core", url: str, trusted: Trusted) -> Fetched:
    """What the first stage does, and tells of it.

    Raises:
        BootError: it is refused, or not to be had.
    """
    reporter = Reporter(wanted=True)
    wanted = Wanted(_CHANNEL, _ARCH, _FLOOR, Times(core.clock.wall_ms()))
    with Keeping(core.state.path / FOLDER / "fetched") as keeping:
        order = Order(
            trusted=trusted, wanted=wanted, sink_of=keeping.sink, listener=_Telling(reporter), patience=_PATIENCE
        )
        try:
            return await fetch_release([url], order)
        finally:
            await reporter.flush()


async def _greeted(core: "Core", fetched: Fetched, module: bytes) -> bytes:
    """What the second stage does: the first job of the machine's own node.

    Returns:
        Its receipt.

    Raises:
        OrlopError: it was not run.
    """
    manifest = fetched.verified.manifest
    booted = Booted(manifest=manifest.hash, version=str(manifest.manifest_version), mode=_MODE, session=fetched.session)
    said = core.state.path / FOLDER / "booted.json"
    await asyncio.to_thread(durable.replace, said, booted.document())
    machine = await type(core).start(
        replace(
            core.options,
            state_path=core.state.path / FOLDER / NAME,
            config=replace(core.config, node=replace(core.config.node, name=NAME, booted=str(said))),
            owner=False,
            demo=False,
            passphrase=None,
            reload=None,
            serve_boot=None,
        )
    )
    try:
        peer = PeerId.parse(machine.identity.peer_id)
        await core.write(lambda tx: (saying.name(tx, peer, NAME), saying.trust(tx, peer)))
        request = JobRequest(name="hello.wasm", nonce=machine.take_session())
        end = await machine.jobs.run(request, module=module, streams=Streams(stdin=_GREETING))
        async for document in machine.receipts.documents([end.receipt] if end.receipt else []):
            return document
    finally:
        await asyncio.shield(machine.stop("booted"))
    raise FailedError("its first job has no receipt", where=NAME)


async def _deliver(fetched: Fetched, receipt: bytes) -> None:
    place = Location.parse(fetched.provider).join("/receipts")
    status = await post(place, receipt, "application/json", _PATIENCE, session=fetched.session)
    if status not in _TAKEN:
        raise FailedError(f"its receipt was answered with {status}", where=NAME)


class _Telling(Listener):
    """Tells the server what the first stage tells.

    Args:
        reporter: posts it.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def asks(self, provider: str) -> None:
        self._reporter.asks(provider)

    def gave_up(self, provider: str, error: BootRefusedError | BootUnavailableError) -> None:  # noqa: ARG002 - as asked
        word = error.step if isinstance(error, BootRefusedError) else "unavailable"
        self._reporter.tell(word, error.why, ok=False)

    def answered(self, session: str) -> None:
        self._reporter.answered(session)

    def passed(self, step: Step) -> None:
        self._reporter.tell(step.name, step.detail)

    def got(self, name: str, have: int, size: int) -> None:
        if have == size:
            self._reporter.tell(f"got.{name}", f"{size} bytes")
