"""The numbers that bound an agent; sizes in bytes."""

from typing import Final

__all__ = [
    "BREAKER_THRESHOLD",
    "CALL_LIMIT_MS",
    "ID_BYTES",
    "MAX_EMISSIONS",
    "MAX_EVENT_BYTES",
    "MAX_HOPS",
    "MAX_LOG_LINES",
    "MAX_LOG_LINE_BYTES",
    "MAX_MANIFEST_BYTES",
    "MAX_NOTES",
    "MAX_PAGES",
    "MAX_PENDING_EVENTS",
    "MAX_STATE_BYTES",
    "MAX_WASM_BYTES",
    "SUSPECT_MS",
    "TICK_INTERVAL_MS",
]

MAX_WASM_BYTES: Final = 512_000
MAX_MANIFEST_BYTES: Final = 65_536
MAX_STATE_BYTES: Final = 1_048_576
MAX_PAGES: Final = 160
"""Pages of 64 KiB: 10 MiB of memory."""
ID_BYTES: Final = 36
"""Width of the identifier fields of both binary layouts."""

CALL_LIMIT_MS: Final = 5_000
"""Deadline of each entry into a guest: instantiation, `init`, event, tick."""
TICK_INTERVAL_MS: Final = 30_000
SUSPECT_MS: Final = 100
"""A call that has run this long is a suspect."""
BREAKER_THRESHOLD: Final = 3

MAX_EMISSIONS: Final = 64
"""Of one call."""
MAX_EVENT_BYTES: Final = 16 * 1024
MAX_LOG_LINES: Final = 64
"""Of one call."""
MAX_LOG_LINE_BYTES: Final = 2 * 1024
MAX_NOTES: Final = 16
"""Different remarks of the host about one call."""
MAX_HOPS: Final = 4
"""How often agents may answer agents before an event is no longer passed on."""
MAX_PENDING_EVENTS: Final = 256
"""Events that wait for one agent."""
