"""Images as an operator makes them, and what is in their partition for the firmware, read and changed by mtools."""

import subprocess
from pathlib import Path

from boot.image.gpt import MIB
from tests.cli.program import orlop
from tests.qemu.release import Release

__all__ = ["DEFAULT", "image", "listed", "put", "read", "renamed"]

DEFAULT = "loader/loader.conf"
"""Says which entry of the menu is taken."""
_RELEASE_S = 600.0
_TOOL_S = 120.0


def image(release: Release, folder: Path, kind: str, *words: str) -> Path:
    """An image of one kind, by `boot release`.

    Args:
        release: what is in it.
        folder: that is made for it.
        kind: of the image.
        words: further ones for the program.
    """
    plain = ["--key", str(release.keys / "root.key"), "--images", kind, "--timeout", "1", "--size", "1GiB"]
    where = [str(release.folder), "--out", str(folder)]
    ran = orlop(release.keys.parent, "boot", "release", *where, *plain, *words, timeout=_RELEASE_S)
    assert ran.code == 0, ran.talk
    return next(path for path in sorted(folder.iterdir()) if path.suffix in {".img", ".qcow2"})


def listed(disc: Path) -> list[str]:
    """All files that a firmware sees, by path."""
    found = _mtools(disc, "mdir", "-/", "-b", "::").decode().splitlines()
    return sorted(line.removeprefix("::/") for line in found if line and not line.endswith("/"))


def read(disc: Path, name: str) -> str:
    """A file of text that a firmware sees."""
    return _mtools(disc, "mtype", f"::/{name}").decode()


def put(disc: Path, name: str, text: str) -> None:
    """Replaces such a file, as whoever holds the disc can do it."""
    _mtools(disc, "mcopy", "-o", "-", f"::/{name}", given=text.encode())


def renamed(disc: Path, name: str, other: str) -> None:
    """Gives a file or folder there another name."""
    _mtools(disc, "mren", f"::/{name}", f"::/{other}")


def _mtools(disc: Path, tool: str, *words: str, given: bytes = b"") -> bytes:
    command = [tool, "-i", f"{disc}@@{MIB}", *words]
    return subprocess.run(command, input=given, check=True, capture_output=True, timeout=_TOOL_S).stdout
