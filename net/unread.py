"""How much the process holds that peers have sent and nobody has read: one count for all connections."""

from net.limits import NetLimits

__all__ = ["Unread"]


class Unread:
    """The count of a process, and what a single connection may hold under it.

    Args:
        limits: the table.
    """

    __slots__ = ("_limits", "total")

    def __init__(self, limits: NetLimits) -> None:
        self._limits = limits
        self.total = 0

    def allowed(self, *, listed: bool) -> int:
        """Bytes that one connection may hold unread.

        Args:
            listed: the peer is one that the operator has named; of no meaning while the process holds too much.
        """
        crowded = self.total > self._limits.unread_process
        return self._limits.unread_listed if listed and not crowded else self._limits.unread_stranger
