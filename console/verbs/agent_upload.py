"""What `agents upload` and `agents rollback` do: another version in the place of the present one, or the first."""

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Json, Result
from console.verbs.agents import find_agent, permissions
from console.verbs.reading import read_all
from runtime.agents.binary import BinaryRefusedError
from runtime.agents.manifest import (
    AgentManifest,
    ManifestRefusedError,
    Permission,
    make_manifest,
    read_manifest,
)
from runtime.agents.signature import SignatureRefusedError
from runtime.agents.uploads import Change, Upload, Uploaded, names
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["roll_back", "upload"]

_MODULE_MAX: Final = 16 << 20
"""What is longer is not even read; below it the agents' own check says what is wrong."""

_DESCRIBED: Final = ("name", "version", "description", "author")


async def upload(core: "Core", call: Call) -> Result:
    """`agents upload`: checked, kept, granted; off."""
    room = await asyncio.to_thread(core.rooms.resolve, call.need("room"))
    wasm = await read_all(_file(call, "module"), limit=_MODULE_MAX, what=_name_of(call), interrupted=call.interrupted)
    manifest = await _manifest(call, wasm)
    grant = call.text("grant")
    upload = Upload(
        room=room,
        wasm=wasm,
        manifest=manifest,
        granted=None if grant is None else permissions(grant, manifest.permissions),
        by=call.face,
        unsigned=call.flag("unsigned"),
        keep_state=call.flag("keep_state"),
    )
    try:
        done = await core.agents.upload(upload)
    except BinaryRefusedError as error:
        error.where = _name_of(call)
        raise
    except SignatureRefusedError as error:
        error.where = _name_of(call, "manifest" if "manifest" in call.files else "module")
        raise
    return Result(ok=True, value=_stored(done))


async def roll_back(core: "Core", call: Call) -> Result:
    """`agents rollback`: an older version is the present one; off. With `--preview` only what that would change."""
    key = await find_agent(core, call)
    keep_state = call.flag("keep_state")
    if call.flag("preview"):
        seen = await core.modules.roll_back(
            key, call.text("version"), by=call.face, keep_state=keep_state, preview=True
        )
        return Result(ok=True, value={**_stored(seen), "preview": True, "notice": "nothing was changed"})
    done = await core.agents.roll_back(key, call.text("version"), by=call.face, keep_state=keep_state)
    return Result(ok=True, value=_stored(done))


def _stored(done: Uploaded) -> dict[str, Json]:
    """What is stored now, and what is different from before."""
    record, change = done.record, done.change
    return {
        "v": 1,
        "room": record.key.room,
        "agent": record.key.agent,
        "version": record.manifest.version,
        "upload_no": record.upload_no,
        "hash": record.hash,
        "permissions": list(names(record.manifest.permissions)),
        "granted": list(names(record.granted)),
        "mark": record.mark,
        "warnings": list(done.warnings),
        "versions": done.versions,
        "change": None if change is None else _changed(change),
    }


def _changed(change: Change) -> dict[str, Json]:
    before = change.before
    return {
        "version": before.manifest.version,
        "upload_no": before.upload_no,
        "hash": before.hash,
        "size_bytes": before.size_bytes,
        "mark": before.mark,
        "asks_more": list(names(change.asks_more)),
        "asks_less": list(names(change.asks_less)),
        "gained": list(names(change.gained)),
        "lost": list(names(change.lost)),
        "signer_changed": change.signer_changed,
        "state": change.state,
    }


async def _manifest(call: Call, wasm: bytes) -> AgentManifest:
    """The manifest that came along, or one made of the options."""
    described = [name for name in _DESCRIBED if call.text(name) is not None]
    if "manifest" in call.files:
        if described:
            raise UsageError(f"--{described[0]} is for uploads without a manifest")
        return await _read_manifest(call)
    stem = _name_of(call).removesuffix(".wasm").lower()
    grant = call.text("grant")
    if grant is None:
        raise UsageError("--grant is missing", hint="without --manifest it also says what the agent asks for")
    asked = permissions(grant, tuple(Permission))
    try:
        return make_manifest(
            name=call.text("name") or stem,
            version=call.text("version") or "0.0.0",
            description=call.text("description") or "",
            author=call.text("author") or "",
            wasm_hash=hashlib.sha256(wasm).hexdigest(),
            permissions=asked,
        )
    except ManifestRefusedError as error:
        error.hint = "name it with --name"
        raise


async def _read_manifest(call: Call) -> AgentManifest:
    where = _name_of(call, "manifest")
    raw = await read_all(call.files["manifest"], limit=_MODULE_MAX, what=where, interrupted=call.interrupted)
    try:
        return read_manifest(raw)
    except ManifestRefusedError as error:
        error.where = where
        raise


def _name_of(call: Call, argument: str = "module") -> str:
    return clean((call.text(argument) or argument).rpartition("/")[2], 120)


def _file(call: Call, name: str) -> int:
    if name not in call.files:
        raise UsageError(f"the file of `{name}` did not come along")
    return call.files[name]
