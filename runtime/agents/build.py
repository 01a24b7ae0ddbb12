"""An author's folder: what `agents new` puts into it, and the module and manifest that `agents build` makes of it."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import assets
from runtime import durable
from runtime.agents.binary import check_binary, module_digest
from runtime.agents.interface import MODULE, NEEDS
from runtime.agents.languages import LANGUAGES
from runtime.agents.limits import MAX_WASM_BYTES
from runtime.agents.manifest import AgentManifest, Permission, make_manifest, parse_manifest
from runtime.agents.toolchain import compile_source
from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import NotFoundError, RefusedError, UnavailableError
from runtime.sandbox.modulecheck import check_agent
from runtime.sanitise import clean

__all__ = ["Built", "build", "create", "needed"]

METADATA: Final = "agent.toml"
_TEXTS: Final = ("name", "version", "description", "author")
_LAYOUT: Final = "stateVersion"
"""Of the state, for versions that share theirs; it may be absent."""
_METADATA_MAX: Final = 64 * 1024
_EXAMPLE: Final = "overdue"
"""The agent that templates are copies of."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made.

    Attributes:
        manifest: of the module.
        module: the file.
        size: its bytes.
        manifest_file: beside it.
        symbols: the same module with names, for `agents try --symbols`; None where the source was not compiled here.
        warnings: lines for the author.
    """

    manifest: AgentManifest
    module: Path
    size: int
    manifest_file: Path
    symbols: Path | None
    warnings: tuple[str, ...]


def create(folder: Path, name: str, language: str) -> tuple[Path, ...]:
    """Makes a folder that `build` builds.

    Args:
        folder: it must not exist; where it lies must.
        name: the agent's.
        language: of `LANGUAGES`.

    Returns:
        The files.

    Raises:
        ManifestRefusedError: the name is none.
        RefusedError: there is something of that name already.
        UnavailableError: the folder cannot be made or written; then nothing of it is left.
    """
    make_manifest(name=name, version="", description="", author="", wasm_hash="", permissions=())
    files = _template(name, language)
    try:
        folder.mkdir()
    except FileExistsError:
        raise RefusedError("exists already, and nothing was changed", where=clean(str(folder), 200)) from None
    except OSError as error:
        raise durable.unavailable(folder, error) from error
    made: list[Path] = []
    try:
        for place, content in files.items():
            durable.create(folder / place, content, mode=0o644)
            made.append(folder / place)
    except UnavailableError:
        for path in made:
            path.unlink(missing_ok=True)
        folder.rmdir()
        raise
    return tuple(made)


def build(folder: Path) -> Built:
    """Compiles what lies in a folder, checks the module as an upload would, and writes it with its manifest.

    `agent.toml` says what the agent is called; its source is `NAME.c` or `NAME.zig`, or, for other languages, the
    finished `NAME.wasm`. The manifest asks for what the module's imports need, no more.

    Args:
        folder: the author's.

    Raises:
        NotFoundError: it holds no agent.
        RefusedError: the metadata or the module is not as it should be; nothing is written.
        CompileError: the source does not compile; nothing is written.
        UnavailableError: the compiler is missing, or a file cannot be read or written.
    """
    metadata = _metadata(folder)
    name = parse_manifest({**metadata, "wasmHash": "", "permissions": []}).name
    source = _source(folder, name)
    symbols = b""
    if source is None:
        wasm = _read(folder / f"{name}.wasm", 16 * MAX_WASM_BYTES)
    else:
        includes = (folder.resolve(), assets.path("agents/kit"))
        wasm = compile_source(source.resolve(), includes)
        symbols = compile_source(source.resolve(), includes, symbols=True)
    asked: list[Json] = [permission.value for permission in needed(wasm)]
    manifest = parse_manifest({**metadata, "permissions": asked, "wasmHash": module_digest(wasm)})
    checked = check_binary(wasm, manifest)
    return _written(folder, manifest, wasm, symbols, checked.warnings)


def needed(wasm: bytes) -> tuple[Permission, ...]:
    """The permissions that a module's imports need, no more.

    Args:
        wasm: a module.

    Raises:
        ModuleRefusedError: it is none.
    """
    imports = [entry.name for entry in check_agent(wasm).imports if entry.module == MODULE]
    found = {permission for name in imports for permission in NEEDS.get(name, ())}
    return tuple(permission for permission in Permission if permission in found)


def _template(name: str, language: str) -> Mapping[str, bytes]:
    example = f"agents/{_EXAMPLE}/{_EXAMPLE}.c" if language == "c" else "agents/kit/template.zig"
    source = assets.path(example).read_bytes().replace(_EXAMPLE.encode(), name.encode())
    texts = {"name": name, "version": "0.1.0", "description": "What it does, in one line.", "author": ""}
    lines = ["# What orlop shows of the agent. What it asks for follows from what its module imports.\n"]
    lines += [f"{key} = {json.dumps(text)}\n" for key, text in texts.items()]
    files = {
        f"{name}.{language}": source,
        METADATA: "".join(lines).encode(),
        "room.json" if name == "tasks" else "tasks.json": assets.path(f"agents/{_EXAMPLE}/tasks.json").read_bytes(),
    }
    if language == "c":
        files["orlop_agent.h"] = assets.path("agents/kit/orlop_agent.h").read_bytes()
    return files


def _metadata(folder: Path) -> dict[str, Json]:
    path = folder / METADATA
    shown = clean(str(path), 200)
    raw = _read(path, _METADATA_MAX)
    try:
        found = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RefusedError(f"is no TOML: {clean(str(error), 200)}", where=shown) from None
    for key in found:
        if key not in {*_TEXTS, _LAYOUT}:
            hint = "permissions follow from what the module imports" if key == "permissions" else ""
            raise RefusedError(f"unknown key `{clean(key, 60)}`", where=shown, hint=hint)
    for key in _TEXTS:
        if not isinstance(found.get(key), str):
            raise RefusedError(f"`{key}` must be a text", where=shown)
    return {key: found[key] for key in (*_TEXTS, _LAYOUT) if key in found}


def _source(folder: Path, name: str) -> Path | None:
    """The source, or None when only a finished module is there."""
    there = [path for language in LANGUAGES if (path := folder / f"{name}.{language}").is_file()]
    if len(there) > 1:
        names = " and ".join(path.name for path in there)
        raise RefusedError(f"holds {names}: which one is it?", where=clean(str(folder), 200))
    if there:
        return there[0]
    if not (folder / f"{name}.wasm").is_file():
        sources = ", ".join(f"{name}.{language}" for language in LANGUAGES)
        raise NotFoundError(f"holds none of {sources}, {name}.wasm", where=clean(str(folder), 200))
    return None


def _read(path: Path, limit: int) -> bytes:
    data = durable.read(path, limit=limit)
    if data is None:
        raise NotFoundError("no such file", where=clean(str(path), 200), hint="orlop agents new makes a folder")
    return data


def _written(folder: Path, manifest: AgentManifest, wasm: bytes, symbols: bytes, warnings: tuple[str, ...]) -> Built:
    """Replaces what differs; a manifest that says the same stays as it is, with its signature."""
    stem = folder / manifest.name
    paths = {suffix: stem.with_name(f"{manifest.name}{suffix}") for suffix in (".wasm", ".json", ".debug.wasm")}
    if symbols:
        durable.replace(paths[".wasm"], wasm, mode=0o644)
    keeps = symbols.startswith(wasm) if symbols else False
    if keeps:
        durable.replace(paths[".debug.wasm"], symbols, mode=0o644)
    document = dict(manifest.document)
    if _unsigned(paths[".json"]) != document:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        durable.replace(paths[".json"], text.encode(), mode=0o644)
    return Built(manifest, paths[".wasm"], len(wasm), paths[".json"], paths[".debug.wasm"] if keeps else None, warnings)


def _unsigned(path: Path) -> Mapping[str, Json]:
    """The manifest that is there, without its signature; empty when there is none that can be read."""
    try:
        found = decode(durable.read(path, limit=_METADATA_MAX) or b"", limit=_METADATA_MAX, floats=True)
    except (CanonicalError, RefusedError):
        return {}
    return (
        {key: value for key, value in found.items() if key not in {"signer", "signature"}}
        if isinstance(found, dict)
        else {}
    )
