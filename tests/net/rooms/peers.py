"""Members of a relay's rooms for tests: real sockets that speak the protocol word by word."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from net.rooms.exchange import Limits
from net.rooms.relay import Relay

ROOM = "ab" * 16

Message = dict[str, Any]


def join(name: str, *, create: bool = True, **changes: Any) -> Message:
    return {
        "type": "join",
        "identityKey": name,
        "ed25519Key": f"{name}-signs",
        "oneTimeKeys": {"one": f"{name}-once"},
        "displayName": name,
        "create": create,
        **changes,
    }


def said(sender: str, ciphertext: str = "sealed") -> Message:
    return {
        "type": "encrypted",
        "senderIdentityKey": sender,
        "sessionId": "session",
        "ciphertext": ciphertext,
        "timestamp": 7,
    }


def share(sender: str, target: str) -> Message:
    return {
        "type": "key_share",
        "targetIdentityKey": target,
        "senderIdentityKey": sender,
        "olmMessage": {"messageType": 0, "ciphertext": "sealed"},
    }


class Peer:
    """One connection."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, *messages: Message | str | bytes) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await self.socket.send_bytes(message)
            else:
                await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> Message:
        """The next message."""
        got = await self.socket.receive()
        assert got.type is WSMsgType.TEXT, f"closed with {self.socket.close_code} instead of a message"
        found: Message = json.loads(got.data)
        return found

    async def closed(self) -> int:
        """The code with which the relay closes; what comes before is passed over."""
        while (await self.socket.receive()).type is WSMsgType.TEXT:
            pass
        assert self.socket.close_code is not None
        return self.socket.close_code


class Place:
    """A relay that listens, and a way to connect to it."""

    def __init__(self, relay: Relay, session: ClientSession, url: str) -> None:
        self.relay = relay
        self.session = session
        self.url = url
        self._peers: list[Peer] = []  # a connection that nobody holds is closed

    async def peer(self, room: str = ROOM) -> Peer:
        peer = Peer(await self.session.ws_connect(f"{self.url}/room/{room}", max_msg_size=0))
        self._peers.append(peer)
        return peer

    async def member(self, name: str, room: str = ROOM) -> Peer:
        """One who has joined; what the others are told of it is left to them."""
        peer = await self.peer(room)
        await peer.say(join(name))
        assert (await peer.hear())["type"] == "member_list"
        return peer


@asynccontextmanager
async def place(limits: Limits | None = None, **options: Any) -> AsyncIterator[Place]:
    relay = Relay(limits, **options)
    host, port = await relay.start("127.0.0.1", 0)
    try:
        async with ClientSession() as session:
            yield Place(relay, session, f"http://{host}:{port}")
    finally:
        await relay.close()
