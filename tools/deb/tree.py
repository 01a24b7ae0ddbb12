"""What a package installs: files by path, in memory until they are written, so that no file system can change them."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["File", "folders_of", "read_folder"]

_PLAIN, _PROGRAM = 0o644, 0o755


@dataclass(frozen=True, slots=True)
class File:
    """One file: where it goes, without a leading slash, and what is in it. It belongs to root."""

    path: str
    content: bytes
    mode: int = _PLAIN

    @classmethod
    def program(cls, path: str, content: bytes) -> "File":
        """One that can be run."""
        return cls(path, content, _PROGRAM)


def read_folder(folder: Path, at: str) -> list[File]:
    """All files below a folder, in order; modes and times of the build machine are not taken over.

    Args:
        folder: where they lie.
        at: where they go.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [File(f"{at}/{path.relative_to(folder).as_posix()}", path.read_bytes()) for path in found]


def folders_of(files: list[File]) -> list[str]:
    """Every folder that is needed to hold them, parents first."""
    return sorted({str(parent) for file in files for parent in PurePosixPath(file.path).parents} - {"."})
