"""Machines in QEMU without KVM, from start to receipt: their kernel loaded by QEMU, and a disc under UEFI."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.machines import EMULATES, FIRMWARE, off, without
from bench.measure import Figure, alternate, figure
from net.lan.announcement import Boot
from tests.qemu.disks import drive
from tests.qemu.firmware import uefi
from tests.qemu.images import image
from tests.qemu.laboratory import Laboratory
from tests.qemu.lan import HOST, Lan, announces, routed
from tests.qemu.machine import Machine
from tests.qemu.release import FLOOR, built, node

__all__ = ["measure"]

_DIRECT_S: Final = 60.0
_UEFI_S: Final = 90.0
_BASE: Final = "its kernel with an init that powers it off"
_DIRECT: Final = "start to `boot: ready`, kernel loaded by QEMU"
_UEFI: Final = "start to `boot: ready`, disc under UEFI, menu for 1 s"


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    missing = without(_DIRECT, EMULATES)
    if missing:
        return missing
    rounds = 1 if quick else 2
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        place = Path(folder)
        chains = _Chains(Laboratory(place, built(place / "home", place / "release")))
        ours, bare = alternate(rounds, chains.direct, chains.bare)
        lines = [_line(_DIRECT, ours, bare, chains.loaded, _DIRECT_S)]
        missing = without(_UEFI, FIRMWARE)
        return [*lines, *(missing or [_line(_UEFI, [chains.disc()], bare, chains.loaded, _UEFI_S)])]


def _line(what: str, ours: Sequence[float], bare: Sequence[float], loaded: float, bound: float) -> Figure:
    note = f"two kernels start one after the other, the second after {loaded:.0f} s"
    return figure(what, "s", ours, against=(_BASE, bare), bound=bound, note=note)


class _Chains:
    """Starts machines of one release, one at a time.

    Attributes:
        loaded: after how many seconds the last machine had its second kernel.
    """

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory
        self._count = 0
        self.loaded = 0.0

    def direct(self) -> float:
        """Seconds; the release is fetched from a node on this machine."""
        place = self._place()
        with node(place / "console", self._laboratory.release) as (_, port):
            line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/"
            began = time.monotonic()
            with self._laboratory.boots(place, line, *routed()) as machine:
                return self._until_ready(machine, began)

    def disc(self) -> float:
        """Seconds; the release is fetched from a node that the machine finds on its link."""
        place = self._place()
        disc = image(self._laboratory.release, place / "image", "disk")
        with node(place / "console", self._laboratory.release) as (_, port):
            lan = Lan(announces((port, Boot("stable", "x86_64", FLOOR, "0" * 64))))
            with lan:
                words = [*uefi(place), *drive(disc), *lan.plug("uefi")]
                began = time.monotonic()
                with self._laboratory.starts(words, place / "console.log") as machine:
                    return self._until_ready(machine, began)

    def bare(self) -> float:
        """Seconds of the same machine that does nothing."""
        place = self._place()
        began = time.monotonic()
        with self._laboratory.boots(place, "", initrd=off(place)) as machine:
            machine.until_off()
            return time.monotonic() - began

    def _until_ready(self, machine: Machine, began: float) -> float:
        machine.until("boot: kexec loaded")
        self.loaded = time.monotonic() - began
        machine.until("boot: ready")
        return time.monotonic() - began

    def _place(self) -> Path:
        self._count += 1
        return self._laboratory.place(f"m{self._count}")
