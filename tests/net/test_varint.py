import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import MalformedError
from net.varint import VARINT_MAX, decode_varint, encode_varint


@pytest.mark.parametrize(
    ("number", "raw"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (VARINT_MAX, "ff" * 8 + "7f")],
)
def test_the_worked_examples(number: int, raw: str) -> None:
    assert encode_varint(number).hex() == raw
    assert decode_varint(bytes.fromhex(raw)) == (number, len(raw) // 2)


@given(st.integers(0, VARINT_MAX), st.binary(max_size=5), st.binary(max_size=5))
def test_a_number_comes_back_from_where_it_stands(number: int, before: bytes, behind: bytes) -> None:
    raw = encode_varint(number)
    assert decode_varint(before + raw + behind, len(before)) == (number, len(before) + len(raw))


@given(st.integers(0, VARINT_MAX))
def test_of_a_number_that_is_cut_the_rest_is_awaited(number: int) -> None:
    raw = encode_varint(number)
    assert all(decode_varint(raw[:end]) is None for end in range(len(raw)))


@pytest.mark.parametrize("raw", ["8000", "808000", "ff" * 9, "80" * 9, "ff" * 9 + "01", "80" * 8 + "00"])
def test_a_number_has_one_form(raw: str) -> None:
    with pytest.raises(MalformedError, match="a number is longer than"):
        decode_varint(bytes.fromhex(raw))


@pytest.mark.parametrize("number", [-1, VARINT_MAX + 1])
def test_what_does_not_fit_is_a_mistake_of_the_program(number: int) -> None:
    with pytest.raises(ValueError, match="is no unsigned varint"):
        encode_varint(number)
