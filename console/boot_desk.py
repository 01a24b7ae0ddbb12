"""Releases that a core serves to machines, with every request, report and receipt in its events."""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from boot.errors import BootRefusedError, BootUnavailableError
from boot.serve.announcing import Announcer, places_of
from boot.serve.announcing_dht import said_in_dht
from boot.serve.reports import BODY_MAX
from boot.serve.server import BootServer
from console.boot_folds import BootRows
from console.rows import ReleaseRow
from runtime.boot_events import BootServing
from runtime.canonical import decode
from runtime.errors import AmbiguousError, NetworkError, NotFoundError
from runtime.events import Event
from runtime.jobs import Evidence, parse_receipt, verify_evidence
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["BootDesk", "Place", "Shelf"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of a release.

    Attributes:
        path: where it is.
        named: as the operator calls it.
        descriptor: of the folder, closed when it is served no more; -1 for none.
    """

    path: Path
    named: str
    descriptor: int = -1

    @classmethod
    def lent(cls, descriptor: int, named: str) -> "Shelf":
        """A folder that somebody else opened: it is reached through its descriptor, which is duplicated.

        Args:
            descriptor: of the folder.
            named: as the operator calls it.
        """
        own = os.dup(descriptor)
        return cls(Path(f"/proc/self/fd/{own}"), named, own)

    def close(self) -> None:
        """Lets go of the folder."""
        if self.descriptor >= 0:
            os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a release is served: an address of this machine, a port (0 for any that is free), and who hears of it."""

    host: str
    port: int
    mdns: bool = True
    dht: bool = True


@dataclass(slots=True)
class _Served:
    server: BootServer
    shelf: Shelf
    announcer: Announcer | None = None
    keys: tuple[str, ...] = ()
    """Under which it is told of in the DHT."""
    places: tuple[str, ...] = ()
    """Where others reach it."""
    port: int = 0
    told: str = ""
    """The hash of the manifest that others were told of."""
    door: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while others are told."""

    async def close(self) -> None:
        if self.announcer is not None:
            await self.announcer.close()
        await self.server.close()
        self.shelf.close()


class BootDesk:
    """The boot servers of a core. All calls on its loop.

    Args:
        core: whose events, and whose word on keys.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._served: dict[str, _Served] = {}
        self.rows = BootRows()
        """What is served, and who asked for it."""

    async def serve(self, shelf: Shelf, place: Place) -> ReleaseRow:
        """Serves a release; where others reach it, it is announced soon after.

        Args:
            shelf: its folder, closed here in the end.
            place: where.

        Returns:
            What is served.

        Raises:
            BootRefusedError: the release is not as it was signed.
            BootUnavailableError: there is none.
            NetworkError: the address cannot be listened on.
        """
        core = self._core
        server = BootServer(
            shelf.path, self._tell, accepts=core.accepts_receipts_of, keep=self._keep, version=core.options.version
        )
        served = _Served(server, shelf)
        try:
            await _open(server, shelf)
            bound, port = await server.listen(place.host, place.port)
        except BaseException:
            await served.close()
            raise
        server.tell()
        url = server.url
        self._served[url] = served
        served.places, served.port, served.told = tuple(places_of(bound)), port, server.contents.manifest.hash
        if served.places and place.mdns:
            served.announcer = Announcer(served.places)
            core.keep_running(self._announce(served, served.announcer), "boot")
        if served.places and place.dht and core.built("mesh"):
            said = said_in_dht(server.contents, served.places, port)
            served.keys = tuple(said)
            core.keep_running(core.mesh.discovery.tell("manifest", said), "boot")
        return self.rows.releases[url]

    async def stop(self, which: str | None) -> ReleaseRow:
        """Serves a release no more.

        Args:
            which: its URL or its name; None where only one is served.

        Returns:
            What was served.

        Raises:
            NotFoundError: nothing such is served here.
            AmbiguousError: several are.
        """
        rows = [row for row in self.rows.releases.values() if which in {None, row.url, row.release}]
        if not rows:
            raise NotFoundError("is not served here" if which else "nothing is served here", where=clean(which or ""))
        if len(rows) > 1:
            urls = ", ".join(row.url for row in rows)
            raise AmbiguousError("several are served", hint=f"name one of {urls}")
        await self._end(self._served.pop(rows[0].url))
        return rows[0]

    async def close(self) -> None:
        """Takes all announcements back, and ends."""
        while self._served:
            _, served = self._served.popitem()
            await self._end(served)

    async def _end(self, served: _Served) -> None:
        if served.keys:
            await self._core.mesh.discovery.forget(served.keys)
        await served.close()

    def _tell(self, event: Event) -> None:
        self.rows.fold_releases(event)
        self.rows.fold_machines(event, self._core.clock.wall_ms())
        self._core.note(event)
        if isinstance(event, BootServing) and (served := self._served.get(event.urls[0])) is not None:
            self._core.keep_running(self._renew(served), "boot")

    def _keep(self, _receipt: str, raw: bytes) -> None:
        """Keeps a receipt of a key that this node believes, beside its own; on a thread of the server's."""
        verification = verify_evidence(raw, Evidence(accepts=self._core.accepts_receipts_of))
        if verification.ok:
            receipt = parse_receipt(decode(raw, limit=BODY_MAX))
            self._core.store.write(lambda tx: self._core.receipts.keep_foreign(tx, receipt, verification)).result()

    async def _announce(self, served: _Served, announcer: Announcer) -> None:
        async with served.door:
            try:
                served.server.announced = await announcer.start(served.server.contents, served.port)
            except NetworkError as error:
                self._core.report("boot", error)
                return
        served.server.tell()

    async def _renew(self, served: _Served) -> None:
        """Tells others of the release that has come in the place of another, if one has."""
        async with served.door:
            contents = served.server.contents
            if contents.manifest.hash == served.told:
                return
            served.told = contents.manifest.hash
            if served.announcer is not None and served.server.announced:
                try:
                    await served.announcer.renew(contents, served.port)
                except NetworkError as error:
                    self._core.report("boot", error)
            if served.keys:
                said = said_in_dht(contents, served.places, served.port)
                gone, served.keys = set(served.keys) - set(said), tuple(said)
                await self._core.mesh.discovery.forget(gone)
                await self._core.mesh.discovery.tell("manifest", said)


async def _open(server: BootServer, shelf: Shelf) -> None:
    """Reads the release; a refusal is in the words of the contracts."""
    try:
        await server.open()
    except BootRefusedError as error:
        refusal = BootRefusedError(error.step, f"{error.step}: {error.why}", where=error.where, hint=error.hint)
        refusal.what = "boot: refused"
        raise refusal from None
    except BootUnavailableError as error:
        error.what = "boot: unavailable"
        error.where = error.where.replace(str(shelf.path), shelf.named)
        raise
