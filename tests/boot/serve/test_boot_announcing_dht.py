"""Boot servers in the DHT: real nodes on the loopback, asked as a machine that boots asks them."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from boot.serve import shelf
from boot.serve.announcing_dht import DhtAnnouncer, said_in_dht, starts_of
from boot.stage1.dht import Sought, look
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.errors import UsageError
from tests.boot.serve.releases import release
from tests.boot.trust.signed import KEYS
from tests.net.dht.machines import PATIENCE_S, Machine, town


def address_of(machine: Machine) -> str:
    place = Multiaddr.at(machine.address[0], machine.address[1], "quic")
    return f"{place}/p2p/{PeerId(machine.identity.public)}"


def sought(*keys: str, channel: str = "stable") -> Sought:
    return Sought(channel, "x86_64", keys, time.time_ns() // 1_000_000)


async def test_a_server_is_found_by_the_key_that_signed_until_it_ends(tmp_path: Path) -> None:
    contents = shelf.load(release(tmp_path / "release"))
    said = said_in_dht(contents, ["10.0.0.2", "fd00::2"], 8080)
    async with asyncio.timeout(3 * PATIENCE_S), town() as add:
        first, second = await add(), await add()
        announcer = DhtAnnouncer([first.contact])
        try:
            assert await announcer.start(said) >= 1
            found = await look(sought(KEYS[0].public_hex), [address_of(second)], "0.0.0.0", PATIENCE_S)
            assert found == ["http://10.0.0.2:8080/", "http://[fd00::2]:8080/"]
            other = sought(KEYS[0].public_hex, channel="nightly")
            assert await look(other, [address_of(second)], "0.0.0.0", PATIENCE_S) == []
            assert await look(sought(KEYS[1].public_hex), [address_of(second)], "0.0.0.0", PATIENCE_S) == []
        finally:
            await announcer.close()


async def test_where_nobody_is_it_is_told_to_nobody(tmp_path: Path) -> None:
    said = said_in_dht(shelf.load(release(tmp_path / "release")), ["10.0.0.2"], 8080)
    announcer = DhtAnnouncer([])
    try:
        assert await announcer.start(said) == 0
    finally:
        await announcer.close()


def test_what_is_told_has_as_many_addresses_and_keys_as_a_record_takes(tmp_path: Path) -> None:
    contents = replace(shelf.load(release(tmp_path / "release")), keys=tuple(key.public_hex for key in KEYS[:2]))
    said = said_in_dht(contents, [f"10.0.0.{number}" for number in range(9)], 8080)
    assert set(said) == {f"/orlop/boot/stable/x86_64/{KEYS[number].public_hex}" for number in (0, 1)}
    assert all(len(body["urls"]) == 4 and body["version"] == 7 for body in said.values())  # type: ignore[arg-type]


def test_a_start_that_is_none_is_a_mistake_of_the_configuration() -> None:
    assert starts_of("") == []
    with pytest.raises(UsageError, match=r"p2p\.bootstrap"):
        starts_of("/ip4/192.0.2.1/tcp/4001")
