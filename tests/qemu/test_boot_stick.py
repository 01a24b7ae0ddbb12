"""A stick for real machines: full kernel, on a bus of USB, under UEFI, with a network card of a desktop."""

from dataclasses import dataclass

import pytest

from net.lan.announcement import Boot
from tests.qemu.firmware import stick, uefi
from tests.qemu.images import DEFAULT, image, listed, read
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import Lan, announces
from tests.qemu.release import FLOOR, built, shelf

pytestmark = pytest.mark.boot

MODES = ("internet", "local", "private")
CONSOLES = "rdinit=/init console=tty0 console=ttyS0,115200 quiet panic=-1 no_timer_check"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a stick.

    Attributes:
        said: by a machine that started from it.
        files: by path; with those that are text, without kernel and first stage.
        names: of all files.
    """

    said: str
    files: dict[str, str]
    names: list[str]


def usb_stick(laboratory: Laboratory) -> Seen:
    """The USB image on usb-storage under UEFI, full kernel, e1000e: menu, Internet mode, to the second stage."""
    place = laboratory.place("usb")
    release = built(laboratory.release.keys.parent, place / "release", "--kernel", "full")
    disc = image(release, place / "images", "usb")
    names = listed(disc)
    files = {name: read(disc, name) for name in names if name.endswith(".conf")}
    with shelf(release.folder) as port:
        lan = Lan(announces((port, Boot("stable", "x86_64", FLOOR, "0" * 64))))
        words = [*uefi(place), *stick(disc)]
        with lan, laboratory.starts([*words, *lan.plug("usb", card="e1000e")], place / "console.log") as machine:
            machine.until("boot: stage 2, ")
    return Seen(machine.text, files, names)


@boots(usb_stick)
def test_a_stick_has_what_a_firmware_needs_and_nothing_else(seen: Seen) -> None:
    entries = [f"loader/entries/{mode}.conf" for mode in MODES]
    assert seen.names == ["EFI/BOOT/BOOTX64.EFI", "initramfs-x86_64.img", *entries, DEFAULT, "vmlinuz-x86_64"]


@boots(usb_stick)
def test_a_stick_has_an_entry_for_each_mode_with_the_words_of_that_mode(seen: Seen) -> None:
    words = {
        "internet": "orlop.mode=internet orlop.channel=stable",
        "local": "orlop.mode=local orlop.channel=stable orlop.cache=on",
        "private": "orlop.mode=private orlop.cache=off orlop.nowrite=on",
    }
    for mode in MODES:
        entry = dict(line.split(" ", 1) for line in seen.files[f"loader/entries/{mode}.conf"].splitlines())
        assert entry == {
            "title": f"orlop: {mode.capitalize()} mode",
            "linux": "/vmlinuz-x86_64",
            "initrd": "/initramfs-x86_64.img",
            "options": f"{words[mode]} {CONSOLES}",
        }


@boots(usb_stick)
def test_the_menu_of_a_stick_takes_internet_mode_and_lets_nobody_edit_the_words(seen: Seen) -> None:
    settings = seen.files[DEFAULT].splitlines()
    assert {"default internet.conf", "editor no"} <= set(settings)


@boots(usb_stick)
def test_a_stick_shows_the_three_modes_to_whoever_sits_there(seen: Seen) -> None:
    menu = seen.said.partition("boot: stage 1, ")[0]
    assert all(f"orlop: {mode.capitalize()} mode" in menu for mode in MODES)


@boots(usb_stick)
def test_a_machine_starts_from_a_stick_and_comes_to_its_second_stage(seen: Seen) -> None:
    wanted = ("boot: stage 1, orlop 5, mode internet", "boot: cache: sda3", "boot: step version:", "boot: kexec loaded")
    places = [seen.said.index(marker) for marker in (*wanted, "boot: stage 2, ")]
    assert places == sorted(places)
