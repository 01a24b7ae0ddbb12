"""Guests written to do harm, one per file: each says in its first lines what it tries.

They are text, assembled when they are used. `tests/runtime/jobs/test_hostile_guests.py` says how each must end.
"""

from functools import cache
from pathlib import Path

__all__ = ["guest", "names"]

_FOLDER = Path(__file__).parent


def names() -> set[str]:
    """The names of all guests."""
    return {path.stem for path in _FOLDER.glob("*.wat")}


@cache
def guest(name: str) -> bytes:
    """The bytes of a guest."""
    import wasmtime

    return bytes(wasmtime.wat2wasm((_FOLDER / f"{name}.wat").read_text(encoding="utf-8")))
