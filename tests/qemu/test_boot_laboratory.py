"""The laboratory itself: what would let the other tests pass whatever machines do."""

import struct
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import LINK
from tests.qemu.machine import MachineError
from tests.qemu.pcap import ARP, IP4, IP6, Frame, frames, leaves_the_link

pytestmark = pytest.mark.boot

UDP = 17


def packet(to: str, port: int = 4001) -> Frame:
    """A datagram to somewhere."""
    ports = struct.pack("!HHHH", 40000, port, 8, 0)
    if ":" in to:
        head = struct.pack("!IHBB", 6 << 28, 8, UDP, 64) + bytes(16) + IPv6Address(to).packed
        return Frame("", "", IP6, head + ports)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, UDP, 0) + bytes(4) + IPv4Address(to).packed
    return Frame("", "", IP4, head + ports)


def asking_for(address: str) -> Frame:
    """A question of ARP."""
    head = struct.pack("!HHBBH", 1, IP4, 6, 4, 1) + bytes(10)
    return Frame("", "", ARP, head + bytes(6) + IPv4Address(address).packed)


@pytest.mark.parametrize(
    "frame",
    [
        packet("192.0.2.1"),
        packet("10.0.3.1"),
        packet("2001:db8::1"),
        packet("fec0::2"),
        packet("10.0.2.3", 53),
        packet("fe80::3", 53),
        asking_for("192.0.2.1"),
    ],
)
def test_what_goes_beyond_the_link_or_asks_for_names_is_seen(frame: Frame) -> None:
    assert leaves_the_link(frame, LINK)


@pytest.mark.parametrize(
    "frame",
    [
        packet("10.0.2.2", 8080),
        packet("224.0.0.251", 5353),
        packet("255.255.255.255", 67),
        packet("fe80::1", 8080),
        packet("ff02::16"),
        asking_for("10.0.2.2"),
    ],
)
def test_what_stays_on_the_link_is_left_alone(frame: Frame) -> None:
    assert not leaves_the_link(frame, LINK)


def test_a_capture_gives_every_frame(tmp_path: Path) -> None:
    raw = bytes(range(60))
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    record = struct.pack("<IIII", 0, 0, len(raw), len(raw)) + raw
    (tmp_path / "a.pcap").write_bytes(head + record * 3 + record[:20])
    assert list(frames(tmp_path / "a.pcap")) == [Frame.of(raw)] * 3


def without_a_first_stage(laboratory: Laboratory) -> str:
    """A kernel that finds nothing to start."""
    place = laboratory.place("panic")
    (place / "nothing").write_bytes(bytes(512))
    with laboratory.boots(place, "", initrd=place / "nothing") as machine:
        try:
            return machine.until("boot: stage 1")
        except MachineError as error:
            return str(error)


@boots(without_a_first_stage)
def test_a_panic_ends_the_wait(seen: str) -> None:
    assert "Kernel panic" in seen.splitlines()[0]
