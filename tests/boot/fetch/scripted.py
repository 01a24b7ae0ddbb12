"""A server on the loopback that answers as a test says, however wrong."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from boot.fetch.http import Location
from boot.fetch.pace import Patience

Answer = Callable[[asyncio.StreamWriter, "Asked"], Awaitable[None]]

QUICK = Patience(back_off_s=0.0, deadline_s=300.0, connect_s=120.0, window_s=120.0)
"""Waits for nothing between two tries; what could hang is ended by a deadline of the test's own."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    start: int
    fields: str


@dataclass
class Scripted:
    """Answers by path; a list is used up one by one, and its last entry stays."""

    answers: dict[str, list[Answer]]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> Location:
        return Location.parse(self.url(path))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks[task] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            match = re.search(r"Range: bytes=(\d+)-", head)
            asked = Asked(head.split(" ")[1], int(match[1]) if match else 0, head)
            self.asked.append(asked)
            answers = self.answers.get(asked.path) or [status(404)]
            await (answers.pop(0) if len(answers) > 1 else answers[0])(writer, asked)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def end(self) -> None:
        for task, writer in self.tasks.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def scripted(answers: dict[str, list[Answer]]) -> AsyncIterator[Scripted]:
    script = Scripted(answers)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        await script.end()


def raw(*pieces: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter, asked: Asked) -> None:
        del asked
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


def status(code: int, fields: Sequence[str] = ()) -> Answer:
    lines = "".join(f"{line}\r\n" for line in fields)
    return raw(f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\n{lines}\r\n".encode())


def whole(data: bytes, *, cut: int | None = None, fields: Sequence[str] = (), ranges: bool = True) -> Answer:
    """An honest server; `cut` ends the connection after so many bytes of the body."""

    async def answer(writer: asyncio.StreamWriter, asked: Asked) -> None:
        start = asked.start if ranges else 0
        lines = [f"Content-Length: {len(data) - start}", *fields]
        if start:
            lines.append(f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}")
        head = f"HTTP/1.1 {206 if start else 200} OK\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
        writer.write(head.encode() + data[start:][:cut])

    return answer


def silent(length: int) -> Answer:
    async def answer(writer: asyncio.StreamWriter, asked: Asked) -> None:
        del asked
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
        await asyncio.Event().wait()

    return answer


def dripped(first: bytes, rest: bytes) -> Answer:
    """`first` at once, then for ever the bytes of `rest`, one by one, as slowly as the loop turns with a pause."""

    async def answer(writer: asyncio.StreamWriter, asked: Asked) -> None:
        del asked
        writer.write(first)
        number = 0
        while True:
            writer.write(rest[number % len(rest) :][:1])
            number += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await asyncio.Event().wait()

    return answer
