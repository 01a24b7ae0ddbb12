"""What a module must be before it may be compiled: caps for all, rules for agents and for jobs.

The interface of agents (which exports, which host functions) belongs to `runtime.agents`, which finds what it needs in
the facts.
"""

import hashlib
from typing import Final

from runtime.quantities import format_size
from runtime.sandbox.engine import AGENT_PAGES, PAGE, EngineKind
from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.facts import Caps, Export, FuncType, Import, Limits, ModuleFacts
from runtime.sandbox.sections import read_module, split_sections
from runtime.sandbox.wasi_types import MEMORYLESS, WASI_MODULE, WASI_TYPES
from runtime.sanitise import clean

__all__ = [
    "AGENT_CAPS",
    "JOB_CAPS",
    "OVER_MEMORY",
    "Export",
    "FuncType",
    "Import",
    "Limits",
    "ModuleFacts",
    "ModuleRefusedError",
    "check_agent",
    "check_caps",
    "check_job",
    "module_hash",
    "strip_custom",
]

AGENT_CAPS: Final = Caps(size=512_000, functions=20_000, types=20_000)
OVER_MEMORY: Final = "memory-limit"
"""The check that refuses a job whose memory begins above its limit."""

JOB_CAPS: Final = Caps(size=16 * 1024 * 1024, functions=100_000, types=100_000)


def module_hash(wasm: bytes) -> str:
    """SHA-256 of a module's file, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(wasm).hexdigest()


def check_caps(kind: EngineKind, wasm: bytes) -> ModuleFacts:
    """The checks that every module passes before it is compiled.

    Args:
        kind: for which engine.
        wasm: the file.

    Returns:
        The facts.

    Raises:
        ModuleRefusedError: `check` names which check failed.
    """
    facts = read_module(wasm, AGENT_CAPS if kind == "agent" else JOB_CAPS)
    memories = len(facts.memories) + sum(entry.kind == "memory" for entry in facts.imports)
    if memories > 1:
        raise ModuleRefusedError("the module has more than one memory", check="memory")
    # An agent's memory is the host's, and never smaller than one page.
    room = PAGE * max(facts.memory_minimum, 1 if facts.memory_import else 0)
    if facts.data_bytes > room:
        raise ModuleRefusedError(
            f"the module's data has {facts.data_bytes:,} bytes, and its memory begins with {room:,}", check="data"
        )
    return facts


def check_agent(wasm: bytes) -> ModuleFacts:
    """The checks of an agent that do not depend on the agents' interface.

    Args:
        wasm: the file.

    Returns:
        The facts; exports and imports are for the caller to judge.

    Raises:
        ModuleRefusedError: over a cap, damaged, or in need of more than 10 MiB of memory.
    """
    facts = check_caps("agent", wasm)
    if facts.memory_minimum > AGENT_PAGES:
        raise ModuleRefusedError(
            f"the module needs a memory of at least {facts.memory_minimum} pages, and an agent gets {AGENT_PAGES} "
            f"({format_size(AGENT_PAGES * PAGE)})",
            check="memory",
            hint="link with a smaller stack, such as -Wl,-z,stack-size=8192",
        )
    return facts


def check_job(wasm: bytes, memory_limit: int) -> ModuleFacts:
    """The checks of a job: WASI preview 1, a `_start` without parameters, a memory within its limit.

    Args:
        wasm: the file.
        memory_limit: bytes that this job may have.

    Returns:
        The facts.

    Raises:
        ModuleRefusedError: `check` names which check failed.
    """
    facts = check_caps("job", wasm)
    for entry in facts.imports:
        _check_job_import(entry)
    start = facts.export("_start")
    if start is None:
        raise ModuleRefusedError(
            "the module has no `_start`", check="start", hint="a job is a WASI command, not a library or an agent"
        )
    if start.type is None:
        raise ModuleRefusedError(f"the module's `_start` is a {start.kind}, not a function", check="start")
    if start.type != FuncType((), ()):
        raise ModuleRefusedError(f"the module's `_start` has type {start.type}, and () -> () is needed", check="start")
    memory = facts.export("memory")
    if (memory is None or memory.kind != "memory") and any(e.name not in MEMORYLESS for e in facts.imports):
        raise ModuleRefusedError("the module uses WASI and exports no memory named `memory`", check="memory")
    needed = facts.memory_minimum * PAGE
    if needed > memory_limit:
        raise ModuleRefusedError(
            f"the module needs at least {format_size(needed)} of memory, and the limit is {format_size(memory_limit)}",
            check=OVER_MEMORY,
            hint="raise --memory, or link with a smaller stack (-Wl,-z,stack-size=65536)",
        )
    return facts


def _check_job_import(entry: Import) -> None:
    name = clean(f"{entry.module}.{entry.name}", 120)
    wanted = WASI_TYPES.get(entry.name) if entry.module == WASI_MODULE else None
    if wanted is None:
        hint = "rebuild it for wasi_snapshot_preview1" if entry.module == "wasi_unstable" else ""
        raise ModuleRefusedError(f"the module imports {name}, which jobs do not have", check="imports", hint=hint)
    if entry.type is None:
        raise ModuleRefusedError(f"the module imports {name} as a {entry.kind}, and it is a function", check="imports")
    if entry.type != wanted:
        raise ModuleRefusedError(f"the module imports {name} as {entry.type}, and it is {wanted}", check="imports")


def strip_custom(wasm: bytes) -> bytes:
    """Drops the custom sections: names that a guest chose would otherwise reach messages of the engine.

    Args:
        wasm: a module whose sections were walked.

    Returns:
        The module without them; code, offsets in functions and behaviour are the same.
    """
    kept = [wasm[begin:end] for number, begin, _, end in split_sections(wasm) if number]
    return b"".join([wasm[:8], *kept])
