"""The server of releases, asked over real connections."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.keeping import Keeping
from boot.fetch.release import Order, fetch_release
from boot.serve.limits import ServeLimits
from boot.serve.server import BootServer
from boot.trust.signing import sign_root
from runtime.boot_events import BootMachine, BootReceipt, BootReport, BootRequest, BootServing, BootStopped
from runtime.canonical import Json, encode
from runtime.errors import NetworkError
from runtime.events import Event
from runtime.identity import Identity
from runtime.jobs.manifest import sign_manifest
from runtime.jobs.spec import JobRequest
from runtime.jobs.statement import sign_receipt
from tests.boot.fetch.scripted import QUICK
from tests.boot.serve.releases import FILES, ask, get, release, sha256
from tests.boot.trust.signed import KEYS, TRUSTED, WANTED, root
from tests.runtime.jobs.test_tampering import MODULE, NOW_MS, statement_of

ME = Identity(b"m" * 32)


@dataclass
class Serving:
    """A server, and what it told."""

    server: BootServer
    port: int = 0
    told: list[Event] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)

    def of(self, cls: type[Event]) -> list[Event]:
        return [event for event in self.told if isinstance(event, cls)]


@contextlib.asynccontextmanager
async def serving(folder: Path, limits: ServeLimits | None = None, *, own: bool = True) -> AsyncIterator[Serving]:
    told: list[Event] = []
    kept: dict[str, bytes] = {}
    server = BootServer(
        folder,
        told.append,
        limits=limits or ServeLimits(head_s=120.0, body_s=120.0),
        accepts=lambda key: own and key == ME.public_hex,
        keep=kept.__setitem__,
        version="1.2.3",
    )
    await server.open()
    _, port = await server.listen("127.0.0.1", 0)
    server.tell()
    try:
        yield Serving(server, port, told, kept)
    finally:
        await server.close()


async def test_p7_p10_a_release_that_is_served_is_fetched_and_verified(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "root").mkdir()
    second = sign_root(root(2, 1, 0, 1), [KEYS[0], KEYS[1]])
    (folder / "root" / "2.json").write_bytes(second)
    async with serving(folder) as up:
        with Keeping(tmp_path / "out") as keeping:
            order = Order(trusted=TRUSTED, wanted=WANTED, sink_of=keeping.sink, patience=QUICK)
            fetched = await fetch_release([f"http://127.0.0.1:{up.port}/"], order)
            keeping.keep(fetched)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()
    assert fetched.trusted.root.version == 2
    last = up.of(BootMachine)[-1]
    total = sum(len(data) for data in FILES.values())
    assert isinstance(last, BootMachine)
    assert (last.session, last.bytes, last.size) == (fetched.session, total, total)
    assert isinstance(up.told[0], BootServing)
    assert isinstance(up.told[-1], BootStopped)
    assert up.told[-1].bytes > total


async def test_11_1_bytes_10_to_50_of_200_are_exactly_these_41(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        came = await get(up.port, "/kernel", fields={"Range": "bytes=10-50"})
    assert (came.status, came.fields["content-range"], came.body) == (206, "bytes 10-50/200", bytes(range(10, 51)))


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ({}, 200, FILES["kernel"]),
        ({"Range": "bytes=-3"}, 206, bytes((197, 198, 199))),
        ({"Range": "bytes=190-999"}, 206, FILES["kernel"][190:]),
        ({"Range": "bytes=0-1,4-5"}, 200, FILES["kernel"]),
        ({"Range": "bytes=0-1", "If-Range": f'"{sha256("kernel")}"'}, 206, b"\0\1"),
        ({"Range": "bytes=0-1", "If-Range": f'W/"{sha256("kernel")}"'}, 200, FILES["kernel"]),
        ({"Range": "bytes=0-1", "If-Range": '"another"'}, 200, FILES["kernel"]),
        ({"If-None-Match": f'"x", W/"{sha256("kernel")}"'}, 304, b""),
        ({"If-None-Match": "*"}, 304, b""),
        ({"If-None-Match": '"x"'}, 200, FILES["kernel"]),
    ],
)
async def test_conditions_and_ranges(tmp_path: Path, fields: dict[str, str], status: int, body: bytes) -> None:
    async with serving(release(tmp_path / "release")) as up:
        came = await get(up.port, "/kernel", fields=fields)
    assert (came.status, came.body) == (status, body)
    assert came.fields["etag"] == f'"{sha256("kernel")}"'
    assert came.fields["accept-ranges"] == "bytes"


async def test_what_is_beyond_the_file_is_416_in_json(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        came = await get(up.port, "/kernel", fields={"Range": "bytes=200-"})
    assert (came.status, came.fields["content-range"]) == (416, "bytes */200")
    assert json.loads(came.body)["error"]


async def test_head_says_what_get_would_send(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        for path, size in (("/rootfs", 3_000_000), ("/stable/amd64/rootfs.img", 3_000_000)):
            came = await get(up.port, path, method="HEAD")
            assert (came.status, came.fields["content-length"], came.body) == (200, str(size), b"")
        manifest = await get(up.port, "/manifest.json", method="HEAD")
    assert manifest.fields["content-length"] == str((tmp_path / "release" / "manifest.json").stat().st_size)
    assert "orlop-session" not in manifest.fields


async def test_an_artifact_has_its_name_its_aliases_and_its_hash(tmp_path: Path) -> None:
    blob = f"/blobs/{sha256('rootfs')[:2]}/{sha256('rootfs')}.bin"
    async with serving(release(tmp_path / "release")) as up:
        for path in ("/rootfs", "/stable/x86_64/rootfs", "/rootfs.squashfs", blob):
            came = await get(up.port, path)
            assert (came.status, came.body) == (200, FILES["rootfs"])
            assert came.fields["x-artifact-hash"] == f"sha256:{sha256('rootfs')}"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/testing/x86_64/kernel", "/stable/arm64/manifest.json", "/root/2.json", f"/blobs/ab/{'ab' * 32}.bin",
     "/..%2f..%2fetc%2fpasswd", "/%2e%2e/secret", "/secret", "/.hidden"],
)  # fmt: skip
async def test_s1_what_is_not_of_the_release_is_not_there(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("s")
    folder = release(tmp_path / "release")
    (folder / "secret").write_text("s")
    (folder / ".hidden").write_text("s")
    async with serving(folder) as up:
        came = await get(up.port, path)
    assert came.status == 404
    assert came.fields["content-type"].startswith("application/json")
    assert json.loads(came.body) == {"v": 1, "error": json.loads(came.body)["error"]}


async def test_s2_a_file_that_changed_is_not_served_as_what_it_was(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    async with serving(folder) as up:
        (folder / "kernel").write_bytes(b"?" * 200)
        assert (await get(up.port, "/kernel")).status == 503
        assert (await get(up.port, "/health")).status == 503
        assert (await get(up.port, "/initramfs")).status == 200
        (folder / "kernel").write_bytes(FILES["kernel"])
        assert (await get(up.port, "/health")).status == 200
        assert (await get(up.port, "/kernel")).body == FILES["kernel"]


async def test_a_new_release_in_the_folder_is_served_in_its_place(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    async with serving(folder) as up:
        release(folder, {**FILES, "kernel": b"new kernel"}, manifest_version=8)
        manifest = await get(up.port, "/manifest.json")
        assert manifest.body == (folder / "manifest.json").read_bytes()
        assert (await get(up.port, "/kernel")).body == b"new kernel"
    versions = [event.manifest_version for event in up.told if isinstance(event, BootServing)]
    assert versions == [7, 8]


async def test_s8_links_are_not_followed(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (tmp_path / "elsewhere").write_bytes(FILES["kernel"])
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "2.json").write_text("{}")
    (folder / "root").symlink_to(tmp_path / "roots")
    async with serving(folder) as up:
        assert (await get(up.port, "/root/2.json")).status == 404
        (folder / "kernel").unlink()
        (folder / "kernel").symlink_to(tmp_path / "elsewhere")
        assert (await get(up.port, "/kernel")).status == 503
    with pytest.raises(BootUnavailableError, match="symbolic link"):
        async with serving(folder):
            pass


@pytest.mark.parametrize("name", ["kernel", "manifest.json"])
async def test_a_release_that_is_not_as_it_was_signed_is_not_served_at_all(tmp_path: Path, name: str) -> None:
    folder = release(tmp_path / "release")
    (folder / name).write_bytes(b"?" * 200)
    with pytest.raises(BootRefusedError):
        await BootServer(folder, lambda _: None).open()
    (folder / name).unlink()
    with pytest.raises(BootUnavailableError, match="is missing"):
        await BootServer(folder, lambda _: None).open()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    async with serving(folder) as up:
        other = BootServer(folder, lambda _: None)
        await other.open()
        with pytest.raises(NetworkError, match="address already in use"):
            await other.listen("127.0.0.1", up.port)


async def test_the_server_tells_about_itself(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        greeting = json.loads((await get(up.port, "/")).body)
        status = json.loads((await get(up.port, "/status")).body)
        health = json.loads((await get(up.port, "/health")).body)
        await get(up.port, "/kernel")
        metrics = (await get(up.port, "/metrics")).body.decode()
    assert (greeting["name"], greeting["version"], greeting["manifest_version"]) == ("orlop-boot", "1.2.3", 7)
    assert status["metrics"]["requests_total"] == 1
    assert set(health["checks"]) == {"artifacts_readable", "manifest_not_expired"}
    assert 'orlop_boot_requests_total{status="200"} 4' in metrics
    assert "orlop_boot_connections 1" in metrics


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("POST", "/kernel", "GET, HEAD"), ("GET", "/report", "POST"), ("PUT", "/", "GET, HEAD")],
)
async def test_a_method_that_does_nothing_is_405(tmp_path: Path, method: str, path: str, allow: str) -> None:
    async with serving(release(tmp_path / "release")) as up:
        came = await get(up.port, path, method=method)
    assert (came.status, came.fields["allow"]) == (405, allow)


# --- limits -----------------------------------------------------------------------------------------------------------

STRICT = ServeLimits(head_s=120.0, body_s=120.0, loopback=True)


async def test_requests_of_one_address_have_a_rate(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release"), replace(STRICT, rate=0.0, burst=2.0)) as up:
        statuses = [(await get(up.port, "/health")).status for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_connections_of_one_address_are_so_many(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release"), replace(STRICT, per_address=1)) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
        writer.write(b"GET /health HTTP/1.1\r\n")
        assert (await ask(up.port, b"")).status == 503
        writer.write(b"Host: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        await writer.wait_closed()
        assert (await get(up.port, "/health")).status == 200


async def test_whoever_does_not_say_what_it_wants_is_let_go(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release"), replace(STRICT, head_s=0.1)) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
        writer.write(b"GET /health HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
    assert up.of(BootRequest) == []


async def test_whoever_does_not_read_is_let_go(tmp_path: Path) -> None:
    big = {**FILES, "rootfs": b"r" * 50_000_000}
    async with serving(release(tmp_path / "release", big), replace(STRICT, piece_s=0.2)) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port, limit=1024)
        writer.write(b"GET /rootfs HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(100):
            while not up.of(BootRequest):
                await get(up.port, "/health")
                up.told[:] = [one for one in up.told if isinstance(one, BootRequest) and one.path == "/rootfs"]
        cut = up.of(BootRequest)[0]
        assert isinstance(cut, BootRequest)
        assert cut.bytes < 50_000_000
        del reader
        writer.transport.abort()


# --- what machines tell -----------------------------------------------------------------------------------------------


async def begun(up: Serving) -> str:
    nonce = (await get(up.port, "/manifest.json")).fields["orlop-session"]
    assert len(nonce) == 32
    return nonce


def line(session: str, **changed: Json) -> bytes:
    said: dict[str, Json] = {"session": session, "step": "verify", "ok": True, "detail": "fine"}
    return encode(said | changed) + b"\n"


async def test_a_machine_reports_its_steps(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        nonce = await begun(up)
        body = line(nonce) + line(nonce, step="kexec", ok=False, detail="\x1b[31mno\n" + "x" * 500)
        assert (await get(up.port, "/report", method="POST", body=body)).status == 202
    first, second = up.of(BootReport)
    assert isinstance(first, BootReport)
    assert isinstance(second, BootReport)
    assert (first.session, first.step, first.ok, first.detail) == (nonce, "verify", True, "fine")
    assert "\x1b" not in second.detail
    assert len(second.detail) <= 256


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"hello", 400),
        (line("0" * 32), 404),
        (line("0" * 32, more=1), 400),
        (line("0" * 32, ok=1), 400),
        (line("0" * 32, step="Two words"), 400),
        (line("0" * 32, detail="x" * 5000), 400),
        (line("0" * 32) * 65, 400),
        (b"x" * 70_000, 413),
    ],
)
async def test_what_is_no_report_is_not_told(tmp_path: Path, body: bytes, status: int) -> None:
    async with serving(release(tmp_path / "release")) as up:
        await begun(up)
        assert (await get(up.port, "/report", method="POST", body=body)).status == status
    assert up.of(BootReport) == []


async def test_reports_have_a_rate_and_a_number(tmp_path: Path) -> None:
    for limits in (replace(STRICT, report_rate=0.0, report_burst=2.0), replace(STRICT, per_session=2)):
        async with serving(release(tmp_path / "release"), limits) as up:
            nonce = await begun(up)
            assert (await get(up.port, "/report", method="POST", body=line(nonce) * 3)).status == 429
        assert len(up.of(BootReport)) == 2


def receipt(nonce: str, *, booted: str = "") -> bytes:
    manifest = sign_manifest(
        ME, JobRequest(name="hello.wasm"), MODULE, nonce=nonce, created_ms=NOW_MS, stdin_sha256="a" * 64
    )
    claims = (("boot_manifest", booted),) if booted else ()
    return encode(sign_receipt(ME, statement_of(manifest), 0, "0" * 64, claims).document)


async def test_a_receipt_is_verified_and_tied_to_the_machine_by_its_nonce(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        nonce = await begun(up)
        raw = receipt(nonce)
        came = await get(up.port, "/receipts", method="POST", body=raw)
    (told,) = up.of(BootReceipt)
    assert isinstance(told, BootReceipt)
    assert (told.session, told.ok, told.key, told.names_manifest) == (nonce, True, ME.public_hex, False)
    assert (came.status, json.loads(came.body)["verification"]["ok"]) == (200, True)
    assert up.kept == {told.receipt: raw}


async def test_a_receipt_names_what_was_booted_and_only_what_is_served_counts(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        served = up.server.contents.manifest.hash
        for claim in (served, "0" * 64, ""):
            await get(up.port, "/receipts", method="POST", body=receipt(await begun(up), booted=claim))
    told = [event.names_manifest for event in up.of(BootReceipt) if isinstance(event, BootReceipt)]
    assert told == [True, False, False]


async def test_of_a_key_that_nobody_knows_a_receipt_is_not_called_valid(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release"), own=False) as up:
        await get(up.port, "/receipts", method="POST", body=receipt(await begun(up)))
    (told,) = up.of(BootReceipt)
    assert isinstance(told, BootReceipt)
    assert told.ok is None


async def test_a_receipt_that_was_changed_is_called_false_and_not_kept(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        raw = receipt(await begun(up)).replace(b'"exit_code":"0"', b'"exit_code":"1"')
        assert (await get(up.port, "/receipts", method="POST", body=raw)).status == 422
    (told,) = up.of(BootReceipt)
    assert isinstance(told, BootReceipt)
    assert (told.ok, "signature" in told.detail) == (False, True)
    assert up.kept == {}


async def test_a_receipt_of_another_session_or_none_at_all_is_not_told(tmp_path: Path) -> None:
    async with serving(release(tmp_path / "release")) as up:
        await begun(up)
        assert (await get(up.port, "/receipts", method="POST", body=receipt("0" * 32))).status == 404
        assert (await get(up.port, "/receipts", method="POST", body=b"{}")).status == 400
        assert (await get(up.port, "/receipts", method="POST", body=b"[" * 5000)).status == 400
    assert up.of(BootReceipt) == []
