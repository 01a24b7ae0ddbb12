"""Rooms: a log of signed entries that converges, tasks folded from it, members, messages, keys and sessions.

Pure parts: `entries`, `facts`, `chain`, `roster`, `snapshots`, `replica` and `missing` (the log), `tasks` (the
reducer), `fold`, `payload`, `admission`, `derived`, `auto_assign`, `slash`, `members`. At the edge: `log` (sealed
rows), `held` and `room` (`Rooms`, what the core holds), which stands on `living`, `sharing` and `writing`.
"""
