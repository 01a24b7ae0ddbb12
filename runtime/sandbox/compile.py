"""Compilation: always in a child with limits, once per module, and then from the cache.

Blocking and safe to use from several threads; the core calls it through `asyncio.to_thread`.
"""

import math
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from runtime.quantities import format_size
from runtime.sandbox.cache import CompiledCache, entry_key
from runtime.sandbox.compile_child import EXIT_INVALID, EXIT_MEMORY, EXIT_TOO_LARGE, Budget
from runtime.sandbox.compile_process import Answer, CompileProcess
from runtime.sandbox.componentcheck import check_component, strip_component
from runtime.sandbox.engine import EngineKind
from runtime.sandbox.errors import CompilerUnavailableError, ModuleRefusedError, StaleModuleError
from runtime.sandbox.modulecheck import check_caps, module_hash, strip_custom
from runtime.sanitise import clean

if TYPE_CHECKING:
    import wasmtime
    import wasmtime.component

__all__ = ["Budget", "Compiler", "budget_for", "load", "load_component"]

_MIB: Final = 1024 * 1024
_REMEMBERED: Final = 1_000
_COMPONENT_CPU_S: Final = 120
_TOOL_HINT: Final = "split its largest functions, or build it for size (-Os)"


def budget_for(kind: EngineKind, size: int) -> Budget:
    """The limits of a compilation: agents 2 s of CPU, jobs 2 s and 6 s per MiB, at most 60 s; components 120 s.

    Args:
        kind: for which engine.
        size: bytes of the module.

    Returns:
        The budget; on the wall three times the CPU time, at least 10 s.
    """
    if kind == "component":  # one of an interpreter takes half a minute, most are done at once
        return Budget(_COMPONENT_CPU_S, 3.0 * _COMPONENT_CPU_S)
    cpu_s = 2 if kind == "agent" else min(60, 2 + math.ceil(6 * size / _MIB))
    return Budget(cpu_s, max(10.0, 3.0 * cpu_s))


def load(engine: "wasmtime.Engine", serialised: bytes) -> "wasmtime.Module":
    """Makes a module of compiled code that came from `Compiler.compile`, and from nowhere else: it runs unchecked.

    Args:
        engine: of the kind for which it was compiled.
        serialised: the code.

    Returns:
        The module.

    Raises:
        StaleModuleError: it was compiled for another version, other settings or another processor.
    """
    import wasmtime

    try:
        return wasmtime.Module.deserialize(engine, serialised)
    except wasmtime.WasmtimeError as error:
        raise StaleModuleError(f"compiled code is not usable: {clean(str(error))}") from None


def load_component(engine: "wasmtime.Engine", descriptor: int) -> "wasmtime.component.Component":
    """As `load`, for the code of a component, which is mapped from where it is instead of copied.

    Args:
        engine: of the kind `component`.
        descriptor: of sealed memory with code from `Compiler.compile`, and from nowhere else.

    Returns:
        The component.

    Raises:
        StaleModuleError: as `load`.
    """
    import wasmtime
    import wasmtime.component

    try:
        return wasmtime.component.Component.deserialize_file(engine, f"/proc/self/fd/{descriptor}")
    except wasmtime.WasmtimeError as error:
        raise StaleModuleError(f"compiled code is not usable: {clean(str(error))}") from None


class Compiler:
    """Turns modules into native code.

    Args:
        cache_dir: where compiled code is kept; None for no cache.
        cache_key: the secret under which entries are authenticated; unused without a folder.
        on_corrupt: told, in one line and on the calling thread, of entries that did not verify and could not be kept.
        budget: the limits by kind and size.
    """

    def __init__(
        self,
        cache_dir: Path | None,
        cache_key: bytes = b"",
        *,
        on_corrupt: Callable[[str], None] = lambda _: None,
        budget: Callable[[EngineKind, int], Budget] = budget_for,
    ) -> None:
        if cache_dir is not None and len(cache_key) < 16:  # noqa: PLR2004 - a MAC under no key authenticates nothing
            raise ValueError("the cache of compiled modules needs a secret of at least 16 bytes")
        self._cache = CompiledCache(cache_dir, cache_key, on_corrupt) if cache_dir is not None else None
        self._budget = budget
        self._process = CompileProcess(os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._running: dict[str, Future[bytes]] = {}
        self._refused: dict[str, tuple[str, str, str]] = {}

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def prepare(self) -> None:
        """Starts the compile process ahead of need; returns at once.

        Raises:
            CompilerUnavailableError: it cannot be started.
        """
        self._process.start()

    def compile(self, kind: EngineKind, wasm: bytes, *, keep: bool = True) -> bytes:
        """Compiles a module, or finds it compiled; blocks, up to the budget.

        The caps of `modulecheck` are checked here too. Several threads that ask for the same module wait for one child.

        Args:
            kind: for which engine.
            wasm: the module's file.
            keep: whether the code may be kept in the cache.

        Returns:
            Native code for `load`.

        Raises:
            ModuleRefusedError: damaged, invalid, or over a limit, which the message names.
            CompilerUnavailableError: no child could be had; nothing is said about the module.
        """
        bare = _checked(kind, wasm)
        key = entry_key(kind, module_hash(bare))
        with self._lock:
            if key in self._refused:
                why, check, hint = self._refused[key]
                raise ModuleRefusedError(why, check=check, hint=hint)
            mine = Future[bytes]()
            shared = self._running.setdefault(key, mine)
        if shared is mine:
            self._settle(key, mine, lambda: self._find(kind, key, bare, keep=keep))
        return shared.result()

    def module(
        self, kind: EngineKind, wasm: bytes, engine: "wasmtime.Engine", *, keep: bool = True
    ) -> "wasmtime.Module":
        """Compiles and loads; an entry that this engine does not take is dropped and compiled once more.

        Args:
            kind: for which engine.
            wasm: the module's file.
            engine: of that kind.
            keep: as for `compile`.

        Returns:
            The module.

        Raises:
            ModuleRefusedError: as `compile`.
            CompilerUnavailableError: as `compile`.
            StaleModuleError: the engine takes not even fresh code.
        """
        try:
            return load(engine, self.compile(kind, wasm, keep=keep))
        except StaleModuleError:
            self.forget(kind, wasm)
            return load(engine, self.compile(kind, wasm, keep=keep))

    def forget(self, kind: EngineKind, wasm: bytes) -> None:
        """Drops what is known and kept of a module.

        Args:
            kind: for which engine.
            wasm: the module's file, its sections sound.
        """
        key = entry_key(kind, module_hash(_stripped(kind, wasm)))
        with self._lock:
            self._refused.pop(key, None)
        if self._cache is not None:
            self._cache.drop(key)

    def close(self) -> None:
        """Ends the compile process; compilations that run fail as unavailable."""
        self._process.close()

    def _settle(self, key: str, mine: "Future[bytes]", work: Callable[[], bytes]) -> None:
        try:
            body = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits for this module must hear of it
            mine.set_exception(error)
        else:
            mine.set_result(body)
        with self._lock:
            del self._running[key]

    def _find(self, kind: EngineKind, key: str, bare: bytes, *, keep: bool) -> bytes:
        kept = self._cache.get(key) if self._cache is not None else None
        if kept is not None:
            return kept
        budget = self._budget(kind, len(bare))
        answer = self._process.ask(kind, bare, budget)
        if answer.status == 0 and answer.out:
            if self._cache is not None and keep:
                self._cache.put(key, answer.out)
            return answer.out
        error = _failure(answer, budget)
        if isinstance(error, ModuleRefusedError) and not answer.late:
            self._remember(key, error)
        raise error

    def _remember(self, key: str, error: ModuleRefusedError) -> None:
        with self._lock:
            while len(self._refused) >= _REMEMBERED:
                self._refused.pop(next(iter(self._refused)))
            self._refused[key] = (error.why, error.check, error.hint)


def _checked(kind: EngineKind, wasm: bytes) -> bytes:
    """The bytes that are compiled, once the checks that need no compiler are passed."""
    if kind == "component":
        check_component(wasm)
    else:
        check_caps(kind, wasm)
    return _stripped(kind, wasm)


def _stripped(kind: EngineKind, wasm: bytes) -> bytes:
    return strip_component(wasm) if kind == "component" else strip_custom(wasm)


def _failure(answer: Answer, budget: Budget) -> ModuleRefusedError | CompilerUnavailableError:
    """Why a compile child did not deliver."""
    if answer.late:
        return _exceeds(f"{budget.wall_s:g} s", "compile-time")
    talk = [line.strip() for line in answer.talk.splitlines() if line.strip()]
    said = clean(talk[-1]) if talk else "no message"
    if os.WIFSIGNALED(answer.status):
        return _killed(os.WTERMSIG(answer.status), budget, answer.talk, said)
    return _exited(os.WEXITSTATUS(answer.status), budget, answer.out, said)


def _exceeds(what: str, check: str) -> ModuleRefusedError:
    return ModuleRefusedError(f"compiling exceeds {what}", check=check, hint=_TOOL_HINT)


def _exited(code: int, budget: Budget, out: bytes, said: str) -> ModuleRefusedError | CompilerUnavailableError:
    if code == EXIT_INVALID:
        return ModuleRefusedError(f"the module is invalid: {clean(out.decode(errors='replace'))}", check="invalid")
    if code == EXIT_MEMORY:
        return _exceeds(f"{format_size(budget.data_bytes)} of memory", "compile-memory")
    if code == EXIT_TOO_LARGE:
        return _exceeds(f"{format_size(budget.out_bytes)} of compiled code", "compile-size")
    return CompilerUnavailableError(f"the compile child ended with status {code}: {said}")


def _killed(number: int, budget: Budget, talk: str, said: str) -> ModuleRefusedError | CompilerUnavailableError:
    if number == signal.SIGXCPU:
        return _exceeds(f"{budget.cpu_s} s of CPU time", "compile-cpu")
    if number == signal.SIGABRT and "memory allocation" in talk:
        return _exceeds(f"{format_size(budget.data_bytes)} of memory", "compile-memory")
    if number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL):
        name = signal.Signals(number).name
        return ModuleRefusedError(f"the compiler failed on this module ({name}): {said}", check="compiler")
    return CompilerUnavailableError(f"the compile child was killed by signal {number}")
