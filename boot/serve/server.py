"""The server: one release, to everybody who asks, by the rules of RFC 9110 and within limits.

It signs nothing and makes no manifest up: what it serves was signed before, and is proven by whoever fetches it.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from aiohttp import web

from boot.serve.answers import FileAnswer, failed, told
from boot.serve.door import Door, Doorman
from boot.serve.limits import ServeLimits
from boot.serve.machines import Machines
from boot.serve.paths import Asked, resolve
from boot.serve.sessions import Session, Sessions
from boot.serve.shelf import Contents
from boot.serve.stock import Stock
from boot.serve.visit import Visit
from net.bucket import Buckets
from net.prefix import is_loopback, prefix_of
from runtime.boot_events import BootMachine, BootRequest, BootServing, BootStopped
from runtime.canonical import Json
from runtime.errors import NetworkError, OrlopError
from runtime.events import Event
from runtime.sanitise import clean

__all__ = ["BootServer"]

_SESSION: Final = "Orlop-Session"
_CLOSE_S: Final = 5.0
_PROGRESS_S: Final = 0.5
_ADDRESSES_MAX: Final = 4096
_PATH_MAX: Final = 256
_GET: Final = ("GET", "HEAD")
_POSTS: Final = ("report", "receipts")
_FILES: Final = ("artifact", "blob")


def _nobody(_key: str) -> bool:
    return False


class BootServer:
    """Serves the release of a folder. All calls on one event loop.

    Args:
        folder: with `manifest.json`.
        on_event: is told what happens.
        limits: what is taken at most.
        accepts: whether the key of a receipt is believed.
        keep: takes the id and the bytes of a receipt that is tied to a machine and not false.
        version: of the program.
    """

    def __init__(
        self,
        folder: Path,
        on_event: Callable[[Event], None],
        *,
        limits: ServeLimits = ServeLimits(),  # noqa: B008 - frozen
        accepts: Callable[[str], bool] = _nobody,
        keep: Callable[[str, bytes], None] = lambda _id, _raw: None,
        version: str = "",
    ) -> None:
        self._on_event = on_event
        self._limits = limits
        self._version = version
        self._doorman = Doorman(limits)
        self._rates = Buckets(limits.rate, limits.burst, _ADDRESSES_MAX)
        self._sessions = Sessions(limits.sessions)
        self._stock = Stock(folder, self._sessions, limits.piece_s, self.tell)
        self._machines = Machines(self._sessions, limits, on_event, accepts, keep)
        self._listening: asyncio.Server | None = None
        self._server = web.Server(self._answer)
        self._began = time.monotonic()
        self._statuses: Counter[int] = Counter()
        self._bytes = 0
        self._urls: tuple[str, ...] = ()
        self.announced: tuple[str, ...] = ()
        """Where it is announced; for the event that says what is served."""

    @property
    def url(self) -> str:
        """Where it listens; only after `listen`."""
        return self._urls[0]

    @property
    def contents(self) -> Contents:
        """What is served; only after `open`."""
        return self._stock.contents

    async def open(self) -> None:
        """Reads the release and hashes it.

        Raises:
            BootRefusedError: the manifest is none, or an artifact is not what was signed.
            BootUnavailableError: something is missing.
        """
        await self._stock.open()

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begins to listen, after `open`.

        Args:
            host: an address of this machine.
            port: 0 for any that is free.

        Returns:
            Where it listens.

        Raises:
            NetworkError: it cannot.
        """
        logging.getLogger("aiohttp").addHandler(logging.NullHandler())  # it would write what strangers send
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(self._door, host, port, backlog=512)
        except (OSError, OverflowError) as error:
            number = error.errno if isinstance(error, OSError) else None
            why = os.strerror(number).lower() if number and number > 0 else str(error)
            hint = "name a free address, such as 127.0.0.1:0"
            raise NetworkError(f"cannot be listened on: {why}", where=f"{host}:{port}", hint=hint) from error
        bound = self._listening.sockets[0].getsockname()
        self._urls = (_url(str(bound[0]), int(bound[1])),)
        return str(bound[0]), int(bound[1])

    def tell(self) -> None:
        """Says what is served, and where."""
        contents = self.contents
        manifest, root = contents.manifest, contents.root
        self._on_event(
            BootServing(
                urls=self._urls,
                announced=self.announced,
                release=manifest.release,
                manifest_version=manifest.manifest_version,
                channel=manifest.channel,
                arch=manifest.arch,
                hash=manifest.hash,
                created_ms=manifest.created_ms,
                expires_ms=manifest.expires_ms,
                size=contents.size,
                keys=contents.keys,
                root_version=root.version if root else 0,
                root_keys=len(root.keys) if root else 0,
                threshold=root.threshold if root else 0,
            )
        )

    async def close(self) -> None:
        """Ends every connection."""
        if self._listening is None:
            return
        self._listening.close()
        self._server.pre_shutdown()
        await self._server.shutdown(_CLOSE_S)
        await self._listening.wait_closed()
        self._listening = None
        self._on_event(BootStopped(urls=self._urls, requests=self._statuses.total(), bytes=self._bytes))

    # --- requests -----------------------------------------------------------------------------------------------------

    def _door(self) -> Door:
        return Door(self._server, self._doorman)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        visit = Visit(request, request.remote or "", time.monotonic(), resolve(request.raw_path))
        if isinstance(request.protocol, Door):
            request.protocol.asked()
        try:
            answer = await self._answered(visit)
        except (OrlopError, OSError) as error:
            if isinstance(error, ConnectionError):
                raise
            answer = failed(503, "cannot be served now", {"Retry-After": "5"})
        answer.headers["Server"] = "orlop"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.force_close()  # each connection is for one request, and has its limits for itself
        try:
            if isinstance(answer, FileAnswer):
                await answer.send(request, lambda: self._progress(visit, answer.sent))
            else:
                await answer.prepare(request)
                await answer.write_eof()
        finally:
            self._note(visit, answer)
        return answer

    def _note(self, visit: Visit, answer: web.StreamResponse) -> None:
        request, session = visit.request, visit.session
        whole = answer.content_length or 0 if request.method != "HEAD" else 0
        sent = answer.sent if isinstance(answer, FileAnswer) else whole
        self._statuses[answer.status] += 1
        self._bytes += sent
        self._on_event(
            BootRequest(
                session=session.nonce if session else "",
                address=visit.address,
                method=clean(request.method, 16),
                path=clean(request.raw_path.partition("?")[0], _PATH_MAX),
                status=answer.status,
                bytes=sent,
                duration_us=round((time.monotonic() - visit.began) * 1e6),
            )
        )
        asked = visit.asked
        if session is None or asked is None or asked.kind not in {"manifest", *_FILES}:
            return
        session.sent += sent if asked.kind in _FILES else 0
        self._tell_machine(session, asked, session.sent)

    def _progress(self, visit: Visit, sent: int) -> None:
        """Part of an artifact was sent; told now and then, since an artifact may take minutes."""
        now = time.monotonic()
        if visit.session is None or visit.asked is None or now - max(visit.told, visit.began) < _PROGRESS_S:
            return
        visit.told = now
        self._tell_machine(visit.session, visit.asked, visit.session.sent + sent)

    def _tell_machine(self, session: Session, asked: Asked, sent: int) -> None:
        self._on_event(
            BootMachine(
                session=session.nonce,
                address=session.address,
                manifest=self.contents.manifest.hash,
                artifact=clean(asked.name, 64),
                bytes=sent,
                size=self.contents.size,
            )
        )

    async def _answered(self, visit: Visit) -> web.StreamResponse:
        free = is_loopback(visit.address) and not self._limits.loopback
        if not free and not self._rates.take(prefix_of(visit.address), visit.began):
            return failed(429, "too many requests", {"Retry-After": "5"})
        asked, method = visit.asked, visit.request.method
        if asked is None:
            return failed(404, "there is no such thing here")
        allowed = ("POST",) if asked.kind in _POSTS else _GET
        if method not in allowed:
            return failed(405, "this cannot be done with it", {"Allow": ", ".join(allowed)})
        if method == "POST":
            return await self._posted(visit, asked)
        visit.session = self._sessions.find(visit.request.headers.get(_SESSION, ""))
        return await self._got(visit, asked)

    async def _posted(self, visit: Visit, asked: Asked) -> web.StreamResponse:
        if asked.kind == "report":
            return await self._machines.report(visit)
        return await self._machines.receipt(visit, self.contents.manifest.hash)

    async def _got(self, visit: Visit, asked: Asked) -> web.StreamResponse:
        ways = {
            "manifest": self._stock.manifest,
            "root": self._stock.root,
            "artifact": self._stock.artifact,
            "blob": self._stock.artifact,
        }
        if asked.kind in ways:
            return await ways[asked.kind](visit, asked)
        if asked.kind == "metrics":
            return self._metrics()
        if asked.kind == "greeting":
            return told(self._greeting())
        return await self._health(whole=asked.kind == "status")

    # --- about itself -------------------------------------------------------------------------------------------------

    async def _health(self, *, whole: bool) -> web.StreamResponse:
        contents = await self._stock.current()
        checks = {
            "artifacts_readable": not await self._stock.is_stale(),
            "manifest_not_expired": time.time() * 1000 < contents.manifest.expires_ms,
        }
        well = all(checks.values())
        health: dict[str, Json] = {"status": "healthy" if well else "unhealthy", "checks": checks}
        if not whole:
            return told(health, 200 if well else 503)
        metrics: dict[str, Json] = {"requests_total": self._statuses.total(), "bytes_served_total": self._bytes}
        return told({**self._greeting(), "health": health, "metrics": metrics})

    def _greeting(self) -> dict[str, Json]:
        manifest = self.contents.manifest
        return {
            "name": "orlop-boot",
            "version": self._version,
            "channel": manifest.channel,
            "arch": manifest.arch,
            "release": manifest.release,
            "manifest_version": manifest.manifest_version,
            "uptime_seconds": int(time.monotonic() - self._began),
        }

    def _metrics(self) -> web.StreamResponse:
        rows = [f'orlop_boot_requests_total{{status="{code}"}} {n}' for code, n in sorted(self._statuses.items())]
        rows += [
            f"orlop_boot_bytes_total {self._bytes}",
            f"orlop_boot_connections {self._doorman.inside}",
            f"orlop_boot_sessions {len(self._sessions)}",
            f"orlop_boot_uptime_seconds {int(time.monotonic() - self._began)}",
        ]
        return web.Response(text="\n".join(rows) + "\n", headers={"Content-Type": "text/plain; version=0.0.4"})


def _url(host: str, port: int) -> str:
    bare = host.partition("%")[0]
    return f"http://[{host}]:{port}/" if ip_address(bare).version == 6 else f"http://{host}:{port}/"  # noqa: PLR2004
