"""What a stream of a TCP connection keeps of what has come, without a connection."""

import sys

import pytest

from net.multistream import Multistream
from net.tcp_stream import TcpStream


class Mux:
    """A connection that only counts."""

    def __init__(self) -> None:
        self.read = 0

    def send(self, number: int, data: bytes | memoryview) -> None:
        pass

    def consumed(self, number: int, count: int) -> None:
        assert number == 1
        self.read += count

    def finish(self, number: int) -> None:
        pass

    def reset(self, number: int) -> None:
        pass


def agreed() -> tuple[TcpStream, Mux]:
    mux = Mux()
    stream = TcpStream(mux, 1, Multistream(dialler=False, names=["/x"]))
    stream.feed(b"\x13/multistream/1.0.0\n\x03/x\n")
    assert stream.protocol == "/x"
    mux.read = 0
    return stream, mux


@pytest.mark.parametrize("size", [1, 7, 100, 4095, 4096, 65_507])
async def test_bytes_in_small_pieces_cost_little_more_than_in_large_ones(size: int) -> None:
    stream, _ = agreed()
    count = 300_000 // size
    for _ in range(count):
        stream.feed(memoryview(bytes(size)))
    kept = sum(sys.getsizeof(piece) + len(piece) * isinstance(piece, memoryview) for piece in stream._pieces)
    assert kept <= 1.3 * size * count + 1000


@pytest.mark.parametrize("most", [1, 10, 5000, 65_536])
async def test_reads_give_what_came_in_order_and_count_each_byte_once(most: int) -> None:
    stream, mux = agreed()
    sent = b""
    for size in (1, 2, 5000, 3, 4096, 100, 9000):
        piece = bytes([size % 251]) * size
        sent += piece
        stream.feed(piece)
    got = b""
    while len(got) < len(sent):
        piece = await stream.read(most)
        assert 0 < len(piece) <= most
        got += piece
    assert got == sent
    assert mux.read == len(sent)


async def test_what_comes_while_a_piece_is_half_read_follows_it() -> None:
    stream, _ = agreed()
    stream.feed(b"abcdef")
    assert await stream.read(2) == b"ab"
    stream.feed(b"gh")
    assert await stream.read(100) == b"cdef"
    assert await stream.read(100) == b"gh"


async def test_what_comes_after_nobody_reads_any_more_is_dropped() -> None:
    stream, mux = agreed()
    stream.feed(b"abc")
    stream.abandon()
    stream.feed(bytes(10_000))
    assert mux.read == 10_003
    assert not stream._pieces


async def test_two_tasks_do_not_read_one_stream() -> None:
    stream, _ = agreed()
    first = stream.read()
    first.send(None)
    with pytest.raises(RuntimeError, match="two tasks read"):
        await stream.read()
    first.close()
