"""Whether bytes come fast enough. Pure; time is passed in."""

from dataclasses import dataclass

from boot.errors import BootUnavailableError

__all__ = ["Pace", "Patience"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited.

    Attributes:
        deadline_s: for everything together.
        connect_s: for one connection, TLS included.
        rate: bytes a second at least, head and body alike.
        window_s: over which the rate is judged.
        redirects: that are followed, one after another.
        tries: of one file at one server; each goes on where the one before ended.
        rounds: over all servers, with back-off between them.
        back_off_s: before the second try of a server; twice as long before each further one.
        back_off_most_s: at most.
    """

    deadline_s: float = 900.0
    connect_s: float = 10.0
    rate: float = 1024.0
    window_s: float = 10.0
    redirects: int = 3
    tries: int = 5
    rounds: int = 3
    back_off_s: float = 1.0
    back_off_most_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        """How long is waited after so many failures before this one."""
        return min(self.back_off_most_s, self.back_off_s * float(1 << min(failures, 16)))


class Pace:
    """Judges one answer, window by window.

    Args:
        patience: rate and window.
        now: monotonic seconds.
    """

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self._got = 0
        self.until = now + patience.window_s
        """When the window ends."""

    def took(self, count: int, now: float) -> None:
        """Bytes came, or none did until the window ended.

        Args:
            count: how many.
            now: monotonic seconds.

        Raises:
            BootUnavailableError: too few in this window.
        """
        self._got += count
        if now < self.until:
            return
        least = self._patience.rate * self._patience.window_s
        if self._got < least:
            raise BootUnavailableError(f"too slow: {self._got} bytes in {self._patience.window_s:g} s")
        self._got = 0
        self.until = now + self._patience.window_s
