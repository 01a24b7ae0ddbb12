"""One inbound stream and its handler, from the first byte to the last, the same for every transport."""

import asyncio

from net.errors import PeerFaultError
from net.stream import Connection, Handler, Stream
from runtime.errors import OrlopError

__all__ = ["run_handler"]


async def run_handler(handler: Handler, connection: Connection, stream: Stream) -> PeerFaultError | None:
    """Lets a handler serve a stream; whatever happens, the stream has an end.

    Args:
        handler: what serves it.
        connection: where the stream came in.
        stream: the stream.

    Returns:
        What the peer did wrong, for whoever keeps the scores; None when nothing. An error that is nobody's fault resets
        the stream and is not told; one that is a mistake of the program goes to the loop's handler of exceptions.
    """
    try:
        await handler(connection, stream)
        await stream.end()
    except asyncio.CancelledError:
        stream.reset()
        raise
    except PeerFaultError as fault:
        stream.reset()
        return fault
    except OrlopError:
        stream.reset()
    except Exception as error:  # noqa: BLE001 - a mistake in one handler ends one stream, never the connection
        stream.reset()
        _report(stream.protocol, error)
    return None


def _report(protocol: str, error: Exception) -> None:
    context = {"message": f"the handler of {protocol} failed", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)
