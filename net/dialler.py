"""Finds a peer at one of several addresses: one attempt for each peer at a time, however many wait for it."""

import asyncio
from collections.abc import Callable, Sequence

from net.dialling import Backoff, in_order, race
from net.endpoint import Endpoint, HeldConnection
from net.errors import ConnectionLostError, PeerFaultError, UnreachableError
from net.host_events import DialFailed
from net.limits import NetLimits
from net.multiaddr import Multiaddr, Transport
from net.names import resolve
from net.peer_id import PeerId
from runtime.clock import Clock
from runtime.errors import OrlopError, UsageError
from runtime.sanitise import clean

__all__ = ["Dialler"]


class Dialler:
    """Dials for one host.

    Args:
        limits: the table.
        clock: the node's.
        endpoint: the one of a transport.
        keep: holds a new connection; raises what is in the way.
        discard: is given a connection that came too late.
        failed: is told of each address that did not work, and why.
    """

    def __init__(
        self,
        limits: NetLimits,
        clock: Clock,
        *,
        endpoint: Callable[[Transport], Endpoint],
        keep: Callable[[HeldConnection], HeldConnection],
        discard: Callable[[HeldConnection], None],
        failed: Callable[[DialFailed, Multiaddr, OrlopError], None],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._endpoint = endpoint
        self._keep = keep
        self._discard = discard
        self._failed = failed
        self._backoff = Backoff()
        self._running: dict[PeerId, asyncio.Task[HeldConnection | OrlopError]] = {}

    async def dial(self, peer: PeerId, addresses: Sequence[Multiaddr]) -> HeldConnection:
        """A new connection to a peer, or that which an attempt that is under way already comes to.

        Args:
            peer: who.
            addresses: where it may be; those of others are passed over.

        Raises:
            UsageError: no address is left.
            PeerFaultError: everybody who answered was somebody else, or broke a rule.
            UnreachableError: nobody answered.
            ConnectionLostError: the node is stopping.
        """
        task = self._running.get(peer)
        if task is None:
            task = self._running[peer] = asyncio.get_running_loop().create_task(self._outcome(peer, addresses))
            task.add_done_callback(lambda _: self._running.pop(peer, None))
        await asyncio.wait([task])  # others may wait for it too, so it goes on when this one is cancelled
        if task.cancelled():
            raise ConnectionLostError("the node is stopping")
        result = task.result()
        if isinstance(result, OrlopError):
            raise result
        return result

    async def aclose(self) -> None:
        """Ends all attempts."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _outcome(self, peer: PeerId, addresses: Sequence[Multiaddr]) -> HeldConnection | OrlopError:
        """The connection or the error, as a value: perhaps nobody waits for it any more."""
        try:
            return self._keep(await self._race(peer, await self._places(peer, addresses)))
        except OrlopError as error:
            return error

    async def _places(self, peer: PeerId, addresses: Sequence[Multiaddr]) -> list[Multiaddr]:
        """The addresses to try now."""
        fitting = [address for address in addresses if address.peer in {None, peer} and address.relay is None]
        if not fitting:
            raise UsageError("has no known address", where=str(peer), hint="name one that ends in /p2p/ and the PeerId")
        places = in_order(await resolve(fitting), self._limits)
        if not places:
            raise UnreachableError("has no address that can be found", where=str(peer))
        waits = {place: self._wait_s(place, peer) for place in places}
        ready = [place for place in places if not waits[place]]
        if not ready:
            hint = f"try again in {min(waits.values()):.0f} s"
            raise UnreachableError("could not be reached a moment ago", where=str(peer), hint=hint)
        return ready

    def _wait_s(self, place: Multiaddr, peer: PeerId) -> float:
        now = self._clock.monotonic()
        return max(self._backoff.wait_s(place, now), self._backoff.wait_s(place.with_peer(peer), now))

    async def _race(self, peer: PeerId, places: list[Multiaddr]) -> HeldConnection:
        async def dial(place: Multiaddr) -> HeldConnection:
            return await self._try(peer, place)

        result = await race(places, dial, self._discard, self._limits)
        if not isinstance(result, list):
            return result
        for place, error in result:
            event = DialFailed(peer=str(peer), address=str(place), reason=clean(error.why))
            self._failed(event, place, error)
        raise _worst(peer, [error for _, error in result])

    async def _try(self, peer: PeerId, place: Multiaddr) -> HeldConnection:
        try:
            connection = await self._endpoint(place.transport).dial(peer, place)
        except OrlopError as error:
            # Where nobody answers nobody else is either; where somebody else is, he may be just the right one.
            nobody = isinstance(error, UnreachableError)
            self._backoff.failed(place if nobody else place.with_peer(peer), self._clock.monotonic())
            raise
        self._backoff.worked(place)
        self._backoff.worked(place.with_peer(peer))
        return connection


def _worst(peer: PeerId, errors: list[OrlopError]) -> OrlopError:
    """The one error of several: that somebody else answered says more than that nobody did."""
    for error in errors:
        if isinstance(error, PeerFaultError):
            return error
    if len(errors) == 1:
        return errors[0]
    why = "; ".join(f"{error.where}: {error.why}" for error in errors[:3])
    return UnreachableError(f"answers at none of {len(errors)} addresses: {why}", where=str(peer))
