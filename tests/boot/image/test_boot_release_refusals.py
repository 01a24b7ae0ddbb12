"""`boot release` refuses before it spends minutes, and leaves no folder behind."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from boot.errors import BootRefusedError
from boot.image.gpt import MIB
from boot.image.loader import Loader
from boot.image.release import Images, make_release
from boot.trust.manifest import Arch
from runtime.errors import NetworkError, RefusedError, UnavailableError, UsageError
from tests.boot.image.small_releases import efi_program, release
from tests.boot.trust.signed import KEYS, NOW_MS

IMAGES = Images(size=1024 * MIB, timeout=10, signer=None, now_ms=NOW_MS)


def nobody(_arch: Arch) -> Loader:
    """A loader is asked for when everything was verified: then these tests end."""
    raise NetworkError("was asked")


def make(folder: Path, *, key: int = 0, files: Mapping[str, bytes] | None = None) -> None:
    releases = [release(folder / "release", files=files)]
    make_release(releases, folder / "out", IMAGES, key=KEYS[key], loaders=nobody)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"release"}


def test_what_is_sound_comes_to_the_point_where_programs_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="was asked"):
        make(tmp_path)
    assert left(tmp_path) == set()


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        make(tmp_path)
    assert (tmp_path / "out/mine").read_text() == "mine"
    assert left(tmp_path) == {"out"}


def test_a_key_that_the_root_does_not_have_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="none of the keys of its root"):
        make(tmp_path, key=1)
    assert left(tmp_path) == set()


def test_a_release_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "kernel").write_bytes(efi_program(content=b"other" * 140))
    with pytest.raises(BootRefusedError, match="kernel has"):
        make_release([folder], tmp_path / "out", IMAGES, key=KEYS[0], loaders=nobody)
    assert left(tmp_path) == set()


def test_no_space_is_said_first_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10 * MIB, 9 * MIB, MIB))
    with pytest.raises(UnavailableError, match=r"there are 1MiB free and up to .* are needed"):
        make(tmp_path)
    assert left(tmp_path) == set()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no such file"):
        make_release([tmp_path / "none"], tmp_path / "out", IMAGES, key=KEYS[0], loaders=nobody)
    with pytest.raises(UnavailableError, match="no such file"):
        make_release([release(tmp_path / "r")], tmp_path / "no/out", IMAGES, key=KEYS[0], loaders=nobody)
