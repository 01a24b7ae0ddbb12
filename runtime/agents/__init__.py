"""Agents: WebAssembly modules that look at a room's tasks and change them, under deadlines, grants and a breaker.

Its modules are imported by their own names. Those that enter guests (`instance`, and what stands on it: `runner`,
`executor`, `trial`) load wasmtime; what only stores, checks or shows agents (`modules`, `records`, `rows`) does not.
"""
