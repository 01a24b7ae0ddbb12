import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import ConnectionLostError, PeerFaultError
from net.noise_transport import PLAINTEXT_MAX, NoiseTransport

KEYS = (b"\1" * 32, b"\2" * 32)


def both() -> tuple[NoiseTransport, NoiseTransport]:
    return NoiseTransport(*KEYS), NoiseTransport(*reversed(KEYS))


def test_bytes_go_both_ways() -> None:
    here, there = both()
    for number in range(3):
        assert there.receive(memoryview(here.seal(b"there %d" % number))) == [b"there %d" % number]
        assert here.receive(memoryview(there.seal(b"here %d" % number))) == [b"here %d" % number]


def test_pieces_make_one_frame() -> None:
    here, there = both()
    sealed = here.seal(b"head", memoryview(b"body"), bytearray(b"!"))
    assert len(sealed) == 2 + 9 + 16
    assert there.receive(memoryview(sealed)) == [b"headbody!"]


def test_no_bytes_make_no_frame() -> None:
    here, there = both()
    assert here.seal() == here.seal(b"", b"") == b""
    assert there.receive(memoryview(here.seal(b"x"))) == [b"x"]


@pytest.mark.parametrize("size", [1, PLAINTEXT_MAX - 1, PLAINTEXT_MAX, PLAINTEXT_MAX + 1, 3 * PLAINTEXT_MAX])
def test_a_frame_holds_what_its_length_can_say(size: int) -> None:
    here, there = both()
    plain = os.urandom(size)
    sealed = here.seal(plain)
    frames = -(-size // PLAINTEXT_MAX)
    assert len(sealed) == size + 18 * frames
    heard = there.receive(memoryview(sealed))
    assert len(heard) == frames
    assert b"".join(heard) == plain


def test_what_was_sealed_never_changes_since_sockets_keep_it() -> None:
    here, there = both()
    said = bytearray(b"x" * 100)
    sealed = here.seal(said)
    assert isinstance(sealed, bytes)
    said[:] = b"y" * 100
    assert there.receive(memoryview(sealed)) == [b"x" * 100]


def test_what_was_received_may_be_overwritten() -> None:
    here, there = both()
    sealed = here.seal(b"x" * 50) + here.seal(b"y" * 50)
    buffer = bytearray(sealed[:80])
    heard = there.receive(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    heard += there.receive(memoryview(bytes(sealed[80:])))
    assert heard == [b"x" * 50, b"y" * 50]


def test_frames_may_be_cut_at_every_byte() -> None:
    sender = NoiseTransport(*KEYS)
    sealed = bytes(sender.seal(b"one") + sender.seal(b"two"))
    for first in range(len(sealed) + 1):
        for second in range(first, len(sealed) + 1):
            _, there = both()
            pieces = (sealed[:first], sealed[first:second], sealed[second:])
            heard = [plain for piece in pieces for plain in there.receive(memoryview(piece))]
            assert heard == [b"one", b"two"]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(0, 400), max_size=20))
def test_frames_may_be_cut_anywhere(texts: list[bytes], sizes: list[int]) -> None:
    here, there = both()
    sealed = b"".join(here.seal(text) for text in texts)
    heard, at = [], 0
    for size in [*sizes, len(sealed)]:
        heard += there.receive(memoryview(sealed[at : at + size]))
        at += size
    assert heard == texts


def test_any_change_of_a_frame_is_found() -> None:
    sealed = bytes(NoiseTransport(*KEYS).seal(b"text"))
    for at in range(len(sealed)):
        _, there = both()
        changed = sealed[:at] + bytes([sealed[at] ^ 1 << at % 8]) + sealed[at + 1 :]
        try:
            assert there.receive(memoryview(changed)) == []  # a longer frame is awaited
            assert changed[:2] > sealed[:2]
        except PeerFaultError as fault:
            assert fault.score == 20  # noqa: PT017 - a longer frame is no fault yet


def test_frames_count() -> None:
    here, there = both()
    first, second = bytes(here.seal(b"1")), bytes(here.seal(b"2"))
    with pytest.raises(PeerFaultError, match="changed on its way"):
        there.receive(memoryview(second))
    assert there.receive(memoryview(first)) == [b"1"]
    with pytest.raises(PeerFaultError, match="changed on its way"):
        there.receive(memoryview(first))


@pytest.mark.parametrize("size", [0, 15])
def test_a_frame_without_room_for_its_seal_is_refused_by_its_length_alone(size: int) -> None:
    for cut in (0, 1):
        _, there = both()
        head = memoryview(size.to_bytes(2))
        there.receive(head[:cut])
        with pytest.raises(PeerFaultError, match=f"sent a frame of {size} bytes") as caught:
            there.receive(head[cut:])
        assert (caught.value.rule, caught.value.score) == ("short-frame", 20)


def test_a_frame_of_nothing_says_nothing() -> None:
    here, there = both()
    empty = b"\0\x10" + here._sealer.encrypt(bytes(12), b"", None)
    here._sealed = 1
    assert there.receive(memoryview(empty + bytes(here.seal(b"x")))) == [b"x"]


def test_a_key_has_an_end() -> None:
    here, there = both()
    here._sealed = there._opened = (1 << 48) - 1
    assert there.receive(memoryview(here.seal(b"last"))) == [b"last"]
    with pytest.raises(ConnectionLostError, match="key is used up; connect again"):
        here.seal(b"more")
    here._sealed = 5
    with pytest.raises(ConnectionLostError, match="key is used up"):
        there.receive(memoryview(here.seal(b"more")))
