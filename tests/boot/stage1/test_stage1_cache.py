"""The cache and the seed: believed in nothing, fatal to nothing, and usable after a cut at any moment."""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootError, BootRefusedError, BootUnavailableError
from boot.fetch.release import Fetched, Order
from boot.modes import RULES, narrowed
from boot.stage1 import cache as cache_module
from boot.stage1.artifact_store import ArtifactStore
from boot.stage1.cache import Cache, Partitions, mounted
from boot.stage1.remembered import Remembered
from boot.stage1.stored import Stored, fetch_stored, release_folder
from boot.trust.manifest import Artifact
from boot.trust.root import Trusted
from boot.trust.signing import sign_root
from boot.trust.verifier import Times, Wanted, verify_manifest
from tests.boot.trust.signed import DAY_MS, KEYS, NOW_MS, TRUSTED, manifest, root

LOCAL = RULES["local"]
OLD = {"kernel": b"k" * 70_000, "initramfs": b"i" * 3_000, "rootfs": b"r" * 90_001}
NEW = {"kernel": b"K" * 70_000, "initramfs": OLD["initramfs"], "rootfs": b"R" * 100_003}


def artifacts(files: Mapping[str, bytes]) -> dict[str, Artifact]:
    return {name: Artifact(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}


def fetched(
    files: Mapping[str, bytes], version: int, *, roots: tuple[bytes, ...] = (), trusted: Trusted = TRUSTED
) -> Fetched:
    document = manifest(manifest_version=version, artifacts=artifacts(files), created_ms=NOW_MS - DAY_MS + version)
    verified = verify_manifest(trusted, document, Wanted("stable", "x86_64", 1, Times(NOW_MS)))
    return Fetched("http://there/", "", trusted, roots, document, verified)


def sources(files: Mapping[str, bytes]) -> dict[str, Callable[[int, int], bytes]]:
    def reader(data: bytes) -> Callable[[int, int], bytes]:
        return lambda count, at: data[at : at + count]

    return {name: reader(data) for name, data in files.items()}


class Taken:
    """What a sink got."""

    def __init__(self) -> None:
        self.data = b""

    def restart(self) -> None:
        self.data = b""

    def write(self, part: bytes) -> None:
        self.data += part


@dataclass
class Disk:
    """A cache partition, as a folder."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def cache(self, *, writes: bool = True) -> Cache:
        return Cache(self.said.append, self.folder, writes=writes)

    def keep(self, files: Mapping[str, bytes], version: int) -> bool:
        return self.cache().keep(fetched(files, version), sources(files))

    def take(self, floor: int = 1) -> dict[str, bytes]:
        (stored,) = self.cache(writes=False).sources(LOCAL, "stable", "x86_64")
        return taken(stored, floor)


def taken(stored: Stored, floor: int = 1, trusted: Trusted = TRUSTED) -> dict[str, bytes]:
    sinks = {name: Taken() for name in OLD}
    order = Order(trusted=trusted, wanted=Wanted("stable", "x86_64", floor, Times(NOW_MS)), sink_of=sinks.__getitem__)
    fetch_stored(stored, order)
    return {name: sink.data for name, sink in sinks.items()}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_a_release_that_was_kept_is_taken_again(disk: Disk) -> None:
    assert disk.keep(OLD, 7)
    assert disk.take() == OLD
    assert disk.said == []


def test_artifacts_lie_by_their_hashes_with_what_they_are(disk: Disk) -> None:
    disk.keep(OLD, 7)
    for artifact in artifacts(OLD).values():
        place = disk.folder / "artifacts" / f"sha256:{artifact.sha256}"
        assert sorted(path.name for path in place.iterdir()) == ["data", "meta.json"]
        assert (place / "meta.json").read_text() == f'{{"sha256":"{artifact.sha256}","size":{artifact.size}}}\n'


def test_the_newest_takes_the_place_of_the_one_before_and_what_both_have_is_not_written_twice(disk: Disk) -> None:
    disk.keep(OLD, 7)
    shared = ArtifactStore(disk.folder / "artifacts").path(artifacts(OLD)["initramfs"]).stat()
    assert disk.keep(NEW, 8)
    assert disk.take() == NEW
    assert ArtifactStore(disk.folder / "artifacts").path(artifacts(NEW)["initramfs"]).stat() == shared
    assert len(list((disk.folder / "artifacts").iterdir())) == len(NEW)


def test_floor_and_time_are_remembered_and_only_rise(disk: Disk) -> None:
    disk.keep(NEW, 8)
    disk.keep(OLD, 7)
    remembered = disk.cache().remembered
    assert remembered.floor("stable", "x86_64") == 8
    assert remembered.floor("testing", "x86_64") == 0
    assert remembered.created_ms == NOW_MS - DAY_MS + 8


def test_an_older_release_that_lies_there_is_refused_below_the_floor(disk: Disk) -> None:
    disk.keep(OLD, 7)
    with pytest.raises(BootRefusedError) as caught:
        disk.take(floor=8)
    assert caught.value.step == "rollback"


def test_a_cache_that_may_not_be_written_is_read(disk: Disk) -> None:
    disk.keep(OLD, 7)
    before = sorted(disk.folder.rglob("*"))
    assert not disk.cache(writes=False).keep(fetched(NEW, 8), sources(NEW))
    assert sorted(disk.folder.rglob("*")) == before
    assert disk.take() == OLD


def test_without_a_cache_nothing_is_kept_found_or_remembered() -> None:
    cache = Cache(lambda _: None)
    assert not cache.keep(fetched(OLD, 7), sources(OLD))
    assert cache.sources(LOCAL, "stable", "x86_64") == ()
    assert cache.remembered == Remembered()
    assert cache.trusted(TRUSTED) == TRUSTED


# --- roots ----------------------------------------------------------------------------------------------------------


SECOND = root(2, 1, 0, 1)
SECOND_SIGNED = sign_root(SECOND, [KEYS[0]])


def test_the_newest_verified_root_is_remembered_and_verified_again(disk: Disk) -> None:
    disk.cache().keep(fetched(OLD, 7, roots=(SECOND_SIGNED,), trusted=Trusted(SECOND)), sources(OLD))
    assert disk.cache().trusted(TRUSTED) == Trusted(SECOND)
    assert (disk.folder / "root/2.json").read_bytes() == SECOND_SIGNED


def test_a_root_on_the_disk_that_does_not_follow_is_said_and_not_used(disk: Disk) -> None:
    disk.cache()
    (disk.folder / "root/2.json").write_bytes(sign_root(root(2, 1, 1), [KEYS[1]]))
    assert disk.cache().trusted(TRUSTED) == TRUSTED
    assert disk.said == [
        "cache: version 2 is signed by 0 of the 1 keys that the root before asks for: the roots before it are used"
    ]


# --- nothing is believed --------------------------------------------------------------------------------------------


def data_of(disk: Disk, name: str) -> Path:
    return ArtifactStore(disk.folder / "artifacts").path(artifacts(OLD)[name])


def test_an_artifact_with_one_other_bit_is_refused_at_every_use(disk: Disk) -> None:
    disk.keep(OLD, 7)
    data_of(disk, "rootfs").write_bytes(OLD["rootfs"][:-1] + b"x")
    for _ in range(2):
        with pytest.raises(BootRefusedError) as caught:
            disk.take()
        assert caught.value.step == "hash"


@pytest.mark.parametrize("content", [b"", b"r" * 90_000, b"r" * 90_002])
def test_an_artifact_of_another_length_is_refused(disk: Disk, content: bytes) -> None:
    disk.keep(OLD, 7)
    data_of(disk, "rootfs").write_bytes(content)
    with pytest.raises(BootRefusedError) as caught:
        disk.take()
    assert caught.value.step == "length"


def test_a_damaged_artifact_is_written_anew_by_the_next_boot_that_may(disk: Disk) -> None:
    disk.keep(OLD, 7)
    data_of(disk, "kernel").write_bytes(b"other")
    assert disk.keep(OLD, 7)
    assert disk.take() == OLD


@pytest.mark.parametrize("put", ["missing", "folder", "link"])
def test_an_artifact_that_is_no_file_is_not_there(disk: Disk, put: str) -> None:
    disk.keep(OLD, 7)
    path = data_of(disk, "kernel")
    path.unlink()
    if put == "folder":
        path.mkdir()
    elif put == "link":
        path.symlink_to("/etc/passwd")
    with pytest.raises(BootUnavailableError):
        disk.take()


def test_a_manifest_that_somebody_else_signed_is_refused(disk: Disk) -> None:
    disk.keep(OLD, 7)
    (disk.folder / "releases/stable-x86_64/manifest.json").write_bytes(manifest(3, artifacts=artifacts(OLD)))
    with pytest.raises(BootRefusedError) as caught:
        disk.take()
    assert caught.value.step == "unknown-key"


def test_s8_a_cache_whose_folder_is_a_link_is_somebody_elses(
    disk: Disk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (disk.folder / "artifacts").symlink_to(elsewhere)
    assert not disk.keep(OLD, 7)
    assert list(elsewhere.iterdir()) == []
    assert disk.said == ["cache: artifacts is no folder, so this is somebody else's: goes on without it"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"created_at":"soon","floors":{}}', b"\xff" * 70_000])
def test_a_damaged_memory_is_said_and_written_anew(disk: Disk, raw: bytes) -> None:
    disk.cache()
    (disk.folder / "memory.json").write_bytes(raw)
    assert disk.cache().remembered == Remembered()
    assert len(disk.said) == 1
    assert disk.said[0].startswith("cache: ")
    assert disk.said[0].endswith(": nothing is remembered")
    assert disk.keep(OLD, 7)
    assert disk.cache().remembered.floor("stable", "x86_64") == 7


def test_a_cache_without_room_is_said_and_what_was_seen_is_remembered(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.keep(OLD, 7)
    monkeypatch.setattr(ArtifactStore, "has_room", lambda *_: False)
    assert not disk.keep(NEW, 8)
    assert disk.said == [
        "cache: no room beside the release before, which makes way",
        "cache: too small for this release, which is not kept",
    ]
    assert disk.cache().remembered.floor("stable", "x86_64") == 8


def test_a_disk_that_fills_up_meanwhile_leaves_the_release_before(disk: Disk) -> None:
    disk.keep(OLD, 7)

    def ends(_count: int, _at: int) -> bytes:
        raise OSError(28, "No space left on device")

    assert not disk.cache().keep(fetched(NEW, 8), sources(NEW) | {"rootfs": ends})
    assert disk.said
    assert disk.take() == OLD


# --- a cut at any moment --------------------------------------------------------------------------------------------

CHANGES = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link"})


def keep_until(disk: Disk, change: int) -> bool:
    """Keeps the new release in a process that ends before its so-manieth change; whether it was cut."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [change]

    def cut(event: str, _: object) -> None:
        if event in CHANGES:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

    cache = disk.cache()
    kept = fetched(NEW, 8)
    sys.addaudithook(cut)
    cache.keep(kept, sources(NEW))
    os._exit(0)


def test_after_a_cut_at_any_moment_the_release_before_or_the_new_one_is_there(tmp_path: Path) -> None:
    seen: set[bytes] = set()
    for change in range(1000):
        disk = Disk(tmp_path / str(change))
        disk.folder.mkdir()
        disk.keep(OLD, 7)
        cut = keep_until(disk, change)
        found = disk.take(floor=disk.cache().remembered.floor("stable", "x86_64"))
        assert found in (OLD, NEW), change
        seen.add(found["kernel"])
        assert disk.keep(NEW, 8), (change, disk.said)
        assert disk.take() == NEW
        assert disk.said == []
        assert len(list((disk.folder / "artifacts").iterdir())) == len(NEW), "what was half written is gone"
        if not cut:
            break
    assert change > 15
    assert seen == {OLD["kernel"], NEW["kernel"]}


# --- the seed -------------------------------------------------------------------------------------------------------


def seed_of(folder: Path, files: Mapping[str, bytes]) -> Stored:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_bytes(fetched(files, 7).document)
    return release_folder("seed", folder)


def test_a_seed_is_a_release_like_a_servers(tmp_path: Path) -> None:
    assert taken(seed_of(tmp_path, OLD)) == OLD


def test_a_seed_is_followed_to_its_newest_root(tmp_path: Path) -> None:
    stored = seed_of(tmp_path, OLD)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/2.json").write_bytes(sign_root(root(2, 1, 1), [KEYS[0], KEYS[1]]))
    with pytest.raises(BootRefusedError) as caught:
        taken(stored)
    assert caught.value.step == "revoked-key"


def test_the_order_of_the_mode_is_kept_and_what_is_not_there_is_left_out(disk: Disk, tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    cache = Cache(disk.said.append, disk.folder, writes=True, seed=seed)
    assert cache.sources(LOCAL, "stable", "x86_64") == ()
    seed_of(seed, OLD)
    cache.keep(fetched(OLD, 7), sources(OLD))
    assert [one.name for one in cache.sources(LOCAL, "stable", "x86_64")] == ["cache", "seed"]
    assert [one.name for one in cache.sources(LOCAL, "testing", "x86_64")] == ["seed"]
    assert cache.sources(RULES["internet"], "stable", "x86_64") == ()


# --- mounting -------------------------------------------------------------------------------------------------------


def test_a_partition_that_is_nowhere_is_no_trouble() -> None:
    said: list[str] = []
    with mounted(Partitions("00000000-0000-4000-8000-000000000000", ""), LOCAL, said.append) as cache:
        assert not cache.writes
    assert said == []


def test_private_looks_for_no_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(cache_module, "wait_for_partition", never)
    for rules in (RULES["private"], narrowed("local", cache=False)):
        with mounted(Partitions("a", "b"), rules, lambda _: None) as cache:
            assert not cache.writes


def test_what_cannot_be_mounted_is_said_and_gone_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object, **__: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(cache_module, "wait_for_partition", lambda *_: object())
    monkeypatch.setattr(cache_module, "mount_partition", no)
    said: list[str] = []
    with mounted(Partitions("a", "b"), LOCAL, said.append) as cache:
        assert not cache.writes
    assert said == ["cache: invalid argument: goes on without it", "seed: invalid argument: goes on without it"]


# --- what is remembered, as bytes -----------------------------------------------------------------------------------

LINES = st.dictionaries(st.sampled_from(["stable-x86_64", "nightly-arm64"]), st.integers(1, 2**53 - 1))


@given(LINES, st.integers(0, 4_000_000_000_000))
def test_what_is_remembered_is_read_again(floors: dict[str, int], created_ms: int) -> None:
    remembered = Remembered(MappingProxyType(floors), created_ms)
    assert Remembered.parse(remembered.document()) == remembered


@given(st.binary(max_size=200))
def test_any_bytes_are_a_memory_or_refused(raw: bytes) -> None:
    with pytest.raises(BootError):
        Remembered.parse(raw)
