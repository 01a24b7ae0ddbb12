"""What `pin …`, `lock` and `unlock` do. Digits and passphrases come through descriptors, never as arguments."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Result
from console.verbs.reading import read_all
from runtime.errors import UsageError

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["lock", "pin_clear", "pin_set", "pin_status", "unlock"]

_PIN_MAX: Final = 64
_PASSPHRASE_MAX: Final = 4096


async def pin_set(core: "Core", call: Call) -> Result:
    """`pin set`."""
    await asyncio.to_thread(core.lock.keeper.set, await _digits(call))
    return await _told(core)


async def pin_clear(core: "Core", _call: Call) -> Result:
    """`pin clear`."""
    await asyncio.to_thread(core.lock.keeper.clear)
    return await _told(core)


async def pin_status(core: "Core", _call: Call) -> Result:
    """`pin status`."""
    return await _told(core)


async def lock(core: "Core", call: Call) -> Result:
    """`lock`: done when no agent runs any more."""
    changed = await core.lock.lock("idle" if call.flag("idle") else "command")
    return Result(ok=True, value={"v": 1, "locked": True, "changed": changed})


async def unlock(core: "Core", call: Call) -> Result:
    """`unlock`."""
    if call.flag("passphrase"):
        if "passphrase" not in call.files:
            raise UsageError("asks for a passphrase", hint="run orlop unlock --passphrase in a shell")
        secret = await read_all(
            call.files["passphrase"], limit=_PASSPHRASE_MAX, what="passphrase", interrupted=call.interrupted
        )
        changed = await core.lock.unlock_with_passphrase(secret)
    else:
        changed = await core.lock.unlock(await _digits(call))
    return Result(ok=True, value={"v": 1, "locked": False, "changed": changed})


async def _digits(call: Call) -> str:
    """The PIN that the face passes on.

    Raises:
        UsageError: there is none, or what it passes is no text.
    """
    if "pin_file" not in call.files:
        raise UsageError("asks for a PIN", hint=f"run orlop {call.command} in a shell")
    data = await read_all(call.files["pin_file"], limit=_PIN_MAX, what="PIN", interrupted=call.interrupted)
    return data.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")


async def _told(core: "Core") -> Result:
    status = await core.lock.status()
    return Result(ok=True, value={"v": 1} | asdict(status))
