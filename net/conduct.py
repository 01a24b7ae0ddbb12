"""What peers have done wrong, who is kept out for it, and what the operator says to that.

Points never decide over somebody whom the operator has named: such a ban is told of, and not carried out.
"""

from collections.abc import Callable

from net.endpoint import HeldConnection
from net.errors import PeerFaultError
from net.fault_log import FaultLog
from net.held import Held
from net.host_events import Banned, HostEvent
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.scores import Ban, Scores
from net.sources import Sources
from net.standing import Standing
from runtime.clock import Clock
from runtime.errors import RefusedError
from runtime.sanitise import clean

__all__ = ["Conduct"]


class Conduct:
    """The book of faults of one host.

    Args:
        limits: the table.
        clock: the node's.
        sources: whom an address is counted as.
        standing: what the operator has said about peers.
        held: the host's connections.
        close: ends one of them.
        tell: is told of faults and bans.
    """

    def __init__(
        self,
        limits: NetLimits,
        clock: Clock,
        *,
        sources: Sources,
        standing: Standing,
        held: Held,
        close: Callable[[HeldConnection], None],
        tell: Callable[[HostEvent], None],
    ) -> None:
        self._clock = clock
        self._standing = standing
        self._held = held
        self._close = close
        self._tell = tell
        self._scores = Scores(limits, sources)
        self._faults = FaultLog(tell, sources)

    def blame(self, fault: PeerFaultError, *, peer: PeerId | None, remote: Multiaddr | None) -> None:
        """Counts a fault, and ends the connections of who has made one too many.

        Args:
            fault: what was done.
            peer: by whom, when it is proven.
            remote: from where, when that is known.
        """
        now = self._clock.monotonic()
        name = "" if peer is None else str(peer)
        place, host = ("", "") if remote is None else (str(remote), remote.host)
        self._faults.add(fault, peer=name, remote=place, host=host, now=now)
        for ban in self._scores.add(fault.score, clean(fault.why), now, peer=name, host=host):
            self._banned(ban, peer, now)

    def forgive(self, peer: PeerId) -> None:
        """Forgets what a peer has done: the operator has named it anew."""
        self._scores.forgive(str(peer))
        self.heed(peer)

    def heed(self, peer: PeerId) -> None:
        """Does at once what the operator says of a peer now."""
        for connection in self._held.of(peer):
            if self.is_banned(peer):
                self._close(connection)
            elif self._standing.is_listed(peer):
                connection.trust()

    def keeps_out(self, host: str) -> bool:
        """Whether nobody is let in from an address."""
        return self._scores.ban_of(self._clock.monotonic(), host=host) is not None

    def is_banned(self, peer: PeerId) -> bool:
        """Whether a peer is kept out, by the operator or by its points."""
        if self._standing.is_banned(peer):
            return True
        scored = self._scores.ban_of(self._clock.monotonic(), peer=str(peer)) is not None
        return scored and not self._standing.is_listed(peer)

    def fail_if_banned(self, peer: PeerId) -> None:
        """Refuses to have to do with a peer that is kept out.

        Raises:
            RefusedError: it is.
        """
        if self.is_banned(peer):
            raise RefusedError("is banned", where=str(peer), hint="see `orlop peers list`")

    def _banned(self, ban: Ban, peer: PeerId | None, now: float) -> None:
        spared = ban.kind == "peer" and peer is not None and self._standing.is_listed(peer)
        self._tell(
            Banned(kind=ban.kind, subject=ban.subject, reason=ban.reason, seconds=ban.until - now, spared=spared)
        )
        for connection in self._held:
            of_prefix = self._scores.ban_of(now, host=connection.remote.host) is not None
            if self.is_banned(connection.peer) or (of_prefix and not self._standing.is_listed(connection.peer)):
                self._close(connection)
