"""`--serve-boot`: a release that a core serves to machines, with every request, report and receipt in its events."""

from pathlib import Path
from typing import TYPE_CHECKING

from boot.errors import BootRefusedError, BootUnavailableError
from boot.serve.announcing import Announcer, places_of
from boot.serve.server import BootServer
from runtime.errors import NetworkError

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["BootDesk"]


class BootDesk:
    """The boot server of a core. All calls on its loop.

    Args:
        core: whose events, and whose word on keys.
        folder: of the release.
    """

    def __init__(self, core: "Core", folder: Path) -> None:
        self._core = core
        self._server = BootServer(folder, core.note, accepts=core.accepts_receipts_of, version=core.options.version)
        self._announcer: Announcer | None = None

    async def start(self, host: str, port: int) -> None:
        """Serves; where others reach it, it is announced soon after.

        Args:
            host: an address of this machine.
            port: 0 for any that is free.

        Raises:
            BootRefusedError: the release is not as it was signed.
            BootUnavailableError: there is none.
            NetworkError: the address cannot be listened on.
        """
        try:
            await self._server.open()
        except BootRefusedError as error:
            refusal = BootRefusedError(error.step, f"{error.step}: {error.why}", where=error.where)
            refusal.what = "boot: refused"
            raise refusal from None
        except BootUnavailableError as error:
            error.what = "boot: unavailable"
            raise
        bound, at = await self._server.listen(host, port)
        self._server.tell()
        places = places_of(bound)
        if places:
            self._announcer = Announcer(places)
            self._core.keep_running(self._announce(self._announcer, at), "boot")

    async def _announce(self, announcer: Announcer, port: int) -> None:
        try:
            self._server.announced = await announcer.start(self._server.contents, port)
        except NetworkError as error:
            self._core.report("boot", error)
        else:
            self._server.tell()

    async def close(self) -> None:
        """Takes the announcement back, and ends."""
        if self._announcer is not None:
            await self._announcer.close()
        await self._server.close()
