import os

import pytest
import umsgpack
from hypothesis import given
from hypothesis import strategies as st

from net.dht.contact import Contact, node_id, parse_contact
from net.dht.datagram import DATAGRAM_MAX, HEAD_BYTES, Body, Kind, parse, unpack, write
from net.dht.messages import hello_of, read_found, read_query, read_record_field, read_records, read_stored
from net.errors import MalformedError

ID, KEY, COOKIE = b"i" * 16, b"k" * 32, b"c" * 24
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.binary(max_size=40),
    st.lists(st.binary(max_size=10), max_size=8),
)
BODIES = st.dictionaries(st.text(max_size=3), VALUES, max_size=6)


@given(st.sampled_from(Kind), BODIES, st.sampled_from([b"", COOKIE]))
def test_what_is_written_is_read(kind: Kind, body: Body, cookie: bytes) -> None:
    datagram = parse(write(kind, ID, KEY, body, cookie))
    assert (datagram.kind, datagram.id, datagram.sender, datagram.cookie) == (kind, ID, KEY, cookie)
    assert unpack(datagram.packed) == body


def test_the_bytes_of_a_datagram() -> None:
    raw = write(Kind.PING, ID, KEY, {"a": True}, COOKIE)
    assert raw == bytes([2, 1]) + ID + KEY + bytes([24]) + COOKIE + bytes.fromhex("81a161c3")


@given(st.binary(max_size=200))
def test_garbage_is_a_datagram_or_the_one_error(raw: bytes) -> None:
    try:
        body = unpack(parse(bytes([2]) + raw).packed)
    except MalformedError:
        return
    assert isinstance(body, dict)


@given(st.sampled_from(Kind), BODIES)
def test_a_datagram_cut_anywhere_is_refused(kind: Kind, body: Body) -> None:
    raw = write(kind, ID, KEY, body, COOKIE)
    for cut in range(len(raw)):
        with pytest.raises(MalformedError):
            unpack(parse(raw[:cut]).packed)


@pytest.mark.parametrize(
    "packed",
    [
        umsgpack.packb({"x": umsgpack.Ext(5, b"x")}),
        umsgpack.packb({"x": 1.5}),
        umsgpack.packb({"x": None}),
        umsgpack.packb({"x": {"y": 1}}),
        umsgpack.packb({"x": [[b"x"]]}),
        umsgpack.packb({"x": ["text"]}),
        umsgpack.packb({"x": [b""] * 33}),
        umsgpack.packb({f"{n}": 1 for n in range(9)}),
        umsgpack.packb({1: 1}),
        umsgpack.packb([1]),
        umsgpack.packb({"x": 1}) + b"\0",
        b"\x91" * 1000,  # depth
        b"\xdd\xff\xff\xff\xff",  # an array of 4 G items
        b"\xc6\xff\xff\xff\xff",  # 4 GB of bytes
        bytes.fromhex("82a16101a16101"),  # one name twice
        bytes.fromhex("81a1ff01"),  # a name that is not UTF-8
        bytes.fromhex("81a178d6ff00000000"),  # a time
        bytes.fromhex("81c001"),
        bytes.fromhex("c1"),
    ],
)
def test_a_body_of_another_shape_is_refused(packed: bytes) -> None:
    with pytest.raises(MalformedError):
        unpack(packed)


@pytest.mark.parametrize("head", [(1, 1, 0), (2, 5, 0), (2, 0, 0), (2, 1, 1), (2, 1, 255)])
def test_another_version_kind_or_cookie_is_refused(head: tuple[int, int, int]) -> None:
    version, kind, size = head
    with pytest.raises(MalformedError):
        parse(bytes([version, kind]) + ID + KEY + bytes([size]) + bytes(size) + b"\x80")


def test_what_is_larger_than_a_packet_is_refused() -> None:
    with pytest.raises(MalformedError):
        parse(write(Kind.PING, ID, KEY, {"p": bytes(DATAGRAM_MAX - HEAD_BYTES)}))


@pytest.mark.parametrize("ip", ["192.0.2.7", "2001:db8::7"])
def test_a_contact_travels_as_key_port_and_address(ip: str) -> None:
    contact = Contact(KEY, (ip, 4001))
    again = parse_contact(contact.packed)
    assert again is not None
    assert (again.key, again.address, again.id) == (KEY, (ip, 4001), node_id(KEY))


@pytest.mark.parametrize(
    "ip", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "ff02::1", "::", "::ffff:10.0.0.1"]
)
def test_a_contact_at_an_address_that_nobody_may_name_is_passed_over(ip: str) -> None:
    assert parse_contact(Contact(KEY, (ip, 80)).packed) is None


@pytest.mark.parametrize("raw", [b"", KEY, KEY + bytes(6), KEY + bytes(18), KEY + b"\x10\x00" + bytes(5)])
def test_a_contact_of_another_size_or_without_port_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_contact(raw)


@pytest.mark.parametrize(
    "body",
    [{}, {"t": b"short"}, {"t": 1}, {"t": bytes(20), "h": b"odd"}, {"t": bytes(20), "h": bytes(65 * 8)}],
)
def test_a_query_of_another_form_is_refused(body: Body) -> None:
    with pytest.raises(MalformedError):
        read_query(body)


@pytest.mark.parametrize("body", [{}, {"n": []}, {"n": [], "m": -1}, {"n": [], "m": True}, {"n": b"", "m": 0}])
def test_dht_row_7_an_answer_of_another_form_is_refused(body: Body) -> None:
    with pytest.raises(MalformedError):
        read_found(body)
    with pytest.raises(MalformedError):
        read_records({"r": body.get("n", 0), "m": body.get("m", 1.5)})  # type: ignore[dict-item]


def test_dht_row_18_an_answer_with_more_than_twenty_contacts_is_refused() -> None:
    packed = [Contact(os.urandom(32), ("192.0.2.1", 1)).packed for _ in range(21)]
    with pytest.raises(MalformedError):
        read_found({"n": packed, "m": 0})


def test_other_fields_are_read_or_refused() -> None:
    assert hello_of({}) is None
    for bad in ({"s": b"short"}, {"s": 1}):
        with pytest.raises(MalformedError):
            hello_of(bad)
    for wrong in ({}, {"r": 1}):
        with pytest.raises(MalformedError):
            read_record_field(wrong)
    for code in (-1, 6, True):
        with pytest.raises(MalformedError):
            read_stored({"c": code})
