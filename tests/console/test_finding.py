"""Finding workers: who is told of as one and is none costs one look in ten minutes, and nobody else pays for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.finding import Found, find_workers
from net.book import saying, seeing
from net.capabilities.ranking import Need
from net.host import Host
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.clock import SystemClock
from runtime.events import PeerFault
from tests.console.living import Harbor
from tests.net.nodes import ANY_PORT, PATIENT, identity

NEED = Need(arch="x86_64")


class Rumours:
    """What a DHT of liars tells: who provides, and where that is."""

    anywhere = True

    def __init__(self, harbor: Harbor, told: dict[PeerId, Multiaddr]) -> None:
        self._harbor = harbor
        self._told = told
        self.looked_up: list[PeerId] = []

    async def start(self, *, tell: bool) -> None:
        del tell

    async def providers(self, arch: str, kind: str) -> list[PeerId]:
        assert kind == "wasm"
        return list(self._told) if arch == "x86_64" else []

    async def look_up(self, peer: PeerId) -> None:
        self.looked_up.append(peer)
        # As if from the LAN: what a DHT says of the loopback is never dialled.
        await self._harbor.core.write(lambda tx: seeing.found(tx, peer, [self._told[peer]], "lan"))

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    made = Harbor(tmp_path)
    await made.start()
    yield made
    await made.core.stop("test")


@pytest.fixture
async def somebody() -> AsyncIterator[Host]:
    """A peer that proves its key, and runs no jobs."""
    host = Host(identity(1), PATIENT, clock=SystemClock(), on_event=lambda _: None)
    yield host
    await host.aclose()


BOGUS = PeerId(identity(77).public)


async def looked(harbor: Harbor, need: Need = NEED) -> Found:
    nobody: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    return await find_workers(harbor.core, need, wait_s=0, enough=nobody)


async def rumours(harbor: Harbor, told: dict[PeerId, Multiaddr]) -> Rumours:
    made = Rumours(harbor, told)
    harbor.core.mesh.discovery = made  # type: ignore[misc,assignment]
    return made


async def test_row_27_a_bogus_provider_is_skipped_for_ten_minutes(harbor: Harbor, somebody: Host) -> None:
    place = (await somebody.listen(ANY_PORT)).without_peer()
    told = await rumours(harbor, {BOGUS: place})
    first = await looked(harbor)
    assert [one.peer for one in first.unproven] == [BOGUS]
    assert "answered with another key" in first.unproven[0].reason
    (fault,) = [event for event in await harbor.told(PeerFault) if event.rule == "bogus-provider"]
    assert (fault.peer, fault.address) == (str(BOGUS), "")
    assert harbor.core.mesh.host._conduct._scores.score("peer", str(BOGUS), harbor.clock.monotonic()) == 5.0

    harbor.clock.advance(599)
    (skipped,) = (await looked(harbor)).unproven
    assert skipped.reason.startswith("failed within the last ten minutes: answered with another key")
    assert told.looked_up == [BOGUS]

    harbor.clock.advance(1)
    (again,) = (await looked(harbor)).unproven
    assert again.reason == first.unproven[0].reason
    assert told.looked_up == [BOGUS, BOGUS]


async def test_row_27_the_pair_is_skipped_and_not_the_peer(harbor: Harbor, somebody: Host) -> None:
    place = (await somebody.listen(ANY_PORT)).without_peer()
    await rumours(harbor, {somebody.peer: place})
    (one,) = (await looked(harbor)).unproven
    assert "does not speak /orlop/capabilities/1.0.0" in one.reason
    assert (await looked(harbor)).unproven[0].reason.startswith("failed within the last ten minutes: ")
    elsewhere = await looked(harbor, Need(arch="aarch64"))
    assert "does not speak" in elsewhere.unproven[0].reason
    assert not elsewhere.unproven[0].reason.startswith("failed")


async def test_who_never_said_that_it_provides_anything_is_not_blamed(harbor: Harbor, somebody: Host) -> None:
    place = (await somebody.listen(ANY_PORT)).without_peer()
    await rumours(harbor, {})
    await harbor.core.write(lambda tx: seeing.found(tx, somebody.peer, [place], "lan"))
    for _ in range(2):
        (one,) = (await looked(harbor)).unproven
        assert one.reason.startswith("does not speak")
    assert [event for event in await harbor.told(PeerFault) if event.rule == "bogus-provider"] == []


async def test_who_is_trusted_is_looked_at_each_time(harbor: Harbor, somebody: Host) -> None:
    place = (await somebody.listen(ANY_PORT)).without_peer()
    await rumours(harbor, {somebody.peer: place})
    await looked(harbor)
    await harbor.core.write(lambda tx: saying.trust(tx, somebody.peer))
    (one,) = (await looked(harbor)).unproven
    assert one.reason.startswith("does not speak")


async def test_row_27_the_next_program_remembers(harbor: Harbor, somebody: Host) -> None:
    place = (await somebody.listen(ANY_PORT)).without_peer()
    await rumours(harbor, {BOGUS: place})
    await looked(harbor)
    await harbor.restart()
    told = await rumours(harbor, {BOGUS: place})
    assert (await looked(harbor)).unproven[0].reason.startswith("failed within the last ten minutes: ")
    assert told.looked_up == []
