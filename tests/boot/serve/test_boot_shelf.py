"""The files of a release, as the server knows them."""

import os
from pathlib import Path

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.serve import shelf
from tests.boot.serve.releases import FILES, release, sha256


def test_only_what_changed_is_hashed_again(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    before = shelf.load(folder)
    assert not shelf.stale(before)
    (folder / "kernel").write_bytes(FILES["kernel"])
    assert shelf.stale(before)
    after = shelf.load(folder, before)
    assert after.held["rootfs"] is before.held["rootfs"]
    assert after.held["kernel"] is not before.held["kernel"]


def test_an_artifact_is_found_by_its_hash(tmp_path: Path) -> None:
    contents = shelf.load(release(tmp_path / "release"))
    held = contents.by_hash(sha256("rootfs"))
    assert held is not None
    assert held.name == "rootfs"
    assert contents.by_hash("00" * 32) is None


def test_a_file_that_took_the_place_of_another_is_not_opened(tmp_path: Path) -> None:
    contents = shelf.load(release(tmp_path / "release"))
    held = contents.held["kernel"]
    descriptor = shelf.open_held(contents, held)
    assert descriptor is not None
    os.close(descriptor)
    (tmp_path / "other").write_bytes(FILES["kernel"])
    (tmp_path / "other").replace(tmp_path / "release" / "kernel")
    assert shelf.open_held(contents, held) is None
    (tmp_path / "release" / "kernel").unlink()
    assert shelf.open_held(contents, held) is None


def test_what_is_wrong_with_an_artifact_is_told_by_its_name(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "kernel").write_bytes(b"?" * 200)
    (folder / "rootfs").unlink()
    (folder / "rootfs").mkdir()
    contents = shelf.load(folder)
    assert set(contents.wrong) == {"kernel", "rootfs"}
    assert shelf.stale(contents), "it may be put right at any time"


def test_a_manifest_that_is_too_large_or_a_folder_is_refused(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "manifest.json").write_bytes(b" " * 70_000)
    with pytest.raises(BootRefusedError):
        shelf.load(folder)
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    with pytest.raises(BootUnavailableError):
        shelf.load(folder)
