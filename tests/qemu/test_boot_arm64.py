"""A machine of arm64, whose kernel leaves the loading of the next one to a program, from a folder to its second stage.

Debian's kernels for arm64 have no `kexec_file_load`. The first stage has kexec-tools there, which uses `kexec_load`.
"""

import json
from dataclasses import dataclass

import pytest

from boot.trust.verifier import STEPS
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import HOST, routed
from tests.qemu.release import Release, built, shelf

pytestmark = pytest.mark.boot


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a machine that booted.

    Attributes:
        said: on its console.
        release: what it was given.
    """

    said: str
    release: Release


def arm64_by_kexec_load(laboratory: Laboratory) -> Seen:
    """arm64 (cortex-a57, GICv2): Internet mode, from a server that the command line names, to the second stage."""
    place = laboratory.place("arm64")
    release = built(laboratory.release.keys.parent, place / "release", "--arch", "arm64")
    with shelf(release.folder) as port:
        line = f"orlop.mode=internet orlop.report=off orlop.provider=http://{HOST}:{port}/"
        kernel, initrd = release.kernel, release.initramfs
        with laboratory.boots(place, line, *routed(), arch="arm64", kernel=kernel, initrd=initrd) as machine:
            machine.until("boot: stage 2, ")
    return Seen(machine.text, release)


@boots(arm64_by_kexec_load)
def test_arm64_comes_to_its_verified_second_stage_by_kexec_load(seen: Seen) -> None:
    wanted = ("boot: stage 1,", "boot: address ", "boot: step version:", "boot: got rootfs", "boot: kexec loaded")
    places = [seen.said.index(marker) for marker in (*wanted, "boot: stage 2,")]
    assert places == sorted(places)
    assert "Kernel panic" not in seen.said


@boots(arm64_by_kexec_load)
def test_arm64_takes_every_step_of_the_trust_chain(seen: Seen) -> None:
    steps = [line.partition("boot: step ")[2].partition(":")[0] for line in seen.said.splitlines()]
    assert [step for step in steps if step in STEPS] == list(STEPS)


@boots(arm64_by_kexec_load)
def test_arm64_boots_what_was_signed_for_it(seen: Seen) -> None:
    payload = json.loads(seen.release.folder.joinpath("manifest.json").read_bytes())["payload"]
    assert payload["arch"] == "arm64"
    for name in ("kernel", "initramfs", "rootfs"):
        assert f"boot: got {name} {payload['artifacts'][name]['size']}" in seen.said
