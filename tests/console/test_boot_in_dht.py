"""A node tells the DHT what it serves, and commands find it there: real nodes on the loopback."""

import asyncio
import time
from pathlib import Path

import pytest

from boot.stage1.dht import Sought, look
from console import boot_desk
from console import config as configuration
from console.boot_desk import Place, Shelf
from console.cmdline import boot_fetch
from console.cmdline.verbline import read_line
from console.core import Core, CoreOptions
from tests.boot.serve.releases import release
from tests.boot.serve.test_boot_announcing_dht import address_of
from tests.boot.trust.signed import KEYS, TRUSTED
from tests.net.dht.machines import PATIENCE_S, town

URL = "http://10.0.0.2:"


@pytest.mark.parametrize("tells", [True, False])
async def test_a_node_tells_the_dht_until_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tells: bool
) -> None:
    monkeypatch.setattr(boot_desk, "places_of", lambda _bound: ["10.0.0.2"])
    async with asyncio.timeout(3 * PATIENCE_S), town() as add:
        other = await add()
        config = configuration.load(None, None, {"ORLOP_P2P_BOOTSTRAP": address_of(other)})
        core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True, config=config))
        try:
            shelf = Shelf(release(tmp_path / "release"), "release")
            row = await core.boot.serve(shelf, Place("127.0.0.1", 0, mdns=False, dht=tells))
            sought = Sought("stable", "x86_64", (KEYS[0].public_hex,), time.time_ns() // 1_000_000)
            found = await look(sought, [address_of(other)], "0.0.0.0", PATIENCE_S)
            while tells and not found:
                found = await look(sought, [address_of(other)], "0.0.0.0", PATIENCE_S)
            assert [url.startswith(URL) for url in found] == [True] * tells
            if tells:
                monkeypatch.setenv("ORLOP_P2P_BOOTSTRAP", address_of(other))
                line = read_line(["boot", "discover", "--root-key", "root.pub"])
                asked = (line, TRUSTED, "stable", "x86_64", PATIENCE_S)
                assert await asyncio.to_thread(boot_fetch._in_dht, *asked) == found
            await core.boot.stop(row.url)
        finally:
            await core.stop("test")


def test_without_a_node_to_begin_with_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORLOP_P2P_BOOTSTRAP", "")
    line = read_line(["boot", "discover", "--root-key", "root.pub"])
    assert boot_fetch._in_dht(line, TRUSTED, "stable", "x86_64", PATIENCE_S) == []
