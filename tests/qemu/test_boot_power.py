"""Power that goes while a release is written to the cache: at the next boot the machine is as well as ever."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.qemu.disks import cache_disk, cached, drive, repaired
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import HOST, routed
from tests.qemu.release import shelf

pytestmark = pytest.mark.boot

NAMED = "releases/stable-x86_64/manifest.json"
SLOW = "throttling.bps-write=8388608"
"""Bytes a second, so that the cut comes while it writes, however quick the computer is."""
ENOUGH = 24 << 20


@dataclass(frozen=True, slots=True)
class Cut:
    """What was on the disc.

    Attributes:
        half: the manifest, just after the cut.
        whole: the manifest, after the next boot.
        artifacts: SHA-256 of each artifact on the disc, by name, after the next boot.
        served: the manifest that was served.
        said: at the next boot.
    """

    half: bytes
    whole: bytes
    artifacts: dict[str, str]
    served: dict[str, Any]
    said: str


def cut_while_writing(laboratory: Laboratory) -> Cut:
    """Internet mode, cut when a part of the release is on the disc; then again until the next kernel is loaded."""
    place = laboratory.place("cut")
    disc = cache_disk(place / "disc.img")
    raw = laboratory.release.folder.joinpath("manifest.json").read_bytes()
    with shelf(laboratory.release.folder) as port:
        line = f"orlop.mode=internet orlop.report=off orlop.provider=http://{HOST}:{port}/"
        slow = drive(disc, more=SLOW)
        with laboratory.boots(place, line, *routed(), *slow, log="cut.log") as machine:
            machine.until_written("d0", ENOUGH)
            machine.cut()
        half = cached(repaired(disc, place / "half.img"), NAMED)
        with laboratory.boots(place, line, *routed(), *drive(disc), log="again.log") as machine:
            machine.until("boot: kexec loaded")
        after = repaired(disc, place / "after.img")
    served = json.loads(raw)
    hashes = {name: one["sha256"] for name, one in served["payload"]["artifacts"].items()}
    kept = {
        name: hashlib.sha256(cached(after, f"artifacts/sha256:{one}/data")).hexdigest() for name, one in hashes.items()
    }
    return Cut(half, cached(after, NAMED), kept, served, machine.text)


@boots(cut_while_writing)
def test_what_was_half_written_has_no_name(seen: Cut) -> None:
    assert seen.half == b""


@boots(cut_while_writing)
def test_the_next_boot_takes_the_release_again_and_keeps_it_whole(seen: Cut) -> None:
    assert json.loads(seen.whole) == seen.served
    assert seen.artifacts == {name: one["sha256"] for name, one in seen.served["payload"]["artifacts"].items()}
    assert "cache:" not in seen.said or "goes on without it" not in seen.said
