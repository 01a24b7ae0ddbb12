"""Machines with UEFI: firmware of Debian, each machine with variables of its own, and discs or sticks to start from.

Firmware that finds nothing to start waits in its menu for ever, so whoever boots so has a deadline, as everybody here.
"""

import shutil
from pathlib import Path

__all__ = ["SETUP_MODE", "stick", "uefi"]

_OVMF = Path("/usr/share/OVMF")
SETUP_MODE = _OVMF / "OVMF_VARS_4M.fd"
"""Variables without any key: Secure Boot is off, and whoever is started first may enrol keys."""
_PFLASH = "if=pflash,format=raw"


def uefi(place: Path, *, memory: int = 1024, secure: Path | None = None) -> list[str]:
    """QEMU's words for a machine of x86-64 with UEFI, without discs and network.

    Args:
        place: a folder for its variables.
        memory: in MiB.
        secure: variables to start from, on firmware with Secure Boot, which it enforces once there are keys in them.
    """
    machine, code = ("q35,smm=on", "OVMF_CODE_4M.secboot.fd") if secure else ("q35", "OVMF_CODE_4M.fd")
    variables = place / "variables.fd"
    shutil.copyfile(secure or SETUP_MODE, variables)
    words = ["qemu-system-x86_64", "-M", machine, "-cpu", "Nehalem,+rdrand", "-m", str(memory)]
    if secure:
        words += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    words += ["-drive", f"{_PFLASH},unit=0,readonly=on,file={_OVMF / code}"]
    return [*words, "-drive", f"{_PFLASH},unit=1,file={variables}"]


def stick(path: Path) -> list[str]:
    """QEMU's words for a stick in a socket of USB, whose file stays as it is.

    Args:
        path: of the file.
    """
    drive = ["-drive", f"if=none,id=stick,file={path},format=raw,snapshot=on", "-device", "qemu-xhci"]
    return [*drive, "-device", "usb-storage,drive=stick,removable=on"]
