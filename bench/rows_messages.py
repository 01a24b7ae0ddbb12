"""Messages between two components, to one and back, by the clock of the one that sends.

All is as in a node: guests in workers, their host operations with permission checks and records, and between them the
core, which decides again and keeps the mailboxes. A message goes through two processes, from a worker to the core and
from the core to a worker; what the machine takes for that is the baseline.
"""

import array
import asyncio
import base64
from typing import Final

from bench.echo import echo_ms
from bench.harbor import Harbor, open_harbor
from bench.measure import Figure, figure
from runtime.canonical import Json

__all__ = ["measure"]

_BOUND_MS: Final = 1.0
_AT_A_TIME: Final = 100
_PAUSE_S: Final = 1.0
"""What two hundred messages a second take from both components' paces comes back meanwhile."""

_RIGHTS: Final = '[permissions.messaging]\nsend = ["*/caller"]\nrequest = ["*/caller"]\nreceive = ["*/caller"]\n'
_OWN_WORKER: Final = '[limits]\nmemory = "128MiB"\n'


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds = 1 if quick else 5
    lines = []
    for where, more in (("one worker", ""), ("two workers", _OWN_WORKER)):
        lines += asyncio.run(_measure(where, _RIGHTS + more, rounds))
    return lines


async def _measure(where: str, more: str, rounds: int) -> list[Figure]:
    ping = echo_ms()
    taken: dict[str, list[float]] = {"messages": [], "requests": [], "ping": []}
    async with open_harbor() as harbor:
        caller, other = [await harbor.install(namespace, more=more) for namespace in ("a", "b")]
        await harbor.start_ms(other)
        await harbor.start_ms(caller)
        for _ in range(rounds):
            for kind in ("messages", "requests"):
                taken[kind] += await _sent(harbor, caller, kind)
                taken["ping"] += [ping() for _ in range(_AT_A_TIME)]
                await asyncio.sleep(_PAUSE_S)
    against = ("a byte to another process and back", taken["ping"])
    return [
        figure(
            f"a message of 64 bytes, sent until it is handled, {where}",
            "ms",
            [both_ways / 2 for both_ways in taken["messages"]],
            against=against,
            bound=_BOUND_MS,
            bound_of="median",
            note="half of the way there and back",
        ),
        figure(
            f"a request of 64 bytes until its callback, {where}",
            "ms",
            taken["requests"],
            against=against,
            note="a message, its reply and the callback",
        ),
    ]


async def _sent(harbor: Harbor, caller: str, kind: str) -> list[float]:
    """Milliseconds of each."""
    await _told(harbor, caller, kind, str(_AT_A_TIME).encode())
    while True:
        await asyncio.sleep(_PAUSE_S / 2)
        times = array.array("Q", await _told(harbor, caller, "times", b""))
        if len(times) == _AT_A_TIME:
            return [nanoseconds / 1e6 for nanoseconds in times]


async def _told(harbor: Harbor, caller: str, operation: str, given: bytes) -> bytes:
    ended = await harbor.components.execute(caller, operation, given, 30_000, "bench")
    return _output(ended.value if ended.returned else ended.detail)


def _output(value: Json) -> bytes:
    match value:
        case {"ok": str() as output}:
            return base64.b64decode(output)
        case other:
            raise RuntimeError(f"the caller failed: {other}")
