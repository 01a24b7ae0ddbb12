"""The engines: one function builds each from one table of settings, and one ticker moves its epoch.

Whatever the guests' interface does not need is off. The table is pure data, so that the cache's key can be computed
without loading wasmtime.
"""

import atexit
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    import wasmtime

__all__ = [
    "AGENT_PAGES",
    "ENGINE",
    "ENGINE_VERSION",
    "JOB_STACK",
    "MAX_TABLE_ELEMENTS",
    "PAGE",
    "SETTINGS",
    "EngineKind",
    "EpochTicker",
    "Ticker",
    "agent_engine",
    "build_engine",
    "component_engine",
    "job_engine",
    "limit_agent_store",
    "limit_component_store",
    "limit_job_store",
    "settings_digest",
]

EngineKind = Literal["agent", "job", "deterministic", "component"]

ENGINE_VERSION: Final = "50.0.1"
ENGINE: Final = f"wasmtime {ENGINE_VERSION}"
"""What receipts name beside a figure of fuel."""

PAGE: Final = 65_536
AGENT_PAGES: Final = 160
MAX_TABLE_ELEMENTS: Final = 10_000
COMPONENT_TABLES: Final = 8
"""Tables of all core modules of a component."""
TICK_MS: Final = 10
_MAX_CATCH_UP: Final = 10

_COMMON: Final[dict[str, bool | int | str]] = {
    "epoch_interruption": True,
    "cranelift_opt_level": "speed",
    "parallel_compilation": False,
    "wasm_threads": False,
    "shared_memory": False,
    "wasm_simd": True,
    "wasm_relaxed_simd": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "gc_support": False,
    "wasm_gc": False,
    "wasm_function_references": False,
    "wasm_exceptions": False,
    "wasm_tail_call": False,
    "wasm_wide_arithmetic": False,
    "wasm_custom_page_sizes": False,
    "wasm_stack_switching": False,
    "wasm_component_model": False,
    "wasm_bulk_memory": True,
    "wasm_reference_types": True,
    "wasm_multi_value": True,
}
JOB_STACK: Final = 1024 * 1024
"""Bytes of the engine's stack that a job has, unless it is given less."""

_JOB: Final = _COMMON | {"consume_fuel": True, "max_wasm_stack": JOB_STACK, "cranelift_nan_canonicalization": False}

SETTINGS: Final[Mapping[EngineKind, Mapping[str, bool | int | str]]] = MappingProxyType(
    {
        "agent": _COMMON
        | {
            "consume_fuel": False,
            "max_wasm_stack": 256 * 1024,
            "cranelift_nan_canonicalization": False,
            # 10 MiB per agent instead of 4 GiB of address space, and a base address that never moves.
            "memory_reservation": AGENT_PAGES * PAGE,
            "memory_guard_size": PAGE,
            "memory_may_move": False,
        },
        "job": _JOB,
        "deterministic": _JOB | {"cranelift_nan_canonicalization": True},
        "component": _JOB | {"wasm_component_model": True},
    }
)
"""Every setting of every engine by name; `build_engine` applies them, tests assert their effects."""


@cache
def _leave_the_rest_to_the_system() -> None:
    """At the interpreter's end, whatever of wasmtime is still alive stays so.

    Its destructors would run after the functions that they call are gone, and print a traceback for each object.
    """
    from wasmtime._managed import Managed

    def keep() -> None:
        Managed.__del__ = lambda _: None  # type: ignore[method-assign]

    atexit.register(keep)


def build_engine(kind: EngineKind, *, stack: int | None = None) -> "wasmtime.Engine":
    """Makes a new engine; a process needs one per kind, see `agent_engine` and `job_engine`.

    Args:
        kind: whose settings.
        stack: bytes of stack in place of those of the kind; compiled code fits both.

    Returns:
        The engine. It starts no thread.

    Raises:
        AttributeError: this wasmtime does not know a setting.
    """
    import wasmtime

    _leave_the_rest_to_the_system()
    config = wasmtime.Config()
    for name, value in SETTINGS[kind].items():
        getattr(wasmtime.Config, name)  # a misspelt name would be taken silently
        setattr(config, name, value)
    if stack is not None:
        config.max_wasm_stack = stack
    return wasmtime.Engine(config)


@cache
def _shared(kind: EngineKind) -> "wasmtime.Engine":
    return build_engine(kind)


def agent_engine() -> "wasmtime.Engine":
    """The process's engine for agents: epochs, no fuel, small reservations."""
    return _shared("agent")


def job_engine(*, deterministic: bool = False) -> "wasmtime.Engine":
    """The process's engine for jobs: epochs and fuel.

    Args:
        deterministic: with NaN canonicalisation, for jobs that ask for equal results everywhere.

    Returns:
        The engine, made at the first call.
    """
    return _shared("deterministic" if deterministic else "job")


def component_engine() -> "wasmtime.Engine":
    """The process's engine for components: as that for jobs, with the component model."""
    return _shared("component")


def settings_digest(kind: EngineKind) -> str:
    """A digest of everything in the settings that may change compiled code.

    Args:
        kind: whose settings.

    Returns:
        64 lower-case hexadecimal characters.
    """
    text = json.dumps([ENGINE_VERSION, sorted(SETTINGS[kind].items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def limit_agent_store(store: "wasmtime.Store") -> None:
    """Applies the agents' limits; one call sets them all, because a second one would replace the first.

    Args:
        store: a fresh store.
    """
    store.set_limits(
        memory_size=AGENT_PAGES * PAGE, table_elements=MAX_TABLE_ELEMENTS, tables=4, memories=2, instances=1
    )


def limit_job_store(store: "wasmtime.Store", memory_limit: int, table_limit: int = MAX_TABLE_ELEMENTS) -> None:
    """Applies a job's limits.

    Args:
        store: a fresh store.
        memory_limit: bytes of linear memory.
        table_limit: elements of each table; a growth beyond it is refused as that of memory.
    """
    store.set_limits(memory_size=memory_limit, table_elements=table_limit, tables=4, memories=1, instances=1)


def limit_component_store(
    store: "wasmtime.Store", *, memory: int, table_elements: int, instances: int, memories: int
) -> None:
    """Applies a component's limits.

    Args:
        store: a fresh store.
        memory: bytes of each linear memory.
        table_elements: of each table.
        instances: of core modules.
        memories: how many there may be; the limit of bytes holds for each of them.
    """
    store.set_limits(
        memory_size=memory,
        table_elements=table_elements,
        instances=instances,
        tables=COMPONENT_TABLES,
        memories=memories,
    )


class Ticker(Protocol):
    """What a guarded call needs of a ticker."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it is held, the epoch moves."""
        ...

    def deadline_ticks(self, ms: int) -> int:
        """The epochs after which `ms` milliseconds have certainly passed."""
        ...


class EpochTicker:
    """A thread that moves an engine's epoch every 10 ms while at least one guest runs, and sleeps otherwise.

    Args:
        engine: whose epoch.

    The thread starts at the first guest, so that a process may still fork before it.
    """

    def __init__(self, engine: "wasmtime.Engine") -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._guests = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts one running guest.

        Yields:
            Nothing.

        Raises:
            RuntimeError: the ticker is closed.
        """
        with self._lock:
            if self._closing.is_set():
                raise RuntimeError("the epoch ticker is closed")
            self._guests += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._tick, name="orlop-epoch", daemon=True)
                self._thread.start()
            if not self._wake.is_set():
                self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                self._guests -= 1

    def deadline_ticks(self, ms: int) -> int:
        """How many epochs a limit is.

        Args:
            ms: the limit in milliseconds, at least 1.

        Returns:
            ceil(ms / 10) + 1, because the first tick may come at once.
        """
        return -(-max(1, ms) // TICK_MS) + 1

    def close(self) -> None:
        """Ends the thread; guests that still run lose their deadline, so stop them first."""
        with self._lock:
            self._closing.set()
            self._wake.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _tick(self) -> None:
        while True:
            self._wake.wait()
            due = time.monotonic()
            while not self._closing.is_set():
                due += TICK_MS / 1000
                self._closing.wait(max(0.0, due - time.monotonic()))
                self._engine.increment_epoch()
                # A late wake-up is made up for, so that deadlines do not stretch; a suspended process is forgiven.
                late = int((time.monotonic() - due) * 1000 / TICK_MS)
                for _ in range(min(late, _MAX_CATCH_UP)):
                    self._engine.increment_epoch()
                due += late * TICK_MS / 1000
                with self._lock:
                    if self._guests == 0:
                        self._wake.clear()
                        break
            if self._closing.is_set():
                return
