"""What stands between two nodes: it passes TCP on, piece by piece, and holds the first connection at a step."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tests.cli.running import SECONDS
from tests.namespaces.network import Host

__all__ = ["Gate", "Piece", "gate", "on_machine"]

_NOISE = b"/noise\n"
_READ = 65_536


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of multistream-select, or one of Noise.

    Attributes:
        inwards: it goes to the listener.
        number: among those of its direction, from 1.
        size: of what is inside its frame; a message of Noise has 16 bytes more than its text.
    """

    inwards: bool
    number: int
    size: int


@contextlib.contextmanager
def on_machine(host: Host, serves: Callable[[], contextlib.AbstractAsyncContextManager[None]]) -> Iterator[None]:
    """Serves on a thread that is on a machine, so that its sockets are there, until the end of the block.

    Args:
        host: the machine.
        serves: what is held open meanwhile, on a loop of its own.
    """
    begun = threading.Event()
    ends: list[Callable[[], object]] = []

    async def run() -> None:
        over = asyncio.Event()
        async with serves():
            ends.append(partial(asyncio.get_running_loop().call_soon_threadsafe, over.set))
            begun.set()
            await over.wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    def enter() -> None:
        host.enter()
        asyncio.run(run())

    thread = threading.Thread(target=enter)
    thread.start()
    try:
        assert begun.wait(SECONDS)
        yield
    finally:
        for end in ends:
            end()
        thread.join(SECONDS)
        assert not thread.is_alive()


class Gate:
    """Serves on the loopback of a machine, in the place of a node that listens there.

    Args:
        port: where the node listens.
        stops: asked after each piece of the first connection, and before them with None: whether nothing more is to
            pass. Later connections pass whole.

    Attributes:
        reached: it has stopped.
        shut: both ends of the first connection are closed.
    """

    def __init__(self, port: int, stops: Callable[[Piece | None], bool]) -> None:
        self.port = 0
        self.reached = threading.Event()
        self.shut = threading.Event()
        self._target = port
        self._stops = stops
        self._held = False
        self._first = True

    @contextlib.asynccontextmanager
    async def serves(self) -> AsyncIterator[None]:
        """Listens meanwhile."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _accepted(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        first, self._first = self._first, False
        try:
            there, on = await asyncio.open_connection("127.0.0.1", self._target)
        except ConnectionError:  # nobody listens just now
            back.transport.abort()
            return
        if first:
            self._look(None)
        ways = [self._way(here, on, inwards=True, first=first), self._way(there, back, inwards=False, first=first)]
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(*ways)
        for end in (on, back):
            end.close()
            with contextlib.suppress(ConnectionError):
                await end.wait_closed()
        if first:
            self.shut.set()

    async def _way(self, come: asyncio.StreamReader, go: asyncio.StreamWriter, *, inwards: bool, first: bool) -> None:
        """One direction, to its end; what comes while it holds is dropped, and the end is passed on."""
        number, framed, rest = 0, False, b""
        with contextlib.suppress(ConnectionError):
            while data := await come.read(_READ):
                rest += data
                while first and not self._held and (size := _whole(rest, framed=framed)):
                    piece, rest = rest[:size], rest[size:]
                    go.write(piece)
                    await go.drain()
                    number += 1
                    self._look(Piece(inwards, number, size - (2 if framed else 1)))
                    framed = framed or piece[1:] == _NOISE
                if not first:
                    go.write(rest)
                    rest = b""
                    await go.drain()
        go.close()

    def _look(self, piece: Piece | None) -> None:
        if not self._held and self._stops(piece):
            self._held = True
            self.reached.set()


def _whole(text: bytes, *, framed: bool) -> int:
    """The size of the first piece with its frame; 0 while it is not whole."""
    head = 2 if framed else 1
    if len(text) < head:
        return 0
    size = head + int.from_bytes(text[:head])
    return size if len(text) >= size else 0


@contextlib.contextmanager
def gate(host: Host, port: int, stops: Callable[[Piece | None], bool]) -> Iterator[Gate]:
    """A gate on a machine, in front of a port of its loopback."""
    made = Gate(port, stops)
    with on_machine(host, made.serves):
        yield made
