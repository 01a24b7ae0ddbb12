"""What `rooms relay` does when a face asks for it that has a screen or a core to look after."""

from console.call import Call
from console.client import Result
from runtime.errors import UsageError

__all__ = ["relay"]


async def relay(_core: object, _call: Call) -> Result:
    """`rooms relay`: only from a command line, which it keeps until a signal comes.

    Raises:
        UsageError: always.
    """
    raise UsageError("serves until a signal ends it", hint="start it in a shell of its own: orlop rooms relay")
