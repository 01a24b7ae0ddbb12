"""Guests for the clients' tests."""

from pathlib import Path

import wasmtime

__all__ = ["ENDLESS", "NOT_TEXT", "written"]

NOT_TEXT = r"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\04\00\00\00")
  (data (i32.const 16) "\ff\00\80\0a")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""
"""Writes four bytes that are no text to both streams."""

ENDLESS = r"""(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "started")
  (func (export "_start")
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 7) (i32.const 1)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)) (then unreachable))
    (loop (br 0))))
"""
"""Makes the file `started` in its directory, and never ends."""


def written(folder: Path, text: str) -> Path:
    """The module of a text, in a file."""
    path = folder / "guest.wasm"
    path.write_bytes(wasmtime.wat2wasm(text))
    return path
