"""Modules that the tests of this folder have run."""

from pathlib import Path

from tests.cli.program import ROOT
from tests.hostile import job_wat, wat

__all__ = ["HELLO", "copies", "other_hello", "writes_and_sleeps"]

HELLO = ROOT / "assets/jobs/hello/hello.wasm"


def other_hello(folder: Path, number: int) -> Path:
    """Hello with a section that nobody reads, so that its hash is another."""
    path = folder / f"hello-{number}.wasm"
    path.write_bytes(HELLO.read_bytes() + b"\0\x06\x05%05d" % number)
    return path


def writes_and_sleeps(folder: Path) -> Path:
    """A job that says one word and then nothing more, for as long as it may."""
    path = folder / "sleeps.wasm"
    path.write_bytes(
        wat(
            job_wat(
                "(i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 4))"
                "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
                "(i32.store (i32.const 32) (i32.const 1)) (i64.store (i32.const 40) (i64.const -1))"
                "(drop (call $poll_oneoff (i32.const 16) (i32.const 64) (i32.const 1) (i32.const 128)))",
                wasi=("fd_write", "poll_oneoff"),
                decls='(data (i32.const 200) "word")',
            )
        )
    )
    return path


def copies(folder: Path) -> Path:
    """A job that says what it is told, as it comes."""
    path = folder / "copies.wasm"
    path.write_bytes(
        wat(
            job_wat(
                "(block $end (loop $more"
                " (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))"
                " (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))"
                " (br_if $end (i32.eqz (i32.load (i32.const 8))))"
                " (i32.store (i32.const 4) (i32.load (i32.const 8)))"
                " (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))"
                " (br $more)))",
                wasi=("fd_read", "fd_write"),
            )
        )
    )
    return path
