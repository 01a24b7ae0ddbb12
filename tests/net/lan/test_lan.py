"""Announcing and browsing by real multicast on the loopback. Others on this machine may do the same meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from net.errors import WrongPeerError
from net.lan.announcement import BOOT, PEERS, Boot, instance_of
from net.lan.service import Lan, LanEvent, Lost, Sighted
from net.limits import NetLimits
from net.peer_id import PeerId
from runtime.errors import NetworkError
from runtime.identity import Identity
from tests.net.nodes import ANY_PORT, hosts

PATIENCE_S = 60.0


class Onlooker:
    """Somebody on the loopback, with what it saw."""

    def __init__(self, peer: PeerId | None = None) -> None:
        self.peer = peer or fresh_peer()
        self.events: list[LanEvent] = []
        self._news = asyncio.Event()
        self.lan = Lan(self.peer, ["127.0.0.1"], on_event=self._tell, limits=NetLimits(mdns_instances=10_000))

    def _tell(self, event: LanEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def sees(self, what: Callable[[LanEvent], bool]) -> LanEvent:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if what(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def sees_peer(self, peer: PeerId) -> Sighted:
        event = await self.sees(lambda event: isinstance(event, Sighted) and event.announcement.peer == peer)
        assert isinstance(event, Sighted)
        return event


def fresh_peer() -> PeerId:
    return PeerId(Identity(os.urandom(32)).public)


@asynccontextmanager
async def onlookers(*peers: PeerId | None) -> AsyncIterator[list[Onlooker]]:
    made = [Onlooker(peer) for peer in peers]
    try:
        for onlooker in made:
            await onlooker.lan.start()
        yield made
    finally:
        for onlooker in made:
            await onlooker.lan.aclose()


async def test_an_announced_peer_is_seen_and_its_leaving_too() -> None:
    async with onlookers(None, None) as (here, there):
        assert await there.lan.announce(tcp=4001, quic=4002) == instance_of(there.peer)
        seen = await here.sees_peer(there.peer)
        assert seen.kind == PEERS
        assert [str(address) for address in seen.announcement.addresses] == [
            "/ip4/127.0.0.1/udp/4002/quic-v1",
            "/ip4/127.0.0.1/tcp/4001",
        ]
        await there.lan.aclose()
        await here.sees(lambda event: event == Lost(PEERS, seen.name, there.peer))
        own = [event for event in there.events if isinstance(event, Sighted) and event.announcement.peer == there.peer]
        assert own == []


async def test_a_boot_server_is_seen_with_what_it_serves() -> None:
    served = Boot("stable", "x86_64", 7, "ab" * 32)
    async with onlookers(None, None) as (here, there):
        await there.lan.announce(tcp=8080, quic=None, boot=served)
        seen = await here.sees_peer(there.peer)
        assert (seen.kind, seen.announcement.boot) == (BOOT, served)


async def test_a_name_that_is_taken_becomes_another_and_both_are_seen() -> None:
    peer = fresh_peer()
    async with onlookers(None, peer, peer) as (here, first, second):
        one = await first.lan.announce(tcp=4001, quic=None)
        other = await second.lan.announce(tcp=4002, quic=None)
        assert other != one
        for name in (one, other):
            await here.sees(lambda event, name=name: event.name == f"{name}.{PEERS}")  # type: ignore[misc]


async def test_row_28_a_spoofed_announcement_stays_unproven() -> None:
    victim = fresh_peer()
    spoofer = Lan(victim, ["127.0.0.1"], on_event=lambda _event: None)
    await spoofer.start()
    try:
        async with onlookers(None) as (here,), hosts(2) as (us, liar):
            address = await liar.host.listen(ANY_PORT)
            await spoofer.announce(tcp=address.port, quic=None)
            seen = await here.sees_peer(victim)
            with pytest.raises(WrongPeerError):
                await us.host.connect(seen.announcement.peer, seen.announcement.addresses)
            assert list(us.host.connections()) == []
    finally:
        await spoofer.aclose()


async def test_closing_leaves_no_task_and_no_socket() -> None:
    tasks, files = asyncio.all_tasks(), open_files()
    async with onlookers(None) as (one,):
        await one.lan.announce(tcp=4001, quic=None)
    assert asyncio.all_tasks() == tasks
    assert open_files() == files


def open_files() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("interfaces", [[], ["192.0.2.77"], ["no address"]])
async def test_an_interface_that_is_not_there_is_one_clear_line(interfaces: list[str]) -> None:
    lan = Lan(fresh_peer(), interfaces, on_event=lambda _event: None)
    with pytest.raises(NetworkError, match="is no address of this machine"):
        await lan.start()
    await lan.aclose()


async def test_nothing_is_announced_before_the_start() -> None:
    with pytest.raises(NetworkError):
        await Lan(fresh_peer(), ["127.0.0.1"], on_event=lambda _event: None).announce(tcp=1, quic=None)
