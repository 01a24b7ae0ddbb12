"""Signals are heard whatever the main thread does, and do afterwards what they did before."""

import os
import queue
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.signal_listener import SignalListener

SECONDS = 30


@pytest.fixture
def deaf() -> Iterator[None]:
    """The main thread gets none of these signals, as when it has begun to wait a moment too late to notice one."""
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1, signal.SIGUSR2})


@pytest.mark.usefixtures("deaf")
def test_a_signal_is_heard_while_the_main_thread_waits() -> None:
    mail: queue.SimpleQueue[int] = queue.SimpleQueue()
    with SignalListener([signal.SIGUSR1, signal.SIGUSR2], mail.put):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
        for number in (signal.SIGUSR2, signal.SIGUSR1):
            os.kill(os.getpid(), number)
            assert mail.get(timeout=SECONDS) == number


def test_handlers_are_put_back_and_what_was_opened_is_closed() -> None:
    handlers = signal.getsignal(signal.SIGUSR2), signal.getsignal(signal.SIGINT)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with SignalListener([signal.SIGUSR2, signal.SIGINT], lambda _: None):
        assert (signal.getsignal(signal.SIGUSR2), signal.getsignal(signal.SIGINT)) != handlers
    assert (signal.getsignal(signal.SIGUSR2), signal.getsignal(signal.SIGINT)) == handlers
    assert len(list(Path("/proc/self/fd").iterdir())) == before
