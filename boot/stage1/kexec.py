"""Starting another kernel from this one: loading two sealed files, and the jump."""

import errno
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from boot.errors import BootRefusedError
from boot.stage1 import libc
from boot.trust.manifest import Arch
from runtime.errors import UnavailableError
from runtime.sanitise import clean

__all__ = ["KEXEC_FILE_LOAD", "KEXEC_PROGRAM", "Load", "check_allowed", "is_loaded", "jump", "load", "load_file"]

KEXEC_FILE_LOAD: Final[Mapping[Arch, int]] = {"x86_64": 320, "arm64": 294}
"""The number of the call."""
KEXEC_PROGRAM: Final = Path("/sbin/kexec")
"""From kexec-tools; in images of arm64, whose kernels have no kexec_file_load."""
_DISABLED: Final = Path("/proc/sys/kernel/kexec_load_disabled")
_LOADED: Final = Path("/sys/kernel/kexec_loaded")
_LOAD_S: Final = 300.0

Load = Callable[[int, int, str], None]
"""Loads a kernel and an initrd, by their descriptors, with a command line; OSError where the kernel says no."""


def check_allowed(disabled: Path = _DISABLED) -> None:
    """Looks whether this kernel starts others, before anything is fetched.

    Args:
        disabled: where the kernel says so; without it, kexec is not built in.

    Raises:
        UnavailableError: it does not.
    """
    try:
        value = disabled.read_text("ascii").strip()
    except OSError:
        raise UnavailableError("this kernel cannot start another one: kexec is not built in", where="kexec") from None
    if value != "0":
        raise UnavailableError("this kernel may not start another one: kexec_load_disabled is 1", where="kexec")


def load_file(arch: Arch) -> Load:
    """Loading by the kernel itself, which knows Secure Boot.

    Args:
        arch: of this machine.
    """

    def call(kernel: int, initrd: int, line: str) -> None:
        raw = line.encode() + b"\0"
        libc.syscall(KEXEC_FILE_LOAD[arch], kernel, initrd, len(raw), raw, 0)

    return call


def load(kernel: int, initrd: int, line: str, call: Load, program: Path = KEXEC_PROGRAM) -> None:
    """Loads the next kernel.

    Args:
        kernel: a descriptor, sealed.
        initrd: a descriptor, sealed.
        line: its command line.
        call: how the kernel is asked.
        program: for kernels that do not have that call.

    Raises:
        BootRefusedError: this is no kernel, or not one that the owner of this machine lets start.
        UnavailableError: it cannot be loaded.
    """
    try:
        call(kernel, initrd, line)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise _why(error) from error
        _load_by_program(kernel, initrd, line, program)


def is_loaded(loaded: Path = _LOADED) -> bool:
    """Whether the kernel says that another one is ready."""
    try:
        return loaded.read_text("ascii").strip() == "1"
    except OSError:
        return False


def jump() -> None:
    """Starts the kernel that is loaded; does not return.

    Raises:
        UnavailableError: the kernel says no.
    """
    try:
        libc.reboot(libc.REBOOT_KEXEC)
    except OSError as error:
        raise UnavailableError(f"the next kernel does not start: {_words(error)}", where="kexec") from error


def _load_by_program(kernel: int, initrd: int, line: str, program: Path) -> None:
    """By kexec_load, whose segments a program puts together in user space."""
    if not program.exists():
        raise UnavailableError(f"this kernel has no kexec_file_load, and the image no {program}", where="kexec")
    files = (f"/proc/self/fd/{kernel}", f"--initrd=/proc/self/fd/{initrd}")
    try:
        done = subprocess.run(  # noqa: S603 - of the image; the words are ours
            [str(program), "-c", "-l", *files, f"--command-line={line}"],
            pass_fds=(kernel, initrd),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LOAD_S,
            env={},
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{program} does not run: {type(error).__name__}", where="kexec") from error
    if done.returncode:
        said = clean(done.stdout.decode(errors="replace").strip().replace("\n", " "), 200)
        raise UnavailableError(f"{program} ends with {done.returncode}: {said}", where="kexec")


def _why(error: OSError) -> BootRefusedError | UnavailableError:
    if error.errno == errno.ENOEXEC:
        return BootRefusedError("malformed", "kernel: is no kernel of this architecture")
    if error.errno in {errno.ENODATA, errno.ENOKEY, errno.EKEYREJECTED}:
        return BootRefusedError("unknown-key", "kernel: not signed by a key that Secure Boot of this machine trusts")
    return UnavailableError(f"the next kernel cannot be loaded: {_words(error)}", where="kexec")


def _words(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else "no").lower()
