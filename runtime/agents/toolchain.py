"""The compiler of the kit: `ziglang` from PyPI, which brings a C compiler and a linker for WebAssembly along.

It is large and pinned, because another version makes other bytes; orlop neither installs it nor needs it to run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runtime.errors import FailedError, UnavailableError
from runtime.sanitise import clean, clean_multiline

__all__ = ["AGENT_FLAGS", "COMMON_FLAGS", "COMPILER", "PACKAGE", "CompileError", "compile_source"]

PACKAGE: Final = "ziglang"
COMPILER: Final = "0.17.0"

COMMON_FLAGS: Final = ("-Os", "-std=c11", "-Wall", "-Wextra", "-Werror")
AGENT_FLAGS: Final = (
    *("-target", "wasm32-freestanding", "-mcpu=generic", "-nostdlib", "-ffreestanding", "-Wl,--no-entry"),
    # The stack's size is always given: its default makes the smallest memory 17 pages.
    *("-Wl,--import-memory", "-Wl,-z,stack-size=8192", "-Wl,--initial-memory=65536", "-Wl,--max-memory=10485760"),
)
_ZIG_FLAGS: Final = (
    *("-target", "wasm32-freestanding", "-mcpu=generic", "-O", "ReleaseSmall", "-fno-entry", "-rdynamic"),
    *("--import-memory", "--stack", "8192", "--initial-memory=65536", "--max-memory=10485760", "--name", "agent"),
)
_TALK_MAX: Final = 16 * 1024
"""Characters of the compiler's words that are passed on."""


class CompileError(FailedError):
    """The compiler refused a source. `talk` is all that it said, in lines."""

    def __init__(self, why: str, *, where: str, talk: str) -> None:
        super().__init__(why, where=where)
        self.talk = talk


def compile_source(source: Path, includes: Sequence[Path], *, symbols: bool = False) -> bytes:
    """Compiles one file to a module; waits for as long as the compiler takes.

    Args:
        source: a `.c` or `.zig` file. Nothing of where it lies gets into the module.
        includes: folders of headers.
        symbols: whether functions keep their names, for the words of traps; such a module is not the same everywhere.

    Raises:
        UnavailableError: the compiler is not installed.
        CompileError: it refused the source.
    """
    if find_spec(PACKAGE) is None:
        hint = f"pip install {PACKAGE}=={COMPILER}, 400 MB, into the Python that runs orlop"
        raise UnavailableError(f"the compiler {PACKAGE} is not installed", hint=hint)
    with tempfile.TemporaryDirectory(prefix="orlop-build-") as folder:
        out = Path(folder, "agent.wasm")
        cache = {"ZIG_GLOBAL_CACHE_DIR": f"{folder}/global", "ZIG_LOCAL_CACHE_DIR": f"{folder}/local"}
        # -P: a file in the author's folder never takes the place of a module.
        command = [sys.executable, "-P", "-m", PACKAGE, *_arguments(source, includes, out, symbols=symbols)]
        ran = subprocess.run(  # noqa: S603 - our own interpreter and a package, no shell
            command,
            cwd=source.parent,
            env=os.environ | cache,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        talk = clean_multiline(ran.stderr.decode(errors="replace"), _TALK_MAX).strip()
        if ran.returncode or not out.exists():
            raise CompileError(_first_error(talk), where=clean(source.name, 80), talk=talk)
        return out.read_bytes()


def _arguments(source: Path, includes: Sequence[Path], out: Path, *, symbols: bool) -> list[str]:
    if source.suffix == ".zig":
        strip = [] if symbols else ["-fstrip"]
        return ["build-exe", source.name, *_ZIG_FLAGS, *strip, f"-femit-bin={out}"]
    folders = [word for folder in includes for word in ("-I", str(folder))]
    return ["cc", *AGENT_FLAGS, *COMMON_FLAGS, "-g1" if symbols else "-s", *folders, "-o", str(out), source.name]


def _first_error(talk: str) -> str:
    lines = [line for line in talk.splitlines() if "error:" in line] or talk.splitlines()
    return f"does not compile: {clean(lines[0], 200)}" if lines else "does not compile"
