"""What `backup` and `restore` do where a core runs."""

import asyncio
import os
import stat
import threading
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Json, Result
from console.verbs.reading import read_all
from runtime.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["backup", "restore"]

_PASSPHRASE_MAX: Final = 4096


async def backup(core: "Core", call: Call) -> Result:
    """`backup`: encrypted into the descriptor that came along; its name is the caller's affair."""
    from runtime.backup import write_backup

    if not {"out", "passphrase"} <= call.files.keys():
        raise UsageError("asks for a passphrase", hint=f"run orlop backup {call.need('out')} in a shell")
    out = call.files["out"]
    if not stat.S_ISREG(os.fstat(out).st_mode):
        raise UsageError("is no regular file", where="out")
    secret = await read_all(
        call.files["passphrase"], limit=_PASSPHRASE_MAX, what="passphrase", interrupted=call.interrupted
    )
    if not secret:
        raise UsageError("a backup has a passphrase, and this one is empty")
    if core.backup_door.locked():
        raise UnavailableError("another backup is being written", hint="try again when it is done")
    stop = threading.Event()
    call.interrupted.add_done_callback(lambda _: stop.set())
    async with core.backup_door:
        try:
            done = await asyncio.to_thread(
                write_backup,
                core.state,
                out,
                secret,
                now_ms=core.clock.wall_ms(),
                program=core.options.version,
                stopped=stop.is_set,
            )
        finally:
            stop.set()
    value: dict[str, Json] = {
        "v": 1,
        "out": call.need("out"),
        "created_ms": done.created_ms,
        "files": done.files,
        "plain_bytes": done.plain_bytes,
        "bytes": os.fstat(out).st_size,
        "missing": list(done.missing),
    }
    return Result(ok=True, value=value)


async def restore(core: "Core", _call: Call) -> Result:
    """`restore`: never under a running core; the command line does it by itself."""
    hint = "end this orlop and run orlop restore in a shell"
    raise UsageError("this directory is in use", where=str(core.state.path), hint=hint)
