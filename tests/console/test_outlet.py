"""The writer of the stream: bounded, never waited for, honest about what it dropped."""

import json
import os
import threading

import pytest

from console.outlet import Outlet

SECONDS = 30


class Pipe:
    def __init__(self, limit: int) -> None:
        self.ended = threading.Event()
        self.reads, self.writes = os.pipe()
        self.outlet = Outlet(self.writes, on_end=self.ended.set, limit=limit)

    def everything(self, got: bytearray | None = None) -> list[dict[str, int]]:
        """Ends the outlet while somebody reads; `got` was read before."""
        got = bytearray() if got is None else got

        def read() -> None:
            while piece := os.read(self.reads, 1 << 16):
                got.extend(piece)

        reader = threading.Thread(target=read)
        reader.start()
        self.outlet.close()
        os.close(self.writes)
        reader.join(SECONDS)
        os.close(self.reads)
        return [json.loads(line) for line in got.splitlines()]


def line(seq: int, size: int = 0) -> str:
    return json.dumps({"seq": seq, "pad": "x" * size})


def test_lines_come_in_order() -> None:
    pipe = Pipe(1 << 20)
    for seq in range(1000):
        pipe.outlet.put(seq, line(seq))
    assert [item["seq"] for item in pipe.everything()] == list(range(1000))


def test_what_does_not_fit_is_dropped_and_told_in_its_place() -> None:
    pipe = Pipe(100_000)
    for seq in range(100):  # the pipe itself takes 64 KiB, the queue 100,000 bytes
        pipe.outlet.put(seq, line(seq, 10_000))
    pipe.outlet.put(100, line(100, 10_000), must=True)
    items = pipe.everything()
    gaps = [item for item in items if item.get("type") == "stream.gap"]
    assert len(gaps) == 1
    written = [item["seq"] for item in items if "pad" in item]
    assert written == [*range(gaps[0]["first"]), 100]
    assert (gaps[0]["to"], gaps[0]["seq"]) == (99, 99)
    assert items.index(gaps[0]) == len(items) - 2


def test_a_gap_at_the_end_is_told_too() -> None:
    pipe = Pipe(10)
    pipe.outlet.put(7, line(7, 100))
    assert [(item["first"], item["to"]) for item in pipe.everything()] == [(7, 7)]


def test_a_reader_that_goes_away_is_noticed_without_a_line() -> None:
    pipe = Pipe(1 << 20)
    os.close(pipe.reads)
    assert pipe.ended.wait(SECONDS)
    assert isinstance(pipe.outlet.error, BrokenPipeError)
    pipe.outlet.put(1, line(1))
    assert pipe.outlet.wait_for_room(0)
    pipe.outlet.close()
    os.close(pipe.writes)


def test_a_full_disk_is_not_mistaken_for_a_reader_that_left() -> None:
    ended = threading.Event()
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full, on_end=ended.set)
    outlet.put(1, line(1))
    assert ended.wait(SECONDS)
    assert outlet.error is not None
    assert not isinstance(outlet.error, BrokenPipeError)
    outlet.close()
    os.close(full)


def test_room_is_waited_for() -> None:
    pipe = Pipe(200_000)
    for seq in range(19):
        pipe.outlet.put(seq, line(seq, 10_000))
    assert not pipe.outlet.wait_for_room(0)
    got = bytearray(os.read(pipe.reads, 1 << 16))
    while not pipe.outlet.wait_for_room(0):
        got += os.read(pipe.reads, 1 << 16)
    assert [item["seq"] for item in pipe.everything(got)] == list(range(19))


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_that_somebody_made_non_blocking(blocking: bool) -> None:
    pipe = Pipe(1 << 20)
    os.set_blocking(pipe.writes, blocking)
    for seq in range(50):
        pipe.outlet.put(seq, line(seq, 10_000))
    assert [item["seq"] for item in pipe.everything()] == list(range(50))
