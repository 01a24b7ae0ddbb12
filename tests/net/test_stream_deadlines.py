"""Each stream has one deadline at a time; whoever is done in time hears nothing of it."""

import asyncio

from net.stream_deadlines import StreamDeadlines


async def test_who_is_late_is_told_once_and_who_is_done_is_not() -> None:
    missed: asyncio.Queue[int] = asyncio.Queue()
    deadlines = StreamDeadlines(missed.put_nowait)
    deadlines.start(1, 3600)
    deadlines.start(3, 0)
    assert await asyncio.wait_for(missed.get(), 60) == 3
    assert 1 in deadlines
    deadlines.stop(1)
    deadlines.stop(1)
    assert 1 not in deadlines
    assert missed.empty()


async def test_nothing_is_waited_for_after_the_end() -> None:
    missed: asyncio.Queue[int] = asyncio.Queue()
    deadlines = StreamDeadlines(missed.put_nowait)
    for number in (1, 3):
        deadlines.start(number, 0)
    deadlines.clear()
    for _ in range(5):
        await asyncio.sleep(0)
    assert missed.empty()
    assert 1 not in deadlines
