"""Files from one server, each under a deadline, a rate and a limit: what a hostile server can do is waste that time.

Nothing here trusts a server. An artifact is hashed as it passes, and whoever keeps it keeps it after `finish` alone.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.http import Head, HttpError, Location, Response, request
from boot.fetch.pace import Pace, Patience
from boot.trust.artifact import ArtifactCheck
from boot.trust.manifest import Artifact
from runtime.errors import UnavailableError

if TYPE_CHECKING:
    import ssl

__all__ = ["SESSION", "Answer", "FileSink", "MissingError", "Sink", "fetch_artifact", "fetch_document", "post"]

SESSION: Final = "orlop-session"
"""The header field with the nonce of a session."""

_READ: Final = 256 << 10
_OK: Final = 200
_PART: Final = 206
_UNSATISFIABLE: Final = 416
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_AGAIN: Final = (408, 429)
_ANSWER_MAX: Final = 4096


class MissingError(BootUnavailableError):
    """The server says that it has no such thing, or does not give it: to ask again is of no use."""


class Sink(Protocol):
    """Where an artifact goes before it is known to be one."""

    def restart(self) -> None:
        """Forgets everything."""

    def write(self, part: bytes) -> None:
        """Takes the next bytes."""


class FileSink:
    """A file, or memory that has a descriptor.

    Args:
        descriptor: open for writing; left open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def restart(self) -> None:
        """Cuts the file to nothing.

        Raises:
            UnavailableError: it cannot be.
        """
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise UnavailableError(f"cannot be written: {_words(error)}", where="the artifact") from error

    def write(self, part: bytes) -> None:
        """Writes all of it.

        Raises:
            UnavailableError: there is no room.
        """
        view = memoryview(part)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise UnavailableError(f"cannot be written: {_words(error)}", where="the artifact") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """A document that came.

    Attributes:
        body: at most as long as was asked for, and one byte.
        session: the nonce that came with it, or empty.
        location: where it was in the end.
    """

    body: bytes
    session: str
    location: Location


async def fetch_document(location: Location, limit: int, patience: Patience) -> Answer:
    """A small document, whole.

    Args:
        location: where.
        limit: bytes; of a longer one, one more is read and no further, so that its reader sees that it is too long.
        patience: how long.

    Raises:
        MissingError: the server does not give it.
        BootUnavailableError: it cannot be had.
    """
    body = bytearray()
    async with _answer(location, patience) as answer:
        if answer.head.status != _OK:
            raise MissingError(f"answers {answer.head.status}", where=str(answer.location))
        async for part in answer.parts():
            body += part[: limit + 1 - len(body)]
            if len(body) > limit:
                break
        return Answer(bytes(body), answer.head.fields.get(SESSION, ""), answer.location)


async def fetch_artifact(
    location: Location,
    name: str,
    artifact: Artifact,
    sink: Sink,
    patience: Patience,
    *,
    fields: Mapping[str, str] | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> None:
    """An artifact, resumed where a connection broke off, and hashed as it passes.

    Args:
        location: where.
        name: of the artifact, for refusals.
        artifact: what it has to be.
        sink: takes the bytes; what it holds is worth nothing before this returns.
        patience: how long.
        fields: further header fields.
        told: hears how many bytes there are by now.

    Raises:
        BootRefusedError: `length` or `hash`.
        MissingError: the server does not give it.
        BootUnavailableError: it cannot be had.
    """
    taking = _Taking(name, artifact, sink, told)
    taking.restart()
    for attempt in range(patience.tries):
        before = taking.size
        try:
            async with _answer(location, patience, start=before, fields=fields) as answer:
                await taking.take(answer)
            if taking.whole:
                return
        except MissingError:
            raise
        except BootUnavailableError:
            if attempt == patience.tries - 1:
                raise
        if taking.size <= before:
            await asyncio.sleep(patience.pause_s(attempt))
    raise BootUnavailableError(f"{name} broke off {patience.tries} times", where=str(location))


class _Taking:
    """One artifact over several answers."""

    def __init__(self, name: str, artifact: Artifact, sink: Sink, told: Callable[[int], None]) -> None:
        self._name = name
        self._artifact = artifact
        self._sink = sink
        self._told = told
        self._check = ArtifactCheck(name, artifact)
        self.whole = False

    @property
    def size(self) -> int:
        return self._check.size

    def restart(self) -> None:
        self._check = ArtifactCheck(self._name, self._artifact)
        self._sink.restart()

    async def take(self, answer: "_Answer") -> None:
        """What one answer brings; whole or not.

        Raises:
            BootRefusedError: it is not what was signed.
        """
        if not self._begins(answer.head):
            return
        async for part in answer.parts():
            fits = part[: self._artifact.size - self.size + 1]
            self._check.feed(fits)
            self._sink.write(fits)
            self._told(self.size)
        if answer.head.length is None and self.size < self._artifact.size:
            return  # the connection ended, and nobody said where it should have
        self._check.finish()
        self.whole = True

    def _begins(self, head: Head) -> bool:
        """Whether a body follows that is wanted; holds what the head says against what was signed."""
        if head.status == _UNSATISFIABLE and self.size:
            self.restart()
            return False
        if head.status not in {_OK, _PART}:
            raise MissingError(f"answers {head.status} to {self._name}")
        if head.fields.get("content-encoding", "identity").lower() != "identity":
            raise BootRefusedError("length", f"{self._name} comes in another encoding, of another length")
        signed, first = self._artifact.size, 0
        if head.status == _PART:
            part, first = head.content_range, self.size
            if part is None or (part.first, part.last, part.total) != (first, signed - 1, signed):
                said = "no range" if part is None else f"bytes {part.first} to {part.last} of {part.total}"
                raise BootRefusedError("length", f"{self._name}: {said} came, from {first} of {signed} is signed")
        elif self.size:
            self.restart()  # the server sends everything again
        if head.length is not None and head.length != signed - first:
            raise BootRefusedError("length", f"{self._name} has {first + head.length} bytes, {signed} are signed")
        return True


async def post(location: Location, body: bytes, media: str, patience: Patience, *, session: str = "") -> int:
    """Tells a server something, once.

    Args:
        location: where.
        body: what.
        media: its type.
        patience: how long.
        session: the nonce by which the server knows this machine, or empty.

    Returns:
        The status of the answer.

    Raises:
        BootUnavailableError: no answer came.
    """
    fields = {"Content-Type": media} | ({SESSION: session} if session else {})
    made = request("POST", location, fields=fields, body=body)
    async with _connected(location, made, patience) as answer:
        return answer.head.status


# --- one connection ---------------------------------------------------------------------------------------------------


class _Answer:
    """An answer whose head is there."""

    def __init__(self, location: Location, reader: asyncio.StreamReader, pace: Pace) -> None:
        self.location = location
        self._reader = reader
        self._response = Response()
        self._pace = pace
        self._first = b""

    @property
    def head(self) -> Head:
        head = self._response.head
        if head is None:
            raise HttpError("no head came")
        return head

    async def begin(self) -> None:
        while self._response.head is None:
            self._first = self._response.feed(await self._more())

    async def parts(self) -> AsyncIterator[bytes]:
        """The body; ends with it, or with the connection where no length was said."""
        if self._first:
            yield self._first
        while not self._response.complete:
            data = await self._more(at_end=self.head.length is None)
            if not data:
                return
            yield self._response.feed(data)

    async def _more(self, *, at_end: bool = False) -> bytes:
        """The next bytes; none at the end of the connection, where the answer may end so."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(self._pace.until):
                    data = await self._reader.read(_READ)
            except TimeoutError:
                self._pace.took(0, max(loop.time(), self._pace.until))
                continue
            except OSError as error:
                raise BootUnavailableError("the connection broke off", where=str(self.location)) from error
            self._pace.took(len(data), loop.time())
            if not data and not at_end:
                self._response.end()
            return data


@contextlib.asynccontextmanager
async def _answer(
    location: Location, patience: Patience, *, start: int = 0, fields: Mapping[str, str] | None = None
) -> AsyncIterator[_Answer]:
    """The answer to GET, after redirects; one that says to ask again later is no answer."""
    for _ in range(patience.redirects + 1):
        async with _connected(location, request("GET", location, start=start, fields=fields), patience) as answer:
            status, target = answer.head.status, answer.head.fields.get("location")
            if status in _REDIRECTS and target is not None:
                location = _joined(location, target)
                continue
            if status in _AGAIN or status >= 500:  # noqa: PLR2004 - the server's own trouble
                raise BootUnavailableError(f"answers {status}", where=str(location))
            yield answer
            return
    raise MissingError(f"redirects more than {patience.redirects} times", where=str(location))


@contextlib.asynccontextmanager
async def _connected(location: Location, made: bytes, patience: Patience) -> AsyncIterator[_Answer]:
    secure = _certificates() if location.scheme == "https" else None
    try:
        async with asyncio.timeout(patience.connect_s):
            reader, writer = await asyncio.open_connection(location.host, location.port, ssl=secure, limit=_READ)
    except (OSError, ValueError) as error:
        why = "no connection in time" if isinstance(error, TimeoutError) else _words(error)
        raise BootUnavailableError(why, where=str(location)) from error
    try:
        writer.write(made)
        answer = _Answer(location, reader, Pace(patience, asyncio.get_running_loop().time()))
        await answer.begin()
        yield answer
    finally:
        writer.transport.abort()


def _joined(location: Location, target: str) -> Location:
    try:
        return location.join(target)
    except HttpError as error:
        raise MissingError(f"redirects to what {error.why}", where=str(location)) from None


def _certificates() -> "ssl.SSLContext":
    try:
        import ssl  # noqa: PLC0415 - not in every image

        return ssl.create_default_context()
    except (ImportError, OSError) as error:
        raise MissingError("https is not to be had here: no library or no certificates") from error


def _words(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number and number > 0 else "no connection"
