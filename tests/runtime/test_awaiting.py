"""Waiting for what a thread answers: results, errors, and whoever does not wait any more."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from runtime.awaiting import answer


async def test_the_result_of_another_thread_is_there() -> None:
    future: Future[int] = Future()
    thread = threading.Thread(target=future.set_result, args=(7,))
    waiting = asyncio.ensure_future(answer(future))
    await asyncio.sleep(0)
    thread.start()
    assert await waiting == 7
    thread.join()


async def test_a_result_that_is_there_already_is_given() -> None:
    future: Future[int] = Future()
    future.set_result(7)
    assert await answer(future) == 7


async def test_what_the_thread_raised_is_raised() -> None:
    future: Future[int] = Future()
    future.set_exception(KeyError("mine"))
    with pytest.raises(KeyError, match="mine"):
        await answer(future)


async def test_whoever_stops_waiting_withdraws_nothing() -> None:
    future: Future[int] = Future()
    waiting = asyncio.ensure_future(answer(future))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert future.set_running_or_notify_cancel()
    future.set_result(7)
    await asyncio.sleep(0)
    assert future.result() == 7


def test_an_answer_after_the_end_of_the_loop_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    future: Future[int] = Future()

    async def leave() -> None:
        waiting = asyncio.ensure_future(answer(future))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    future.set_result(7)
    assert future.result() == 7
    assert not caplog.records
