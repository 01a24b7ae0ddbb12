import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.padding import PaddingError, pad, unpad


@given(st.binary(max_size=2000))
def test_what_was_padded_is_read_back(plain: bytes) -> None:
    raw = base64.b64decode(pad(plain), validate=True)
    assert len(raw) % 256 == 0
    assert len(raw) - len(plain) in range(1, 257)
    assert unpad(pad(plain)) == plain


def test_lengths_are_hidden_within_256_bytes() -> None:
    assert len({len(pad(b"x" * length)) for length in range(256)}) == 1
    assert len(pad(b"x" * 256)) > len(pad(b"x" * 255))


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_w23_a_count_of_256_is_written_as_0_and_read_so(blocks: int) -> None:
    plain = b"x" * (256 * blocks)
    raw = base64.b64decode(pad(plain))
    assert raw == plain + bytes(256)
    assert unpad(pad(plain)) == plain


def test_only_the_count_is_looked_at() -> None:
    filled = b"hello" + b"?" * 250 + bytes([251])
    assert unpad(base64.b64encode(filled)) == b"hello"


@pytest.mark.parametrize("padded", [b"", b"!", b"AAAA", base64.b64encode(b"x" * 255), base64.b64encode(b"x" * 257)])
def test_anything_else_is_refused_in_words(padded: bytes) -> None:
    with pytest.raises(PaddingError, match="the message"):
        unpad(padded)
