"""Images by the real programs: what is in them, twice the same bytes, and what was damaged is found."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from boot.folder import check_artifacts
from boot.image import checking
from boot.image.esp import write_esp
from boot.image.gpt import MIB, SECTOR, Table, disk_table, read_table
from boot.image.planning import Kind
from boot.image.release import Images, Released, make_release
from boot.image.secure import SigningKey, is_signed, sign_pe
from boot.image.secure_keys import make_secure_boot_keys
from boot.image.seed import write_seed
from boot.image.sums import check_sums
from boot.image.uki import read_sections
from boot.modes import MODES
from boot.trust.verifier import verify_manifest
from runtime.errors import FailedError, OrlopError, RefusedError
from tests.boot.image.small_releases import IMAGE, efi_program, full, initramfs, loader, release
from tests.boot.trust.signed import KEYS, NOW_MS, TRUSTED, WANTED

pytestmark = pytest.mark.boot

NAME = "orlop-boot-2026.11-x86_64"
SIZE = 800 * MIB
ALL = {f"{NAME}{end}" for end in (".img", ".usb.img", ".qcow2", ".iso", ".vmlinuz", ".initrd", ".ipxe", ".cdx.json")}
ESP = f"@@{MIB}"
KERNEL = -1
"""A place that has to be looked for."""


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "LC_ALL": "C"})
    return done.stdout.decode(errors="replace")


def make(
    folder: Path, *releases: Path, kinds: tuple[Kind, ...] = (), signer: SigningKey | None = None, size: int = SIZE
) -> Released:
    images = Images(kinds=kinds, size=size, timeout=3, signer=signer, now_ms=NOW_MS)
    return make_release(releases, folder / "out", images, key=KEYS[0], loaders=loader)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    make(folder, release(folder / "cloud"), release(folder / "full", full(), {"rootfs": b"hsqs for real machines"}))
    return folder / "out"


def table_of(image: Path) -> Table:
    size = image.stat().st_size
    with image.open("rb") as file:
        head = file.read(34 * SECTOR)
        file.seek(-33 * SECTOR, 2)
        return read_table(head, file.read(), size // SECTOR)


def test_p13_all_files_are_there_and_nothing_else(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {*ALL, "RELEASE_NOTES.md", "SHA256SUMS", "SHA256SUMS.sig"}
    assert {path.name for path in out.parent.iterdir()} == {"out", "cloud", "full"}


def test_the_hashes_are_signed_and_sha256sum_reads_them(out: Path) -> None:
    _, files = check_sums(out / "SHA256SUMS", TRUSTED)
    assert set(files) == {*ALL, "RELEASE_NOTES.md"}
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, check=True)


def test_the_commands_of_the_notes_check_the_list_without_orlop(out: Path, tmp_path: Path) -> None:
    notes = (out / "RELEASE_NOTES.md").read_text()
    commands = [line.strip() for line in notes.splitlines() if line.startswith(("    {", "    openssl"))]
    script = "\n".join(commands).replace("| xxd -r -p > key.der", "| $UNHEX > key.der").replace("xxd -r -p", "$UNHEX <")
    for name in ("SHA256SUMS", "SHA256SUMS.sig"):
        (tmp_path / name).write_bytes((out / name).read_bytes())
    unhex = tmp_path / "unhex"
    unhex.write_text("#!/usr/bin/perl -0777\nprint pack 'H*', join '', map { s/\\s//gr } <STDIN>;\n")
    unhex.chmod(0o755)
    done = subprocess.run(
        ["sh", "-euc", script], cwd=tmp_path, env={**os.environ, "UNHEX": str(unhex)}, capture_output=True, check=False
    )
    assert b"Signature Verified Successfully" in done.stdout, done.stderr


def test_other_programs_find_nothing_wrong_with_a_disk(out: Path, tmp_path: Path) -> None:
    image = out / f"{NAME}.img"
    assert "No problems found" in said("sgdisk", "-v", str(image))
    esp, _, cache = table_of(image).partitions
    for part, check in ((esp, ("fsck.fat", "-n")), (cache, ("e2fsck", "-fn"))):
        copy = tmp_path / part.name
        with image.open("rb") as file, copy.open("wb") as target:
            file.seek(part.offset)
            target.write(file.read(part.size))
        said(*check, str(copy))


def test_the_seed_is_the_signed_release(out: Path, tmp_path: Path) -> None:
    _, seed, _ = table_of(out / f"{NAME}.img").partitions
    said("unsquashfs", "-q", "-o", str(seed.offset), "-d", str(tmp_path / "seed"), str(out / f"{NAME}.img"))
    raw = (tmp_path / "seed/manifest.json").read_bytes()
    check_artifacts(tmp_path / "seed", verify_manifest(TRUSTED, raw, WANTED).manifest.artifacts)


def test_11_3_the_menu_starts_the_signed_kernel_in_three_modes(out: Path) -> None:
    drive = f"{out / NAME}.img{ESP}"
    for mode in MODES:
        entry = said("mtype", "-i", drive, f"::/loader/entries/{mode}.conf")
        assert f"orlop.mode={mode} " in entry
        assert "linux /vmlinuz-x86_64\ninitrd /initramfs-x86_64.img\n" in entry
    assert said("mtype", "-i", drive, "::/loader/loader.conf").startswith("timeout 3\ndefault internet.conf\n")
    said("mtype", "-i", drive, "::/EFI/BOOT/BOOTX64.EFI")


def test_a_stick_has_the_release_for_real_machines_and_a_disk_that_for_virtual_ones(out: Path) -> None:
    def initramfs_of(image: str) -> str:
        return said("mtype", "-i", f"{out / image}{ESP}", "::/initramfs-x86_64.img")

    assert "usb-storage" in initramfs_of(f"{NAME}.usb.img")
    assert "usb-storage" not in initramfs_of(f"{NAME}.img")


def test_the_bill_of_materials_names_the_boot_menu_too(out: Path) -> None:
    bill = json.loads((out / f"{NAME}.cdx.json").read_bytes())
    assert {"libc6", "systemd-boot-efi", "Some_Wheel"} <= {one["name"] for one in bill["components"]}


def test_an_iso_has_a_partition_for_firmware(out: Path) -> None:
    image = str(out / f"{NAME}.iso")
    told = subprocess.run(["xorriso", "-indev", image, "-report_el_torito", "plain"], capture_output=True, check=True)
    assert b"UEFI" in told.stdout + told.stderr


@contextmanager
def another_place(zone: str, mask: int) -> Iterator[None]:
    before, old = os.environ.get("TZ"), os.umask(mask)
    os.environ["TZ"] = zone
    try:
        yield
    finally:
        os.umask(old)
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before


def test_two_releases_of_the_same_are_the_same_bytes_wherever_they_are_made(tmp_path: Path) -> None:
    found = []
    for name, zone, mask in (("here", "UTC", 0o022), ("elsewhere/far", "Asia/Tokyo", 0o077)):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        with another_place(zone, mask):
            found.append(make(folder, release(folder / "release", full())).files)
    assert found[0] == found[1]
    assert len(found[0]) == len(ALL) + 1


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    folder = tmp_path_factory.mktemp("secure") / "keys"
    make_secure_boot_keys(folder, datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC))
    return SigningKey(folder / "db.key", folder / "db.crt")


@pytest.fixture(scope="module")
def secure(signer: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secure-images")
    kernel = sign_pe(efi_program(), signer, NOW_MS // 1000)
    make(folder, release(folder / "release", full(), {"kernel": kernel}), kinds=("usb", "netboot"), signer=signer)
    return folder / "out"


def test_with_secure_boot_all_that_starts_bears_the_owners_signature_alone(secure: Path, signer: SigningKey) -> None:
    drive = f"{secure / NAME}.usb.img{ESP}"
    for path in ("EFI/BOOT/BOOTX64.EFI", *(f"EFI/Linux/{mode}.efi" for mode in MODES)):
        program = subprocess.run(["mtype", "-i", drive, f"::/{path}"], capture_output=True, check=True).stdout
        assert is_signed(program, signer.certificate), path
        if "Linux" in path:
            sections = {one.name: one.data for one in read_sections(program)}
            assert sections[".initrd"] == initramfs(full())
            assert is_signed(sections[".linux"], signer.certificate)
    listed = said("mdir", "-b", "-/", "-i", drive, "::")
    assert "entries" not in listed, "an entry that nobody signed"
    assert "vmlinuz" not in listed
    assert listed.count(".auth") == 3
    assert is_signed((secure / f"{NAME}.efi").read_bytes(), signer.certificate)
    assert "Enroll Secure Boot keys" in (secure / "RELEASE_NOTES.md").read_text()


def test_a_signature_is_the_same_bytes_every_time_and_takes_the_place_of_others(signer: SigningKey) -> None:
    once = sign_pe(efi_program(), signer, 1_700_000_000)
    assert sign_pe(once, signer, 1_700_000_000) == once
    assert not is_signed(efi_program(), signer.certificate)
    assert not is_signed(once.replace(b"\xf4", b"\xf5", 1), signer.certificate)


def test_a_kernel_that_the_owner_did_not_sign_is_refused(signer: SigningKey, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not bear the one signature"):
        make(tmp_path, release(tmp_path / "release", full()), kinds=("usb",), signer=signer)
    arm = replace(full(), arch="arm64")
    with pytest.raises(RefusedError, match="no Secure Boot for arm64"):
        make(tmp_path, release(tmp_path / "arm", arm), kinds=("usb",), signer=signer)
    assert {path.name for path in tmp_path.iterdir()} == {"release", "arm"}


def test_enrolment_files_are_the_bytes_that_efitools_makes(signer: SigningKey, tmp_path: Path) -> None:
    keys = signer.key.parent
    owner = "6f726c6f-7000-4000-8000-000000000020"
    for name, by in (("PK", "PK"), ("KEK", "PK"), ("db", "KEK")):
        said("cert-to-efi-sig-list", "-g", owner, str(keys / f"{name}.crt"), str(tmp_path / "esl"))
        assert (tmp_path / "esl").read_bytes() == (keys / f"{name}.esl").read_bytes()
        command = ["sign-efi-sig-list", "-t", "2026-11-22 01:02:03", "-k", f"{keys / by}.key", "-c", f"{keys / by}.crt"]
        subprocess.run(
            [*command, name, str(tmp_path / "esl"), str(tmp_path / "auth")],
            env={**os.environ, "TZ": "UTC"},
            capture_output=True,
            check=True,
        )
        assert (tmp_path / "auth").read_bytes() == (keys / f"{name}.auth").read_bytes()


def test_arm64_starts_from_its_own_menu(tmp_path: Path) -> None:
    made = make(tmp_path, release(tmp_path / "arm", replace(IMAGE, arch="arm64")), kinds=("disk",))
    name = "orlop-boot-2026.11-arm64"
    assert f"{name}.img" in made.files
    said("mtype", "-i", f"{tmp_path / 'out' / name}.img{ESP}", "::/EFI/BOOT/BOOTAA64.EFI")
    assert "console=ttyAMA0" in said(
        "mtype", "-i", f"{tmp_path / 'out' / name}.img{ESP}", "::/loader/entries/local.conf"
    )


def test_a_release_that_is_too_large_for_its_partition_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    large = release(tmp_path / "large", files={"rootfs": os.urandom(MIB)})
    with pytest.raises(RefusedError, match="as a seed, the partition has 512KiB"):
        write_seed(large, tmp_path / "seed", 0, most=MIB // 2)
    assert {path.name for path in tmp_path.iterdir()} == {"large"}


def test_boot_files_that_are_too_large_for_their_partition_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the EFI partition has 64MiB"):
        write_esp(tmp_path / "esp", 0, 64 * MIB, {"large": bytes(63 * MIB)}, 0)


def test_no_space_while_images_are_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    said("mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(room))
    try:
        files = {"rootfs": os.urandom(2 * MIB)}
        with pytest.raises(OrlopError):
            make(room, release(tmp_path / "release", full(), files), kinds=("iso",))
        assert list(room.iterdir()) == []
    finally:
        said("umount", str(room))


def test_a_disk_that_was_damaged_after_it_was_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, (_, seed, _) = checking.check_disk, disk_table(SIZE).partitions
    for number, place in enumerate((0x400 + 30, SIZE - 2 * SECTOR, seed.offset + 100, KERNEL)):

        def damaged(image: Path, *rest: Any, at: int = place) -> None:
            with image.open("r+b") as file:
                file.seek(at if at != KERNEL else file.read(100 * MIB).index(efi_program()) + 600)
                file.write(b"damage")
            check(image, *rest)

        monkeypatch.setattr("boot.image.release.check_disk", damaged)
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises((FailedError, RefusedError)):
            make(folder, release(folder / "release"), kinds=("disk",))
        assert {path.name for path in folder.iterdir()} == {"release"}
