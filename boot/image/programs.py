"""Running programs of other packages: the same environment everywhere, and one line that says what is missing."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from runtime.errors import FailedError, UnavailableError
from runtime.sanitise import clean

__all__ = ["run"]

_PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "apt-cache": "apt",
        "apt-get": "apt",
        "dpkg-deb": "dpkg",
        "faketime": "faketime",
        "mcopy": "mtools",
        "mdir": "mtools",
        "mformat": "mtools",
        "mkfs.ext4": "e2fsprogs",
        "mksquashfs": "squashfs-tools",
        "mmd": "mtools",
        "qemu-img": "qemu-utils",
        "sbattach": "sbsigntool",
        "sbsign": "sbsigntool",
        "sbverify": "sbsigntool",
        "unsquashfs": "squashfs-tools",
        "xorriso": "xorriso",
        "zstd": "zstd",
    }
)
"""Programs and the Debian packages that bring them."""

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    command: Sequence[str],
    *,
    epoch: int | None = None,
    given: bytes = b"",
    folder: Path | None = None,
    **variables: str,
) -> bytes:
    """Runs a program to its end; blocks.

    Nothing of the caller's locale, time zone, umask or settings reaches it: it writes the same bytes everywhere.

    Args:
        command: the program, by name, and its arguments.
        epoch: the time that it is to believe, in seconds since 1970; None leaves it the clock.
        given: its standard input.
        folder: where it runs; else here.
        variables: more of its environment.

    Returns:
        Its standard output.

    Raises:
        UnavailableError: there is no such program; names the package.
        FailedError: it failed; with the last line that it said.
    """
    program = command[0]
    environment = {"PATH": os.environ.get("PATH", "") + ":" + _PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
    if epoch is not None:
        environment |= {"SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch)}
    try:
        done = subprocess.run(  # noqa: S603
            command,
            env={**environment, **variables},
            input=given,
            cwd=folder,
            capture_output=True,
            check=False,
            umask=0o022,
        )
    except FileNotFoundError:
        package = _PACKAGES.get(program, program)
        raise UnavailableError("no such program", where=program, hint=f"install the package {package}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise FailedError(clean(said[-1] if said else f"exit {done.returncode}", 300), where=program)
    return done.stdout
