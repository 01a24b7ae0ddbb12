"""Encrypted rooms within one program: how long joining takes, and how long one message to nine others."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.measure import Figure, figure, percentile
from bench.roommates import MemoryMate, StoreMate, until
from runtime.rooms.in_process import InProcessHub

__all__ = ["measure"]

_JOINED_S: Final = 2.0
_HEARD_MS: Final = 50.0
_SHOWN: Final = 200
"""Messages that a room shows at most."""


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds = 1 if quick else 3
    joined = [asyncio.run(_joining(10 if quick else 50)) for _ in range(rounds)]
    what = f"a room of {10 if quick else 50} members in one program, joined"
    return [
        figure(what, "s", joined, bound=_JOINED_S, note="logs in memory"),
        asyncio.run(_hearing(10, 20 if quick else 200)),
    ]


async def _joining(members: int) -> float:
    """From the first connection until each has the keys and the card of each, and all are in everybody's log."""
    hub = InProcessHub()
    mates = [MemoryMate(hub, None)]
    mates += [MemoryMate(hub, mates[0].invite) for _ in range(members - 1)]
    began = time.monotonic()
    for mate in mates:
        mate.connect()
    await until(lambda: all(mate.members == members for mate in mates))
    took = time.monotonic() - began
    for mate in mates:
        await mate.close()
    return took


async def _hearing(members: int, messages: int) -> Figure:
    """From `say` until the last of the others shows it: signed, stored, encrypted, delivered, stored and folded."""
    hub = InProcessHub()
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        mates = [StoreMate(hub, Path(folder, "0"), None)]
        mates += [StoreMate(hub, Path(folder, str(n)), mates[0].invite) for n in range(1, members)]
        for mate in mates:
            mate.connect()
        await until(lambda: all(mate.members == members for mate in mates))
        took = []
        for number in range(messages):
            began = time.monotonic()
            mates[number % members].say(f"message {number}")
            wanted = min(number + 1, _SHOWN)
            await until(lambda wanted=wanted: all(mate.messages >= wanted for mate in mates))  # type: ignore[misc]
            took.append((time.monotonic() - began) * 1000)
        for mate in mates:
            await mate.close()
    note = f"p50 {percentile(took, 50):.1f}, {messages} messages, stores on disk"
    return figure(
        f"a message until {members - 1} others show it, p95", "ms", [percentile(took, 95)], bound=_HEARD_MS, note=note
    )
