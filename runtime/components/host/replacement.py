"""A file that is written beside its place and takes it at once: whoever looks sees the old content or the new."""

import os
import stat
from types import TracebackType
from typing import Self

from runtime.components.host.context import Context
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.paths import Place
from runtime.components.host.quota import held
from runtime.components.host.temporary import temporary_file

__all__ = ["Replacement"]


class Replacement:
    """New content for a place; without `commit` nothing happened.

    Args:
        context: whose call it is.
        place: where it goes.
        mode: its permissions.
    """

    def __init__(self, context: Context, place: Place, mode: int) -> None:
        self._context = context
        self._place = place
        self._ledger = place.mount.ledger
        self._charged = 0
        self._committed = False
        with held(self._ledger):
            if self._ledger is not None:
                self._ledger.add_entry()
            try:
                self._descriptor, self._name = temporary_file(place.parent, mode)
            except OSError:
                self._release()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets go; what was not committed is removed."""
        os.close(self._descriptor)
        if not self._committed:
            with held(self._ledger):
                os.unlink(self._name, dir_fd=self._place.parent)
                self._release()

    def write(self, data: bytes | memoryview) -> None:
        """Appends.

        Raises:
            FileRefusedError: `quota-exceeded`, or `timeout` at the end of the call's time.
            OSError: as for any write.
        """
        with held(self._ledger):
            if self._ledger is not None:
                self._ledger.charge(len(data))
                self._charged += len(data)
            view = memoryview(data)
            while view:
                if self._context.time_left(None) <= 0 or self._context.stopping():
                    raise FileRefusedError("timeout", "the call's time is over; nothing was changed")
                view = view[os.write(self._descriptor, view[: 1 << 20]) :]

    def commit(self, *, overwrite: bool = True) -> None:
        """Makes it durable and puts it in its place.

        Args:
            overwrite: what is there is replaced; else it stays.

        Raises:
            FileExistsError: there is something, and it shall stay.
            FileRefusedError: what is there is no file or link.
            OSError: as for any rename.
        """
        os.fsync(self._descriptor)
        place = self._place
        if overwrite:
            with held(self._ledger):
                before = replaceable(place)
                os.replace(self._name, place.name, src_dir_fd=place.parent, dst_dir_fd=place.parent)
                if before is not None and self._ledger is not None:
                    self._ledger.removed(before)
        else:
            os.link(self._name, place.name, src_dir_fd=place.parent, dst_dir_fd=place.parent, follow_symlinks=False)
            os.unlink(self._name, dir_fd=place.parent)
        self._committed = True
        directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.parent)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _release(self) -> None:
        if self._ledger is not None:
            self._ledger.drop_entry()
            self._ledger.refund(self._charged)


def replaceable(place: Place) -> os.stat_result | None:
    """What is in a place that a file may take: a file, a link itself, or nothing.

    Raises:
        FileRefusedError: a directory, device, fifo or socket.
    """
    try:
        status = place.status()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise FileRefusedError("is-a-directory", "a directory")
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        raise FileRefusedError("not-a-file", "a device, fifo or socket")
    return status
