"""The connections that a host has, and which of several to one peer is used. Pure but for holding them."""

from collections.abc import Iterator

from net.endpoint import HeldConnection
from net.limits import NetLimits
from net.peer_id import PeerId

__all__ = ["Held"]


class Held:
    """All connections of a host.

    Args:
        own: our PeerId.
        limits: the table.
    """

    def __init__(self, own: PeerId, limits: NetLimits) -> None:
        self._own = own
        self._limits = limits
        self._since: dict[HeldConnection, float] = {}
        self._aside: set[HeldConnection] = set()

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[HeldConnection]:
        return iter(tuple(self._since))

    def __contains__(self, connection: HeldConnection) -> bool:
        return connection in self._since

    def inbound_hosts(self) -> list[str]:
        """Where the connections come from that peers have opened."""
        return [connection.remote.host for connection in self._since if not connection.dialled]

    def of(self, peer: PeerId) -> list[HeldConnection]:
        """The connections to a peer, the oldest first; also those that are set aside."""
        return [connection for connection in self._since if connection.peer == peer]

    def usable(self, peer: PeerId) -> HeldConnection | None:
        """The connection on which to open streams: one that we have dialled before one that we were dialled on.

        A peer's one-shot commands dial us with its key, serve nothing and are soon gone.
        """
        fit = [each for each in self.of(peer) if not each.closed and each not in self._aside]
        return min(fit, key=lambda connection: not connection.dialled, default=None)

    def has_place(self, connection: HeldConnection) -> bool:
        """Whether one more connection of its peer in its direction is served."""
        same = [each for each in self.of(connection.peer) if each.dialled == connection.dialled and not each.closed]
        return len(same) < self._limits.per_peer and len(self._since) < self._limits.connections

    def add(self, connection: HeldConnection, now: float) -> list[HeldConnection]:
        """Holds a connection.

        Args:
            connection: new.
            now: monotonic seconds.

        Returns:
            Those to set aside, because both ends have dialled at once: what the smaller PeerId has dialled is kept.
        """
        self._since[connection] = now
        ours_are_kept = self._own.multihash < connection.peer.multihash
        crossed = [
            each
            for each in self.of(connection.peer)
            if each.dialled != connection.dialled and now - self._since[each] < self._limits.upgrade_s
        ]
        if not crossed:
            return []
        losers = [each for each in (connection, *crossed) if each.dialled != ours_are_kept and each not in self._aside]
        self._aside.update(losers)
        return losers

    def set_aside(self, connection: HeldConnection) -> None:
        """Opens no more streams on a connection."""
        if connection in self._since:
            self._aside.add(connection)

    def remove(self, connection: HeldConnection) -> None:
        """Holds it no longer."""
        del self._since[connection]
        self._aside.discard(connection)
