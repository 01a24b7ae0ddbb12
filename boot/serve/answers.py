"""Answers of a boot server: JSON, documents, and files that the kernel copies from the disk to the network."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from runtime.canonical import Json

__all__ = ["FileAnswer", "failed", "told"]

_PIECE: Final = 1 << 20


def told(value: Mapping[str, Json], status: int = 200, fields: Mapping[str, str] | None = None) -> web.Response:
    """A JSON object.

    Args:
        value: beside its version.
        status: of the answer.
        fields: further header fields.
    """
    body = json.dumps({"v": 1, **value}, separators=(",", ":")).encode() + b"\n"
    return web.Response(body=body, status=status, content_type="application/json", headers=fields)


def failed(status: int, why: str, fields: Mapping[str, str] | None = None) -> web.Response:
    """An error.

    Args:
        status: of the answer.
        why: in words that hold nothing of the request.
        fields: further header fields.
    """
    return told({"error": why}, status, fields)


class FileAnswer(web.StreamResponse):
    """Part of a file, sent in pieces of which each has so much time; memory does not grow with its length.

    Args:
        descriptor: of the file; closed by `send`.
        first: byte.
        length: bytes.
        patience_s: for each piece.
    """

    def __init__(self, descriptor: int, first: int, length: int, patience_s: float) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._first = first
        self._length = length
        self._patience_s = patience_s
        self.content_length = length
        self.sent = 0

    async def send(self, request: web.BaseRequest, progress: Callable[[], None]) -> None:
        """Sends it; `sent` says how much of it.

        Args:
            request: that is answered.
            progress: called after each piece.

        Raises:
            ConnectionError: the other side went away, or was too slow.
        """
        with os.fdopen(self._descriptor, "rb", buffering=0) as file:
            await self.prepare(request)
            if request.method == "HEAD":
                await self.write_eof()
                return
            loop, transport = asyncio.get_running_loop(), request.transport
            while self.sent < self._length:
                if transport is None or transport.is_closing():
                    raise ConnectionResetError("went away")
                count = min(_PIECE, self._length - self.sent)
                try:
                    async with asyncio.timeout(self._patience_s):
                        done = await loop.sendfile(transport, file, self._first + self.sent, count)
                except (TimeoutError, RuntimeError) as error:
                    transport.abort()
                    raise ConnectionAbortedError("was too slow") from error
                if not done:
                    transport.abort()  # the file has lost its end: nobody is told a whole one
                    raise ConnectionAbortedError("ended early")
                self.sent += done
                progress()
            await self.write_eof()
