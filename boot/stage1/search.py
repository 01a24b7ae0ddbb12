"""Where a release may be, in the order of the mode: each place is tried until one of them gives all of it, proven."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.release import Fetched, Order, fetch_release
from boot.modes import Rules
from boot.stage1.cmdline import CommandLine
from boot.stage1.image import Image
from boot.stage1.lease import Lease
from boot.stage1.reporting import Reporter

__all__ = ["Place", "Search", "first_that_gives"]

_LAN_S: Final = 5.0
_DHT_S: Final = 30.0
_REPORT_S: Final = 0.5

Place = Callable[[], Fetched]
"""Tries one place; a BootError where it gives nothing that may be booted."""


@dataclass(frozen=True, slots=True)
class Search:
    """Servers, as the mode lets them be found.

    Attributes:
        image: of this machine.
        line: its command line.
        rules: of its mode.
        lease: its place on the link; None without one.
        order: what is fetched.
        reporter: tells the server.
        said: takes lines for the console.
    """

    image: Image
    line: CommandLine
    rules: Rules
    lease: Lease | None
    order: Order
    reporter: Reporter
    said: Callable[[str], None]

    def places(self) -> Iterator[Place]:
        """The places, one after another; looking for the next begins when the one before gave nothing."""
        if self.lease is None:
            return
        if self.line.provider:
            yield lambda: self._fetch([self.line.provider])
            return  # whoever names a server wants no other to hear of this machine
        for source, look in (("lan", self._on_link), ("dht", self._in_dht)):
            if source in self.rules.discovery:
                urls = look()
                self.said(f"{source}: {' '.join(urls) or 'no server'}")
                if urls:
                    yield lambda urls=urls: self._fetch(urls)  # type: ignore[misc]

    def _fetch(self, urls: Sequence[str]) -> Fetched:
        return asyncio.run(_reported(urls, self.order, self.reporter))

    def _on_link(self) -> list[str]:
        from boot.stage1.mdns import look  # noqa: PLC0415 - loads what a machine with a server does not need

        if self.lease is None:
            return []
        wanted = self.order.wanted
        found = look(
            self.lease.address,
            _LAN_S,
            lambda one: (one.boot.channel, one.boot.arch) == (wanted.channel, wanted.arch),
        )
        return [one.url for one in sorted(found, key=lambda one: -one.boot.version)]

    def _in_dht(self) -> list[str]:
        starts = self.line.bootstrap or self.image.bootstrap
        if self.lease is None or not starts:
            return []
        from boot.stage1.dht import Sought, look  # noqa: PLC0415 - as above

        order = self.order
        keys = order.trusted.root.keys
        sought = Sought(order.wanted.channel, order.wanted.arch, keys, order.wanted.times.now_ms)
        return asyncio.run(look(sought, starts, str(self.lease.address.ip), _DHT_S))


def first_that_gives(places: Iterator[Place]) -> Fetched:
    """Tries places until one gives a release.

    Args:
        places: in their order.

    Raises:
        BootRefusedError: what was found was refused; of several, the first.
        BootUnavailableError: nothing could be had; of several, the first.
    """
    refused: BootRefusedError | None = None
    missing: BootUnavailableError | None = None
    for place in places:
        try:
            return place()
        except BootRefusedError as error:
            refused = refused or error
        except BootUnavailableError as error:
            missing = missing or error
    raise refused or missing or BootUnavailableError("no release was found anywhere that this mode looks")


async def _reported(urls: Sequence[str], order: Order, reporter: Reporter) -> Fetched:
    """Fetches, and tells the server meanwhile."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(_REPORT_S)
            await reporter.flush()

    teller = asyncio.create_task(tell())
    try:
        return await fetch_release(urls, order)
    finally:
        teller.cancel()
        await asyncio.wait([teller])
        await reporter.flush()
