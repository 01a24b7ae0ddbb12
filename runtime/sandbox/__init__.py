"""The sandbox: engines, checks of modules, compilation in a child with limits, guarded calls and their outcomes.

Its modules are imported by their own names; only `call` and `wasi` load wasmtime when they are imported.
"""
