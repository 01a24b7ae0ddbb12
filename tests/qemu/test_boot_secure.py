"""Secure Boot with the owner's own keys: what he signed starts, and nothing else does, first or second."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from net.lan.announcement import Boot
from tests.cli.program import orlop
from tests.qemu.disks import drive
from tests.qemu.firmware import SETUP_MODE, uefi
from tests.qemu.images import DEFAULT, image, listed, put, read, renamed
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import Lan, announces
from tests.qemu.release import FLOOR, built, shelf

pytestmark = pytest.mark.boot

LOUDER = "loglevel=6"
"""Signed for the second kernel, so that it says on the console that it is locked down."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What machines said that have the same variables of UEFI.

    Attributes:
        enrolled: while the firmware learned the keys.
        signed: by what the owner signed.
        foreign: by what the owner signed, when it was served a release whose kernel Debian signed.
        unsigned: when it was given a disc that nobody signed.
        files: on the disc that the owner signed, for the firmware.
    """

    enrolled: str
    signed: str
    foreign: str
    unsigned: str
    files: list[str]


def secure_boot(laboratory: Laboratory) -> Seen:
    """Secure Boot, own keys: enrolled by `.auth`; Local mode, no link, from the seed; foreign kernel; unsigned disc."""
    place = laboratory.place("secure")
    signer = keys(laboratory, place / "keys")
    release = built(laboratory.release.keys.parent, place / "release", *signer, signed=("--cmdline", LOUDER))
    disc = image(release, place / "images", "disk", *signer)
    files = listed(disc)
    enrolled, variables = enrol(laboratory, place, disc)
    return Seen(
        enrolled,
        from_seed(laboratory, place, disc, variables),
        served_foreign(laboratory, place, disc, variables),
        unsigned(laboratory, place, variables),
        files,
    )


def keys(laboratory: Laboratory, folder: Path) -> list[str]:
    """Makes the owner's keys, and gives the words by which the program signs with them."""
    ran = orlop(laboratory.release.keys.parent, "boot", "keygen", "--secure-boot", "--out", str(folder))
    assert ran.code == 0, ran.talk
    return ["--secure-boot-key", str(folder / "db.key"), "--secure-boot-cert", str(folder / "db.crt")]


def enrol(laboratory: Laboratory, place: Path, disc: Path) -> tuple[str, Path]:
    """Has the boot menu enrol the keys that are on the disc, as the menu's own entry does that a person chooses."""
    renamed(disc, "loader/keys/orlop", "loader/keys/auto")
    put(disc, DEFAULT, read(disc, DEFAULT) + "secure-boot-enroll force\n")
    words = uefi(place, secure=SETUP_MODE)
    with laboratory.starts([*words, *drive(disc)], place / "enrolled.log") as machine:
        said = machine.until_off()
    return said, (place / "variables.fd").rename(place / "enrolled.fd")


def from_seed(laboratory: Laboratory, place: Path, disc: Path, variables: Path) -> str:
    """Starts in Local mode without any link, and so from what the disc itself has."""
    put(disc, DEFAULT, read(disc, DEFAULT).replace("default internet.efi", "default local.efi"))
    with laboratory.starts([*uefi(place, secure=variables), *drive(disc)], place / "signed.log") as machine:
        machine.until("boot: stage 2, ")
    put(disc, DEFAULT, read(disc, DEFAULT).replace("default local.efi", "default internet.efi"))
    return machine.text


def served_foreign(laboratory: Laboratory, place: Path, disc: Path, variables: Path) -> str:
    """Starts in Internet mode, where a release is served that the root signed, with the kernel as Debian ships it."""
    with shelf(laboratory.release.folder) as port:
        lan = Lan(announces((port, Boot("stable", "x86_64", FLOOR, "0" * 64))))
        words = [*uefi(place, secure=variables), *drive(disc)]
        log = place / "foreign.log"
        with lan, laboratory.starts([*words, *lan.plug("foreign")], log, ["boot: refused"]) as machine:
            machine.until("boot: refused: ")
    return machine.text


def unsigned(laboratory: Laboratory, place: Path, variables: Path) -> str:
    """Starts from the disc of a release without Secure Boot; the firmware waits for ever then."""
    disc = image(laboratory.release, place / "unsigned", "disk")
    with laboratory.starts([*uefi(place, secure=variables), *drive(disc)], place / "unsigned.log") as machine:
        machine.until("Access Denied")
    return machine.text


@boots(secure_boot)
def test_secure_boot_a_disc_has_nothing_to_start_but_what_is_signed_whole(seen: Seen) -> None:
    programs = ["EFI/BOOT/BOOTX64.EFI", *(f"EFI/Linux/{mode}.efi" for mode in ("internet", "local", "private"))]
    assert [name for name in seen.files if not name.startswith("loader/")] == programs
    assert not [name for name in seen.files if name.startswith("loader/entries")]


@boots(secure_boot)
def test_secure_boot_the_firmware_learns_the_keys_from_the_disc(seen: Seen) -> None:
    assert "Enrolling secure boot keys" in seen.enrolled
    assert "boot: stage 1" not in seen.enrolled


@boots(secure_boot)
def test_secure_boot_what_the_owner_signed_comes_to_its_second_stage_locked_down(seen: Seen) -> None:
    first, second = seen.signed.split("boot: kexec loaded")
    assert "boot: stage 1, orlop 5, mode local, channel stable" in first
    assert "Kernel is locked down from EFI Secure Boot" in second
    assert second.index("Kernel is locked down") < second.index("boot: stage 2, ")


@boots(secure_boot)
def test_local_mode_without_any_link_boots_from_the_seed_of_its_disc(seen: Seen) -> None:
    wanted = ("boot: no network: ", "boot: seed: vda2, read-only", "boot: provider seed", "boot: step version:")
    places = [seen.signed.index(marker) for marker in (*wanted, "boot: got rootfs", "boot: stage 2, ")]
    assert places == sorted(places)
    assert "http://" not in seen.signed


@boots(secure_boot)
def test_secure_boot_a_second_kernel_of_another_key_is_refused(seen: Seen) -> None:
    assert "boot: step version: " in seen.foreign  # the manifest was good
    assert "boot: got rootfs" in seen.foreign
    assert seen.foreign.rpartition("boot: refused: ")[2].startswith("unknown-key: kernel: ")
    assert "boot: kexec loaded" not in seen.foreign
    assert "boot: stage 2" not in seen.foreign


@boots(secure_boot)
def test_secure_boot_the_firmware_refuses_a_disc_that_nobody_signed(seen: Seen) -> None:
    assert "BdsDxe: failed to load Boot" in seen.unsigned
    assert "boot: stage 1" not in seen.unsigned
