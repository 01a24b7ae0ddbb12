"""What console and worker processes say to each other: one message each way per job, descriptors beside it.

The console never believes a worker: a guest may have taken it over. `Reply.parse` checks every field.
"""

import marshal
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, get_args

from runtime.canonical import INTEGER_MAX
from runtime.sandbox.outcome import Kind, Outcome
from runtime.sanitise import clean

__all__ = ["DESCRIPTORS_MAX", "INPUT_MAX", "MESSAGE_MAX", "REPLY_MAX", "Dir", "Reply", "RunMessage"]

MESSAGE_MAX: Final = 131_072
"""Bytes of a message to a worker; the bounds of manifest and input keep it below."""

INPUT_MAX: Final = 32_768
"""Bytes of an input that travels in the message; a larger one goes through a pipe."""

REPLY_MAX: Final = 8192
DESCRIPTORS_MAX: Final = 24

_DETAIL_CHARS: Final = 500
_TRAP_CHARS: Final = 40
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}
_REPLY: Final = struct.Struct("<?BBxIQQQIHH")
"""Whether it started, kind, which counts are known, exit code, fuel, peak, microseconds, KiB, lengths of two texts."""

Dir = tuple[str, bool]
"""A directory: the guest's path, and whether it may be written."""


@dataclass(frozen=True, slots=True)
class RunMessage:
    """One job for a worker; descriptors: compiled module, stdout, stderr, stdin when `stdin`, then one per `dirs`.

    Attributes:
        module: the hash under which the worker keeps the loaded module.
        argv: all arguments.
        env: `K=V` each.
        dirs: what the guest sees of the file system.
        stdin: whether the input is a descriptor.
        memory: bytes.
        fuel: units.
        timeout_ms: wall-clock time from the guest's start.
        input: the input itself where it is no descriptor, at most `INPUT_MAX`. The engine serves it without a thread,
            in half of the time that a short job takes with a pipe.
        stack: bytes of the engine's stack.
        table: elements of each table.
        files: open at a time.
        cpu_ms: CPU time; the console holds it too, and more exactly.
        dir_bytes: by which writable directories may grow; the console measures them, here it bounds one file.
        seed: 32 bytes from which a deterministic job's clock and random bytes come; empty for any other job.
    """

    module: str
    argv: Sequence[str]
    env: Sequence[str]
    dirs: Sequence[Dir]
    stdin: bool
    memory: int
    fuel: int
    timeout_ms: int
    input: bytes = b""
    stack: int = 1 << 20
    table: int = 10_000
    files: int = 64
    cpu_ms: int = 0
    dir_bytes: int = 0
    seed: bytes = b""

    def encode(self) -> bytes:
        """As it travels: the fields in order, in the interpreter's own format. Both ends are the same program."""
        lists = list(self.argv), list(self.env), [tuple(grant) for grant in self.dirs]
        bounds = self.stack, self.table, self.files, self.cpu_ms, self.dir_bytes, self.seed
        return marshal.dumps(
            (self.module, *lists, self.stdin, self.memory, self.fuel, self.timeout_ms, self.input, *bounds)
        )

    @classmethod
    def parse(cls, raw: bytes | bytearray) -> Self:
        """Reads a message of the console, which is trusted; never what a worker sent."""
        return cls(*marshal.loads(raw))  # noqa: S302 - only the parent process holds the other end


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker says about a job.

    Attributes:
        started: whether the guest ran; else `outcome.detail` says why not.
        outcome: how it ended, as the engine tells.
        fuel: units used; after a trap a lower bound.
        peak: bytes of linear memory at the end.
        resident_kib: the most that the worker ever had resident, as of the job before.
    """

    started: bool
    outcome: Outcome
    fuel: int | None = None
    peak: int | None = None
    resident_kib: int = 0

    def encode(self) -> bytes:
        """As it travels: a fixed head, then two texts."""
        outcome = self.outcome
        detail = outcome.detail[:_DETAIL_CHARS].encode(errors="replace")
        trap = outcome.trap[:_TRAP_CHARS].encode(errors="replace")
        counts = (outcome.exit_code, self.fuel, self.peak)
        known = sum(1 << bit for bit, value in enumerate(counts) if value is not None)
        head = _REPLY.pack(
            self.started,
            _NUMBERS[outcome.kind],
            known,
            *(value or 0 for value in counts),
            outcome.duration_us,
            self.resident_kib,
            len(detail),
            len(trap),
        )
        return head + detail + trap

    @classmethod
    def parse(cls, raw: bytes) -> Self | None:
        """Reads a worker's reply; None when it is not one, so that the worker counts as broken."""
        if len(raw) < _REPLY.size:
            return None
        started, number, known, exit_code, fuel, peak, duration_us, resident, middle, last = _REPLY.unpack_from(raw)
        texts = raw[_REPLY.size :]
        if number >= len(_KINDS) or known > 7 or len(texts) != middle + last:  # noqa: PLR2004 - three bits
            return None
        if max(fuel, peak, duration_us) > INTEGER_MAX:
            return None
        detail, trap = texts[:middle].decode(errors="replace"), texts[middle:].decode(errors="replace")
        outcome = Outcome(
            _KINDS[number],
            clean(detail, _DETAIL_CHARS) if detail else "",
            clean(trap, _TRAP_CHARS) if trap else "",
            exit_code if known & 1 else None,
            duration_us,
        )
        return cls(started, outcome, fuel if known & 2 else None, peak if known & 4 else None, resident)
