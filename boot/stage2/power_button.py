"""The machine's power button, as the kernel tells of it: an input device whose key is pressed."""

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

__all__ = ["PowerButton"]

_EVENT: Final = struct.Struct("=qqHHi")
"""`struct input_event`: seconds, microseconds, kind, code, value."""
_KEY: Final = 1
_POWER: Final = 116
_PRESSED: Final = 1
_EVENTS: Final = 64


class PowerButton:
    """Every button there is; SIGIO comes to this process when one of them has something to say.

    Args:
        devices: the folder of device nodes.
        classes: where the kernel says which keys each of them has.
    """

    def __init__(self, devices: Path = Path("/dev/input"), classes: Path = Path("/sys/class/input")) -> None:
        self._descriptors: list[int] = []
        for place in sorted(classes.glob("event*")):
            with contextlib.suppress(OSError, ValueError):  # a machine without this one
                if _has_power_key((place / "device/capabilities/key").read_text("ascii")):
                    self._watch(devices / place.name)

    def pressed(self) -> bool:
        """Whether one was pressed since the last call."""
        said = [self._says(descriptor) for descriptor in self._descriptors]
        return any(said)

    def close(self) -> None:
        """Lets go of them."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _watch(self, device: Path) -> None:
        descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._descriptors.append(descriptor)
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)

    @staticmethod
    def _says(descriptor: int) -> bool:
        try:
            raw = os.read(descriptor, _EVENT.size * _EVENTS)
        except OSError:
            return False  # nothing, or the device is gone
        whole = raw[: len(raw) - len(raw) % _EVENT.size]
        return any(event[2:] == (_KEY, _POWER, _PRESSED) for event in _EVENT.iter_unpack(whole))


def _has_power_key(text: str) -> bool:
    """Of words of 64 bits, the highest first."""
    bits = 0
    for word in text.split():
        bits = bits << 64 | int(word, 16)
    return bool(bits >> _POWER & 1)
