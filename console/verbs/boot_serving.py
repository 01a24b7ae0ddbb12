"""What `boot serve`, `fetch` and `discover` do from a face that has a core: they are for the command line."""

from typing import TYPE_CHECKING

from console.call import Call
from console.client import Result
from runtime.errors import UsageError

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["elsewhere"]


async def elsewhere(_core: "Core", call: Call) -> Result:
    """From a face that has a core: it runs in the foreground, on files of whoever typed."""
    raise UsageError("runs in the foreground", hint=f"run orlop {call.command} on the command line")
