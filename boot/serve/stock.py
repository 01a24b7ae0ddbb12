"""What a release answers: its manifest, its roots, its artifacts and their parts."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from boot.errors import BootRefusedError, BootUnavailableError
from boot.serve import shelf
from boot.serve.answers import FileAnswer, failed
from boot.serve.paths import Asked
from boot.serve.ranges import Part, Unsatisfiable, part_of
from boot.serve.sessions import Sessions
from boot.serve.shelf import Contents, Held
from boot.serve.visit import Visit
from runtime.sanitise import clean

__all__ = ["Stock"]

_SESSION: Final = "Orlop-Session"


class Stock:
    """The release of a folder.

    Args:
        folder: with `manifest.json`.
        sessions: where machines that ask for the manifest are written down.
        patience_s: for each piece of an artifact.
        changed: is told when another manifest is served.
    """

    def __init__(self, folder: Path, sessions: Sessions, patience_s: float, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._sessions = sessions
        self._patience_s = patience_s
        self._changed = changed
        self._contents: Contents | None = None
        self._loading = asyncio.Lock()

    @property
    def contents(self) -> Contents:
        """What is served; only after `open`."""
        if self._contents is None:
            message = "nothing was opened"
            raise RuntimeError(message)
        return self._contents

    async def open(self) -> None:
        """Reads the release and hashes it.

        Raises:
            BootRefusedError: the manifest is none, or an artifact is not what was signed.
            BootUnavailableError: something is missing.
        """
        self._contents = await asyncio.to_thread(shelf.load, self._folder)
        for name, error in self._contents.wrong.items():
            if isinstance(error, BootRefusedError):
                raise error
            raise BootUnavailableError(f"{name} {error.why}", where=clean(str(self._folder), 300))

    async def current(self) -> Contents:
        """What the folder holds now; read again when something in it is another file than before."""
        if await self.is_stale():
            async with self._loading:
                await self._load()
        return self.contents

    async def is_stale(self) -> bool:
        """Whether the folder holds something else than what is served."""
        return await asyncio.to_thread(shelf.stale, self.contents)

    async def _load(self) -> None:
        before = self.contents
        if not await self.is_stale():
            return
        try:
            self._contents = await asyncio.to_thread(shelf.load, self._folder, before)
        except (BootRefusedError, BootUnavailableError):
            return  # half copied, perhaps; what is served is still what was signed
        if self._contents.manifest != before.manifest:
            self._changed()

    async def manifest(self, visit: Visit, asked: Asked) -> web.StreamResponse:
        """The manifest, with a nonce for whoever asks."""
        contents = await self.current()
        if not _fits(asked, contents):
            return failed(404, "there is no manifest for this channel and architecture")
        tag = contents.tag
        fields = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if visit.request.method == "GET":
            visit.session = self._sessions.begin(os.urandom(16), visit.address)
            fields[_SESSION] = visit.session.nonce
        if _matches(visit.request.headers.get("If-None-Match"), tag):
            return web.Response(status=304, headers=fields)
        return web.Response(body=contents.document, content_type="application/json", headers=fields)

    async def root(self, _visit: Visit, asked: Asked) -> web.StreamResponse:
        """A root document."""
        document = await asyncio.to_thread(shelf.open_root, self._folder, int(asked.name))
        if document is None:
            return failed(404, "there is no such root")
        return web.Response(body=document, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def artifact(self, visit: Visit, asked: Asked) -> web.StreamResponse:
        """An artifact by its name or by its hash, or a part of it."""
        contents = self.contents
        held = contents.by_hash(asked.name) if asked.kind == "blob" else contents.held.get(asked.name)
        if not _fits(asked, contents) or (held is None and asked.name not in contents.wrong):
            return failed(404, "there is no such artifact")
        descriptor = None if held is None else shelf.open_held(contents, held)
        if held is None or descriptor is None:
            await self.current()
            return failed(503, "the artifact is not the one that was signed", {"Retry-After": "1"})
        answer = self._file(visit.request, held, descriptor)
        if not isinstance(answer, FileAnswer):
            os.close(descriptor)
        return answer

    def _file(self, request: web.BaseRequest, held: Held, descriptor: int) -> web.StreamResponse:
        tag, size = held.artifact.sha256, held.artifact.size
        fields = {"ETag": f'"{tag}"', "Accept-Ranges": "bytes", "X-Artifact-Hash": f"sha256:{tag}"}
        if _matches(request.headers.get("If-None-Match"), tag):
            return web.Response(status=304, headers=fields)
        part = self._part(request, tag, size)
        if isinstance(part, Unsatisfiable):
            return failed(416, "the artifact has no such bytes", fields | {"Content-Range": f"bytes */{size}"})
        first, length = (part.first, part.length) if part is not None else (0, size)
        answer = FileAnswer(descriptor, first, length, self._patience_s)
        answer.content_type = "application/octet-stream"
        answer.headers.update(fields)
        if part is not None:
            answer.set_status(206)
            answer.headers["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
        return answer

    @staticmethod
    def _part(request: web.BaseRequest, tag: str, size: int) -> Part | Unsatisfiable | None:
        """The part that is asked for; the whole, where it was asked for of another file than this."""
        field, condition = request.headers.get("Range"), request.headers.get("If-Range")
        if field is None or request.method != "GET" or (condition is not None and condition.strip() != f'"{tag}"'):
            return None
        return part_of(field, size)


def _fits(asked: Asked, contents: Contents) -> bool:
    """Whether the channel and the architecture of a path, if it has any, are those that are served."""
    manifest = contents.manifest
    return not asked.channel or (asked.channel, asked.arch) == (manifest.channel, manifest.arch)


def _matches(field: str | None, tag: str) -> bool:
    """Whether one of the tags of `If-None-Match` is that of the file."""
    if field is None:
        return False
    tags = [one.strip().removeprefix("W/") for one in field.split(",")]
    return "*" in tags or f'"{tag}"' in tags
