"""A build that cannot end leaves the folder as it was, and says in one line why."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boot.image import build as building
from boot.image.build import Order, build
from boot.image.saying import say_nothing
from runtime.errors import FailedError, OrlopError, UnavailableError, UsageError
from tests.boot.trust.signed import KEYS


@pytest.fixture
def order(tmp_path: Path) -> Order:
    out = tmp_path / "release"
    out.mkdir()
    (out / "kernel").write_bytes(b"of before")
    root = f"{KEYS[0].public_hex}\n".encode()
    return Order(
        out=out, cache=tmp_path / "cache", arch="x86_64", channel="stable", root=root, version=5, release="2026.11"
    )


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any machine does, whatever is installed on it."""
    monkeypatch.setattr(building, "check_interpreter", lambda: None)
    monkeypatch.setattr(building, "_tools", lambda **_: iter(()))


def refused(order: Order, error: type[OrlopError]) -> str:
    with pytest.raises(error) as caught:
        build(order, say_nothing)
    assert [path.name for path in order.out.iterdir()] == ["kernel"]
    assert (order.out / "kernel").read_bytes() == b"of before"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_disk_without_space_is_seen_before_anything_is_done(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_SPACE", 1 << 60)
    assert "of space, a build needs 1" in refused(order, UnavailableError)


def test_a_disk_that_becomes_full_leaves_nothing_half_written(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(order.out / ".build-x/initramfs.cpio"))

    monkeypatch.setattr(building.Apt, "update", full)
    assert refused(order, UnavailableError) == f"{order.out}: no space left on device"


def test_a_program_that_fails_leaves_nothing_half_written(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise FailedError("Write failed because No space left on device", where="mksquashfs")

    monkeypatch.setattr(building.Apt, "update", fails)
    assert refused(order, FailedError) == "mksquashfs: Write failed because No space left on device"


def test_a_folder_that_cannot_be_made_is_named(order: Order) -> None:
    (order.out.parent / "file").touch()
    with pytest.raises(UnavailableError, match="file/x"):
        build(replace(order, out=order.out.parent / "file/x"), say_nothing)


@pytest.mark.parametrize("given", ["yesterday", "-1", "", "99999999999999"])
def test_a_source_date_epoch_that_is_no_time_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        building._epoch([])


def test_without_one_the_newest_file_of_the_packages_or_our_last_commit_is_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    far = 4_000_000_000
    (tmp_path / "new").touch()
    os.utime(tmp_path / "new", (far, far))
    (tmp_path / "old").touch()
    assert building._epoch([tmp_path]) == far
