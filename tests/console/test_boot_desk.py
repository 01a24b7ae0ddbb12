"""A node that serves releases: by its commands, to real machines' requests, told in its events and its snapshot."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from boot.fetch.keeping import Keeping
from boot.fetch.release import Order, fetch_release
from boot.serve.looking import look
from console import boot_desk
from net.book import saying
from net.peer_id import PeerId
from runtime.boot_events import BootReceipt, BootServing, BootStopped
from runtime.store import Transaction
from tests.boot.fetch.scripted import QUICK
from tests.boot.serve.releases import FILES, get, release
from tests.boot.serve.test_boot_server import ME, receipt
from tests.boot.trust.signed import KEYS, TRUSTED, WANTED
from tests.console.living import Harbor


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    found = Harbor(tmp_path)
    await found.start()
    yield found
    await found.core.stop("test")


@contextmanager
def folder(path: Path) -> Iterator[dict[str, int]]:
    """A folder as a face hands it on."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield {"release": descriptor}
    finally:
        os.close(descriptor)


def held(path: Path) -> int:
    """How many descriptors of this process are of a folder."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += each.readlink() == path
    return found


async def served(harbor: Harbor, path: Path, **args: str) -> dict[str, Any]:
    """The row of a release that is served from now on."""
    with folder(path) as descriptors:
        value = await harbor.well("boot serve", descriptors=descriptors, **{"bind": "127.0.0.1:0", **args})
    row: dict[str, Any] = value["release"]
    return row


def port_of(row: dict[str, Any]) -> int:
    return int(row["url"].rstrip("/").rpartition(":")[2])


async def test_a_running_node_serves_a_release_until_it_is_told_to_stop(harbor: Harbor, tmp_path: Path) -> None:
    row = await served(harbor, release(tmp_path / "release"))
    assert (row["release"], row["manifest_version"], row["channel"], row["arch"]) == ("2026.11", 7, "stable", "x86_64")
    assert (row["keys"], row["threshold"], row["size"]) == (
        [KEYS[0].public_hex],
        0,
        sum(len(data) for data in FILES.values()),
    )
    with Keeping(tmp_path / "out") as keeping:
        order = Order(trusted=TRUSTED, wanted=WANTED, sink_of=keeping.sink, patience=QUICK)
        keeping.keep(await fetch_release([row["url"]], order))
    assert (tmp_path / "out" / "kernel").read_bytes() == FILES["kernel"]
    status = await harbor.well("boot status")
    (machine,) = status["machines"]
    assert (machine["bytes"], machine["size"], machine["manifest"]) == (row["size"], row["size"], row["hash"])
    assert status["releases"] == [row]
    assert (await harbor.well("boot stop"))["release"]["url"] == row["url"]
    assert (await harbor.well("boot status"))["releases"] == []
    with pytest.raises(ConnectionRefusedError):
        await get(port_of(row), "/health")
    assert [event.urls for event in await harbor.told(BootStopped)] == [(row["url"],)]


async def test_what_is_served_is_in_the_snapshot_of_a_screen(harbor: Harbor, tmp_path: Path) -> None:
    assert (await harbor.core.snapshot(["releases", "machines"])).topics == {"releases": [], "machines": []}
    row = await served(harbor, release(tmp_path / "release"))
    await get(port_of(row), "/manifest.json")
    topics = (await harbor.core.snapshot(["releases", "machines"])).topics
    assert topics["releases"] == [row]
    machines = topics["machines"]
    assert isinstance(machines, list)
    assert [one["address"] for one in machines] == ["127.0.0.1"]


async def test_two_releases_are_served_beside_each_other_and_stopped_by_name(harbor: Harbor, tmp_path: Path) -> None:
    first = await served(harbor, release(tmp_path / "one"))
    second = await served(harbor, release(tmp_path / "two", release="other-8", arch="arm64"))
    assert "several are served; name one of http://127.0.0.1:" in await harbor.refused("boot stop")
    await harbor.well("boot stop", release="other-8")
    assert [row["url"] for row in (await harbor.well("boot status"))["releases"]] == [first["url"]]
    assert "is not served here" in await harbor.refused("boot stop", release=second["url"])
    await harbor.well("boot stop", release=first["url"])
    assert "nothing is served here" in await harbor.refused("boot stop")


async def test_steps_of_a_machine_are_told_as_it_reports_them(harbor: Harbor, tmp_path: Path) -> None:
    row = await served(harbor, release(tmp_path / "release"))
    nonce = (await get(port_of(row), "/manifest.json")).fields["orlop-session"]
    lines = b"".join(
        json.dumps({"session": nonce, "step": step, "ok": ok, "detail": "said"}).encode() + b"\n"
        for step, ok in (("form", True), ("threshold", False))
    )
    assert (await get(port_of(row), "/report", method="POST", body=lines)).status == 202
    (machine,) = (await harbor.well("boot status", session=nonce[:6]))["machines"]
    assert [(step["name"], step["ok"]) for step in machine["steps"]] == [("form", True), ("threshold", False)]
    assert "no machine of this session" in await harbor.refused("boot status", session="ffffffffff")


@pytest.mark.parametrize(("trusted", "ok"), [(True, True), (False, None)])
async def test_the_receipt_of_a_trusted_peer_is_believed_and_no_strangers(
    harbor: Harbor, tmp_path: Path, *, trusted: bool, ok: bool | None
) -> None:
    row = await served(harbor, release(tmp_path / "release"))

    def trust(tx: Transaction) -> None:
        saying.trust(tx, PeerId(ME.public))

    if trusted:
        await harbor.core.write(trust)
    nonce = (await get(port_of(row), "/manifest.json")).fields["orlop-session"]
    body = receipt(nonce, booted=str(row["hash"]))
    assert (await get(port_of(row), "/receipts", method="POST", body=body)).status == 200
    (told,) = await harbor.told(BootReceipt)
    assert (told.ok, told.names_manifest) == (ok, True)
    kept = (await harbor.well("receipts list"))["items"]
    assert [row["receipt"] for row in kept] == ([told.receipt] if trusted else [])
    (machine,) = (await harbor.well("boot status"))["machines"]
    assert machine["verdict"] == ("valid" if ok else "unchecked")


async def test_what_is_not_as_it_was_signed_is_not_served(harbor: Harbor, tmp_path: Path) -> None:
    path = release(tmp_path / "release")
    (path / "kernel").write_bytes(b"?" * len(FILES["kernel"]))
    with folder(path) as descriptors:
        said = await harbor.refused("boot serve", descriptors=descriptors, bind="127.0.0.1:0", release="my/release")
    assert said.startswith("boot-refused: boot: refused: ")
    assert "hash: kernel" in said
    (path / "manifest.json").unlink()
    with folder(path) as descriptors:
        said = await harbor.refused("boot serve", descriptors=descriptors, bind="127.0.0.1:0", release="my/release")
    assert said.startswith("network: boot: unavailable: my/release/manifest.json: is missing")
    assert await harbor.told(BootServing) == []


async def test_nothing_stays_open_of_what_could_not_be_served(harbor: Harbor, tmp_path: Path) -> None:
    path = release(tmp_path / "release")
    row = await served(harbor, path)
    with folder(path) as descriptors:
        taken = f"127.0.0.1:{port_of(row)}"
        said = await harbor.refused("boot serve", descriptors=descriptors, bind=taken)
    assert "address already in use" in said
    assert held(path) == 1
    await harbor.well("boot stop")
    assert held(path) == 0


async def test_another_release_in_the_folder_is_announced_in_the_place_of_the_first(
    harbor: Harbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_desk, "places_of", lambda host: [host])
    path = release(tmp_path / "release")
    row = await served(harbor, path)
    async with asyncio.timeout(100):
        while await announced(row["url"]) != 7:
            pass
        release(path, manifest_version=8)
        await get(port_of(row), "/manifest.json")
        while await announced(row["url"]) != 8:
            pass


async def announced(url: str) -> int:
    """The version that is announced at a URL; 0 where another server was heard of first."""
    return next((one.boot.version for one in await look(["127.0.0.1"], 100.0, enough=1) if url in one.urls), 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bind": "nowhere"}, "is not HOST:PORT"),
        ({"bind": "127.0.0.1:0", "receipts": "x"}, "--receipts: a node keeps those of keys that it believes"),
    ],
)
async def test_what_is_asked_wrongly_is_refused(
    harbor: Harbor, tmp_path: Path, given: dict[str, str], words: str
) -> None:
    with folder(release(tmp_path / "release")) as descriptors:
        assert words in await harbor.refused("boot serve", descriptors=descriptors, **given)


async def test_only_a_node_that_runs_serves_from_within(tmp_path: Path) -> None:
    found = Harbor(tmp_path)
    await found.start(owner=False)
    try:
        with folder(release(tmp_path / "release")) as descriptors:
            assert "no node runs here" in await found.refused("boot serve", descriptors=descriptors)
    finally:
        await found.core.stop("test")
