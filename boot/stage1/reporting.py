"""Telling the server that gave the manifest how it goes; whatever comes of it makes no difference to the machine."""

import asyncio
import contextlib
from typing import Final

from boot.fetch.fetcher import post
from boot.fetch.http import Location
from boot.fetch.pace import Patience
from runtime.canonical import encode
from runtime.errors import OrlopError
from runtime.sanitise import clean

__all__ = ["Reporter"]

_LINES_MAX: Final = 64
_DETAIL_MAX: Final = 256
_WAIT_S: Final = 5.0


class Reporter:
    """Collects lines and posts them.

    Args:
        wanted: whether the mode and the command line allow it; if not, nothing is ever sent.
        wait_s: how long one post may take; a server that is slower is told less.
    """

    def __init__(self, *, wanted: bool, wait_s: float = _WAIT_S) -> None:
        self._wanted = wanted
        self._wait_s = wait_s
        self._session = ""
        self._provider = ""
        self._lines: list[tuple[str, bool, str]] = []
        self._left: list[tuple[str, bytes]] = []
        """What servers that were asked before have not been told yet."""

    def asks(self, provider: str) -> None:
        """Another server is asked: what was told of the one before is not told to it.

        Args:
            provider: its URL.
        """
        self._leave()
        self._provider, self._session = provider, ""
        self._lines.clear()

    def answered(self, session: str) -> None:
        """It gave a manifest, and a name for this machine.

        Args:
            session: the nonce, or nothing.
        """
        self._session = session

    def tell(self, step: str, detail: str, *, ok: bool = True) -> None:
        """Something happened; it is posted by `flush`.

        Args:
            step: one word.
            detail: in words.
            ok: whether it went well.
        """
        if self._wanted and len(self._lines) < _LINES_MAX:
            self._lines.append((step, ok, clean(detail, _DETAIL_MAX)))

    async def flush(self) -> None:
        """Posts what was told since; without a session it is kept."""
        self._leave()
        left, self._left = self._left, []
        for provider, body in left:
            await self._post(provider, body)

    def _leave(self) -> None:
        """What was told so far is for the server that is asked now, whichever comes after it."""
        if not self._session or not self._lines:
            return
        lines, self._lines = self._lines, []
        documents = [
            encode({"session": self._session, "step": step, "ok": ok, "detail": detail}) for step, ok, detail in lines
        ]
        self._left.append((self._provider, b"\n".join(documents) + b"\n"))

    async def _post(self, provider: str, body: bytes) -> None:
        with contextlib.suppress(OrlopError, OSError, TimeoutError):
            async with asyncio.timeout(self._wait_s):
                place = Location.parse(provider).join("/report")
                patience = Patience(connect_s=self._wait_s, window_s=self._wait_s)
                await post(place, body, "application/x-ndjson", patience)
