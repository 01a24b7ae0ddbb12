"""The machine's watchdog: if nobody says in time that all is well, the hardware starts the machine again."""

import array
import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

__all__ = ["Watchdog"]

_SET_TIMEOUT: Final = 0xC0045706
_TIMEOUT_S: Final = 60


class Watchdog:
    """Fed from the first moment on, where there is one: the first stage's may still be counting.

    Args:
        path: its device.
    """

    def __init__(self, path: Path = Path("/dev/watchdog")) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            if self.there:
                fcntl.ioctl(self._descriptor, _SET_TIMEOUT, array.array("i", [_TIMEOUT_S]))
        self.feed()

    @property
    def there(self) -> bool:
        """Whether there is one."""
        return self._descriptor >= 0

    def feed(self) -> None:
        """All is well."""
        self._write(b"\n")

    def close(self) -> None:
        """The machine ends on purpose."""
        self._write(b"V")
        if self.there:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, word: bytes) -> None:
        if self.there:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, word)
