"""Moving and copying: what crosses from one place to another keeps the permissions of both."""

import contextlib
import os
import stat
from typing import Final

from runtime.components.host.beneath import reopen
from runtime.components.host.context import Context
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.paths import DELETE, READ, WRITE, Found, Paths, Place
from runtime.components.host.quota import held
from runtime.components.host.replacement import Replacement, replaceable
from runtime.components.host.trees import Walk

__all__ = ["copy_file", "move"]

_BLOCK: Final = 256 << 10


def move(context: Context, paths: Paths, old: Place, status: os.stat_result, new: Place) -> None:
    """Moves what is in a place; what is in the other is replaced as the system does it.

    Args:
        context: whose call it is.
        paths: to ask about each entry of a tree, which may be readable in part, and must not become so by moving.
        old: where it is; reading and deleting it were allowed.
        status: what is there.
        new: where it goes; writing it was allowed.

    Raises:
        FileRefusedError: other mounts, or a part that may not be read, deleted or written.
        OSError: as for any rename.
    """
    if old.mount is not new.mount:
        raise FileRefusedError("cross-device", "two directories that were given apart")
    if stat.S_ISDIR(status.st_mode):
        with Walk(context, paths, old.parent, old.path, None, name=old.name) as walk:
            for entry in walk.entries():
                paths.decide(READ & DELETE, entry.path)
                paths.decide(WRITE, new.path + entry.path[len(old.path) :])
            walk.must_be_whole()
    before: os.stat_result | None = None
    ledger = new.mount.ledger
    with held(ledger):
        with contextlib.suppress(FileNotFoundError):
            before = new.status()
        os.rename(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent)
        if ledger is not None and before is not None and not os.path.samestat(before, status):
            ledger.removed(before)


def copy_file(context: Context, source: Found, place: Place, *, overwrite: bool) -> int:
    """Copies a regular file.

    Args:
        context: whose call it is.
        source: the file.
        place: where the copy goes, as a whole or not at all.
        overwrite: whether a file that is there is replaced.

    Returns:
        Bytes.

    Raises:
        FileExistsError: there is something, and it shall stay.
        FileRefusedError: quota, time, or no file is there.
        OSError: as for any copy.
    """
    before = replaceable(place)
    if before is not None and not overwrite:
        raise FileRefusedError("already-exists", "something is there")
    copied = 0
    descriptor = reopen(source.descriptor, os.O_RDONLY)
    try:
        with Replacement(context, place, source.status.st_mode & 0o777) as copy:
            while block := os.read(descriptor, _BLOCK):
                copy.write(block)
                copied += len(block)
            copy.commit(overwrite=overwrite)
    finally:
        os.close(descriptor)
    context.note(size=copied)
    return copied
