"""The files that orlop ships: guests with their sources, and the demo's content."""

from importlib.resources import files
from pathlib import Path

__all__ = ["path"]


def path(name: str) -> Path:
    """The file `name` (with `/`) of the assets.

    Args:
        name: relative path, such as `agents/unblock/unblock.wasm`.
    """
    return Path(str(files("assets").joinpath(name)))
