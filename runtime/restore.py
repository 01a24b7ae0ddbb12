"""Restoring a backup: all of it under the directory's name, or nothing.

Everything is written beside the directory first, made durable and brought up to date; then one rename, or the exchange
of two names, makes it the state directory. Whenever the program dies, the name stands for the old directory or for the
whole new one. Blocking, and never on a directory that somebody uses.
"""

import contextlib
import errno
import fcntl
import glob
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime import durable
from runtime.archive import INDEX_MAX, Entry, Index, read_index
from runtime.errors import FailedError, OrlopError, RefusedError, UnavailableError, UsageError
from runtime.quantities import format_size
from runtime.renames import exchange, place, sync_disk
from runtime.sanitise import clean
from runtime.schema import VERSION
from runtime.sealed_stream import CHUNK, SealedReader
from runtime.statedir import StateDir, acquire_owner, find, prepare

__all__ = ["Finish", "Restored", "restore_backup"]

Finish = Callable[[StateDir, Index, str], None]
"""What is done to the restored directory before it gets its name: index and SHA-256 of the backup."""

_SPARE: Final = 16 << 20
"""Bytes that a restored directory needs beside its files, for the database's log."""

_INCOMPLETE: Final = ".incomplete"
"""Locked by who writes a directory, gone when it is whole: what is found with it, and unlocked, is nobody's."""

_NAME_MAX: Final = 150
"""Bytes of the directory's name that the name beside it begins with; a name may have 255."""

_TAKEN: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A backup that was restored.

    Attributes:
        index: what it said of itself.
        sha256: of its bytes.
        replaced: where the old directory lies now, None without one.
    """

    index: Index
    sha256: str
    replaced: Path | None


def restore_backup(
    source: int,
    path: Path,
    passphrase: bytes,
    *,
    replace: bool,
    finish: Finish,
    stopped: Callable[[], bool] = lambda: False,
) -> Restored:
    """Makes a state directory from a backup.

    Args:
        source: descriptor of the backup.
        path: the state directory to be; new or empty, unless `replace`.
        passphrase: what the backup is encrypted under.
        replace: move a state directory that is there aside.
        finish: called with the written directory, before it is made durable.
        stopped: whether it should end early; asked now and then.

    Raises:
        RefusedError: the backup is damaged, the passphrase does not fit, or something else is at `path`.
        UsageError: a later version wrote the backup or what lies at `path`.
        InUseError: somebody uses the directory that is to be replaced.
        UnavailableError: something cannot be read or written.
        FailedError: it was stopped.
    """
    path = Path(os.path.realpath(path))
    with contextlib.ExitStack() as held, _told(path):
        _check_target(path, replace=replace)
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.exists() and any(path.iterdir())
        if old:
            held.enter_context(acquire_owner(StateDir(path)))
        _sweep(path)
        reader = SealedReader(lambda size: os.read(source, size), passphrase)
        index = _index(reader)
        _check_space(path.parent, index)
        beside = held.enter_context(_beside(path))
        _extract(reader, index, beside, stopped)
        _finish(finish, beside, index, reader.sha256)
        _settle(beside)
        replaced = _take_place(beside, path, old=old)
    return Restored(index=index, sha256=reader.sha256, replaced=replaced)


def _check_target(path: Path, *, replace: bool) -> None:
    state = find(path)
    if state is None:
        return
    if os.path.ismount(path):
        hint = "restore into a new directory in it, and name that with --state-dir"
        raise RefusedError("is where a file system is mounted, and cannot be renamed", where=_shown(path), hint=hint)
    if not any(path.iterdir()):
        return
    if not replace:
        hint = "name a new --state-dir, or move it aside with --replace"
        raise RefusedError("is not empty", where=_shown(path), hint=hint)
    if not (state.version_file.exists() or state.database.exists()):
        raise RefusedError("is no state directory of orlop, and is not replaced", where=_shown(path))


def _sweep(path: Path) -> None:
    """Removes what restores that died left of this directory, half written and open to nobody but us."""
    for folder in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
        try:
            mark = os.open(folder / _INCOMPLETE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(mark)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new directory beside it, gone afterwards unless it got another name."""
    folder = path.with_name(f"{_prefix(path)}{os.urandom(6).hex()}")
    folder.mkdir(mode=0o700)
    ours = folder.stat().st_ino
    mark = os.open(folder / _INCOMPLETE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX)
        folder.chmod(0o700)
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            if folder.stat().st_ino == ours:  # after the exchange it is the old directory that lies here
                shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(mark)


def _prefix(path: Path) -> str:
    short = os.fsdecode(os.fsencode(path.name)[:_NAME_MAX])
    return f".{short}.restoring-"


def _index(reader: SealedReader) -> Index:
    size = int.from_bytes(reader.take(4))
    if size > INDEX_MAX:
        raise RefusedError("its index is damaged")
    index = read_index(reader.take(size))
    if index.schema > VERSION:
        why = f"was written by a later version of orlop (schema {index.schema}, this one knows {VERSION})"
        raise UsageError(why, hint="update orlop")
    return index


def _check_space(folder: Path, index: Index) -> None:
    disk = os.statvfs(folder)
    free, needed = disk.f_bavail * disk.f_frsize, index.size + _SPARE
    if free < needed:
        why = f"needs {format_size(needed)}, and {format_size(free)} are free"
        raise UnavailableError(why, where=_shown(folder), hint="free some space, or name another --state-dir")


def _extract(reader: SealedReader, index: Index, folder: Path, stopped: Callable[[], bool]) -> None:
    for entry in index.entries:
        target = folder / entry.name
        for parent in reversed(Path(entry.name).parents[:-1]):
            durable.make_directory(folder / parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
            _fill(reader, entry, file.write, stopped)
    if reader.take(1):
        raise RefusedError("holds more than its index says")


def _fill(reader: SealedReader, entry: Entry, write: Callable[[bytes], object], stopped: Callable[[], bool]) -> None:
    left = entry.size
    while left:
        if stopped():
            raise FailedError("interrupted; nothing was restored")
        piece = reader.take(min(left, CHUNK))
        if not piece:
            raise RefusedError("holds less than its index says")
        write(piece)
        left -= len(piece)


def _finish(finish: Finish, folder: Path, index: Index, sha256: str) -> None:
    try:
        finish(prepare(folder), index, sha256)
    except OrlopError as error:
        error.where = error.where.replace(str(folder), "the backup")
        raise


def _settle(folder: Path) -> None:
    """Whole, and durable; only then may it get the name."""
    for copy in folder.glob("orlop.db.before-*"):
        copy.unlink()  # an older schema: the backup itself is that copy
    (folder / _INCOMPLETE).unlink()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_disk(descriptor)
    finally:
        os.close(descriptor)


def _take_place(folder: Path, path: Path, *, old: bool) -> Path | None:
    """Gives the new directory its name; where an old one has it, that one's afterwards."""
    if not old:
        try:
            folder.rename(path)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            raise RefusedError("is not empty any more", where=_shown(path), hint="somebody else uses it") from error
        durable.sync_directory(path.parent)
        return None
    try:
        exchange(folder, path)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        why = "its file system cannot exchange two directories in one step"
        hint = "move the old one away yourself, and restore without --replace"
        raise UnavailableError(why, where=_shown(path), hint=hint) from error
    durable.sync_directory(path.parent)
    return _moved_aside(folder, path)


def _moved_aside(folder: Path, path: Path) -> Path:
    """The old directory under a name that says what it is; under the one that it has, if that cannot be."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for number in range(1, 100):
        aside = path.with_name(f"{path.name}.replaced-{stamp}{f'-{number}' if number > 1 else ''}")
        try:
            place(folder, aside)
        except FileExistsError:
            continue
        except OSError:
            break
        durable.sync_directory(path.parent)
        return aside
    return folder


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OrlopError:
        raise
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        raise UnavailableError(f"cannot be restored: {words}", where=_shown(path)) from error


def _shown(path: Path) -> str:
    return clean(str(path), 200)
