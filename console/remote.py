"""`RemoteCore`: the same commands, snapshots and events, from the owner of a state directory, over its control socket.

Two threads and no event loop, since a one-shot command should not have to load one. Losing the connection fails what is
under way; nothing is sent again by itself.
"""

import array
import contextlib
import itertools
import os
import queue
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

from console import wire
from console.call import refuse_bad_text
from console.client import Args, Execution, Fault, Result, Sink, Snapshot, Subscription
from runtime.codec import from_fields
from runtime.errors import OrlopError, RefusedError, UnavailableError
from runtime.events import Record, StreamGap
from runtime.sanitise import clean

__all__ = ["RemoteCore"]

_HELLO_S = 30.0
_FLUSH_S = 1.0
_READ = 1 << 16


class RemoteCore:
    """A connection to an owner; a `CoreClient`.

    Args:
        path: of the socket; its directory's name may be longer than the kernel allows for a socket.
        client: what kind of face this is: `cli`, `ui`.
        read_only: changing commands are refused.
        fps: most batches of events a second.

    Raises:
        UnavailableError: nobody answers there, or another version does.
    """

    def __init__(self, path: Path, *, client: str, read_only: bool = False, fps: int = 20) -> None:
        self._where = clean(str(path), 200)
        self._sock = _connect(path)
        self._incoming = b""
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._snapshots: dict[int, tuple[Future[Snapshot], list[wire.SnapshotPart]]] = {}
        self._commands: dict[int, tuple[Future[Result], list[wire.Done]]] = {}
        self._subscriptions: dict[int, _RemoteSubscription] = {}
        self._outgoing: queue.SimpleQueue[tuple[bytes, tuple[int, ...]] | None] = queue.SimpleQueue()
        self._closed = False
        try:
            self.hello = self._greet()
            """Who answered."""
        except BaseException:
            self._sock.close()
            raise
        hello = wire.ClientHello(proto=wire.PROTOCOL, client=client, read_only=read_only, fps=fps)
        self._send(hello)
        self._reader = threading.Thread(target=self._read, name="orlop-remote-read", daemon=True)
        self._writer = threading.Thread(target=self._write, name="orlop-remote-write", daemon=True)
        self._reader.start()
        self._writer.start()

    # --- CoreClient -------------------------------------------------------------------------------------------------

    def snapshot(self, *topics: str) -> Future[Snapshot]:
        """As `CoreClient.snapshot`."""
        number = next(self._ids)
        future: Future[Snapshot] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(self._gone())
                return future
            self._snapshots[number] = (future, [])
        self._send(wire.Get(id=number, topics=topics))
        return future

    def subscribe(self, since: int, sink: Sink, *, content: bool = False) -> Subscription:
        """As `CoreClient.subscribe`; events that were too much for the connection are told as one `StreamGap`."""
        number = next(self._ids)
        subscription = _RemoteSubscription(self, number, sink, content=content)
        with self._lock:
            self._subscriptions[number] = subscription
        self._send(wire.Sub(id=number, since=since, content=content))
        return subscription

    def execute(self, command: str, args: Args, files: Mapping[str, int] | None = None) -> Execution:
        """As `CoreClient.execute`; the descriptors are sent along."""
        number = next(self._ids)
        future: Future[Result] = Future()
        execution = _RemoteExecution(self, number, future)
        names = tuple(files or ())
        try:
            refuse_bad_text(args)
            line = wire.encode(wire.Do(id=number, command=command, args=args, files=names))
            if len(line) > wire.LINE_MAX or len(names) > wire.DESCRIPTORS_MAX:
                raise RefusedError("more arguments or files than a command can have", what=clean(command, 40))
        except OrlopError as error:
            future.set_result(Result(ok=False, fault=Fault(error.code, error.why, error.what, error.where, error.hint)))
            return execution
        with self._lock:
            if self._closed:
                future.set_exception(self._gone())
                return execution
            self._commands[number] = (future, [])
            self._outgoing.put((line, tuple(os.dup((files or {})[name]) for name in names)))
        return execution

    def close(self) -> None:
        """Ends the connection; commands that still run there are interrupted. Not from within a sink."""
        self._end(self._gone())
        self._writer.join(_FLUSH_S)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._writer.join()
        self._reader.join()
        self._sock.close()

    # --- what its parts call ----------------------------------------------------------------------------------------

    def interrupt(self, number: int, code: int) -> None:
        """Asks a command to end early."""
        self._send(wire.Interrupt(id=number, code=code))

    def unsubscribe(self, number: int) -> None:
        """Ends a subscription."""
        with self._lock:
            known = self._subscriptions.pop(number, None)
        if known is not None:
            self._send(wire.Unsub(id=number))

    # --- threads ----------------------------------------------------------------------------------------------------

    def _greet(self) -> wire.ServerHello:
        self._sock.settimeout(_HELLO_S)
        try:
            line = self._next_line()
        except TimeoutError:
            raise UnavailableError("the owner does not answer", where=self._where) from None
        self._sock.settimeout(None)
        message = None if line is None else wire.decode(line, from_client=False)
        if not isinstance(message, wire.ServerHello):
            raise UnavailableError("the owner ended the connection", where=self._where)
        low, high = message.proto[0], message.proto[-1]
        if not low <= wire.PROTOCOL <= high:
            side = "the owner's" if high < wire.PROTOCOL else "this"
            why = f"the owner speaks {low} to {high}, this program {wire.PROTOCOL}"
            raise UnavailableError(why, where=self._where, hint=f"update orlop on {side} side")
        return message

    def _next_line(self) -> bytes | None:
        pieces = [self._incoming]
        while b"\n" not in pieces[-1]:
            data = self._sock.recv(_READ)
            if not data:
                return None
            pieces.append(data)
        line, _, self._incoming = b"".join(pieces).partition(b"\n")
        return line

    def _read(self) -> None:
        error: OrlopError = self._gone()
        try:
            while (line := self._next_line()) is not None:
                message = wire.decode(line, from_client=False)
                if isinstance(message, wire.Bye):
                    error = UnavailableError(f"the owner ended: {clean(message.reason, 80)}", where=self._where)
                elif isinstance(message, wire.Trouble):
                    error = UnavailableError(clean(message.text), where=self._where)
                else:
                    self._take(message)
        except OrlopError as broken:
            error = UnavailableError(f"the owner sent what cannot be read: {broken.why}", where=self._where)
        except OSError:
            pass
        self._end(error)

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Done():
                self._take_done(message)
            case wire.SnapshotPart():
                self._take_snapshot(message)
            case wire.Events():
                subscription = self._subscriptions.get(message.id)
                if subscription is not None:
                    found = (from_fields(dict(fields)) for fields in message.e)
                    subscription.hand_out([record for record in found if record is not None])
            case wire.Gap():
                self._take_gap(message)
            case wire.Ping():
                self._send(wire.Pong(t=message.t))
            case _:
                pass

    def _take_done(self, message: wire.Done) -> None:
        with self._lock:
            known = self._commands.get(message.id)
            if known is None:
                return
            future, parts = known
            parts.append(message)
            if len(parts) < message.parts:
                return
            del self._commands[message.id]
        future.set_result(wire.result_of(parts))

    def _take_snapshot(self, message: wire.SnapshotPart) -> None:
        with self._lock:
            known = self._snapshots.get(message.id)
            if known is None:
                return
            future, parts = known
            parts.append(message)
            if len(parts) < message.parts:
                return
            del self._snapshots[message.id]
        future.set_result(wire.snapshot_of(parts))

    def _take_gap(self, message: wire.Gap) -> None:
        subscription = self._subscriptions.get(message.id)
        if subscription is not None:
            gap = StreamGap(first=message.from_, to=message.to, reason="too slow")
            subscription.hand_out([Record(message.to, time.time_ns() // 1_000_000, gap)])
            self._send(wire.Sub(id=message.id, since=message.to, content=subscription.content))

    def _send(self, message: wire.Message) -> None:
        self._outgoing.put((wire.encode(message), ()))

    def _write(self) -> None:
        while (item := self._outgoing.get()) is not None:
            line, descriptors = item
            try:
                self._send_all(line, descriptors)
            except OSError:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)  # wakes the reader, which ends everything
            finally:
                _close_all(descriptors)
        with contextlib.suppress(queue.Empty):
            while (item := self._outgoing.get_nowait()) is not None:
                _close_all(item[1])

    def _send_all(self, line: bytes, descriptors: tuple[int, ...]) -> None:
        sent = 0
        if descriptors:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
            sent = self._sock.sendmsg([line], [rights], socket.MSG_NOSIGNAL)
        self._sock.sendall(line[sent:], socket.MSG_NOSIGNAL)

    def _gone(self) -> UnavailableError:
        return UnavailableError("the connection to the owner is closed", where=self._where)

    def _end(self, error: OrlopError) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            commands = [future for future, _ in self._commands.values()]
            snapshots = [future for future, _ in self._snapshots.values()]
            self._commands.clear()
            self._snapshots.clear()
            self._outgoing.put(None)
        for command in commands:
            command.set_exception(error)
        for snapshot in snapshots:
            snapshot.set_exception(error)


class _RemoteExecution:
    def __init__(self, core: RemoteCore, number: int, result: Future[Result]) -> None:
        self._core = core
        self._number = number
        self._result = result

    @property
    def result(self) -> Future[Result]:
        return self._result

    def interrupt(self, code: int) -> None:
        if not self._result.done():
            self._core.interrupt(self._number, code)


class _RemoteSubscription:
    def __init__(self, core: RemoteCore, number: int, sink: Sink, *, content: bool) -> None:
        self._core = core
        self._number = number
        self._sink: Sink | None = sink
        self._busy = threading.RLock()
        self.content = content

    def hand_out(self, records: list[Record]) -> None:
        with self._busy:
            if self._sink is not None and records:
                self._sink(records)

    def close(self) -> None:
        with self._busy:
            self._sink = None
        self._core.unsubscribe(self._number)


def _close_all(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _connect(path: Path) -> socket.socket:
    """Through the directory's descriptor, so that its name may have any length."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sock.connect(f"/proc/self/fd/{directory}/{path.name}")
        finally:
            os.close(directory)
    except OSError as error:
        sock.close()
        why = f"the owner cannot be reached: {error.strerror}".lower()
        raise UnavailableError(why, where=clean(str(path), 200)) from error
    return sock
