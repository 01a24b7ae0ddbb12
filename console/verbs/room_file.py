"""What `rooms export` and `rooms import` do: files and passphrases come as descriptors."""

import asyncio
import io
import os
import stat
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Json, Result
from console.verbs.reading import read_all
from runtime.errors import NotFoundError, OrlopError, RefusedError, UnavailableError, UsageError
from runtime.events import RoomExported
from runtime.rooms.room_file import RoomFile, read_room_file, verified, write_room_file
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["export", "import_room"]

_PASSPHRASE_MAX: Final = 4096
_FILE_MAX: Final = 512 << 20


async def export(core: "Core", call: Call) -> Result:
    """`rooms export`: sealed into the descriptor that came along; its name is the caller's affair."""
    if not {"out", "passphrase"} <= call.files.keys():
        raise UsageError("asks for a passphrase", hint="run orlop rooms export in a shell")
    out = call.files["out"]
    if not stat.S_ISREG(os.fstat(out).st_mode):
        raise UsageError("is no regular file", where="out")
    secret = await _secret(call)
    room = await asyncio.to_thread(core.rooms.resolve, call.need("room"))
    file = await asyncio.to_thread(core.rooms.written_down, room, core.clock.wall_ms())

    def put(data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(out, view) :]
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise UnavailableError(f"the room cannot be written: {why}") from error

    await asyncio.to_thread(write_room_file, file, core.account, secret, put)
    await core.write(lambda tx: tx.emit(RoomExported(room=room, entries=len(file.entries))))
    value: dict[str, Json] = {
        "v": 1,
        "out": call.need("out"),
        "room": room,
        "entries": len(file.entries),
        "bytes": os.fstat(out).st_size,
    }
    return Result(ok=True, value=value)


async def import_room(core: "Core", call: Call) -> Result:
    """`rooms import`: everything is verified before anything is written."""
    if not {"file", "passphrase"} <= call.files.keys():
        raise UsageError("asks for a passphrase", hint="run orlop rooms import in a shell")
    secret = await _secret(call)
    data = await read_all(call.files["file"], limit=_FILE_MAX, what="the file", interrupted=call.interrupted)
    file = await asyncio.to_thread(_checked, core, data, secret)
    info = await asyncio.wrap_future(core.rooms.take_over(file, call.text("name") or file.name))
    value: dict[str, Json] = {"v": 1, "room": info.room, "name": info.name, "entries": len(file.entries)}
    return Result(ok=True, value=value)


def _checked(core: "Core", data: bytes, secret: bytes) -> RoomFile:
    try:
        file = read_room_file(io.BytesIO(data).read, secret)
    except OrlopError as error:
        error.where = error.where or "the file"
        raise
    names = {info.room: info.name for info in core.rooms.list()}
    if file.room in names:
        raise RefusedError("the room is here already", where=names[file.room], hint="nothing was changed")
    roster = verified(file, core.clock.wall_ms()).roster
    if roster.member(core.rooms.self_key) is None:
        who = clean(file.card.name, 40)
        hint = f"restore a backup of {who}'s node, or ask a member for an invitation: orlop rooms join"
        raise NotFoundError(f"{who} wrote it, and this node is not a member of that room", where=file.name, hint=hint)
    return file


async def _secret(call: Call) -> bytes:
    secret = await read_all(
        call.files["passphrase"], limit=_PASSPHRASE_MAX, what="passphrase", interrupted=call.interrupted
    )
    if not secret:
        raise UsageError("a room has a passphrase, and this one is empty")
    return secret
