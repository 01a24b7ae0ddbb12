"""A file as a block device, read-only and gone by itself with its last user."""

import fcntl
import os
import struct
from pathlib import Path
from typing import Final

__all__ = ["attach"]

_GET_FREE: Final = 0x4C82
_CONFIGURE: Final = 0x4C0A
_READ_ONLY_AUTOCLEAR: Final = 1 | 4
_CONFIG: Final = struct.Struct("=II52xI176x64x")
"""`struct loop_config`: descriptor, block size, `loop_info64` of 232 bytes with its flags at 52, and 64 reserved."""
_TRIES: Final = 64


def attach(path: str, devices: Path = Path("/dev")) -> tuple[str, int]:
    """Gives a file a device.

    Args:
        path: of the file.
        devices: the folder of device nodes.

    Returns:
        The node, and a descriptor of it; whoever mounted it closes the descriptor.

    Raises:
        OSError: there is no free one, or the kernel says no.
    """
    backing = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        control = os.open(devices / "loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            return _attach_free(control, backing, devices)
        finally:
            os.close(control)
    finally:
        os.close(backing)


def _attach_free(control: int, backing: int, devices: Path) -> tuple[str, int]:
    """The first free one; somebody else may take it between the two calls."""
    for attempt in range(_TRIES):
        node = str(devices / f"loop{fcntl.ioctl(control, _GET_FREE)}")
        device = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, _CONFIGURE, _CONFIG.pack(backing, 0, _READ_ONLY_AUTOCLEAR))
        except OSError:
            os.close(device)
            if attempt == _TRIES - 1:
                raise
        else:
            return node, device
    raise AssertionError  # pragma: no cover - the loop returns or raises
