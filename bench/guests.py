"""Guests and places that several rows use."""

from pathlib import Path
from typing import Final

from bench.processes import ROOT

__all__ = ["EMPTY", "HELLO", "SPIN", "TOUCH", "agent", "agent_wasm", "shipped"]

HELLO: Final = ROOT / "assets" / "jobs" / "hello" / "hello.wasm"
EMPTY: Final = ""
"""A tick that does nothing."""

SPIN: Final = "(loop br 0)"
"""A tick that never ends."""

TOUCH: Final = "(drop (call $host_get_state (i32.const 0) (i32.const 64)))"
"""A tick that asks the host once, into a page of its own memory."""


def agent(tick: str) -> str:
    """The text of an agent that imports the host's memory and one of its functions, as real ones do."""
    return (
        '(module (import "env" "host_get_state" (func $host_get_state (param i32 i32) (result i32)))'
        '(import "env" "memory" (memory 1 160)) (func (export "init") (i32.store (i32.const 16) (i32.const 1)))'
        f'(func (export "on_task_event")) (func (export "on_tick") {tick}))'
    )


def agent_wasm(tick: str) -> bytes:
    """The same as a module."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(agent(tick)))


def shipped(name: str) -> Path:
    """The module of an agent that orlop ships."""
    return ROOT / "assets" / "agents" / name / f"{name}.wasm"
