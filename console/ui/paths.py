"""Completion of file names in prompts and dialogs."""

import os
from dataclasses import dataclass
from pathlib import Path

from runtime.sanitise import clean

__all__ = ["PathMatches", "complete_path"]

_MOST = 2_000


@dataclass(frozen=True, slots=True)
class PathMatches:
    """What a beginning of a path can become."""

    common: str
    """The text up to where the candidates differ; the text itself when there is none."""
    names: tuple[str, ...]
    """The candidates' last parts, directories with a `/`, harmless to show."""


def complete_path(text: str, suffix: str = "", base: Path | None = None) -> PathMatches:
    """Looks a beginning of a path up; may block on a slow disk.

    Args:
        text: what was typed; `~` is the home directory.
        suffix: only files that end in this, and directories; empty for all.
        base: where relative paths begin; else the working directory.
    """
    head, sep, start = text.rpartition("/")
    folder = (base or Path()) / Path(head + sep).expanduser() if sep else (base or Path())
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry, _ in zip(entries, range(_MOST), strict=False):
                name = entry.name
                hidden = name.startswith(".") and not start.startswith(".")
                if hidden or not name.startswith(start) or not name.isprintable():
                    continue
                if entry.is_dir():
                    found.append(f"{name}/")
                elif name.endswith(suffix):
                    found.append(name)
    except (OSError, ValueError, RuntimeError):
        return PathMatches(text, ())
    found.sort(key=lambda name: (name.endswith("/"), name.lower()))
    common = os.path.commonprefix(found) if found else start  # noqa: RUF071 - characters are what is wanted
    return PathMatches(head + sep + common, tuple(clean(name, 60) for name in found))
