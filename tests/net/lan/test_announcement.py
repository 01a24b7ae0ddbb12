from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import MalformedError
from net.lan.announcement import Announcement, Boot, instance_of, read_announcement, text_of
from net.lan.sightings import Sightings
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.identity import Identity

PEER = PeerId(Identity(b"1" * 32).public)
LINK = [ip_network("192.168.1.0/24"), ip_network("fe80::/64")]
BOOT = Boot("stable", "x86_64", 7, "ab" * 32)


def packed(fields: dict[str, str]) -> dict[bytes, bytes | None]:
    return {name.encode(): value.encode() for name, value in fields.items()}


GOOD = packed(text_of(PEER, 4001, 4002, BOOT))


def test_11_2_what_is_announced_is_read() -> None:
    said = read_announcement(GOOD, ["192.168.1.9", "fe80::9%2"], LINK, boot=True)
    assert (said.peer, said.boot) == (PEER, BOOT)
    assert [str(address) for address in said.addresses] == [
        "/ip4/192.168.1.9/udp/4002/quic-v1",
        "/ip6zone/2/ip6/fe80::9/udp/4002/quic-v1",
        "/ip4/192.168.1.9/tcp/4001",
        "/ip6zone/2/ip6/fe80::9/tcp/4001",
    ]


def test_an_announcement_is_small_and_its_name_short() -> None:
    assert sum(len(name) + len(value or b"") + 2 for name, value in GOOD.items()) < 250
    assert instance_of(PEER) == str(PEER)[8:24]


def test_addresses_outside_our_networks_are_passed_over() -> None:
    said = read_announcement(GOOD, ["203.0.113.1", "192.168.1.9", "192.168.2.1", "x"], LINK, boot=False)
    assert {address.host for address in said.addresses} == {"192.168.1.9"}
    with pytest.raises(MalformedError):
        read_announcement(GOOD, ["169.254.169.254", "203.0.113.1"], LINK, boot=False)


def test_no_more_than_eight_addresses_are_kept() -> None:
    hosts = [f"192.168.1.{number}" for number in range(1, 200)]
    assert len(read_announcement(GOOD, hosts, LINK, boot=False).addresses) == 8


@pytest.mark.parametrize(
    "change",
    [
        {b"v": b"2"}, {b"v": None}, {b"id": b"12D3"}, {b"id": b"\xff"}, {b"id": None}, {b"tcp": b"0"},
        {b"quic": b"65536"},
        {b"tcp": b"+1"}, {b"tcp": b"", b"quic": b""}, {b"x": bytes(400)}, {b"mv": b"0"}, {b"root": b"AB" * 32},
        {b"ch": b"../x"}, {b"arch": None},
    ],
)  # fmt: skip
def test_what_has_another_form_is_refused(change: dict[bytes, bytes | None]) -> None:
    with pytest.raises(MalformedError):
        read_announcement(GOOD | change, ["192.168.1.9"], LINK, boot=True)


@given(st.dictionaries(st.binary(max_size=5), st.none() | st.binary(max_size=60), max_size=9), st.booleans())
def test_garbage_is_refused(fields: dict[bytes, bytes | None], boot: bool) -> None:
    with pytest.raises(MalformedError):
        read_announcement(fields, ["192.168.1.9"], LINK, boot=boot)


def said(port: int = 1) -> Announcement:
    return Announcement(peer=PEER, addresses=(Multiaddr.at("192.168.1.9", port, "tcp"),))


def test_64_instances_of_a_type_are_kept_and_a_place_is_free_when_one_goes() -> None:
    seen = Sightings(NetLimits())
    assert all(seen.saw("a", f"{number}", said()) for number in range(64))
    assert not seen.saw("a", "64", said())
    assert not seen.has_room("a", "64")
    assert seen.saw("b", "64", said())
    assert seen.lost("a", "3") is not None
    assert seen.lost("a", "3") is None
    assert seen.saw("a", "64", said())
    assert len(seen.all("a")) == 64


def test_the_same_again_is_no_news_and_another_port_is() -> None:
    seen = Sightings(NetLimits())
    assert [seen.saw("a", "x", said(port)) for port in (1, 1, 2)] == [True, False, True]
    assert seen.all("a")[0].announcement == said(2)


def test_an_instance_is_dialled_once_a_minute_whatever_it_announces() -> None:
    seen = Sightings(NetLimits())
    assert not seen.may_dial("a", "x", 0.0)
    seen.saw("a", "x", said())
    assert seen.may_dial("a", "x", 0.0)
    seen.saw("a", "x", said(2))
    assert [seen.may_dial("a", "x", now) for now in (0.0, 59.9, 60.0, 61.0)] == [False, False, True, False]
