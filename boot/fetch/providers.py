"""Which server is asked next: one that failed later and later, one that lied never again. Pure; time is passed in."""

from collections.abc import Iterable
from dataclasses import dataclass

from boot.fetch.pace import Patience

__all__ = ["Choice", "Providers"]


@dataclass(slots=True)
class _Provider:
    url: str
    failures: int = 0
    not_before: float = 0.0
    lied: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to ask, and how many seconds to wait before."""

    url: str
    wait_s: float


class Providers:
    """Servers in the order in which they are asked.

    Args:
        urls: of their folders; one that is named twice counts once.
        patience: how often, and how far apart.
    """

    def __init__(self, urls: Iterable[str], patience: Patience) -> None:
        self._all = [_Provider(url) for url in dict.fromkeys(urls)]
        self._patience = patience

    def choose(self, now: float) -> Choice | None:
        """The server to ask: the one that may be asked first, and of several the one that is named first.

        Args:
            now: monotonic seconds.

        Returns:
            None where each of them lied, or failed as often as it may.
        """
        left = [one for one in self._all if not one.lied and one.failures < self._patience.rounds]
        if not left:
            return None
        best = min(left, key=lambda one: max(one.not_before, now))
        return Choice(best.url, max(0.0, best.not_before - now))

    def failed(self, url: str, now: float) -> None:
        """A server could not be had; it is asked again after a while."""
        for one in self._named(url):
            one.not_before = now + self._patience.pause_s(one.failures)
            one.failures += 1

    def lied(self, url: str) -> None:
        """A server gave what was refused: it is not asked again."""
        for one in self._named(url):
            one.lied = True

    def _named(self, url: str) -> list[_Provider]:
        return [one for one in self._all if one.url == url]
