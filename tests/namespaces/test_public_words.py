"""What somebody on the cable reads of the DHT and of multicast DNS: public records, and nothing else of a node."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from zeroconf import DNSAddress, DNSIncoming, DNSNsec, DNSPointer, DNSService, DNSText

from net.dht.datagram import DATAGRAM_MAX, Kind, parse, unpack
from net.dht.record import peer_key
from net.lan.announcement import BOOT, PEERS, instance_of
from net.peer_id import PeerId
from tests.cli.running import Running
from tests.namespaces.capture import UDP, Capture, Segment
from tests.namespaces.network import Host, Network

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]

MDNS = ("224.0.0.251", 5353)
WITHDRAWN_MS = 1000
TXT_MAX = 400
Begins = Callable[..., Running]


def stored(segments: list[Segment]) -> Iterator[dict[str, Any]]:
    """The signed texts of all records that somebody was to store."""
    for one in segments:
        if one.target != MDNS and one.data[0] == 2 and (datagram := parse(one.data)).kind is Kind.STORE:
            packed = unpack(datagram.packed)["r"]
            assert isinstance(packed, bytes)
            yield json.loads(packed[64:])


def announced(segments: list[Segment]) -> list[Any]:
    """All answers of multicast DNS, in their order."""
    return [answer for one in segments if one.target == MDNS for answer in DNSIncoming(one.data).answers()]


def asked(segments: list[Segment]) -> set[str]:
    """What multicast DNS was asked for."""
    return {question.name for one in segments if one.target == MDNS for question in DNSIncoming(one.data).questions}


def lived(ada: Host, begins: Begins) -> tuple[list[Segment], list[Segment]]:
    """The datagrams of a node from its first to its last: its own, and those that came to it."""
    segments: list[Segment] = []

    def sent() -> list[Segment]:
        segments.extend(one for one in capture.segments() if one.protocol == UDP)
        return [one for one in segments if one.source[0] == ada.ip4]

    with closing(Capture(ada)) as capture:
        node = begins(ada, f"/ip4/{ada.ip4}/udp/4002/quic-v1", f"/ip4/{ada.ip4}/tcp/4003")
        for _ in range(100_000):  # until both are told: a record of itself and of what it offers, and where it is
            assert node.run("peers", "list")["items"] is not None
            if len({one["key"] for one in stored(sent())}) > 1 and any(
                isinstance(one, DNSText) for one in announced(sent())
            ):
                break
        node.end()
        own = sent()
    return own, [one for one in segments if one.target[0] == ada.ip4]


def test_a_node_says_in_public_who_and_where_it_is_and_takes_it_back(own_net: Network, begins: Begins) -> None:
    first, ada = own_net.host("first"), own_net.host("ada")
    (start,) = begins(first.configured(dht=True), f"/ip4/{first.ip4}/udp/4001/quic-v1").run("status")["listen"]
    ada.configured(lan=ada.ip4, bootstrap=start)
    her, friend = PeerId.parse(ada.peer()), PeerId.parse(own_net.host("bob").peer())
    assert ada.orlop("peers", "trust", str(friend), "--jobs", "--name", "petname").code == 0
    assert ada.orlop("rooms", "create", "harbour").code == 0
    own, come = lived(ada, begins)

    assert {one.target for one in own} <= {MDNS, (first.ip4, 4001)}
    for one in own + come:
        assert one.target == MDNS or one.data[0] >= 64 or len(one.data) <= DATAGRAM_MAX
    whole = b"".join(one.data for one in own)
    secrets = [b"petname", b"harbour", str(ada.home).encode(), friend.key, str(friend).encode()]
    assert [secret for secret in secrets if secret in whole] == []

    records = [*stored(own)]
    places = [f"/ip4/{ada.ip4}/tcp/4003", f"/ip4/{ada.ip4}/udp/4002/quic-v1"]
    assert {one["peer"] for one in records} == {str(her)}
    for one in records:
        if one["key"] == peer_key(her):
            assert (sorted(one["body"]["addresses"]), one["body"]["relays"]) == (places, [])
        else:
            assert (one["kind"], one["key"].startswith("/orlop/provide/"), one["body"]) == ("provider", True, {})
    latest = {one["key"]: one["expires_ms"] - one["issued_ms"] for one in records}
    assert len(latest) == 2
    assert max(latest.values()) <= WITHDRAWN_MS

    instance = instance_of(her)
    name, machine = f"{instance}.{PEERS}", f"{instance}.local."
    assert asked(own) <= {PEERS, BOOT, name, machine}
    answers = announced(own)
    for answer in answers:
        match answer:
            case DNSPointer():
                assert (answer.name, answer.alias) == (PEERS, name)
            case DNSService():
                assert (answer.name, answer.server, answer.port) == (name, machine, 4003)
            case DNSText():
                words = {"v": "1", "id": str(her), "tcp": "4003", "quic": "4002"}
                fields = [f"{field}={value}".encode() for field, value in words.items()]
                assert answer.text == b"".join(bytes([len(field)]) + field for field in fields)
                assert len(answer.text) <= TXT_MAX
            case DNSAddress():
                assert (answer.name, answer.address) == (machine, bytes(map(int, ada.ip4.split("."))))
            case _:
                assert isinstance(answer, DNSNsec)
                assert answer.name in {name, machine}
    assert [answer.ttl for answer in answers if isinstance(answer, DNSPointer)][-1] == 0
