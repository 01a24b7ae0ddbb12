"""Boot servers on the link: announced where they listen, found as hints."""

import asyncio
from pathlib import Path

from boot.serve import shelf
from boot.serve.announcing import Announcer, places_of
from boot.serve.looking import Found, look
from net.networks import own_addresses
from tests.boot.serve.releases import release
from tests.boot.trust.signed import KEYS


def test_s9_on_the_loopback_nothing_is_announced() -> None:
    assert places_of("127.0.0.1") == places_of("::1") == []
    assert places_of("192.0.2.7") == ["192.0.2.7"]
    assert places_of("0.0.0.0") == own_addresses("ip4")


async def test_p6_a_server_that_announces_itself_is_found(tmp_path: Path) -> None:
    contents = shelf.load(release(tmp_path / "release"))
    announcer = Announcer(["127.0.0.1"])
    found: list[Found] = []
    try:
        assert await announcer.start(contents, 4321) == ("127.0.0.1",)
        async with asyncio.timeout(100):
            while not (found := [one for one in await look(["127.0.0.1"], 100.0, enough=1) if _is_ours(one)]):
                pass
    finally:
        await announcer.close()
    one = found[0]
    assert one.urls == ("http://127.0.0.1:4321/",)
    assert (one.boot.channel, one.boot.arch, one.boot.version) == ("stable", "x86_64", 7)
    assert one.boot.root == KEYS[0].public_hex


async def test_another_release_in_its_place_is_announced_in_the_place_of_the_first(tmp_path: Path) -> None:
    announcer = Announcer(["127.0.0.1"])
    try:
        await announcer.start(shelf.load(release(tmp_path / "first")), 4322)
        await announcer.renew(shelf.load(release(tmp_path / "second", manifest_version=8, channel="nightly")), 4322)
        async with asyncio.timeout(100):
            while (found := await _at(4322)) is None or found.boot.version != 8:
                pass
    finally:
        await announcer.close()
    assert (found.boot.channel, found.boot.version) == ("nightly", 8)


async def _at(port: int) -> Found | None:
    urls = (f"http://127.0.0.1:{port}/",)
    return next((one for one in await look(["127.0.0.1"], 100.0, enough=1) if one.urls == urls), None)


def _is_ours(found: Found) -> bool:
    return found.urls == ("http://127.0.0.1:4321/",)


async def test_a_link_without_servers_has_none() -> None:
    assert [one for one in await look(["127.0.0.1"], 0.1) if one.boot.arch == "none"] == []
