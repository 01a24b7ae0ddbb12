"""Servers that the DHT knows, asked by a node of nobody's on real sockets of the loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from boot.stage1 import dht
from boot.stage1.dht import Sought
from net.dht.record import manifest_key
from runtime.clock import SystemClock
from tests.boot.trust.signed import KEYS
from tests.net.dht.machines import PATIENCE_S, Machine, Town, town

KEY = KEYS[0].public_hex
OTHER = KEYS[1].public_hex


@pytest.fixture
async def made() -> AsyncIterator[Town]:
    async with asyncio.timeout(3 * PATIENCE_S), town() as add:
        yield add


def sought(*keys: str, channel: str = "stable", now_ms: int | None = None) -> Sought:
    return Sought(channel, "x86_64", keys or (KEY,), SystemClock().wall_ms() if now_ms is None else now_ms)


def start(machine: Machine) -> str:
    ip, port = machine.address
    return f"/ip4/{ip}/udp/{port}/quic-v1/p2p/{machine.identity.peer_id}"


async def published(made: Town, *urls: str, version: int = 7, key: str = KEY) -> list[Machine]:
    machines = [await made() for _ in range(3)]
    body = {"urls": list(urls), "version": version}
    assert await machines[1].dht.publish("manifest", manifest_key("stable", "x86_64", key), body)
    return machines


async def test_p11_a_server_that_published_itself_is_found_by_its_url(made: Town) -> None:
    machines = await published(made, "http://192.0.2.9:8080/")
    found = await dht.look(sought(OTHER, KEY), ["no address", start(machines[0])], "127.0.0.1", PATIENCE_S)
    assert found == ["http://192.0.2.9:8080/"]


async def test_the_newest_version_comes_first(made: Town) -> None:
    machines = await published(made, "http://192.0.2.9/")
    body = {"urls": ["http://192.0.2.10/", "http://192.0.2.11/"], "version": 8}
    assert await machines[2].dht.publish("manifest", manifest_key("stable", "x86_64", KEY), body)
    found = await dht.look(sought(), [start(machines[0])], "127.0.0.1", PATIENCE_S)
    assert found == ["http://192.0.2.10/", "http://192.0.2.11/", "http://192.0.2.9/"]


async def test_another_channel_or_key_has_no_server(made: Town) -> None:
    machines = await published(made, "http://192.0.2.9/")
    assert await dht.look(sought(channel="nightly"), [start(machines[0])], "127.0.0.1", PATIENCE_S) == []
    assert await dht.look(sought(OTHER), [start(machines[0])], "127.0.0.1", PATIENCE_S) == []


async def test_nobody_to_ask_and_nobody_who_answers_find_nothing() -> None:
    assert await dht.look(sought(), [], "127.0.0.1", PATIENCE_S) == []
    assert await dht.look(sought(), ["/ip4/127.0.0.1/tcp/1"], "127.0.0.1", PATIENCE_S) == []
    silent = f"/ip4/127.0.0.1/udp/9/quic-v1/p2p/{KEYS[0].peer_id}"
    assert await dht.look(sought(), [silent], "127.0.0.1", 0.2) == []
    assert await dht.look(sought(), [silent], "203.0.113.77", 0.2) == []
