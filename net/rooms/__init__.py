"""Rooms over a relay: its client, and the relay itself."""
