"""Builds the guests that orlop ships from their sources, and compares them with the checked-in bytes.

`build --check` fails on any difference in a module or a manifest; `build --write` replaces them. The compiler is
`ziglang`, pinned, because another version makes other bytes; its caches lie under `build/`. Components are made of core
modules by `wasm-tools`, pinned too, with the header that `orlop components bindings` writes.

`python` builds those in Python into `build/components/`: they have 18 MB and other bytes at each build, so that there is
nothing to check in or to compare.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wasmtime import Config, Engine, FuncType, MemoryType, Module

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from runtime.agents.interface import NEEDS  # noqa: E402 - the checkout, wherever this is started from
from runtime.agents.toolchain import AGENT_FLAGS, COMMON_FLAGS, COMPILER  # noqa: E402
from runtime.components import wit_reader  # noqa: E402
from runtime.components.authoring.c_header import c_header  # noqa: E402
from runtime.components.bindings.operations import VERSION, WORLDS  # noqa: E402
from runtime.components.imports import misfits  # noqa: E402
from runtime.sandbox.componentcheck import check_component  # noqa: E402
from tools.guest_calls import calls_header  # noqa: E402

MAX_AGENT_BYTES = 512_000
MAX_PAGES = 160

FLAGS = {
    "agent": (*AGENT_FLAGS, "-I", "assets/agents/kit"),
    # The stack's size is always given: its default makes the smallest memory 257 pages.
    "job": ("-target", "wasm32-wasi", "-Wl,-z,stack-size=65536"),
    "component": (
        *("-target", "wasm32-freestanding", "-mcpu=generic", "-nostdlib", "-ffreestanding"),
        *("-Wl,--no-entry", "-Wl,-z,stack-size=65536"),
    ),
}
WIT = "assets/wit"
KIT = "assets/components/kit"
LIFECYCLE = "orlop:core/component-lifecycle"


class BuildError(Exception):
    """A guest cannot be built, or what came out is not what it should be."""


@dataclass(frozen=True, slots=True)
class Guest:
    """One module: its source (the module lies beside it, with the same stem) and what it is."""

    kind: Literal["agent", "job", "component"]
    source: str
    metadata: str = ""
    """The `agent.toml` from which its manifest is made; empty for a guest without one."""
    world: str = ""
    """Of a component, in full."""
    shipped: bool = False
    """A component with a Component.toml beside it, which says its hash."""

    @property
    def output(self) -> str:
        """The module's path."""
        return str(Path(self.source).with_suffix(".wasm"))

    @property
    def manifest(self) -> str:
        """The manifest's path."""
        return str(Path(self.source).with_suffix(".json"))


def agent(name: str) -> Guest:
    """A shipped agent."""
    return Guest("agent", f"assets/agents/{name}/{name}.c", f"assets/agents/{name}/agent.toml")


def component(source: str, world: str) -> Guest:
    """A component."""
    return Guest("component", source, world=world)


def example(name: str, world: str = "orlop:core/component") -> Guest:
    """A component that is shipped."""
    return Guest("component", f"assets/components/{name}/{name}.c", world=world, shipped=True)


GUESTS = (
    agent("auto-balance"),
    agent("digest"),
    agent("due-watch"),
    agent("faulty"),
    agent("overdue"),
    agent("triage"),
    agent("unblock"),
    example("greeter", "orlop:worlds/with-network"),
    example("listener"),
    example("overseer", "orlop:worlds/with-process"),
    example("ticker"),
    example("tide-gauge"),
    example("word-count", "orlop:worlds/with-filesystem"),
    Guest("job", "assets/jobs/hello/hello.c"),
    Guest("agent", "tests/assets/kit/reader.c"),
    component("bench/components/caller.c", "orlop:core/component"),
    component("tests/runtime/components/guests/doer.c", "orlop:core/component"),
    component("tests/runtime/components/guests/filer.c", "orlop:worlds/with-filesystem"),
    component("tests/runtime/components/guests/puppet.c", "orlop:worlds/full"),
    component("tests/runtime/components/guests/starter.c", "orlop:worlds/with-process"),
    component("tests/runtime/components/guests/fetcher.c", "orlop:worlds/with-network"),
)


PYTHON = (("common-words", "orlop:worlds/with-filesystem"),)
"""Components in Python: a folder of `assets/components`, with a module named like it, and its world."""


def permissions(imports: Sequence[str]) -> frozenset[str]:
    """The permissions that these host functions need, no more."""
    return frozenset(permission.value for name in imports for permission in NEEDS[name])


def check_module(guest: Guest, wasm: bytes) -> frozenset[str]:
    """Checks the rules of the guest's kind and gives the permissions that its imports need."""
    if guest.kind == "component":
        if wrong := misfits(check_component(wasm), guest.world, WORLDS, {LIFECYCLE}, VERSION):
            raise BuildError("; ".join(wrong))
        return frozenset()
    module = Module(Engine(Config()), wasm)
    exports = {item.name for item in module.exports}
    wanted = {"init", "on_task_event", "on_tick"} if guest.kind == "agent" else {"_start", "memory"}
    if missing := sorted(wanted - exports):
        raise BuildError(f"missing exports: {', '.join(missing)}")
    imports = [(item.module, item.name or "", item.type) for item in module.imports]
    if guest.kind == "job":
        if strange := sorted({place for place, _, _ in imports} - {"wasi_snapshot_preview1"}):
            raise BuildError(f"imports from {', '.join(strange)}")
        return frozenset()
    if len(wasm) > MAX_AGENT_BYTES:
        raise BuildError(f"{len(wasm)} bytes, more than {MAX_AGENT_BYTES}")
    return permissions([name for place, name, kind in imports if not is_memory(place, name, kind)])


def is_memory(place: str, name: str, kind: object) -> bool:
    """True for `env.memory` within the limits, False for a host function; anything else is refused."""
    if place == "env" and name == "memory" and isinstance(kind, MemoryType):
        limits = kind.limits
        if limits.min > MAX_PAGES:
            raise BuildError(f"memory of at least {limits.min} pages, more than {MAX_PAGES}")
        return True
    if place == "env" and name in NEEDS and isinstance(kind, FuncType):
        return False
    raise BuildError(f"imports {place}.{name}, which no host has")


def manifest(wasm: bytes, metadata: str, needed: frozenset[str]) -> bytes:
    """The manifest beside an agent: its metadata and the module's hash."""
    fields = tomllib.loads(metadata)
    if set(fields) - {"stateVersion"} != {"name", "version", "description", "author", "permissions"}:
        raise BuildError(f"metadata has the keys {', '.join(sorted(fields))}")
    if set(fields["permissions"]) != needed or len(fields["permissions"]) != len(needed):
        raise BuildError(f"metadata asks for {fields['permissions']}, the imports need {sorted(needed)}")
    fields["wasmHash"] = hashlib.sha256(wasm).hexdigest()
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def compile_guest(guest: Guest, folder: Path) -> bytes:
    """Compiles one source; paths are relative to the root, so that nothing of this machine can get into the module."""
    out = folder / Path(guest.output).name
    cache = ROOT / "build" / "zig"
    env = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(cache / "global"), "ZIG_LOCAL_CACHE_DIR": str(cache / "local")}
    flags = [*FLAGS[guest.kind], *COMMON_FLAGS, "-s"]
    if guest.kind == "component":
        header = c_header(wit_reader.read((ROOT / WIT / "resolved.json").read_text()), guest.world)
        (folder / "orlop.h").write_text(header)
        (folder / "calls.h").write_text(calls_header(header))
        flags += ["-I", str(folder), "-I", KIT]
    command = [sys.executable, "-m", "ziglang", "cc", *flags, "-o", str(out), guest.source]
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BuildError(f"does not compile:\n{run.stderr.strip()}")
    if guest.kind == "component":
        embedded = folder / "embedded.wasm"
        wasm_tools("component", "embed", WIT, "-w", guest.world, str(out), "-o", str(embedded))
        wasm_tools("component", "new", str(embedded), "-o", str(out))
    return out.read_bytes()


def wasm_tools(*arguments: str) -> None:
    """Runs wasm-tools."""
    command = [str(Path(sysconfig.get_path("scripts"), "wasm-tools")), *arguments]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildError("wasm-tools is not installed; run make guests") from None
    if run.returncode:
        raise BuildError(f"is no component:\n{run.stderr.strip()}")


def build_python(name: str, world: str) -> Path:
    """Builds a component in Python into a folder of its own below `build/components`, and gives that."""
    source, made = ROOT / "assets/components" / name, ROOT / "build/components" / name
    made.mkdir(parents=True, exist_ok=True)
    out = made / f"{name}.wasm"
    program = str(Path(sysconfig.get_path("scripts"), "componentize-py"))
    command = [
        program,
        "-d",
        WIT,
        "-w",
        world,
        "componentize",
        "--stub-wasi",
        "-p",
        str(source),
        name.replace("-", "_"),
    ]
    try:
        run = subprocess.run([*command, "-o", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildError("componentize-py is not installed; run make guests-python") from None
    if run.returncode:
        raise BuildError(f"is no component:\n{run.stderr.strip()}")
    wasm = out.read_bytes()
    check_module(Guest("component", str(source), world=world), wasm)
    (made / "Component.toml").write_bytes(with_hash((source / "Component.toml").read_text(), wasm))
    return made


def difference(path: str, old: bytes, new: bytes) -> str:
    """Both hashes and sizes, and where the first difference is."""
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    shipped, built = (f"{hashlib.sha256(data).hexdigest()} ({len(data)} bytes)" for data in (old, new))
    return f"{path}: differs from offset {at}\n  checked in {shipped}\n  built      {built}"


def build(guest: Guest, folder: Path) -> dict[str, bytes]:
    """The files of one guest, by path."""
    wasm = compile_guest(guest, folder)
    needed = check_module(guest, wasm)
    files = {guest.output: wasm}
    if guest.metadata:
        files[guest.manifest] = manifest(wasm, (ROOT / guest.metadata).read_text(), needed)
    if guest.shipped:
        path = str(Path(guest.source).with_name("Component.toml"))
        files[path] = with_hash((ROOT / path).read_text(), wasm)
    return files


def with_hash(text: str, wasm: bytes) -> bytes:
    """A Component.toml that says the hash of this component."""
    line = f'sha256 = "{hashlib.sha256(wasm).hexdigest()}"'
    found, count = re.subn(r'^sha256 = "[0-9a-f]*"$', line, text, count=1, flags=re.MULTILINE)
    if not count:
        raise BuildError('Component.toml has no line sha256 = "…"')
    return found.encode()


def settle(path: str, data: bytes, *, write: bool) -> bool:
    """Compares a file with the checked-in one, or replaces it; False when it differs and was left."""
    target = ROOT / path
    old = target.read_bytes() if target.exists() else b""
    if old == data:
        return True
    if write:
        target.write_bytes(data)
        target.chmod(0o644)  # the compiler sets the executable bit
        print(f"{path}: written, {len(data)} bytes")
    else:
        print(difference(path, old, data), file=sys.stderr)
    return write


def compiler_version() -> str:
    """The installed compiler's version, or why there is none."""
    run = subprocess.run([sys.executable, "-m", "ziglang", "version"], capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else "not installed"


def build_all(*, write: bool) -> bool:
    """Builds all that is checked in; False when something differs, or cannot be built."""
    if (found := compiler_version()) != COMPILER:
        print(f"orlop: guests: ziglang {COMPILER} is needed: it is {found}; run make guests", file=sys.stderr)
        return False
    same = True
    with tempfile.TemporaryDirectory() as folder:
        for guest in GUESTS:
            try:
                for path, data in build(guest, Path(folder)).items():
                    same = settle(path, data, write=write) and same
            except BuildError as error:
                print(f"orlop: guests: {guest.source}: {error}", file=sys.stderr)
                same = False
    return same


def build_all_python() -> bool:
    """Builds all that is in Python; False when something cannot be built."""
    built = True
    for name, world in PYTHON:
        try:
            print(build_python(name, world).relative_to(ROOT))
        except BuildError as error:
            print(f"orlop: guests: {name}: {error}", file=sys.stderr)
            built = False
    return built


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    mode = verbs.add_parser("build").add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="fail on a difference")
    mode.add_argument("--write", action="store_true", help="replace what differs")
    verbs.add_parser("python")
    given = parser.parse_args(arguments)
    done = build_all_python() if given.verb == "python" else build_all(write=given.write)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
