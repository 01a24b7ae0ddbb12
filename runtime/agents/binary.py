"""The checks of an agent's module, in a fixed order; the first one that fails decides.

Each fixed wording stands in its two forms, because programs compare with either. What the engine finds when it compiles
is said in the same words as what the walk over the sections finds.
"""

import hashlib
import hmac
from dataclasses import dataclass

from runtime.agents.interface import ENTRY_POINTS, FUNCTIONS, MEMORY, MODULE, NOW, NOW_TYPES
from runtime.agents.limits import MAX_WASM_BYTES
from runtime.agents.manifest import AgentManifest
from runtime.errors import RefusedError
from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.facts import FuncType, Import, ModuleFacts
from runtime.sandbox.modulecheck import check_agent
from runtime.sanitise import clean

__all__ = ["BinaryRefusedError", "CheckedBinary", "check_binary", "digest_mismatch", "invalid_binary", "module_digest"]

_PREFIX = "Invalid WASM binary"
_NUMBERS = frozenset({"i32", "i64", "f32", "f64"})
_WASI = "wasi_"
_TOO_MUCH = frozenset(
    {"memory", "data", "tables", "types", "functions", "locals", "exports", "imports", "compiler"}
    | {"compile-cpu", "compile-time", "compile-memory", "compile-size"}
)
"""Checks of the sandbox that a valid module may fail."""


class BinaryRefusedError(RefusedError):
    """A module that does not pass. `text` is the wording without the prefix, `check` the short name of the check."""

    def __init__(self, text: str, *, check: str, hint: str = "") -> None:
        super().__init__(text if text.startswith(_PREFIX) else f"{_PREFIX}: {text}", hint=hint)
        self.text = text
        self.check = check


@dataclass(frozen=True, slots=True)
class CheckedBinary:
    """A module that passed the checks before compiling.

    Attributes:
        facts: what is known of it.
        warnings: lines for its operator; empty for a module that is as it should be.
    """

    facts: ModuleFacts
    warnings: tuple[str, ...] = ()


def module_digest(wasm: bytes) -> str:
    """SHA-256 of a module's file, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(wasm).hexdigest()


def digest_mismatch(expected: str, got: str) -> RefusedError:
    """What to raise when the stored file is not what was uploaded, found before an instantiation.

    Args:
        expected: the hash under which it was uploaded.
        got: the hash of the file as it is now.
    """
    return RefusedError(f"WASM hash mismatch at instantiation: expected {expected}, got {got}", hint="upload it again")


def invalid_binary(error: ModuleRefusedError) -> BinaryRefusedError:
    """A refusal of the sandbox in the agents' words.

    Args:
        error: of the walk over the sections, or of the compiler.

    Returns:
        The error to raise.
    """
    words = error.why if error.check in _TOO_MUCH else f"{_PREFIX} (Invalid WASM module): {error.why}"
    return BinaryRefusedError(words, check=error.check, hint=error.hint)


def check_binary(wasm: bytes, manifest: AgentManifest) -> CheckedBinary:
    """Checks a module against its manifest and the agents' interface, before it is compiled.

    Args:
        wasm: the file.
        manifest: what it claims to be.

    Returns:
        The facts, and warnings.

    Raises:
        BinaryRefusedError: with the wording of the first check that fails.
    """
    if len(wasm) > MAX_WASM_BYTES:
        raise BinaryRefusedError(
            f"WASM binary exceeds max size ({len(wasm)} > {MAX_WASM_BYTES}); WASM binary exceeds size limit",
            check="size",
        )
    try:
        facts = check_agent(wasm)
    except ModuleRefusedError as error:
        raise invalid_binary(error) from None
    got = module_digest(wasm)
    if not hmac.compare_digest(got.encode(), manifest.wasm_hash.encode(errors="replace")):
        expected = clean(manifest.wasm_hash, 80)
        raise BinaryRefusedError(f"WASM hash mismatch (Hash mismatch: expected {expected}, got {got})", check="hash")
    _check_exports(facts)
    for entry in facts.imports:
        _check_import(entry)
    own = facts.memory_import is None
    return CheckedBinary(facts, (_OWN_MEMORY,) if own else ())


_OWN_MEMORY = "the module has a memory of its own, which the host never reads or writes; import env.memory instead"


def _check_exports(facts: ModuleFacts) -> None:
    for name in ENTRY_POINTS:
        if facts.export(name) is None:
            raise BinaryRefusedError(f"Missing required export: {name}", check="exports")
    if facts.export(MEMORY) is None and not any(_is_memory(entry) for entry in facts.imports):
        raise BinaryRefusedError(
            f"Missing required export: {MEMORY}", check="exports", hint=f"import {MODULE}.{MEMORY} or export a memory"
        )
    for name in ENTRY_POINTS:
        export = facts.export(name)
        kind = export.type if export else None
        if kind is None:
            raise BinaryRefusedError(
                f"Failed to inspect WASM exports: {name} is a {export.kind if export else 'hole'}, not a function",
                check="exports",
            )
        strange = [one for one in (*kind.params, *kind.results) if one not in _NUMBERS]
        if strange:
            raise BinaryRefusedError(
                f"Failed to inspect WASM exports: {name} has type {kind}, and only numbers can be passed",
                check="exports",
            )


def _is_memory(entry: Import) -> bool:
    return entry.kind == "memory" and (entry.module, entry.name) == (MODULE, MEMORY)


def _check_import(entry: Import) -> None:
    if _is_memory(entry):
        return
    name = clean(f"{entry.module}.{entry.name}", 120)
    if entry.module.startswith(_WASI):
        raise BinaryRefusedError(
            f"Unknown import: {name}: agents have no WASI",
            check="imports",
            hint="build it freestanding, without a C library",
        )
    wanted = FUNCTIONS.get(entry.name) if entry.module == MODULE else None
    if wanted is None:
        raise BinaryRefusedError(f"Unknown import: {name} is no host function of agents", check="imports")
    if entry.type is None:
        raise BinaryRefusedError(f"Unknown import: {name} is a function, not a {entry.kind}", check="imports")
    allowed = [FuncType((), (one,)) for one in NOW_TYPES] if entry.name == NOW else [wanted]
    if entry.type not in allowed:
        types = " or ".join(map(str, allowed))
        raise BinaryRefusedError(f"Unknown import: {name} has type {entry.type}, and it is {types}", check="imports")
