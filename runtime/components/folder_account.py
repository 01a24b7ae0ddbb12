"""The account of what a component keeps in its own folders, as the core has it: a file in memory for its workers."""

import os

__all__ = ["FolderAccount"]


class FolderAccount:
    """Lives as long as somebody of the core has it; the file, as long as a worker has it too."""

    def __init__(self) -> None:
        self._descriptor = -1

    def descriptor(self) -> int:
        """The file, opened anew: the kernel's locks tell instances apart by what each was given. The caller closes it.

        Raises:
            OSError: there is no room for one.
        """
        if self._descriptor < 0:
            self._descriptor = os.memfd_create("orlop-folders")
        return os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDWR | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
