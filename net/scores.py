"""How much trouble a peer has made: scores per peer and per prefix that halve every ten minutes, and bans. Pure.

Nothing here knows whom the operator trusts: whoever asks decides what a ban means for a trusted peer.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from net.limits import NetLimits
from net.sources import Sources

__all__ = ["Ban", "Scores"]

_REMEMBERED: Final = 8192
"""Scores, and bans; of too many, those that nothing was added to for longest are forgotten."""

Kind = Literal["peer", "prefix"]


@dataclass(frozen=True, slots=True)
class Ban:
    """Somebody is not let in for a while.

    Attributes:
        kind: what `subject` is.
        subject: a PeerId, or a source as `net.sources` writes it.
        reason: the last straw, in words.
        until: monotonic seconds.
    """

    kind: Kind
    subject: str
    reason: str
    until: float


@dataclass(slots=True)
class _Score:
    points: float
    at: float


class Scores:
    """The scores of one process; a bounded number of them.

    Args:
        limits: the table.
        sources: whom an address is counted as.
    """

    def __init__(self, limits: NetLimits, sources: Sources | None = None) -> None:
        self._limits = limits
        self._sources = sources or Sources(limits)
        self._scores: OrderedDict[tuple[Kind, str], _Score] = OrderedDict()
        self._bans: OrderedDict[tuple[Kind, str], Ban] = OrderedDict()

    def add(self, points: int, reason: str, now: float, *, peer: str = "", host: str = "") -> list[Ban]:
        """Counts a fault against a peer, when it is proven, and against where it came from.

        Args:
            points: what the fault costs.
            reason: in words.
            now: monotonic seconds.
            peer: a PeerId, or empty while nobody has proven one.
            host: an address, or empty when it is not known.

        Returns:
            The bans that this brings about.
        """
        bans: list[Ban] = []
        if points <= 0:
            return bans
        if peer:
            bans += self._count(("peer", peer), points, reason, now)
        source = self._sources.of(host) if host else None
        if source is not None:
            of_source = self._count(("prefix", source), points, reason, now)
            bans += of_source
            if of_source and self._rotates(host, source, now):
                bans.append(self._ban(("prefix", self._sources.wide_of(host)), "changes its addresses", now))
        return bans

    def score(self, kind: Kind, subject: str, now: float) -> float:
        """The points that are left of a subject's."""
        score = self._scores.get((kind, subject))
        return 0.0 if score is None else self._decayed(score, now)

    def ban_of(self, now: float, *, peer: str = "", host: str = "") -> Ban | None:
        """The ban that is in the way of a peer or an address, if one is.

        Args:
            now: monotonic seconds.
            peer: a PeerId, or empty.
            host: an address, or empty.
        """
        keys: list[tuple[Kind, str]] = [("peer", peer)] if peer else []
        source = self._sources.of(host) if host else None
        if source is not None:
            keys += [("prefix", source), ("prefix", self._sources.wide_of(host))]
        for key in keys:
            ban = self._bans.get(key)
            if ban is not None and now < ban.until:
                return ban
        return None

    def forgive(self, peer: str) -> None:
        """Forgets what a peer has done: the operator has named it anew."""
        self._scores.pop(("peer", peer), None)
        self._bans.pop(("peer", peer), None)

    def _count(self, key: tuple[Kind, str], points: int, reason: str, now: float) -> list[Ban]:
        points_now = self.score(*key, now) + points
        self._scores[key] = _Score(points_now, now)
        self._scores.move_to_end(key)
        while len(self._scores) > _REMEMBERED:
            self._scores.popitem(last=False)
        if points_now < self._limits.score_ban:
            return []
        del self._scores[key]
        return [self._ban(key, reason, now)]

    def _ban(self, key: tuple[Kind, str], reason: str, now: float) -> Ban:
        ban = self._bans[key] = Ban(*key, reason, now + self._limits.ban_s)
        self._bans.move_to_end(key)
        while len(self._bans) > _REMEMBERED:
            self._bans.popitem(last=False)
        return ban

    def _rotates(self, host: str, source: str, now: float) -> bool:
        """Whether so many networks of one customer are banned that it is the customer who is."""
        wide = self._sources.wide_of(host)
        banned = [
            ban
            for ban in self._bans.values()
            if ban.kind == "prefix" and now < ban.until and self._sources.wide_of(ban.subject.partition("/")[0]) == wide
        ]
        return wide != source and len(banned) >= self._limits.prefixes_of_ban

    def _decayed(self, score: _Score, now: float) -> float:
        halves: float = 2.0 ** (-max(0.0, now - score.at) / self._limits.score_half_life_s)
        return score.points * halves
