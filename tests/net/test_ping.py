import asyncio
from collections.abc import Awaitable, Callable

import pytest

from net.errors import PeerFaultError, StreamResetError, UnreachableError, UnsupportedProtocolError
from net.limits import NetLimits
from net.memory import MemoryConnection, pair
from net.peer_id import PeerId
from net.ping import PING, PingAnswers, ping, round_trip
from net.stream import Connection, Protocols, Stream, finish, read_exactly
from runtime.identity import Identity

HERE = PeerId(Identity(b"\1" * 32).public)
THERE = PeerId(Identity(b"\2" * 32).public)


def connected(
    handle: Callable[[Connection, Stream], Awaitable[None]] | None,
) -> tuple[MemoryConnection, MemoryConnection]:
    protocols = Protocols()
    if handle:
        protocols.serve(PING, handle)
    return pair(HERE, THERE, Protocols(), protocols)


class Clock:
    """Time that goes on by hand, and by whoever sleeps."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


async def test_a_round_trip_is_told_in_seconds() -> None:
    here, _ = connected(PingAnswers())
    times = iter([5.0, 5.25])
    assert await ping(here, within_s=60.0, now=lambda: next(times)) == 0.25
    await here.close()


async def test_a_stream_takes_many_pings() -> None:
    here, _ = connected(PingAnswers())
    stream = await here.open(PING)
    assert all([await round_trip(stream) >= 0 for _ in range(5)])
    await finish(stream)
    await here.close()


async def test_the_same_bytes_come_back_however_they_are_cut() -> None:
    here, _ = connected(PingAnswers())
    stream = await here.open(PING)
    text = bytes(range(96))
    for start in range(0, 96, 5):
        await stream.write(text[start : start + 5])
    assert await read_exactly(stream, 96) == text
    await stream.end()
    assert await stream.read() == b""
    await here.close()


async def test_half_a_ping_is_not_answered() -> None:
    here, there = connected(PingAnswers())
    stream = await here.open(PING)
    await stream.write(bytes(31))
    await stream.end()
    with pytest.raises(StreamResetError):
        await stream.read()
    assert there.faults == []
    await here.close()


async def test_other_bytes_are_no_answer() -> None:
    async def lie(connection: Connection, stream: Stream) -> None:
        await read_exactly(stream, 32)
        await stream.write(bytes(32))

    here, _ = connected(lie)
    with pytest.raises(PeerFaultError, match="answered a ping with other bytes") as caught:
        await ping(here, within_s=60.0)
    assert (caught.value.rule, caught.value.score) == ("ping", 20)
    await here.close()


async def test_who_does_not_answer_is_not_waited_for() -> None:
    async def silent(connection: Connection, stream: Stream) -> None:
        await connection.wait_closed()

    here, _ = connected(silent)
    with pytest.raises(UnreachableError, match=f"{THERE}: did not answer within 0.05 s"):
        await ping(here, within_s=0.05)
    await here.close()


async def test_who_does_not_end_the_stream_has_answered_all_the_same() -> None:
    async def stays(connection: Connection, stream: Stream) -> None:
        await stream.write(await read_exactly(stream, 32))
        await connection.wait_closed()

    here, _ = connected(stays)
    assert await ping(here, within_s=60.0) >= 0
    await here.close()


async def test_who_does_not_speak_it_is_not_asked() -> None:
    here, _ = connected(None)
    with pytest.raises(UnsupportedProtocolError):
        await ping(here, within_s=60.0)
    await here.close()


async def test_a_new_stream_takes_the_place_of_the_one_before() -> None:
    answers = PingAnswers()
    here, there = connected(answers)
    first = await here.open(PING)
    await round_trip(first)
    second = await here.open(PING)
    await round_trip(second)
    with pytest.raises(StreamResetError):
        await first.read()
    await round_trip(second)
    assert there.faults == []
    await finish(second)
    await here.close()
    assert answers._streams == {}


async def test_every_peer_has_a_stream_of_its_own() -> None:
    answers = PingAnswers()
    protocols = Protocols()
    protocols.serve(PING, answers)
    ends = [pair(peer, THERE, Protocols(), protocols)[0] for peer in (HERE, PeerId(Identity(b"\3" * 32).public))]
    streams = [await end.open(PING) for end in ends]
    for _ in range(2):
        for stream in streams:
            await round_trip(stream)
    assert len(answers._streams) == 2
    for end in ends:
        await end.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_pings_too_fast_is_answered_later() -> None:
    clock = Clock()
    here, there = connected(PingAnswers(NetLimits(pings_rate=1), now=clock.now, sleep=clock.sleep))
    stream = await here.open(PING)
    for _ in range(10):
        await round_trip(stream)
    assert clock.slept == []
    for _ in range(20):
        await round_trip(stream)
    assert clock.slept == [1.0] * 20
    assert there.faults == []
    await here.close()
