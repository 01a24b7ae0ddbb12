"""What this node tells others that it offers: measured, not promised."""

from typing import TYPE_CHECKING, Final

from net.capabilities.measured import Measured, measure
from net.capabilities.record import Offered, make_record
from net.jobs.terms import WorkerTerms
from runtime.sandbox.engine import ENGINE

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Offer"]

_ABI: Final = {"jobs": 1, "rooms": 1}


class Offer:
    """The capabilities record of a core, made anew for whoever asks.

    Args:
        core: whose.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._seq = 0

    def packed(self) -> bytes:
        """The record as it is now, signed."""
        now_ms = self._core.clock.wall_ms()
        self._seq = max(self._seq + 1, now_ms)
        return make_record(self._core.identity, self.machine(), self._offered(), seq=self._seq, now_ms=now_ms)

    def now(self) -> tuple[Measured, Offered]:
        """What the record says now."""
        return self.machine(), self._offered()

    def machine(self) -> Measured:
        """What the machine has now."""
        return measure()

    def _offered(self) -> Offered:
        jobs, settings, terms = self._core.jobs, self._core.config.jobs, WorkerTerms()
        waiting, running = jobs.counts
        engine, _, version = ENGINE.partition(" ")
        ceilings = jobs.ceilings
        slots = settings.workers if self._core.config.p2p.accept_jobs else 0
        return Offered(
            slots_total=slots,
            slots_free=max(0, slots - running),
            queue=waiting,
            kinds=("wasm",),
            runtimes={engine: version},
            abi=_ABI,
            maxima={
                "module": terms.module_bytes,
                "input": terms.stdin_bytes,
                "output": ceilings.max_output_bytes,
                "memory": ceilings.memory_bytes,
                "wall_ms": ceilings.timeout_ms,
                "fuel": ceilings.fuel,
            },
            relay=False,
            version=self._core.options.version,
        )
