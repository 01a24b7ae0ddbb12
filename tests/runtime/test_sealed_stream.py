"""A stream under a passphrase: read back whole, or refused with the reason."""

import hashlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UsageError
from runtime.sealed_stream import (
    CHUNK,
    HEADER_SIZE,
    ROOM,
    Cost,
    PassphraseError,
    SealedReader,
    SealedWriter,
    StreamDamagedError,
)

SECRET = b"correct horse"
SEALED_CHUNK = CHUNK + 16


def sealed(plain: bytes, *, pieces: int = 1 << 16) -> bytes:
    out = bytearray()
    writer = SealedWriter(out.extend, SECRET, Cost(passes=1, kib=8))
    for start in range(0, len(plain), pieces):
        writer.write(plain[start : start + pieces])
    writer.finish()
    return bytes(out)


def opened(data: bytes, secret: bytes = SECRET) -> bytes:
    reader = SealedReader(io.BytesIO(data).read, secret)
    plain = b""
    while piece := reader.take(300_000):
        plain += piece
    assert reader.sha256 == hashlib.sha256(data).hexdigest()
    return plain


@pytest.fixture(scope="module")
def plain() -> bytes:
    return bytes(number % 251 for number in range(2 * CHUNK + 100))


@pytest.fixture(scope="module")
def stream(plain: bytes) -> bytes:
    return sealed(plain)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_what_was_written_is_read(size: int) -> None:
    data = bytes(size)
    chunks = max(1, -(-size // CHUNK))
    out = sealed(data)
    assert len(out) == HEADER_SIZE + size + 16 * chunks
    assert opened(out) == data


def test_two_streams_of_the_same_bytes_have_nothing_in_common() -> None:
    one, other = sealed(b"x" * 1000), sealed(b"x" * 1000)
    assert one[24:] != other[24:]
    assert b"x" * 8 not in one


def test_another_passphrase_does_not_fit(stream: bytes) -> None:
    with pytest.raises(PassphraseError, match="the passphrase does not fit"):
        opened(stream, b"wrong horse")


@given(st.data())
def test_no_changed_byte_is_accepted(stream: bytes, data: st.DataObject) -> None:
    place = data.draw(
        st.integers(0, len(stream) - 1)
        | st.integers(0, HEADER_SIZE + 20)
        | st.integers(-40, -1).map(len(stream).__add__)
    )
    changed = bytearray(stream)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StreamDamagedError, PassphraseError, UsageError)):
        opened(bytes(changed))


@given(st.data())
def test_no_beginning_of_a_stream_is_accepted(stream: bytes, data: st.DataObject) -> None:
    edges = [0, 12, 40, HEADER_SIZE, HEADER_SIZE + SEALED_CHUNK, HEADER_SIZE + 2 * SEALED_CHUNK]
    size = data.draw(st.sampled_from(edges) | st.integers(0, len(stream) - 1))
    with pytest.raises(StreamDamagedError):
        opened(stream[:size])


@pytest.mark.parametrize("size", [HEADER_SIZE, HEADER_SIZE + SEALED_CHUNK, HEADER_SIZE + 2 * SEALED_CHUNK])
def test_one_that_ends_between_two_chunks_is_cut_off(stream: bytes, size: int) -> None:
    with pytest.raises(StreamDamagedError, match=r"^is cut off; copy it again"):
        opened(stream[:size])


def test_a_damaged_chunk_is_named_by_its_place(stream: bytes) -> None:
    changed = bytearray(stream)
    changed[HEADER_SIZE + SEALED_CHUNK + 5] ^= 1
    with pytest.raises(StreamDamagedError, match=f"is damaged behind byte {HEADER_SIZE + SEALED_CHUNK}"):
        opened(bytes(changed))


def chunks_of(stream: bytes) -> list[bytes]:
    body = stream[HEADER_SIZE:]
    return [body[start : start + SEALED_CHUNK] for start in range(0, len(body), SEALED_CHUNK)]


@pytest.mark.parametrize(
    "order",
    [(1, 0, 2), (0, 2), (0, 0, 1, 2), (0, 1, 2, 2), (2,), (0, 2, 1)],
    ids=lambda order: "".join(map(str, order)),
)
def test_chunks_have_their_place(stream: bytes, order: tuple[int, ...]) -> None:
    chunks = chunks_of(stream)
    with pytest.raises(StreamDamagedError):
        opened(stream[:HEADER_SIZE] + b"".join(chunks[number] for number in order))


def test_a_chunk_of_another_stream_under_the_same_passphrase_is_refused(stream: bytes, plain: bytes) -> None:
    other = sealed(plain)
    with pytest.raises(StreamDamagedError):
        opened(stream[: HEADER_SIZE + SEALED_CHUNK] + other[HEADER_SIZE + SEALED_CHUNK :])
    with pytest.raises(StreamDamagedError):
        opened(stream + b"\0")


def test_a_later_version_is_named_and_is_no_damage(stream: bytes) -> None:
    with pytest.raises(UsageError, match=r"later version of orlop \(format 2, this one knows 1\)"):
        opened(stream[:12] + b"\2" + stream[13:])


@pytest.mark.parametrize("data", [b"", b"orlop", b"\0" * 4000, b"SQLite format 3\0" * 100])
def test_what_is_no_stream_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(StreamDamagedError, match="is no backup of orlop"):
        opened(data)


@pytest.mark.parametrize(("passes", "kib"), [(0, 8), (17, 8), (1, 7), (1, (1 << 20) + 1), (2**32 - 1, 2**32 - 1)])
def test_a_header_cannot_ask_for_all_memory_or_for_an_hour(stream: bytes, passes: int, kib: int) -> None:
    with pytest.raises(StreamDamagedError, match="its header is damaged"):
        opened(stream[:16] + struct.pack(">II", passes, kib) + stream[24:])


def test_a_stream_with_another_purpose_is_called_by_its_name() -> None:
    out = bytearray()
    SealedWriter(out.extend, SECRET, Cost(passes=1, kib=8), purpose=ROOM).finish()
    with pytest.raises(StreamDamagedError, match="is no backup of orlop, but a room"):
        SealedReader(io.BytesIO(bytes(out)).read, SECRET)
    assert SealedReader(io.BytesIO(bytes(out)).read, SECRET, purpose=ROOM).take(1) == b""
