"""The way through a relay: what is sent arrives, and a connection that ends is opened again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from net.rooms.client import Edges, RelayClient
from net.rooms.exchange import Limits
from net.rooms.relay import Relay
from runtime.rooms.transport import (
    Connected,
    Disconnected,
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    OlmMessage,
    Purge,
    Received,
    Seen,
    Turned,
)
from tests.net.rooms.peers import ROOM, place


class Time:
    """Time that passes only while somebody sleeps, and tells how long."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)

    @property
    def edges(self) -> Edges:
        return Edges(now=self.now, sleep=self.sleep, chance=lambda: 1.0)


def seen(name: str) -> Seen:
    return Seen(identity_key=name, ed25519_key="e", display_name=name, one_time_keys={"1": "o"}, fallback_key="f")


def said(sender: str, text: str) -> Encrypted:
    return Encrypted(sender=sender, session_id="s", ciphertext=text, timestamp_ms=5)


class Member:
    """A client that joins whenever it is connected."""

    def __init__(self, name: str, url: str, time: Time | None = None) -> None:
        self.name = name
        self.client = RelayClient(url.replace("http", "ws"), ROOM, edges=(time or Time()).edges)
        self.heard: asyncio.Queue[Received] = asyncio.Queue()
        self.client.start(self._hear)

    def _hear(self, received: Received) -> None:
        if isinstance(received, Connected):
            self.client.send(Join(me=seen(self.name)))
        self.heard.put_nowait(received)

    async def until(self, kind: type[Received]) -> Received:
        while True:
            received = await self.heard.get()
            if isinstance(received, kind):
                return received


@asynccontextmanager
async def members(url: str, *names: str, time: Time | None = None) -> AsyncIterator[list[Member]]:
    found: list[Member] = []
    try:
        for name in names:
            found.append(Member(name, url, time))
            await found[-1].until(MemberList)
        yield found
    finally:
        for member in found:
            await member.client.close()


async def test_what_members_send_arrives() -> None:
    async with place() as relay, members(relay.url, "ann", "bob") as (ann, bob):
        assert await ann.until(NewMember) == NewMember(seen("bob"))
        key = KeyShare(target="ann", sender="bob", message=OlmMessage(0, "sealed"))
        bob.client.send(key)
        bob.client.send(said("bob", "sealed"))

        assert await ann.until(KeyShare) == key
        assert await ann.until(Encrypted) == said("bob", "sealed")
        await bob.client.close()
        assert await ann.until(MemberLeft) == MemberLeft("bob")


async def test_what_was_sent_goes_out_before_a_connection_is_closed() -> None:
    async with place() as relay, members(relay.url, "ann", "bob") as (ann, bob):
        for n in range(20):
            bob.client.send(said("bob", str(n)))
        await bob.client.close()

        heard = [await ann.until(Encrypted) for _ in range(20)]
        assert heard == [said("bob", str(n)) for n in range(20)]


async def test_w26_whoever_comes_back_first_restores_the_room_after_a_restart_of_the_relay() -> None:
    first = Relay()
    host, port = await first.start("127.0.0.1", 0)
    async with members(f"http://{host}:{port}", "ann", "bob") as (ann, bob):
        await ann.until(NewMember)
        await first.close()
        for member in (ann, bob):
            assert isinstance(await member.until(Disconnected), Disconnected)
        second = Relay()
        await second.start(host, port)
        for member in (ann, bob):
            await member.until(MemberList)
        bob.client.send(said("bob", "back again"))

        assert await ann.until(Encrypted) == said("bob", "back again")
        assert second.rooms == 1
        await ann.client.close()
        await bob.client.close()
        await second.close()


async def test_a_relay_that_is_not_there_is_tried_ever_more_rarely() -> None:
    gone = Relay()
    host, port = await gone.start("127.0.0.1", 0)
    await gone.close()
    time, tried = Time(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if len(time.slept) == 8:
            tried.set()
            await asyncio.Event().wait()

    heard: list[Received] = []
    client = RelayClient(f"ws://{host}:{port}", ROOM, edges=Edges(now=time.now, sleep=sleep, chance=lambda: 1.0))
    client.start(heard.append)
    await tried.wait()
    await client.close()

    assert time.slept == [1, 2, 4, 8, 16, 32, 60, 60]
    assert heard == [Disconnected("the relay cannot be reached: connection refused")] * 8


async def test_a_server_that_is_no_relay_is_said() -> None:
    async with place() as relay:
        client = RelayClient(relay.url.replace("http", "ws") + "/elsewhere", ROOM, edges=Time().edges)
        heard: asyncio.Queue[Received] = asyncio.Queue()
        client.start(heard.put_nowait)

        assert await heard.get() == Disconnected("there is no relay: it answers with status 404")
        await client.close()


async def test_a_member_whose_place_is_taken_waits_long_before_it_takes_it_back() -> None:
    time = Time()
    async with place() as relay, members(relay.url, "ann", time=time) as (ann,):
        await relay.member("ann")

        assert await ann.until(Disconnected) == Disconnected("another connection took this member's place")
        await ann.until(MemberList)
        assert time.slept == [60]


async def test_a_full_room_is_tried_again_and_says_why() -> None:
    time = Time()
    async with place(Limits(per_room=1)) as relay:
        sitting = await relay.member("ann")
        bob = Member("bob", relay.url, time)

        assert await bob.until(Disconnected) == Disconnected("the relay says: room full")
        await sitting.socket.close()
        await bob.until(MemberList)
        assert time.slept[0] == 60
        await bob.client.close()


async def test_a_purged_room_is_closed_for_good() -> None:
    async with place() as relay, members(relay.url, "ann", "bob") as (ann, bob):
        ann.client.send(Purge(identity_key="ann"))

        for member in (ann, bob):
            assert await member.until(Turned) == Turned("the room was purged")
        await _until_no_room(relay.relay)


async def _until_no_room(relay: Relay) -> None:
    while relay.connections:  # noqa: ASYNC110 - a condition of the server's, which has no event for tests
        await asyncio.sleep(0)
    assert relay.rooms == 0


async def test_a_purge_that_is_not_ours_to_ask_ends_nothing() -> None:
    async with place() as relay, members(relay.url, "ann", "bob") as (ann, bob):
        bob.client.send(Purge(identity_key="bob"))
        bob.client.send(said("bob", "still here"))

        assert await ann.until(Encrypted) == said("bob", "still here")


async def test_a_burst_is_spread_so_that_the_relay_never_closes() -> None:
    time = Time()
    async with place(now=time.now) as relay, members(relay.url, "ann", "bob", time=time) as (ann, bob):
        for n in range(300):
            bob.client.send(said("bob", str(n)))
        heard = [await ann.until(Encrypted) for _ in range(300)]

        assert heard == [said("bob", str(n)) for n in range(300)]
        assert time.at > 10


async def test_without_a_connection_nothing_is_kept_for_later() -> None:
    async with place() as relay:
        client = RelayClient(relay.url.replace("http", "ws"), ROOM, edges=Time().edges)
        client.send(said("ann", "too early"))
        ann = await relay.member("ann")
        heard: asyncio.Queue[Received] = asyncio.Queue()
        client.start(heard.put_nowait)
        assert isinstance(await heard.get(), Connected)
        client.send(Join(me=seen("bob")))
        client.send(said("bob", "now"))

        assert (await ann.hear())["type"] == "new_member"
        assert (await ann.hear())["ciphertext"] == "now"
        await client.close()


async def test_what_a_relay_garbles_is_passed_over() -> None:
    async def lie(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for text in ("nonsense", "[]", '{"type":"hello"}', '{"type":"member_list","members":7}'):
            await socket.send_str(text)
        await socket.send_bytes(b"\xff")
        await socket.send_str('{"type":"member_left","identityKey":"ann"}')
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/room/{room}", lie)
    async with TestServer(app) as server:
        client = RelayClient(f"ws://127.0.0.1:{server.port}", ROOM, edges=Time().edges)
        heard: asyncio.Queue[Received] = asyncio.Queue()
        client.start(heard.put_nowait)

        assert [await heard.get(), await heard.get()] == [Connected(), MemberLeft("ann")]
        await client.close()


@pytest.mark.parametrize("moment", ["before it starts", "while it waits"])
async def test_closing_is_possible_at_any_time(moment: str) -> None:
    client = RelayClient("ws://127.0.0.1:9", ROOM, edges=Edges(chance=lambda: 1.0))
    if moment == "while it waits":
        heard: asyncio.Queue[Received] = asyncio.Queue()
        client.start(heard.put_nowait)
        await heard.get()
    await client.close()
