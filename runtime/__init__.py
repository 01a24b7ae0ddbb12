"""The sandbox: engine, agents, jobs, rooms, receipts, journal and store.

Knows nothing of the network or of the screen; imports run downwards only (see `docs/explanation/architecture.md`).
"""
