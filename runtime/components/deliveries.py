"""Hands a component what waits in its mailbox: one message or callback after another, and takes its replies back."""

import asyncio
from collections.abc import Awaitable, Callable

from runtime.canonical import Json
from runtime.clock import Clock
from runtime.components.export_values import callback_arguments, message_arguments, reply_of
from runtime.components.mailbox import Callback, Letter
from runtime.components.post import Box, Post
from runtime.components.running import Called

__all__ = ["Deliveries", "Enter"]

Enter = Callable[[str, dict[str, Json], int], Awaitable[Called]]
"""Calls an export of the instance: name, arguments, milliseconds."""


class Deliveries:
    """The way from one mailbox into one instance.

    Args:
        box: of the instance, at the post.
        post: takes replies.
        clock: tells the time.
        enter: calls the instance.
        call_ms: the longest that a call may take.
    """

    def __init__(self, box: Box, post: Post, clock: Clock, enter: Enter, call_ms: int) -> None:
        self._box = box
        self._post = post
        self._clock = clock
        self._enter = enter
        self._call_ms = call_ms
        self._came = asyncio.Event()
        self._unpaused = asyncio.Event()
        self._unpaused.set()

    def wake(self) -> None:
        """Something came."""
        self._came.set()

    def pause(self) -> None:
        """What comes waits, from the next one on."""
        self._unpaused.clear()

    def resume(self) -> None:
        """Goes on."""
        self._unpaused.set()

    async def unpaused(self) -> None:
        """Waits while it is paused."""
        await self._unpaused.wait()

    async def run(self) -> None:
        """Hands over for ever."""
        while True:
            await self._unpaused.wait()
            self._came.clear()
            one = self._box.mailbox.take(self._clock.monotonic())
            if one is None:
                await self._came.wait()
            elif isinstance(one, Letter):
                await self._hand_over(one)
            else:
                await self._call_back(one)

    async def _hand_over(self, letter: Letter) -> None:
        left = None
        if letter.deadline is not None:
            left = max(1, round((letter.deadline - self._clock.monotonic()) * 1000))
        timeout = self._call_ms if left is None else min(self._call_ms, left)
        if letter.request is not None:
            self._post.requests.handle(letter.request)
        arguments = message_arguments(letter, left, self._clock.wall_ms())
        ended = await self._enter("handle-message", arguments, timeout)
        if letter.request is not None and ended.returned:
            reply, failure = reply_of(ended.value)
            self._post.answer(self._box, letter, reply, failure, self._clock.wall_ms())

    async def _call_back(self, callback: Callback) -> None:
        await self._enter("handle-callback", callback_arguments(callback), self._call_ms)
