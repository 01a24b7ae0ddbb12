"""`orlop backup` and `orlop restore` on the command line: passphrases, files beside their names, what comes of it.

The backup is encrypted by whoever has the directory: the owner, through descriptors of ours, or a core of our own. A
restore needs no core: it makes what a core starts on.
"""

import contextlib
import os

from console.client import Fault, Result
from console.cmdline.asking import needed
from console.cmdline.connect import state_path
from console.cmdline.files import open_input
from console.cmdline.sealed_file import written_sealed
from console.cmdline.signals import Signals
from console.cmdline.verbline import Line
from runtime.errors import FailedError, NotFoundError, OrlopError
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
    state = find(state_path(line.options, os.environ))
    if state is None:
        where = clean(str(state_path(line.options, os.environ)), 200)
        raise NotFoundError("there is no state directory", where=where, hint="name it with --state-dir")
    return written_sealed(line, state.path, what="backup")


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
