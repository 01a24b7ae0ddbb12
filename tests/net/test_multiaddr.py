from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import AddressError
from net.multiaddr import HostKind, Multiaddr, Transport
from net.peer_id import PeerId
from net.varint import encode_varint
from runtime.identity import Identity
from runtime.sanitise import clean

PEER = PeerId(Identity(bytes(32)).public)
RELAY = PeerId(Identity(b"\1" * 32).public)
P2P = f"a50326{PEER.multihash.hex()}"

LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)
NAMES = st.builds(lambda labels, top: ".".join([*labels, f"t{top}"]), st.lists(LABELS, max_size=4), LABELS)
PEERS = st.sampled_from([None, PEER, RELAY])


@st.composite
def addresses(draw: st.DrawFn) -> Multiaddr:
    kind: HostKind = draw(st.sampled_from(["ip4", "ip6", "dns", "dns4", "dns6"]))
    zone = ""
    if kind == "ip4":
        host = str(draw(st.ip_addresses(v=4)))
    elif kind == "ip6":
        host = str(draw(st.ip_addresses(v=6) | st.ip_addresses(v=6, network="fe80::/64")))
        zone = draw(st.sampled_from(["", "eth0", "wlp3s0.7", "2"])) if IPv6Address(host).is_link_local else ""
    else:
        host = draw(NAMES)
    transport: Transport = draw(st.sampled_from(["tcp", "quic"]))
    peer = draw(PEERS)
    relay = draw(PEERS) if peer else None
    port = draw(st.integers(1, 65535))
    return Multiaddr(kind=kind, host=host, transport=transport, port=port, zone=zone, relay=relay, peer=peer)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("/ip4/1.2.3.4/tcp/4001", "0401020304060fa1"),
        ("/ip6/::1/udp/4001/quic-v1", "29" + "00" * 15 + "0191020fa1cd03"),
        ("/ip4/127.0.0.1/udp/1/quic-v1", "047f00000191020001cd03"),
        ("/dns/a.example/tcp/443", "3509" + b"a.example".hex() + "0601bb"),
        ("/dns4/a.example/tcp/443", "3609" + b"a.example".hex() + "0601bb"),
        ("/dns6/a.example/tcp/443", "3709" + b"a.example".hex() + "0601bb"),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/9", "2a04" + b"eth0".hex() + "29fe80" + "00" * 13 + "01060009"),
        (f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER}", "0401020304060fa1" + P2P),
        (
            f"/ip4/1.2.3.4/tcp/4001/p2p/{RELAY}/p2p-circuit/p2p/{PEER}",
            f"0401020304060fa1a50326{RELAY.multihash.hex()}a202{P2P}",
        ),
    ],
)
def test_both_forms_of_what_is_spoken_to(text: str, raw: str) -> None:
    address = Multiaddr.parse(text)
    assert str(address) == text
    assert address.to_bytes().hex() == raw
    assert Multiaddr.from_bytes(bytes.fromhex(raw)) == address


@given(addresses())
def test_both_forms_come_back(address: Multiaddr) -> None:
    assert Multiaddr.parse(str(address)) == address
    assert Multiaddr.from_bytes(address.to_bytes()) == address


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("/ip6/0:0:0:0:0:0:0:1/tcp/1", "/ip6/::1/tcp/1"),
        ("/ip6/FE80::1/tcp/1", "/ip6/fe80::1/tcp/1"),
        ("/ip6/::ffff:1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1"),
        ("/dns4/A.Example/tcp/1", "/dns4/a.example/tcp/1"),
        (f"/ip4/1.2.3.4/tcp/1/ipfs/{PEER}", f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}"),
        (
            "/ip4/1.2.3.4/tcp/1/p2p/bafzaajaiaejcahbmfgihvy2h7maqlttcgarkrk5qyenzaz4tcwsfmmvseurhue6l",
            "/ip4/1.2.3.4/tcp/1/p2p/12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa",
        ),
    ],
)
def test_a_place_has_one_address(text: str, same: str) -> None:
    assert str(Multiaddr.parse(text)) == same
    assert Multiaddr.parse(text) == Multiaddr.parse(same)


def test_the_peer_is_whom_one_reaches_and_the_relay_who_is_dialled() -> None:
    through = Multiaddr.parse(f"/ip4/1.2.3.4/tcp/1/p2p/{RELAY}/p2p-circuit/p2p/{PEER}")
    assert (through.peer, through.relay) == (PEER, RELAY)
    assert str(through.without_peer()) == "/ip4/1.2.3.4/tcp/1"
    assert str(through.without_peer().with_peer(RELAY)) == f"/ip4/1.2.3.4/tcp/1/p2p/{RELAY}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin with a slash"),
        ("ip4/1.2.3.4/tcp/1", "does not begin with a slash"),
        ("/", "has /, which orlop does not know"),
        ("/ip4/1.2.3.4/tcp/1/", "has /, which orlop does not know"),
        ("/ip4", "has nothing behind /ip4"),
        ("/ip4/1.2.3.4", "is not the whole of an address"),
        ("/ip4/1.2.3.4/udp/1", "is not the whole of an address"),
        ("/ip4/1.2.3.4/tcp", "has nothing behind /tcp"),
        ("/ip4/1.2.3.256/tcp/1", "is not an IPv4 address"),
        ("/ip4/1.2.3.04/tcp/1", "is not an IPv4 address"),
        ("/ip4/::1/tcp/1", "is not an IPv4 address"),
        ("/ip6/1.2.3.4/tcp/1", "is not an IPv6 address"),
        ("/ip6/fe80::1%eth0/tcp/1", "is not an IPv6 address"),
        ("/ip6/::1%/tcp/1", "is not an IPv6 address"),
        ("/ip6zone/eth0/ip6/2001:db8::1/tcp/1", "has an ip6zone, which belongs before a link-local ip6"),
        ("/ip6zone/eth0/ip4/1.2.3.4/tcp/1", "has an ip6zone, which belongs before a link-local ip6"),
        ("/ip6zone//ip6/fe80::1/tcp/1", "has an empty ip6zone"),
        ("/ip6zone/a b/ip6/fe80::1/tcp/1", "is not the name of an interface"),
        ("/ip6zone/eth0", "has /ip6zone where orlop does not understand it"),
        ("/dns/a..b/tcp/1", "is not a DNS name"),
        ("/dns/a b/tcp/1", "is not a DNS name"),
        ("/dns/-a/tcp/1", "is not a DNS name"),
        ("/dns/127.0.0.1/tcp/1", "is not a DNS name"),
        ("/dns/0x7f000001/tcp/1", "is not a DNS name"),
        ("/dns/127.1/tcp/1", "is not a DNS name"),
        ("/dns/\u212a.example/tcp/1", "is not a DNS name"),
        (f"/dns/{'a' * 64}.example/tcp/1", "is not a DNS name"),
        (f"/dns/{'a.' * 127}a/tcp/1", "is not a DNS name"),
        (f"/dns/{'a.' * 126}a/tcp/1", "has more than 256 bytes in its binary form"),
        ("/ip4/1.2.3.4/tcp/65536", "has no port from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/01", "has no port from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/-1", "has no port from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/\u0661", "has no port from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/0", "has port 0, on which nobody is reached"),
        ("/ip4/1.2.3.4/udp/1/quic", "has /quic where orlop does not understand it"),
        ("/ip4/1.2.3.4/tcp/1/quic-v1", "has /quic-v1 where orlop does not understand it"),
        ("/ip4/1.2.3.4/tcp/1/tcp/1", "has /tcp where orlop does not understand it"),
        ("/unix/tmp", "has /unix where orlop does not understand it"),
        ("/dnsaddr/a.example", "has /dnsaddr where orlop does not understand it"),
        ("/ip4/1.2.3.4/tcp/1/ws", "has /ws, which orlop does not know"),
        (f"/p2p/{PEER}", "has /p2p where orlop does not understand it"),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p/{PEER}", "has /p2p where orlop does not understand it"),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{RELAY}/p2p-circuit", "names a relay and not both peers"),
        (f"/ip4/1.2.3.4/tcp/1/p2p-circuit/p2p/{PEER}", "names a relay and not both peers"),
        ("/ip4/1.2.3.4/tcp/1/p2p/12D3KooW", "is not a PeerId; a PeerId begins with 12D3KooW"),
        ("/ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "another kind of key"),
        ("/ip4/\x1b[31m/tcp/1", r"/ip4/\\x1b\[31m/tcp/1: is not an IPv4 address"),
        ("/" + "a" * 1024, "has more than 1024 characters"),
    ],
)
def test_what_is_not_spoken_to_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        Multiaddr.parse(text)


def test_port_0_is_for_listening() -> None:
    address = Multiaddr.parse("/ip4/127.0.0.1/tcp/0", listening=True)
    assert str(address) == "/ip4/127.0.0.1/tcp/0"
    with pytest.raises(AddressError, match="has port 0"):
        Multiaddr.from_bytes(address.to_bytes())


@given(addresses())
def test_a_binary_address_that_is_cut_is_none(address: Multiaddr) -> None:
    raw = address.to_bytes()
    place = address.without_peer().to_bytes()
    direct = Multiaddr.parse(str(address).partition("/p2p-circuit")[0]).to_bytes()
    for end in set(range(len(raw))) - {len(place), len(direct)}:
        with pytest.raises(AddressError):
            Multiaddr.from_bytes(raw[:end])


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "ff",
        "8400010203040601bb",  # a code that is longer than it need be
        "0401020304060fa100",  # bytes behind it
        "3600060001",  # a name without letters
        "3604612f622e060001",  # a slash in it
        "36ffffffffffffffff7f",  # a length beyond everything
        "0401020304060fa1a50324" + "00" * 36,
        "0401020304060fa1a503a600" + PEER.multihash.hex(),
        "0401020304060fa1a50322" + "1220" + "00" * 32,
        "0401020304060fa1cc03",
        "2a03ff0000" + "29fe80" + "00" * 13 + "01060009",
        "04" * 300,
    ],
)
def test_what_is_no_binary_address(raw: str) -> None:
    with pytest.raises(AddressError):
        Multiaddr.from_bytes(bytes.fromhex(raw))


def test_a_peer_id_in_bytes_is_never_read_as_text() -> None:
    """The base58 of these bytes would be a CID of somebody."""
    cid = b"bafzaajaiaejcahbmfgihvy2h7maqlttcgarkrk5qyenzaz4tcwsfmmvseurhue6l"
    raw = bytes.fromhex("0401020304060fa1a503") + encode_varint(len(cid)) + cid
    with pytest.raises(AddressError, match="is not a PeerId"):
        Multiaddr.from_bytes(raw)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("127.0.0.1", "/ip4/127.0.0.1/tcp/7"),
        ("::1", "/ip6/::1/tcp/7"),
        ("::ffff:10.0.0.1", "/ip4/10.0.0.1/tcp/7"),
        ("fe80::1%eth0", "/ip6zone/eth0/ip6/fe80::1/tcp/7"),
    ],
)
def test_the_address_of_a_socket(host: str, text: str) -> None:
    address = Multiaddr.at(host, 7, "tcp")
    assert str(address) == text
    assert Multiaddr.at(address.socket_host, address.port, "tcp") == address


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535))
def test_every_socket_has_an_address(host: int, port: int) -> None:
    address = Multiaddr.at(str(IPv4Address(host)), port, "quic")
    assert (address.socket_host, address.port, address.transport) == (str(IPv4Address(host)), port, "quic")


def test_what_no_place_is_cannot_be_made() -> None:
    with pytest.raises(AddressError, match="has a port beyond 65535"):
        Multiaddr.at("127.0.0.1", 65536, "tcp")
    with pytest.raises(AddressError, match="does not say who is reached by the relay"):
        Multiaddr(kind="ip4", host="127.0.0.1", transport="tcp", port=1, relay=RELAY)
    with pytest.raises(AddressError, match="is not an IPv4 address"):
        Multiaddr.at("localhost", 1, "tcp")


@given(st.text(max_size=60) | st.text(alphabet="/ip46tcpdnsu0123:.", max_size=60))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        shown = str(Multiaddr.parse(text))
    except AddressError as error:
        shown = str(error)
    else:
        assert str(Multiaddr.parse(shown)) == shown
    assert clean(shown) == shown
