"""A transport for members of one program: what one sends is there at once. For tests, and for the demo's two members.

It does what a relay does (`net.rooms.relay`), without a socket: it tells who comes and goes and passes messages on.
"""

import asyncio
from collections.abc import Callable

from runtime.rooms.transport import (
    Connected,
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    Outgoing,
    Purge,
    Received,
    Seen,
    Turned,
)

__all__ = ["InProcessHub", "InProcessTransport"]


class InProcessHub:
    """Where the members of one room meet."""

    def __init__(self) -> None:
        self._joined: dict[str, tuple[Seen, InProcessTransport]] = {}
        self._creator = ""

    def transport(self) -> "InProcessTransport":
        """A way in for one member."""
        return InProcessTransport(self)

    def take(self, way: "InProcessTransport", message: Outgoing) -> None:
        """Passes on what a member sends."""
        match message:
            case Join():
                self._join(way, message.me)
            case KeyShare():
                if self._is(way, message.sender) and message.target in self._joined:
                    self._joined[message.target][1].put(message)
            case Encrypted():
                if self._is(way, message.sender):
                    self._tell_others(message.sender, message)
            case Purge() if self._is(way, self._creator):
                for _, other in tuple(self._joined.values()):
                    other.put(Turned("the room was purged"))
                self._joined.clear()
            case _:
                pass

    def leave(self, way: "InProcessTransport") -> None:
        """A member's way has ended."""
        for key in [key for key, (_, other) in self._joined.items() if other is way]:
            del self._joined[key]
            self._tell_others(key, MemberLeft(key))

    def _join(self, way: "InProcessTransport", me: Seen) -> None:
        key = me.identity_key
        self._creator = self._creator or key
        self._joined[key] = (me, way)
        others = [seen for other, (seen, _) in self._joined.items() if other != key]
        self._tell_others(key, NewMember(me))
        way.put(
            MemberList(
                [
                    Seen(identity_key=one.identity_key, ed25519_key=one.ed25519_key, display_name=one.display_name)
                    for one in others
                ]
            )
        )

    def _is(self, way: "InProcessTransport", key: str) -> bool:
        return key in self._joined and self._joined[key][1] is way

    def _tell_others(self, key: str, message: Received) -> None:
        for other, (_, way) in tuple(self._joined.items()):
            if other != key:
                way.put(message)


class InProcessTransport:
    """One member's way to the others. Made by `InProcessHub.transport`.

    Args:
        hub: where they meet.
    """

    def __init__(self, hub: InProcessHub) -> None:
        self._hub = hub
        self._receive: Callable[[Received], None] | None = None

    def start(self, receive: Callable[[Received], None]) -> None:
        """Begins; `receive` is called for whatever arrives."""
        self._receive = receive
        self.put(Connected())

    def send(self, message: Outgoing) -> None:
        """Sends."""
        if self._receive is not None:
            self._hub.take(self, message)

    def put(self, message: Received) -> None:
        """Something arrives for this member: in the next round of the loop, never from within `send`."""
        asyncio.get_running_loop().call_soon(self._arrive, message)

    async def close(self) -> None:
        """Ends the connection; nothing is received afterwards."""
        if self._receive is not None:
            self._receive = None
            self._hub.leave(self)

    def _arrive(self, message: Received) -> None:
        if self._receive is not None:
            self._receive(message)
