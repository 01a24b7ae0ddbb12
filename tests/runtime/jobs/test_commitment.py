"""The commitment: worked examples, and what may and what must not change it."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from runtime.jobs.commitment import CHUNK, Commitment, StreamCommitment, chunk_count, commit, link

SEED = hashlib.sha256(b"phase-protocol:v1:commitment").digest()


def test_the_seed_is_that_of_the_format() -> None:
    assert SEED.hex() == "df9c24d2122b2d72843949a508f401ea85ae9e52de91ff49d40ea6bdf276d1d1"
    assert commit(b"", b"") == Commitment(SEED, 0)


def test_worked_example_of_one_chunk() -> None:
    assert commit(b"orlop\n", b"").digest.hex() == "d8d63e8a3b76ec791640bd3e86b244dd74b136bfeae67c938a50301505ce8df9"


def test_worked_example_of_two_streams() -> None:
    made = commit(b"orlop\n", "é".encode())
    assert made.digest.hex() == "bbeddc14dd356605964a687d2f00a1979d368c6c5bd065a693519d4026f49c15"
    assert made.count == 2


@given(st.lists(st.binary(max_size=9)), st.lists(st.binary(max_size=9)), st.integers(0, 3))
def test_how_the_bytes_arrived_changes_nothing(out: list[bytes], err: list[bytes], big: int) -> None:
    out = [*out, b"x" * (CHUNK - 4) * big]
    stream = StreamCommitment()
    for piece in out:
        stream.stdout(piece)
    assert stream.finish(err) == commit(b"".join(out), b"".join(err))


@given(st.binary(max_size=20))
def test_which_stream_it_was_counts(data: bytes) -> None:
    same = commit(data, b"").digest == commit(b"", data).digest
    assert same == (data == b"")


def test_chunks_are_cut_at_65536_and_numbered_on() -> None:
    out, err = b"a" * (2 * CHUNK), b"b" * (CHUNK + 1)
    digest = SEED
    pieces = [("stdout", out[:CHUNK]), ("stdout", out[CHUNK:]), ("stderr", err[:CHUNK]), ("stderr", err[CHUNK:])]
    for number, (kind, data) in enumerate(pieces):
        digest = link(digest, number, kind, data)
    assert commit(out, err) == Commitment(digest, 4)
    assert [chunk_count(n) for n in (0, 1, CHUNK, CHUNK + 1)] == [0, 1, 1, 2]


def test_replay_truncation_and_order_change_it() -> None:
    first, second = b"1" * CHUNK, b"2" * CHUNK
    digests = {commit(data, b"").digest for data in (first, second, first + second, second + first, first * 2)}
    assert len(digests) == 5
