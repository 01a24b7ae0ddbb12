"""What a compile child does, done here; that it is confined is in `test_compile`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import wasmtime

import runtime
from runtime.sandbox import compile_child
from runtime.sandbox.compile_child import EXIT_INVALID, EXIT_MEMORY, EXIT_TOO_LARGE, Budget, read_whole, write_whole
from runtime.sandbox.engine import job_engine
from tests.hostile import binary, job

BUDGET = Budget(cpu_s=5, wall_s=10.0)


@contextmanager
def files(wasm: bytes) -> Iterator[tuple[int, int]]:
    module, out = os.memfd_create("module"), os.memfd_create("out")
    write_whole(module, wasm)
    yield module, out
    os.close(module)
    os.close(out)


@pytest.mark.parametrize("name", ["returns", "echo"])
def test_a_module_becomes_code(name: str) -> None:
    with files(job(name)) as (module, out):
        assert compile_child._compile("job", module, out, BUDGET) == 0
        assert wasmtime.Module.deserialize(job_engine(), read_whole(out)).exports


def test_an_invalid_module_leaves_one_short_line() -> None:
    with files(binary("br_table")) as (module, out):
        assert compile_child._compile("job", module, out, BUDGET) == EXIT_INVALID
        words = read_whole(out).decode()
        assert "implementation limit of 65520" in words
        assert "\n" not in words


def test_code_over_the_cap_is_not_written() -> None:
    with files(job("returns")) as (module, out):
        assert compile_child._compile("job", module, out, Budget(5, 10.0, out_bytes=100)) == EXIT_TOO_LARGE
        assert read_whole(out) == b""


def test_memory_that_runs_out_in_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr(compile_child, "read_whole", fail)
    with files(b"") as (module, out):
        assert compile_child._compile("job", module, out, BUDGET) == EXIT_MEMORY


def test_limits_and_descriptors() -> None:
    """In a process of its own, because limits cannot be raised again."""
    program = (
        "import os, resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from runtime.sandbox.compile_child import Budget, close_all_but, set_limits\n"
        "fds = [os.dup(1) for _ in range(20)]\n"
        "close_all_but({fds[3], fds[9]})\n"
        "set_limits(Budget(3, 1.0, 1 << 30, 1 << 20))\n"
        "kept = [fd for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]\n"
        "names = 'CPU DATA FSIZE NOFILE CORE'.split()\n"
        "print(kept == [fds[3], fds[9]], [resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in names])\n"
    )
    root = str(Path(runtime.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-I", "-c", program, root], capture_output=True, text=True, check=True)
    assert done.stdout == f"True [(3, 4), {(1 << 30,) * 2}, {(1 << 20,) * 2}, (64, 64), (0, 0)]\n"
