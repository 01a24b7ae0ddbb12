"""`orlop backup` and `orlop restore` on the command line: passphrases, files beside their names, what comes of it.

The backup is encrypted by whoever has the directory: the owner, through descriptors of ours, or a core of our own. A
restore needs no core: it makes what a core starts on.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from console.client import Fault, Result
from console.cmdline.asking import hidden, needed
from console.cmdline.connect import state_path
from console.cmdline.files import Files, check_out, open_input
from console.cmdline.signals import Signals
from console.cmdline.verbline import Line
from runtime.durable import sync_directory
from runtime.errors import FailedError, NotFoundError, OrlopError, UsageError
from runtime.renames import place
from runtime.sanitise import clean
from runtime.statedir import find

__all__ = ["backup", "restore"]


def backup(line: Line) -> Result:
    """Writes a backup beside its name, and names it when it is whole.

    Args:
        line: the command line.

    Raises:
        OrlopError: there is none; nothing has its name.
    """
    from console.cmdline.execute import through_core

    if line.command is None:
        raise UsageError("no command")
    state = find(state_path(line.options, os.environ))
    if state is None:
        where = clean(str(state_path(line.options, os.environ)), 200)
        raise NotFoundError("there is no state directory", where=where, hint="name it with --state-dir")
    out = _checked(line.paths["out"], state.path)
    secret = needed(line.options, os.environ, command="orlop backup", twice=True)
    with _Beside(out) as beside, hidden(secret) as passphrase, Files(line.command, {}) as files:
        files.lend("out", beside.descriptor)
        files.lend("passphrase", passphrase)
        result = through_core(line.command, line, files)
        if result.ok:
            beside.keep()
        return result


def restore(line: Line) -> Result:
    """Makes a state directory from a backup.

    Args:
        line: the command line.

    Raises:
        OrlopError: the directory is as it was.
    """
    from runtime.after_restore import Aftermath, begin_again
    from runtime.archive import Index
    from runtime.clock import SystemClock
    from runtime.restore import restore_backup
    from runtime.statedir import StateDir

    path = state_path(line.options, os.environ)
    clock = SystemClock()
    began = clock.monotonic()
    told: list[Aftermath] = []

    def finish(state: StateDir, index: Index, sha256: str) -> None:
        uid = os.geteuid()
        told.append(begin_again(state, index, sha256, clock=clock, began=began, uid=uid, face="cli"))

    with contextlib.ExitStack() as opened:
        source = open_input(line.paths["backup"])
        if source:
            opened.callback(os.close, source)
        secret = needed(line.options, os.environ, command="orlop restore", twice=False)
        signals = opened.enter_context(Signals())
        try:
            done = restore_backup(
                source,
                path,
                secret,
                replace=line.args.get("replace") == "true",
                finish=finish,
                stopped=lambda: signals.code is not None,
            )
        except FailedError as error:
            if signals.code is None:
                raise
            return Result(ok=False, fault=Fault(error.code, error.why), exit_code=signals.code)
        except OrlopError as error:
            error.where = error.where or clean(line.paths["backup"], 200)
            raise
    return Result(
        ok=True,
        value={
            "v": 1,
            "state_dir": clean(str(path), 1000),
            "replaced": clean(str(done.replaced), 1000) if done.replaced else None,
            "created_ms": done.index.created_ms,
            "backup_sha256": done.sha256,
            "files": len(done.index.entries),
            "restores": told[0].restores,
            "lost": told[0].lost,
            "receipt": told[0].receipt,
        },
    )


def _checked(out: str, directory: Path) -> Path:
    """The backup's name, once it can be written there without harm to anything.

    Raises:
        UsageError: it is taken, in no directory that can be written, or in the directory that it would hold.
    """
    shown = clean(out, 200)
    if out == "-":
        raise UsageError("a backup is a file that is whole or not there", where="-", hint="name a file")
    if not Path(out).is_symlink():
        check_out(out)
    path = Path(os.path.realpath(Path(out).parent)) / Path(out).name
    if os.path.lexists(path):
        raise UsageError("exists already", where=shown, hint="name another file, or move that one away")
    if path.is_relative_to(os.path.realpath(directory)):
        raise UsageError("lies in the state directory itself", where=shown, hint="name a place outside of it")
    return path


class _Beside:
    """A file with a working name in the backup's folder, open to us alone; gone at the end unless it is kept.

    Attributes:
        descriptor: for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._working = path.with_name(f".orlop-backup-{os.urandom(6).hex()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._told():
            self.descriptor = os.open(self._working, flags, 0o600)

    def keep(self) -> None:
        """Makes it durable, then gives it its name.

        Raises:
            FailedError: it cannot be; nothing has its name.
        """
        with self._told():
            os.fsync(self.descriptor)
            place(self._working, self._path)
            sync_directory(self._path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        with contextlib.suppress(OSError):
            self._working.unlink()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"could not be written: {(error.strerror or type(error).__name__).lower()}"
            raise FailedError(why, where=clean(str(self._path), 200)) from error
