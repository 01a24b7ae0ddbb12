"""Images that a machine's own firmware starts."""

from dataclasses import dataclass
from typing import Any

import pytest

from net.lan.announcement import Boot
from tests.qemu.disks import drive
from tests.qemu.firmware import stick, uefi
from tests.qemu.images import image
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import Lan, announces
from tests.qemu.release import FLOOR, node

pytestmark = pytest.mark.boot


@dataclass(frozen=True, slots=True)
class Started:
    """What was seen of machines that started from one image.

    Attributes:
        said: by the machine that has it as its disc.
        told: by the node that served that one.
        by_stick: said by the machine that has it on a stick, as far as its first line.
    """

    said: str
    told: list[dict[str, Any]]
    by_stick: str


def image_by_uefi(laboratory: Laboratory) -> Started:
    """The disc image under UEFI, by its default entry, Internet mode, to the receipt; then as a stick, to stage 1."""
    place = laboratory.place("uefi")
    disc = image(laboratory.release, laboratory.folder / "disc-image", "disk")
    with node(place / "console", laboratory.release) as (console, port):
        lan = Lan(announces((port, Boot("stable", "x86_64", FLOOR, "0" * 64))))
        with lan, laboratory.starts([*uefi(place), *drive(disc), *lan.plug("uefi")], place / "console.log") as machine:
            machine.until("boot: ready")
        console.until("boot.receipt")
    with laboratory.starts([*uefi(place), *stick(disc)], place / "stick.log") as by_stick:
        by_stick.until("boot: stage 1, ")
    return Started(machine.text, console.lines, by_stick.text)


@boots(image_by_uefi)
def test_p13_11_3_a_disc_image_starts_by_its_default_entry_and_comes_to_its_receipt(seen: Started) -> None:
    assert "boot: stage 1, orlop 5, mode internet, channel stable" in seen.said
    assert "boot: receipt delivered to " in seen.said
    assert any(event["type"] == "boot.receipt" and event["names_manifest"] for event in seen.told)


@boots(image_by_uefi)
def test_a_disc_image_brings_its_own_cache(seen: Started) -> None:
    assert "boot: cache: vda3, read and written" in seen.said


@boots(image_by_uefi)
def test_the_same_image_starts_from_a_stick(seen: Started) -> None:
    assert "boot: stage 1, orlop 5, mode internet, channel stable" in seen.by_stick
