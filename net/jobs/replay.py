"""Nonces of offers that were taken in: one nonce belongs to one job, however often it is offered. Pure.

What a job's id has in the store outlives this; a nonce must be remembered no longer than an offer could still be taken.
"""

from collections import OrderedDict
from typing import Final

__all__ = ["Nonces"]

_MOST: Final = 10_000


class Nonces:
    """The nonces of late.

    Args:
        kept_s: how long each is remembered: longer than any offer lives.
        most: how many at most; the oldest go first.
    """

    def __init__(self, kept_s: float, most: int = _MOST) -> None:
        self._kept_s = kept_s
        self._most = most
        self._known: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def take(self, signer: str, nonce: str, job: str, now: float) -> bool:
        """Notes whose nonce it is.

        Args:
            signer: whoever signed the offer; nobody can use up the nonces of another.
            nonce: that of the manifest.
            job: the job that it belongs to.
            now: monotonic seconds.

        Returns:
            Whether it is new, or was this job's before.
        """
        self._forget(now)
        known = self._known.get((signer, nonce))
        if known is not None:
            return known[0] == job
        self._known[signer, nonce] = (job, now + self._kept_s)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return True

    def _forget(self, now: float) -> None:
        while self._known:
            key, (_, until) = next(iter(self._known.items()))
            if until > now:
                return
            del self._known[key]
