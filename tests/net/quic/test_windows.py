"""Credit follows what is read."""

from hypothesis import given
from hypothesis import strategies as st

from net.limits import NetLimits
from net.quic.windows import Windows
from net.unread import Unread

LIMITS = NetLimits(unread_stranger=512, unread_listed=4096, unread_process=8192)


def windows(unread: Unread | None = None) -> Windows:
    return Windows(stream=256, unread=unread or Unread(LIMITS))


def test_what_merely_arrived_earns_no_credit() -> None:
    ours = windows()
    ours.begin(4)
    ours.arrived(4, 256)
    assert ours.stream_limit(4, 256) == 256
    assert ours.connection_limit(512, 256, 0) == 512


def test_half_a_window_that_was_read_is_given_back() -> None:
    ours = windows()
    ours.begin(4)
    ours.arrived(4, 256)
    ours.read(4, 127)
    assert ours.stream_limit(4, 256) == 256
    assert ours.read(4, 1)
    assert ours.stream_limit(4, 256) == 384


def test_the_connection_gives_back_what_all_streams_read() -> None:
    ours = windows()
    for stream in (0, 4):
        ours.begin(stream)
        ours.arrived(stream, 200)
        ours.read(stream, 150)
    assert ours.connection_limit(512, 400, 0) == 812


def test_bytes_behind_a_gap_count_as_unread() -> None:
    ours = windows()
    assert ours.connection_limit(512, 512, 512) == 512


def test_a_stream_that_is_forgotten_holds_nothing_up() -> None:
    ours = windows()
    ours.begin(4)
    ours.arrived(4, 256)
    ours.forget(4)
    assert (ours.unread, len(ours)) == (0, 0)
    assert ours.connection_limit(512, 256, 0) == 768
    assert ours.stream_limit(4, 256) == 256


def test_what_comes_on_a_forgotten_stream_counts_as_read() -> None:
    ours = windows()
    ours.arrived(8, 300)
    assert ours.unread == 0
    assert not ours.read(8, 300)
    assert ours.connection_limit(512, 300, 0) == 812


def test_a_bulk_stream_gets_more_at_once() -> None:
    ours = windows()
    ours.begin(4)
    ours.begin(4, 1024)
    assert ours.stream_limit(4, 256) == 1024


def test_a_listed_peer_may_send_more_ahead_unless_the_process_is_full() -> None:
    unread = Unread(LIMITS)
    ours = windows(unread)
    ours.listed = True
    assert ours.connection_limit(512, 0, 0) == 4096
    unread.total = 9000
    assert ours.connection_limit(512, 0, 0) == 512


@given(st.lists(st.tuples(st.sampled_from("arf"), st.integers(0, 3), st.integers(1, 300)), max_size=60))
def test_the_process_never_miscounts(steps: list[tuple[str, int, int]]) -> None:
    unread = Unread(LIMITS)
    ours = windows(unread)
    held = dict.fromkeys(range(4), 0)
    for stream in held:
        ours.begin(stream)
    gone: set[int] = set()
    for what, stream, size in steps:
        if what == "a" and stream not in gone:
            ours.arrived(stream, size)
            held[stream] += size
        elif what == "r" and stream not in gone:
            ours.read(stream, min(size, held[stream]))
            held[stream] -= min(size, held[stream])
        elif what == "f":
            ours.forget(stream)
            held[stream] = 0
            gone.add(stream)
        assert ours.unread == unread.total == sum(held.values())
    ours.forget_all()
    assert unread.total == 0
