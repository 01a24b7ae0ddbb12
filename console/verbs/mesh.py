"""What `peers dial` and `peers ping` do."""

import asyncio
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Json, Result
from console.registry import COMMANDS
from console.verbs.values import number
from net import identify
from net.book import reading
from net.endpoint import HeldConnection
from net.errors import AddressError
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.ping import ping
from runtime.errors import UsageError

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["dial", "ping_peer", "worker"]


async def dial(core: "Core", call: Call) -> Result:
    """`peers dial`: a connection, and what the peer says of itself."""
    connection = await _connected(core, call, anybody=call.flag("insecure_any"))
    said = await identify.ask(connection)
    protocols: list[Json] = list(said.protocols)
    listening: list[Json] = [str(place) for place in said.listening]
    value: dict[str, Json] = {
        "v": 1,
        "peer": str(connection.peer),
        "address": str(connection.remote),
        "transport": connection.transport,
        "dialled": connection.dialled,
        "agent": said.agent_version,
        "listen": listening,
        "protocols": protocols,
    }
    return Result(ok=True, value=value)


async def ping_peer(core: "Core", call: Call) -> Result:
    """`peers ping`: so many round trips, one after another."""
    count = number(COMMANDS["peers ping"], call.args, "count") or 1
    connection = await _connected(core, call)
    trips: list[Json] = []
    for _ in range(count):
        seconds = await ping(connection, now=core.clock.monotonic)
        core.mesh.tell_round_trip(connection.peer, seconds)
        trips.append(round(seconds * 1e6))
    return Result(ok=True, value={"v": 1, "peer": str(connection.peer), "rtts_us": trips})


async def worker(core: "Core", text: str) -> tuple[PeerId, Multiaddr | None]:
    """Whom `--on` names, and where, if it says so.

    Args:
        core: whose book counts.
        text: a name, a PeerId, a beginning of one, or a multiaddr that ends in `/p2p/` and a PeerId.

    Raises:
        UsageError: it is none of these.
        NotFoundError: nobody is called so.
    """
    if not text.startswith("/"):
        return await asyncio.wrap_future(core.store.read(lambda db: reading.find(db, text))), None
    address = Multiaddr.parse(text)
    if address.peer is None:
        raise AddressError("names nobody", where=text, hint="add /p2p/ and its PeerId")
    return address.peer, address


async def _connected(core: "Core", call: Call, *, anybody: bool = False) -> HeldConnection:
    text = call.need("peer")
    if anybody:
        if not text.startswith("/"):
            raise UsageError("--insecure-any is for an address", where=text)
        return await core.mesh.host.dial_any(Multiaddr.parse(text))
    if text.startswith("/"):
        return await core.mesh.dial(Multiaddr.parse(text))
    peer, _ = await worker(core, text)
    return await core.mesh.connect(peer)
