"""What a boot server takes at most."""

from dataclasses import dataclass

__all__ = ["ServeLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeLimits:
    """Bounds; those of an address are for a /64 network of IPv6 as well, and not for the loopback, which is shared.

    Attributes:
        connections: at once.
        per_address: of these from one address.
        rate: requests a second of one address.
        burst: of requests that may come at once.
        report_rate: reports and receipts a second, of all together.
        report_burst: of these that may come at once.
        per_session: report lines of one machine.
        sessions: machines that are known at once.
        head_s: for the head of a request.
        body_s: for the body of a request.
        piece_s: for the next MiB of an artifact, or what is left of it.
        loopback: whether the bounds of an address are for the loopback, too.
    """

    connections: int = 512
    per_address: int = 32
    rate: float = 20.0
    burst: float = 100.0
    report_rate: float = 10.0
    report_burst: float = 200.0
    per_session: int = 256
    sessions: int = 1024
    head_s: float = 10.0
    body_s: float = 10.0
    piece_s: float = 60.0
    loopback: bool = False
