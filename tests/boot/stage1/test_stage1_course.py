"""From a place where a release may be to sealed memory: in the order of the mode, told as it goes, proven."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.release import Order
from boot.modes import Mode, narrowed
from boot.stage1 import course as course_module
from boot.stage1 import mdns
from boot.stage1.cache import Cache
from boot.stage1.cmdline import CommandLine
from boot.stage1.course import Telling, check_rules
from boot.stage1.handover import Handover
from boot.stage1.image import Image
from boot.stage1.lease import Lease
from boot.stage1.mdns import Offer
from boot.stage1.payload import NAMES, Payload
from boot.stage1.reporting import Reporter
from boot.stage1.search import Search, first_that_gives
from boot.stage1.stored import fetch_stored, release_folder
from boot.trust.verifier import STEPS
from net.lan.announcement import Boot
from runtime.errors import FailedError
from tests.boot.fetch.scripted import QUICK
from tests.boot.serve.releases import FILES, release
from tests.boot.stage1.serving import NONCE, Server, serving
from tests.boot.trust.signed import NOW_MS, TRUSTED, WANTED

IMAGE = Image(arch="x86_64", channel="stable", floor=7, built_ms=NOW_MS, release="1", kernel="6.1")
LEASE = Lease("lo", IPv4Interface("127.0.0.1/8"))
NOBODY = "http://127.0.0.1:1/"


@dataclass
class Bench:
    """One machine's way to a release."""

    payload: Payload
    mode: Mode = "internet"
    provider: str = ""
    lease: Lease | None = LEASE
    report: bool = True
    said: list[str] = field(default_factory=list)

    @property
    def search(self) -> Search:
        line = CommandLine(mode=self.mode, provider=self.provider, report=self.report)
        rules = narrowed(self.mode, report=self.report)
        reporter = Reporter(wanted=rules.reports, wait_s=100.0)
        order = Order(
            trusted=TRUSTED,
            wanted=WANTED,
            sink_of=self.payload.sink,
            listener=Telling(self.said.append, reporter, self.payload),
            names=NAMES,
            patience=replace(QUICK, rounds=1, tries=1),
        )
        return Search(IMAGE, line, rules, self.lease, order, reporter, self.said.append)


@pytest.fixture
def payload() -> Iterator[Payload]:
    with Payload() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(release(tmp_path / "release")) as made:
        yield made


def handover() -> Handover:
    return Handover(
        mode="internet", channel="stable", arch="x86_64", release="1", manifest_version=7, manifest_hash="ab" * 32
    )


def test_a_named_server_gives_a_release_that_ends_in_sealed_memory(payload: Payload, server: Server) -> None:
    bench = Bench(payload, provider=server.url)
    fetched = first_that_gives(bench.search.places())
    assert (fetched.provider, fetched.session) == (server.url, NONCE)
    payload.seal(handover())
    payload.check()
    assert {name: source(10_000_000, 0) for name, source in payload.sources().items()} == FILES
    assert payload.sources()["rootfs"](10, len(FILES["rootfs"]) - 3) == FILES["rootfs"][-3:]
    assert payload.sources()["kernel"](10, len(FILES["kernel"])) == b""


def test_every_step_and_artifact_is_said_in_its_fixed_form(payload: Payload, server: Server) -> None:
    bench = Bench(payload, provider=server.url)
    first_that_gives(bench.search.places())
    assert bench.said[0] == f"provider {server.url}"
    assert [line.split(":")[0] for line in bench.said if line.startswith("step ")] == [f"step {one}" for one in STEPS]
    assert [line for line in bench.said if line.startswith("got ")] == [
        f"got {name} {len(FILES[name])}" for name in ("initramfs", "kernel", "rootfs")
    ]


def test_the_server_is_told_the_same(payload: Payload, server: Server) -> None:
    first_that_gives(Bench(payload, provider=server.url).search.places())
    lines = [json.loads(line) for body in server.posted for line in body.splitlines()]
    assert [line["step"] for line in lines] == [*STEPS, "got.initramfs", "got.kernel", "got.rootfs"]
    assert all(line["ok"] is True and line["session"] == NONCE for line in lines)
    assert {len(line) for line in lines} == {4}


@pytest.mark.parametrize(("mode", "report"), [("private", True), ("internet", False), ("local", False)])
def test_nothing_is_told_in_private_and_where_it_is_switched_off(
    payload: Payload, server: Server, mode: Mode, report: bool
) -> None:
    first_that_gives(Bench(payload, mode=mode, provider=server.url, report=report).search.places())
    assert server.posted == []


def test_a_server_that_does_not_take_reports_makes_no_difference(payload: Payload, tmp_path: Path) -> None:
    with serving(release(tmp_path / "release"), report_status=500) as server:
        fetched = first_that_gives(Bench(payload, provider=server.url).search.places())
    assert fetched.verified.manifest.manifest_version == 7
    assert server.posted


def test_a_refusal_is_said_told_and_raised(payload: Payload, tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "initramfs").write_bytes(b"j" + FILES["initramfs"][1:])
    with serving(folder) as server:
        bench = Bench(payload, provider=server.url)
        with pytest.raises(BootRefusedError) as caught:
            first_that_gives(bench.search.places())
    assert caught.value.step == "hash"
    assert any(line.startswith(f"nothing from {server.url}: hash: initramfs") for line in bench.said)
    last = json.loads(b"".join(server.posted).splitlines()[-1])
    assert (last["step"], last["ok"]) == ("hash", False)


def test_what_does_not_fit_into_memory_is_refused_before_an_artifact_comes(
    payload: Payload, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = tmp_path / "meminfo"
    little.write_text("MemAvailable:  90000 kB\n")
    monkeypatch.setattr(course_module, "MEMINFO", little)
    with pytest.raises(BootRefusedError) as caught:
        first_that_gives(Bench(payload, provider=server.url).search.places())
    assert caught.value.step == "memory"
    assert not {f"/{name}" for name in FILES} & set(server.asked)


def test_who_names_a_server_has_no_other_asked(payload: Payload, monkeypatch: pytest.MonkeyPatch) -> None:
    def heard(*_: object) -> list[Offer]:
        raise AssertionError("the link was asked")

    monkeypatch.setattr(mdns, "look", heard)
    bench = Bench(payload, provider=NOBODY)
    with pytest.raises(BootUnavailableError):
        first_that_gives(bench.search.places())
    assert not any(line.startswith(("lan:", "dht:")) for line in bench.said)


@pytest.mark.parametrize(
    ("mode", "looked"), [("internet", ["lan", "dht"]), ("local", ["lan"]), ("private", ["lan", "dht"])]
)
def test_p14_each_mode_looks_only_where_it_may(
    payload: Payload, monkeypatch: pytest.MonkeyPatch, mode: Mode, looked: list[str]
) -> None:
    monkeypatch.setattr(mdns, "look", lambda *_: [])
    bench = Bench(payload, mode=mode)
    with pytest.raises(BootUnavailableError, match="no release was found"):
        first_that_gives(bench.search.places())
    assert [line.partition(":")[0] for line in bench.said] == looked


def test_what_the_link_offers_is_asked_newest_first_and_believed_in_nothing(
    payload: Payload, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = [
        Offer(server.url, Boot("stable", "x86_64", 7, "00" * 32)),
        Offer(NOBODY, Boot("stable", "x86_64", 99, "00" * 32)),
        Offer("http://127.0.0.1:2/", Boot("nightly", "x86_64", 100, "00" * 32)),
    ]
    monkeypatch.setattr(mdns, "look", lambda _address, _wait, fits: [one for one in offers if fits(one)])
    bench = Bench(payload, mode="local")
    assert first_that_gives(bench.search.places()).provider == server.url
    assert bench.said[:2] == [f"lan: {NOBODY} {server.url}", f"provider {NOBODY}"]


def test_without_a_network_no_server_is_looked_for(payload: Payload) -> None:
    assert list(Bench(payload, mode="local", lease=None).search.places()) == []


def test_a_release_on_a_disk_takes_the_same_way(payload: Payload, tmp_path: Path) -> None:
    bench = Bench(payload, mode="local")
    stored = release_folder("seed", release(tmp_path / "release"))
    fetched = fetch_stored(stored, bench.search.order)
    payload.seal(handover())
    payload.check()
    assert (fetched.provider, fetched.session) == ("", "")
    assert bench.said[0] == "provider seed"


def test_of_several_places_the_first_refusal_is_raised_and_refused_is_not_unavailable() -> None:
    def fails(error: Exception) -> course_module.Place:
        def place() -> course_module.Fetched:
            raise error

        return place

    places = [
        fails(BootUnavailableError("first")),
        fails(BootRefusedError("hash", "second")),
        fails(BootRefusedError("expired", "third")),
    ]
    with pytest.raises(BootRefusedError, match="second"):
        first_that_gives(iter(places))
    with pytest.raises(BootUnavailableError, match="first"):
        first_that_gives(iter([places[0], fails(BootUnavailableError("later"))]))
    with pytest.raises(BootUnavailableError, match="no release was found"):
        first_that_gives(iter([]))


def test_what_the_mode_promises_is_looked_at_again_before_the_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(course_module, "make_read_only", lambda: made.append("again"))
    monkeypatch.setattr(course_module, "writable_disks", lambda: ())
    monkeypatch.setattr(course_module.link, "has_default_route", lambda: True)
    check_rules(narrowed("internet"))
    assert made == []
    with pytest.raises(FailedError, match="default route"):
        check_rules(narrowed("local"))
    check_rules(narrowed("private"))
    assert made == ["again"]
    monkeypatch.setattr(course_module, "writable_disks", lambda: ("sdb",))
    with pytest.raises(FailedError, match="sdb can be written"):
        check_rules(narrowed("private"))
    with pytest.raises(FailedError, match="sdb can be written"):
        check_rules(narrowed("internet", nowrite=True))


def test_an_empty_cache_keeps_nothing_and_remembers_nothing() -> None:
    cache = Cache(lambda _: None)
    assert not cache.writes
    assert cache.remembered.floor("stable", "x86_64") == 0
