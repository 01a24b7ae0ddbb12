"""Removing a tree: every entry is asked about before the first is removed, and no link is followed."""

import os
import stat
from collections.abc import Callable

from runtime.components.host.context import Context
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.paths import DELETE, LIST, Paths, Place
from runtime.components.host.quota import Ledger, held, removing
from runtime.components.host.trees import DEPTH_MAX, ENTRIES_MAX, Walk, check_time, names_after

__all__ = ["remove_tree"]


def remove_tree(context: Context, paths: Paths, place: Place) -> int:
    """Removes a directory with all that is in it.

    Args:
        context: whose call it is.
        paths: to ask about each entry.
        place: the directory; listing and deleting it were allowed.

    Returns:
        How many entries were removed, itself included.

    Raises:
        FileRefusedError: an entry may not be removed, there are too many, or the call's time is over: before that point
            nothing was removed, unless the time ran out or somebody changed the tree meanwhile.
        OSError: as for any removal.
    """
    with Walk(context, paths, place.parent, place.path, None, name=place.name) as walk:
        for item in walk.entries():
            if not item.name.is_text:
                raise FileRefusedError("not-utf8", "a name in it is not UTF-8")
            paths.decide(LIST & DELETE if item.name.kind == "directory" else DELETE, item.path)
        walk.must_be_whole()
    removal = _Removal(context, paths, place.mount.ledger)
    removal.directory(place.parent, place.name, place.path, 0)
    return removal.count


class _Removal:
    def __init__(self, context: Context, paths: Paths, ledger: Ledger | None) -> None:
        self._context = context
        self._paths = paths
        self._ledger = ledger
        self.count = 0

    def directory(self, parent: int, name: str, path: str, depth: int) -> None:
        """Removes a directory, what is in it first; what came in meanwhile is asked about too."""
        if depth > DEPTH_MAX:
            raise FileRefusedError("busy", "somebody changes the tree")
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=parent)
        try:
            for entry in names_after(self._context, descriptor, None, ENTRIES_MAX):
                check_time(self._context)
                self._entry(descriptor, entry.raw, f"{path}/{entry.shown}", depth)
        finally:
            os.close(descriptor)
        self._gone(os.rmdir, parent, name)

    def _entry(self, parent: int, name: str, path: str, depth: int) -> None:
        self._paths.decide(DELETE, path)
        if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            self.directory(parent, name, path, depth + 1)
        else:
            self._gone(os.unlink, parent, name)

    def _gone(self, remove: Callable[..., None], parent: int, name: str) -> None:
        with held(self._ledger), removing(self._ledger, os.lstat(name, dir_fd=parent)):
            remove(name, dir_fd=parent)
        self.count += 1
