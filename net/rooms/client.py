"""The way to a room through a relay: one WebSocket, which is opened again whenever it ends.

Every join may create the room: after a restart of the relay, whoever comes first restores it.
"""

import asyncio
import contextlib
import os
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Literal

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
    WSServerHandshakeError,
)

from net.rooms.address import room_url
from net.rooms.pace import Backoff, Pace
from net.rooms.wire import MESSAGE_MAX, Refusal, WireError, decode_answer, encode_request
from runtime.rooms.transport import Connected, Disconnected, Join, MemberList, Outgoing, Received, Turned
from runtime.sanitise import clean

__all__ = ["Edges", "RelayClient"]

_CONNECT_S: Final = 15.0
_CLOSE_S: Final = 2.0
_PING_S: Final = 30.0
_WAITING_MAX: Final = 2_048
_REASON_MAX: Final = 120
_PURGED: Final = 4000
_OURS: Final = 4000
"""Close codes from here on are those of section 10."""

_Socket = ClientWebSocketResponse[Literal[False]]

_REASONS: Final = {
    4001: "the relay found a message too large",
    4002: "the relay could not read a message",
    4003: "the relay did not know a message",
    4004: "the relay does not know the room",
    4005: "another connection took this member's place",
    4009: "the relay is full",
    4008: "the room is full",
    4029: "the relay found too many messages",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What a client asks of the machine: time, patience and chance."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class RelayClient:
    """A `RoomTransport`. All calls on one event loop.

    Args:
        relay: as `net.rooms.address.relay_address` gives it.
        room: 32 hexadecimal characters.
        edges: of the machine.
    """

    def __init__(self, relay: str, room: str, *, edges: Edges | None = None) -> None:
        self._url = room_url(relay, room)
        self._edges = edges or Edges()
        self._backoff = Backoff()
        self._waiting: deque[str] = deque()
        self._more = asyncio.Event()
        self._quiet = asyncio.Event()
        self._open = False
        self._task: asyncio.Task[None] | None = None

    def start(self, receive: Callable[[Received], None]) -> None:
        """As `RoomTransport.start`."""
        self._task = asyncio.get_running_loop().create_task(self._run(receive))

    def send(self, message: Outgoing) -> None:
        """As `RoomTransport.send`: dropped while there is no connection, and when too much waits already."""
        if not self._open or len(self._waiting) >= _WAITING_MAX:
            return
        self._waiting.append(encode_request(replace(message, create=True) if isinstance(message, Join) else message))
        self._quiet.clear()
        self._more.set()

    async def close(self) -> None:
        """As `RoomTransport.close`; what was sent goes out first, if that takes no longer than a moment."""
        if self._task is None:
            return
        if self._open and not self._task.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._quiet.wait()
        self._task.cancel()
        await asyncio.wait([self._task])

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _run(self, receive: Callable[[Received], None]) -> None:
        async with ClientSession(timeout=ClientTimeout(total=None, sock_connect=_CONNECT_S)) as http:
            while True:
                visit = _Visit(self._edges.now)
                reason = await self._visit(http, visit, receive)
                if visit.turned:
                    receive(Turned(visit.turned))
                    return
                receive(Disconnected(reason))
                chance, away = self._edges.chance(), visit.code >= _OURS
                await self._edges.sleep(self._backoff.after(chance, steady_s=visit.steady_s(), turned_away=away))

    async def _visit(self, http: ClientSession, visit: "_Visit", receive: Callable[[Received], None]) -> str:
        """One connection from its beginning to its end; returns why it ended."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                socket = await http.ws_connect(
                    self._url,
                    autoping=False,
                    heartbeat=_PING_S,
                    max_msg_size=2 * MESSAGE_MAX,
                    decode_text=False,
                    timeout=ClientWSTimeout(ws_close=_CLOSE_S),
                )
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return _unreached(error)
        async with socket:
            self._opened()
            writing = asyncio.get_running_loop().create_task(self._write(socket, visit))
            try:
                receive(Connected())
                await self._read(socket, visit, receive)
            finally:
                self._open = False
                self._quiet.set()
                writing.cancel()
                await asyncio.wait([writing])
        visit.code = socket.close_code or 0
        if visit.code == _PURGED:
            visit.turned = visit.turned or "the room was purged"
        return visit.reason or _REASONS.get(visit.code, "the connection to the relay has ended")

    def _opened(self) -> None:
        self._waiting.clear()
        self._more.clear()
        self._quiet.set()
        self._open = True

    async def _read(self, socket: _Socket, visit: "_Visit", receive: Callable[[Received], None]) -> None:
        async for message in socket:
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                visit.pace.heard(bytes(message.data), self._edges.now())
                self._more.set()
            elif message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                self._take(bytes(message.data), visit, receive)

    def _take(self, raw: bytes, visit: "_Visit", receive: Callable[[Received], None]) -> None:
        try:
            answer = decode_answer(raw)
        except WireError:
            return  # what a relay garbles is lost, and asked for again
        if isinstance(answer, Refusal):
            visit.refused(answer)
            return
        if isinstance(answer, MemberList):
            visit.joined()
        receive(answer)

    async def _write(self, socket: _Socket, visit: "_Visit") -> None:
        with contextlib.suppress(ConnectionError):  # the reading side tells why
            while True:
                await self._more.wait()
                self._more.clear()
                while self._waiting:
                    wait_s = visit.pace.wait_s(self._edges.now())
                    if wait_s is None:
                        break  # until the relay is heard
                    if wait_s:
                        await self._edges.sleep(wait_s)
                        continue
                    await socket.send_str(self._waiting.popleft())
                    visit.pace.sent()
                    question = visit.pace.question(idle=not self._waiting)
                    if question is not None:
                        await socket.ping(question)
                if not self._waiting:
                    self._quiet.set()


class _Visit:
    """What is known of one connection."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.pace = Pace()
        self.turned = ""
        self.reason = ""
        self.code = 0
        self._now = now
        self._joined_at: float | None = None

    def joined(self) -> None:
        if self._joined_at is None:
            self._joined_at = self._now()

    def steady_s(self) -> float:
        return 0.0 if self._joined_at is None else self._now() - self._joined_at

    def refused(self, answer: Refusal) -> None:
        """Only an end of the room is for good; a purge that is not ours to ask is no loss, its entry in the log is."""
        if answer.kind == "room_destroyed":
            self.turned = "the room was purged"
        elif answer.kind != "purge_unauthorized":
            self.reason = f"the relay says: {answer.kind.replace('_', ' ')}"


def _unreached(error: Exception) -> str:
    if isinstance(error, WSServerHandshakeError):
        if error.status == HTTPStatus.TOO_MANY_REQUESTS:
            return "the relay takes no more connections from this address"
        return f"there is no relay: it answers with status {error.status}"
    if isinstance(error, TimeoutError):
        return "the relay cannot be reached: it does not answer"
    cause = str(error)
    if isinstance(error, OSError) and error.errno:
        cause = os.strerror(error.errno) if error.errno > 0 else error.strerror or cause
    return clean(f"the relay cannot be reached: {cause.lower()}", _REASON_MAX)
