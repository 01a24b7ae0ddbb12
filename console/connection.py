"""One client of the control socket, on the server's side."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from console import wire
from console.channel import LineChannel
from console.client import Args, Fault, Result, Snapshot
from console.exit_codes import ExitCode
from console.feed import Feed, History
from runtime.errors import OrlopError, ReadOnlyError, RefusedError
from runtime.events import ClientAttached, ClientDetached, CoreError, Event
from runtime.sanitise import clean

__all__ = ["Connection", "Served"]

_RUNNING_MAX = 64
_FEEDS_MAX = 4
_FPS_MAX = 60
_STALL_S = 30.0
_ONLY_READS = "changes something, and by this socket its group only reads"
_WHO_WRITES = "control.group_writes allows it, or run it as the user of the node"


class Served(Protocol):
    """What the server needs of the core."""

    @property
    def history(self) -> History:
        """Where events come from."""
        ...

    def server_hello(self) -> wire.ServerHello:
        """Who this is."""
        ...

    @property
    def content_shut(self) -> bool:
        """Whether nobody is shown what is in rooms, since the screen is locked."""
        ...

    def note(self, event: Event) -> None:
        """Adds an event to the journal."""
        ...

    def spawn(self, work: Coroutine[object, object, None], where: str) -> object:
        """Runs something on the loop and keeps hold of it; when it fails, `core.error` says so."""
        ...

    async def snapshot(self, topics: Sequence[str]) -> Snapshot:
        """As `CoreClient.snapshot`."""
        ...

    async def execute(
        self,
        command: str,
        args: Args,
        files: Mapping[str, int],
        *,
        interrupted: asyncio.Future[int],
        uid: int,
        face: str,
        read_only: bool,
    ) -> Result:
        """Runs a command; the descriptors are its own from now on. Never raises."""
        ...


class Connection:
    """One connection.

    Args:
        served: the core.
        sock: accepted, non-blocking.
        number: which client of this run it is.
        uid: of the process that connected.
        pid: likewise.
        gone: called once, when the connection has ended.
        writes: whether changing commands are taken.
        told: whether the journal says that it is there from its greeting on, and not only when it follows events.
    """

    def __init__(
        self,
        served: Served,
        sock: socket.socket,
        *,
        number: int,
        uid: int,
        pid: int,
        gone: "Callable[[Connection], None]",
        writes: bool = True,
        told: bool = False,
    ) -> None:
        self._served = served
        self._number = number
        self._uid = uid
        self._pid = pid
        self._gone = gone
        self._writes = writes
        self._told = told
        self._hello: wire.ClientHello | None = None
        self._feeds: dict[int, Feed] = {}
        self._running: dict[int, asyncio.Future[int]] = {}
        self._channel = LineChannel(sock, on_line=self._line, on_room=self._room, on_end=self._ended)
        hello = served.server_hello()
        self._channel.write(wire.encode(hello if writes else replace(hello, read_only=True)))

    @property
    def name(self) -> str:
        """What the journal calls it."""
        kind = clean(self._hello.client, 20) if self._hello is not None else "client"
        return f"{kind}#{self._number}"

    def bye(self, reason: str) -> None:
        """Ends the connection in order."""
        self._channel.write(wire.encode(wire.Bye(reason=reason)))
        self._close(reason)

    def check_stall(self, now: float) -> None:
        """Ends the connection when nothing left for too long.

        Args:
            now: the loop's time.
        """
        if self._channel.pending and now - self._channel.moved_at > _STALL_S:
            self._close("stalled")

    def _line(self, line: bytes) -> None:
        try:
            message = wire.decode(line, from_client=True)
            if self._hello is None:
                self._greet(message)
            else:
                self._handle(message)
        except OrlopError as error:
            self._fail("protocol", str(error))

    def _greet(self, message: wire.Message) -> None:
        if not isinstance(message, wire.ClientHello):
            raise RefusedError("say hello first")
        if message.proto != wire.PROTOCOL:
            side = "this" if message.proto > wire.PROTOCOL else "the client's"
            text = f"this core speaks {wire.PROTOCOL}, the client {message.proto}: update orlop on {side} side"
            self._fail("version", text)
            return
        self._hello = message
        if self._told:
            self._note_attached(message)

    def _note_attached(self, hello: wire.ClientHello) -> None:
        only_reads = hello.read_only or not self._writes
        self._served.note(ClientAttached(client=self.name, uid=self._uid, pid=self._pid, read_only=only_reads))

    def _handle(self, message: wire.Message) -> None:
        match message:
            case wire.Do():
                self._do(message)
            case wire.Interrupt():
                interrupted = self._running.get(message.id)
                if interrupted is not None and not interrupted.done():
                    interrupted.set_result(message.code)
            case wire.Get():
                self._served.spawn(self._get(message), "control socket")
            case wire.Sub():
                self._sub(message)
            case wire.Unsub():
                self._unsub(message.id, "asked to")
                self._channel.write(wire.encode(wire.Ok(id=message.id)))
            case wire.Ping():
                self._channel.write(wire.encode(wire.Pong(t=message.t)))
            case _:
                raise RefusedError("not now", where=message.M)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _do(self, message: wire.Do) -> None:
        if message.id in self._running or len(set(message.files)) != len(message.files):
            raise RefusedError("an id or a name twice", where="do")
        descriptors = self._channel.take(len(message.files))
        if descriptors is None:
            raise RefusedError("fewer descriptors than names", where="do")
        files = dict(zip(message.files, descriptors, strict=True))
        args = _args(message)
        if args is None or len(self._running) >= _RUNNING_MAX:
            for descriptor in descriptors:
                os.close(descriptor)
            why = "too many commands at a time" if args is not None else "arguments are text, or lists of text"
            self._answer(message.id, Result(ok=False, fault=Fault("failed" if args is not None else "usage", why)))
            return
        self._running[message.id] = asyncio.get_running_loop().create_future()
        self._served.spawn(self._execute(message, args, files), "control socket")

    async def _execute(self, message: wire.Do, args: Args, files: Mapping[str, int]) -> None:
        hello = self._hello
        result = await self._served.execute(
            message.command,
            args,
            files,
            interrupted=self._running[message.id],
            uid=self._uid,
            face=clean(hello.client, 20) if hello is not None else "",
            read_only=not self._writes or (hello is not None and hello.read_only),
        )
        if not self._writes and result.fault is not None and result.fault.code == ReadOnlyError.code:
            result = replace(result, fault=replace(result.fault, text=_ONLY_READS, hint=_WHO_WRITES))
        del self._running[message.id]
        self._answer(message.id, result)

    def _answer(self, request: int, result: Result) -> None:
        for line in wire.done_lines(request, result):
            self._channel.write(line)

    # --- rows and events --------------------------------------------------------------------------------------------

    async def _get(self, message: wire.Get) -> None:
        try:
            snapshot = await self._served.snapshot(message.topics)
        except OrlopError as error:
            self._fail(error.code, str(error))
            return
        for line in wire.snapshot_lines(message.id, snapshot):
            self._channel.write(line)

    def _sub(self, message: wire.Sub) -> None:
        hello = self._hello
        if message.id in self._feeds or len(self._feeds) >= _FEEDS_MAX or hello is None:
            raise RefusedError("too many subscriptions, or one id twice", where="sub")
        self._channel.write(wire.encode(wire.Ok(id=message.id)))
        number = message.id
        self._feeds[number] = Feed(
            self._served.history,
            self._channel,
            number=number,
            since=message.since,
            content=message.content and not self._served.content_shut,
            fps=min(max(hello.fps, 1), _FPS_MAX),
            on_gap=lambda missed: self._unsub(number, "too slow", missed),
            on_error=self._broken,
        )
        if not self._told:
            self._note_attached(hello)

    def _unsub(self, number: int, reason: str, dropped: int = 0) -> None:
        feed = self._feeds.pop(number, None)
        if feed is not None:
            feed.close()
            if not self._told or dropped:
                self._served.note(ClientDetached(client=self.name, reason=reason, dropped=dropped))

    def _room(self) -> None:
        for feed in tuple(self._feeds.values()):
            feed.pump()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _broken(self, error: BaseException) -> None:
        text = str(error) if isinstance(error, OrlopError) else type(error).__name__
        self._served.note(CoreError(where="control socket", error=clean(text)))
        self._fail("unavailable", "events cannot be read")

    def _ended(self, reason: str) -> None:
        if reason == "closed":
            self._close(reason)
        else:
            self._fail(reason, "a line longer than 1MiB" if reason == "too-long" else "too many descriptors")

    def _fail(self, code: str, text: str) -> None:
        self._channel.write(wire.encode(wire.Trouble(code=code, text=clean(text))))
        self._close(code)

    def _close(self, reason: str) -> None:
        if self._channel.closed:
            return
        for number in tuple(self._feeds):
            self._unsub(number, reason)
        if self._told and self._hello is not None:
            self._served.note(ClientDetached(client=self.name, reason=reason))
        self._channel.close(flush=True)
        for interrupted in self._running.values():
            if not interrupted.done():
                interrupted.set_result(ExitCode.CANCELLED)
        self._gone(self)


def _args(message: wire.Do) -> Args | None:
    """The arguments, if they are what arguments are."""
    args: dict[str, str | Sequence[str]] = {}
    for name, value in message.args.items():
        if isinstance(value, str):
            args[name] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            args[name] = tuple(item for item in value if isinstance(item, str))
        else:
            return None
    return args
