"""A release is made images of only if its own image would boot it, and if it is of a kind that is released."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from boot.errors import BootRefusedError
from boot.image.planning import KINDS, planned
from boot.image.source import Source, copied, verified
from boot.trust.signing import sign_root
from runtime.errors import OrlopError, RefusedError, UsageError
from tests.boot.image.small_releases import IMAGE, efi_program, full, initramfs, release
from tests.boot.trust.signed import DAY_MS, KEYS, NOW_MS, manifest, root


def source(folder: Path, target: Path) -> Source:
    copied(folder, target)
    return verified(target, folder, NOW_MS)


def test_p9_a_release_is_verified_by_the_root_in_its_own_image(tmp_path: Path) -> None:
    found = source(release(tmp_path / "release"), tmp_path / "copy")
    assert found.image == IMAGE
    assert found.manifest.manifest_version == 7
    assert found.trusted.root.keys == (KEYS[0].public_hex,)


def test_newer_roots_beside_it_are_taken(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "root").mkdir()
    (folder / "root/2.json").write_bytes(sign_root(root(2, 1, 0, 1), [KEYS[0]]))
    assert source(folder, tmp_path / "copy").trusted.root.version == 2


def test_what_is_written_is_what_was_verified_whatever_happens_to_the_folder_meanwhile(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    copied(folder, tmp_path / "copy")
    (folder / "kernel").write_bytes(b"changed")
    assert verified(tmp_path / "copy", folder, NOW_MS).manifest.artifacts["kernel"].size > 100


def _missing(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _link(folder: Path) -> None:
    (folder / "kernel").rename(folder / "real")
    (folder / "kernel").symlink_to("real")


def _folder(folder: Path) -> None:
    (folder / "initramfs").unlink()
    (folder / "initramfs").mkdir()


def _bytes(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: void((folder / name).write_bytes(content))


def void(_: object) -> None:
    """For what returns something that nobody wants."""


OTHER = efi_program(content=b"x" * 700)
BAD_FILES: dict[str, tuple[type[OrlopError], str, Callable[[Path], None]]] = {
    "no kernel": (UsageError, "is missing", _missing("kernel")),
    "no manifest": (UsageError, "boot sign", _missing("manifest.json")),
    "no inventory": (UsageError, "is missing", _missing("inventory.json")),
    "an empty kernel": (BootRefusedError, "kernel is empty", _bytes("kernel", b"")),
    "a link": (RefusedError, "symbolic link", _link),
    "a folder": (RefusedError, "not a regular file", _folder),
    "another kernel than that signed": (
        BootRefusedError,
        "is signed",
        _bytes("kernel", efi_program(content=b"x" * 700)),
    ),
    "a longer kernel": (BootRefusedError, "more than the", _bytes("kernel", efi_program() + b"x")),
    "an initramfs of others": (RefusedError, "no initramfs", _bytes("initramfs", b"x" * 200)),
    "another image.json": (RefusedError, "not that of the initramfs", _bytes("image.json", full().document())),
    "a manifest of others": (BootRefusedError, "none of the root's", _bytes("manifest.json", manifest(3))),
}


@pytest.mark.parametrize(("error", "why", "change"), BAD_FILES.values(), ids=BAD_FILES)
def test_it_is_refused_with(error: type[OrlopError], why: str, change: Callable[[Path], None], tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    change(folder)
    with pytest.raises(error, match=why):
        source(folder, tmp_path / "copy")


def test_an_image_with_a_shell_is_not_released(tmp_path: Path) -> None:
    image = replace(IMAGE, debug_shell=True, channel="nightly")
    with pytest.raises(RefusedError, match="shell"):
        source(release(tmp_path / "release", image), tmp_path / "copy")


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        ({"channel": "testing"}, "takes stable"),
        ({"arch": "arm64"}, "takes x86_64"),
        ({"manifest_version": 6}, "below 7"),
        ({"manifest_version": 8}, "the image has version 7"),
        ({"expires_ms": NOW_MS - 1}, "it is"),
        ({"created_ms": NOW_MS + 2 * DAY_MS}, "more than a day ahead"),
    ],
)
def test_what_its_own_image_would_not_boot_is_refused(signed: dict[str, object], why: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=why):
        source(release(tmp_path / "release", **signed), tmp_path / "copy")


def test_a_kernel_for_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no EFI program for x86_64"):
        source(release(tmp_path / "release", files={"kernel": efi_program("arm64")}), tmp_path / "copy")


def test_an_initramfs_without_a_root_is_refused(tmp_path: Path) -> None:
    files = {"initramfs": initramfs().replace(b"etc/orlop/root", b"etc/orlop/moot")}
    with pytest.raises(RefusedError, match="none of orlop's"):
        source(release(tmp_path / "release", files=files), tmp_path / "copy")


def test_images_for_virtual_machines_and_for_real_ones_take_the_kernel_that_fits(tmp_path: Path) -> None:
    cloud = source(release(tmp_path / "cloud"), tmp_path / "copy-1")
    real = source(release(tmp_path / "full", full()), tmp_path / "copy-2")
    assert dict(planned([cloud, real], ())) == {
        "disk": cloud, "qcow2": cloud, "usb": real, "iso": real, "netboot": real,
    }  # fmt: skip
    assert {kind for kind, _ in planned([cloud], ())} == {"disk", "qcow2", "netboot"}, "it finds no stick"
    assert [kind for kind, _ in planned([real], ())] == list(KINDS)


def test_a_stick_with_a_kernel_that_finds_no_sticks_is_refused(tmp_path: Path) -> None:
    cloud = source(release(tmp_path / "cloud"), tmp_path / "copy")
    with pytest.raises(RefusedError, match="no USB disks"):
        planned([cloud], ("usb",))


def test_releases_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    one = source(release(tmp_path / "one"), tmp_path / "copy-1")
    other = source(release(tmp_path / "other", replace(IMAGE, release="2026.12")), tmp_path / "copy-2")
    with pytest.raises(UsageError, match="different names"):
        planned([one, other], ())
    with pytest.raises(UsageError, match="same machines"):
        planned([one, one], ())
