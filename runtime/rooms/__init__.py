"""Rooms: tasks folded from a sealed log of admitted events, members, messages, `/task` and auto-assign.

Pure parts: `tasks` (the reducer), `derived`, `admission`, `auto_assign`, `slash`, `members`, `fold`. At the edge:
`log` (sealed rows) and `room` (`Rooms`, what the core holds).
"""
