"""Commands on files of whoever sits at the screen: this process carries them out, as the command line does, no core.

Keys that sign releases never go through a core, and no core writes a key on somebody's behalf.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from console.client import Fault, Result
from console.dispatch import fault_of
from runtime.errors import OrlopError

if TYPE_CHECKING:
    from console.cmdline.verbline import Line

__all__ = ["BY_FACE", "carry_out"]

BY_FACE: Final = frozenset({"boot keygen", "boot sign", "boot rotate", "boot verify", "boot build"})
"""Names of these commands."""


async def carry_out(line: "Line", told: Callable[[str], None]) -> Result:
    """Runs one, without a word on standard error: that is this screen.

    Args:
        line: as it was typed.
        told: hears how `boot build` goes, on another thread.

    Returns:
        Its end, or why it was refused.
    """
    from console.cmdline.alone import ALONE
    from console.cmdline.boot_build import build

    if line.command is None or line.command.name not in BY_FACE:
        message = "this command is for the core"
        raise RuntimeError(message)
    quiet = replace(line, options=replace(line.options, json=True, quiet=True))
    name = line.command.name
    try:
        if name == "boot build":
            return await asyncio.to_thread(build, quiet, told)
        result = await asyncio.to_thread(ALONE[name], quiet)
    except OrlopError as error:
        return Result(ok=False, fault=fault_of(error, name))
    return result or Result(ok=False, fault=Fault("failed", "nothing was done"))
