"""One instance of a component: limits before it exists, a deadline before every entry, and no entry after a trap.

Belongs to one thread, and has one call at a time: `Guest` turns away a call into a guest that has called its host.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from runtime.canonical import Json
from runtime.components.bindings.core_component_lifecycle import ComponentLifecycle
from runtime.components.errors import MismatchError
from runtime.components.guest_calls import Guest, exported_name
from runtime.components.host.context import Context
from runtime.components.worker.conversion import LIFECYCLE, enter_export
from runtime.components.worker.outcomes import outcome_of
from runtime.components.worker.wire import LoadLimits
from runtime.errors import OrlopError
from runtime.sandbox.engine import Ticker, limit_component_store
from runtime.sandbox.outcome import Outcome

if TYPE_CHECKING:
    import wasmtime
    import wasmtime.component

__all__ = ["Instance"]

_T = TypeVar("_T")

_MUCH_FUEL: Final = 1 << 63
"""For components that are not limited: a thousand years of it."""

_DEAD: Final = Outcome("host", "the instance trapped before, and is not entered again", "DEAD")


class Linked(Protocol):
    """A linker, filled for this instance."""

    def instantiate(
        self, store: "wasmtime.Store", component: "wasmtime.component.Component"
    ) -> "wasmtime.component.Instance":
        """Makes the instance."""
        ...


class Instance:
    """An instance that is not there yet; `instantiate` makes it.

    Args:
        engine: of the kind `component`.
        ticker: moves its epoch.
        limits: in force.
        context: the frame of its host operations.
    """

    def __init__(self, engine: "wasmtime.Engine", ticker: Ticker, limits: LoadLimits, context: Context) -> None:
        import wasmtime

        self._ticker = ticker
        self._limits = limits
        self._context = context
        self._store = wasmtime.Store(engine)
        self._lifecycle: ComponentLifecycle | None = None
        self._dead = False
        limit_component_store(
            self._store,
            memory=limits.memory,
            table_elements=limits.table_elements,
            instances=limits.instances,
            memories=limits.memories,
        )

    def instantiate(
        self, component: "wasmtime.component.Component", linker: Linked, exports: Sequence[str], timeout_ms: int
    ) -> Outcome:
        """Makes the instance, which may run the guest's start function.

        Args:
            component: compiled for the engine.
            linker: filled for this instance.
            exports: the names of what the component exports.
            timeout_ms: for the start function.

        Returns:
            `returned`, or why there is none.
        """
        made, outcome = self._enter(lambda: linker.instantiate(self._store, component), timeout_ms, instantiated=False)
        name = exported_name(exports, LIFECYCLE)
        if made is not None and name is None:
            return Outcome("host", f"the component does not export {LIFECYCLE}")
        if made is not None and name is not None:
            self._lifecycle = ComponentLifecycle(Guest(self._store, made, name))
        return outcome

    def call(self, export: str, arguments: Json, timeout_ms: int) -> tuple[Json, Outcome]:
        """Calls an export of the lifecycle.

        Args:
            export: its name.
            arguments: as they came over the wire.
            timeout_ms: from now.

        Returns:
            What it returned, as it goes over the wire, and how the call ended; never raises for what the guest does.
        """
        lifecycle = self._lifecycle
        if self._dead or lifecycle is None:
            return None, _DEAD
        return self._enter(lambda: enter_export(lifecycle, export, arguments), timeout_ms, instantiated=True)

    def close(self) -> None:
        """Lets go of the instance's memory. What it held of the host is the context's to end."""
        self._lifecycle = None
        self._store.close()

    def _enter(self, entry: Callable[[], _T], timeout_ms: int, *, instantiated: bool) -> tuple[_T | None, Outcome]:
        began = time.monotonic_ns()
        result: _T | None = None
        outcome = Outcome("returned")
        self._context.deadline = time.monotonic() + timeout_ms / 1000
        try:
            with self._ticker.running():
                self._store.set_fuel(self._limits.fuel or _MUCH_FUEL)
                self._store.set_epoch_deadline(self._ticker.deadline_ticks(timeout_ms))
                result = entry()
        except Exception as error:  # noqa: BLE001 - whatever ends the guest is an outcome, never an exception
            outcome = outcome_of(error, instantiated=instantiated)
            # After a refused argument the guest was not entered; after anything else it cannot be any more.
            self._dead = not isinstance(error, OrlopError) or isinstance(error, MismatchError)
        return result, replace(outcome, duration_us=(time.monotonic_ns() - began) // 1000)
