"""The lanes: suspects leave, short calls get through, every thread ends."""

import os
import threading
from collections.abc import Iterator

import pytest

from runtime.agents.lanes import Lanes, honest_threads


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    made = Lanes(honest=1, suspects=2, suspect_ms=100)
    yield made
    made.close()


def test_one_core_is_left_to_the_rest() -> None:
    assert honest_threads() == max(1, len(os.sched_getaffinity(0)) - 1)


def test_results_and_errors_reach_whoever_waits(lanes: Lanes) -> None:
    assert lanes.submit(lambda: 7).result() == 7
    with pytest.raises(ZeroDivisionError):
        lanes.submit(lambda: 1 // 0).result()
    assert lanes.submit(lambda: 8, suspect=True).result() == 8


def test_the_honest_lane_runs_one_after_another(lanes: Lanes) -> None:
    order: list[int] = []
    for future in [lanes.submit(lambda n=n: order.append(n)) for n in range(50)]:
        future.result()
    assert order == list(range(50))


def test_calls_behind_a_spinner_run_and_the_spinner_leaves_the_lane(lanes: Lanes) -> None:
    end = threading.Event()
    spinner = lanes.submit(end.wait)
    assert lanes.submit(lambda: "through").result() == "through"
    while not lanes.suspects:
        lanes.submit(lambda: None).result()
    assert not spinner.done()
    end.set()
    assert spinner.result()
    while lanes.suspects:
        lanes.submit(lambda: None).result()


def test_eight_spinners_at_once_hold_nobody_up(lanes: Lanes) -> None:
    end = threading.Event()
    spinners = [lanes.submit(end.wait) for _ in range(8)]
    assert [lanes.submit(lambda n=n: n).result() for n in range(100)] == list(range(100))
    assert not any(one.done() for one in spinners)
    end.set()
    assert all(one.result() for one in spinners)


def test_a_call_can_be_cancelled_while_it_waits_and_its_thread_goes_on(lanes: Lanes) -> None:
    end, begun, ran = threading.Event(), threading.Semaphore(0), []
    running = [lanes.submit(lambda: (begun.release(), end.wait()), suspect=True) for _ in range(2)]
    for _ in running:
        begun.acquire()
    waiting = lanes.submit(lambda: ran.append("cancelled"), suspect=True)
    assert waiting.cancel()
    assert not any(one.cancel() for one in running)
    end.set()
    for one in running:
        one.result()
    lanes.submit(lambda: ran.append("later"), suspect=True).result()
    assert ran == ["later"]


def test_at_most_two_suspects_run_at_a_time_and_at_a_lower_priority(lanes: Lanes) -> None:
    end, lock, running, most = threading.Event(), threading.Lock(), [0], [0]

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work() -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        end.wait()
        with lock:
            running[0] -= 1
        return priority()

    futures = [lanes.submit(work, suspect=True) for _ in range(6)]
    honest = lanes.submit(priority).result()
    end.set()
    assert all(one.result() > honest for one in futures)
    assert most[0] <= 2


def test_closing_runs_what_was_queued_and_ends_every_thread() -> None:
    before = set(threading.enumerate())
    lanes = Lanes(honest=1, suspect_ms=100)
    done = [lanes.submit(lambda n=n: n) for n in range(20)]
    lanes.close()
    assert [one.result() for one in done] == list(range(20))
    assert set(threading.enumerate()) <= before
    with pytest.raises(RuntimeError, match="closed"):
        lanes.submit(lambda: None)


def test_a_closed_pair_of_lanes_that_was_never_used() -> None:
    Lanes().close()
