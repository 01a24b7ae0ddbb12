"""A call after a while that is never lost.

Textual's own one-shot timer skips its only call when the machine lets nothing run for as long as the timer waits,
between its two first looks at the clock. What waits for that call would then wait for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable

from textual.message_pump import MessagePump

__all__ = ["after"]


def after(node: MessagePump, seconds: float, do: Callable[[], Awaitable[None] | None]) -> asyncio.TimerHandle:
    """Calls something once, as a message of a node.

    Args:
        node: whose call it is; once the node is gone nothing is called.
        seconds: how long to wait, at least.
        do: what is called.

    Returns:
        A handle to cancel it by.
    """
    return asyncio.get_running_loop().call_later(seconds, node.call_later, do)
