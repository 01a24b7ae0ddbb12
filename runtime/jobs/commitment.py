"""The commitment: one hash over all that a job wrote, which timing and interleaving cannot change.

The chunks are the bytes of stdout cut at every 65,536, then those of stderr likewise; numbers run on from 0, and an
empty stream has no chunk. Whoever has the two streams can compute it again. The seed keeps the name that other
implementations of the receipt's format use.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["CHUNK", "Commitment", "StreamCommitment", "chunk_count", "commit", "link"]

CHUNK: Final = 65_536
"""Bytes of one chunk; the last one of a stream may be shorter."""

_SEED: Final = hashlib.sha256(b"phase-protocol:v1:commitment").digest()


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a receipt carries: `digest` (32 bytes) and how many chunks went in."""

    digest: bytes
    count: int


def link(digest: bytes, number: int, kind: str, data: bytes | bytearray | memoryview) -> bytes:
    """One step of the hash chain.

    Args:
        digest: the chain so far, 32 bytes.
        number: this chunk's number, from 0.
        kind: `stdout` or `stderr`.
        data: the chunk, shorter than 4 GiB.

    Returns:
        SHA-256(digest ‖ number u64 ‖ len(kind) u32 ‖ kind ‖ len(data) u32 ‖ data), all big-endian.
    """
    name = kind.encode()
    made = hashlib.sha256(digest + struct.pack(">QI", number, len(name)) + name + struct.pack(">I", len(data)))
    made.update(data)
    return made.digest()


def chunk_count(size: int) -> int:
    """How many chunks a stream of `size` bytes has."""
    return -(-size // CHUNK)


class StreamCommitment:
    """A commitment in the making: stdout as it arrives, stderr when stdout is complete."""

    __slots__ = ("_count", "_digest", "_rest")

    def __init__(self) -> None:
        self._digest = _SEED
        self._count = 0
        self._rest = bytearray()

    def stdout(self, data: bytes) -> None:
        """Takes the next bytes of stdout, cut in any way."""
        self._take("stdout", data)

    def finish(self, stderr: Iterable[bytes] = ()) -> Commitment:
        """Closes stdout, takes all of stderr and gives the result; called once.

        Args:
            stderr: its bytes in order, cut in any way.
        """
        self._close("stdout")
        for data in stderr:
            self._take("stderr", data)
        self._close("stderr")
        return Commitment(self._digest, self._count)

    def _take(self, kind: str, data: bytes) -> None:
        """Whole chunks are hashed where they lie: of much data little is copied."""
        lying = memoryview(data)
        if self._rest:
            lacking = CHUNK - len(self._rest)
            self._rest += lying[:lacking]
            lying = lying[lacking:]
            if len(self._rest) < CHUNK:
                return
            self._add(kind, self._rest)
            self._rest.clear()
        while len(lying) >= CHUNK:
            self._add(kind, lying[:CHUNK])
            lying = lying[CHUNK:]
        self._rest += lying

    def _close(self, kind: str) -> None:
        if self._rest:
            self._add(kind, self._rest)
            self._rest.clear()

    def _add(self, kind: str, data: bytes | bytearray | memoryview) -> None:
        self._digest = link(self._digest, self._count, kind, data)
        self._count += 1


def commit(stdout: bytes, stderr: bytes) -> Commitment:
    """The commitment over two complete streams."""
    stream = StreamCommitment()
    stream.stdout(stdout)
    return stream.finish((stderr,))
