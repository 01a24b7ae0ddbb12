import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import base58


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"\0", "1"),
        (b"\0\0\0\x01", "1112"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
    ],
)
def test_the_worked_examples(raw: bytes, text: str) -> None:
    assert base58.encode(raw) == text
    assert base58.decode(text) == raw


@given(st.binary(max_size=90))
def test_bytes_come_back(raw: bytes) -> None:
    assert base58.decode(base58.encode(raw)) == raw


@given(st.text(alphabet="123ABCxyz", max_size=128))
def test_a_text_has_one_meaning(text: str) -> None:
    raw = base58.decode(text)
    assert raw is not None
    assert base58.encode(raw) == text


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "1 ", "é", "2" * 129])
def test_what_is_no_base58(text: str) -> None:
    assert base58.decode(text) is None
