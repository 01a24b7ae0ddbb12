import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import MalformedError
from net.protobuf import bytes_fields, encode_fields

FIELDS = st.lists(st.tuples(st.integers(1, (1 << 29) - 1), st.binary(max_size=200)), max_size=8)


def test_the_payload_of_a_handshake_begins_as_libp2p_writes_it() -> None:
    assert encode_fields([(1, b"\1" * 36), (2, b"\2" * 64)]).hex() == "0a24" + "01" * 36 + "1240" + "02" * 64


@given(FIELDS)
def test_fields_come_back_in_their_order(fields: list[tuple[int, bytes]]) -> None:
    assert list(bytes_fields(encode_fields(fields))) == fields


@given(FIELDS, st.data())
def test_a_message_that_is_cut_within_a_field_is_refused(fields: list[tuple[int, bytes]], data: st.DataObject) -> None:
    whole = encode_fields(fields)
    boundaries = {len(encode_fields(fields[:count])) for count in range(len(fields) + 1)}
    for end in set(range(len(whole))) - boundaries:
        with pytest.raises(MalformedError):
            list(bytes_fields(whole[:end]))


@pytest.mark.parametrize(
    "other",
    [
        "0805",  # field 1, the number 5
        "08" + "ff" * 9 + "01",  # a negative number has ten bytes
        "0d01020304",  # four bytes
        "090102030405060708",  # eight bytes
    ],
)
def test_fields_of_other_kinds_are_passed_over(other: str) -> None:
    assert list(bytes_fields(bytes.fromhex(f"{other}1201aa{other}"))) == [(2, b"\xaa")]


@pytest.mark.parametrize(
    "raw",
    [
        "0a",  # no length
        "0a05aabb",  # less than it says
        "0aff",  # a length without its end
        "0a" + "ff" * 8 + "7f",  # a length beyond everything
        "02",  # field 0
        "0b",  # the beginning of a group
        "0f",  # a kind that there is not
        "08",  # a number that is missing
        "08" + "ff" * 11,  # and one without its end
        "0d0102",
        "8a00",  # a key longer than it need be
    ],
)
def test_what_is_no_protobuf(raw: str) -> None:
    with pytest.raises(MalformedError):
        list(bytes_fields(bytes.fromhex(raw)))
