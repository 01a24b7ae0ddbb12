"""What the verbs without a noun do when a face that has a core runs them; the command line answers most by itself."""

import asyncio
import os
from typing import TYPE_CHECKING

from console import config as configuration
from console.call import Call
from console.client import Result
from console.exit_codes import ExitCode
from runtime.errors import InUseError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["completion", "config", "config_set", "doctor", "init", "schema", "status"]


async def init(core: "Core", call: Call) -> Result:
    """`init`: the three secrets are there once these are touched; says who this node is."""
    if call.flag("rotate_identity"):
        hint = "end it, then run orlop init --rotate-identity"
        raise InUseError("a running program signs with the key", where=clean(str(core.state.path), 200), hint=hint)
    return Result(
        ok=True,
        value={
            "v": 1,
            "state_dir": str(core.state.path),
            "peer_id": core.identity.peer_id,
            "member": core.account.identity_key,
            "protected": core.vault.wrapped,
        },
    )


async def status(core: "Core", _call: Call) -> Result:
    """`status`: as from outside, so that both say the same."""
    from console.status import status as looked_at

    return Result(ok=True, value=await asyncio.to_thread(looked_at, core.state.path, None, os.environ))


async def config(core: "Core", _call: Call) -> Result:
    """`config`: what this core runs with."""
    return Result(ok=True, value={"v": 1, "items": configuration.rows(core.config)})


async def config_set(core: "Core", call: Call) -> Result:
    """`config set`: written to the directory and read again; says when it takes effect."""
    setting = await asyncio.to_thread(
        configuration.set_value, core.state.config_d, call.need("key"), call.need("value")
    )
    if core.options.owner:
        core.reload_or_report()
    return Result(ok=True, value={"v": 1} | setting.row() | {"restart": setting.key.restart})


async def doctor(core: "Core", _call: Call) -> Result:
    """`doctor`: every check, on a thread."""
    from console.doctor import examine, report

    document = report(await asyncio.to_thread(examine, core.state.path, os.environ))
    return Result(ok=True, value=document, exit_code=ExitCode.OK if document["ok"] else ExitCode.FAILED)


async def schema(_core: object, _call: Call) -> Result:
    """`schema`: the JSON Schema of events."""
    from runtime.codec import json_schema

    return Result(ok=True, value=json_schema())


async def completion(_core: object, call: Call) -> Result:
    """`completion`: the script, as a document."""
    from console.completion import script

    shell = call.need("shell")
    return Result(ok=True, value={"v": 1, "shell": shell, "script": script(shell)})
