"""What passed by and is in no row, bounded: the newest events, outputs, verifications, ways of jobs, deeds of peers."""

import base64
import binascii
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from console.ui.text.jobs import Tail
from runtime.codec import strip
from runtime.events import JobOutput, JobStep, PeerMeasured, ReceiptVerified, Record, Step, TickCompleted

__all__ = ["KEPT_RECORDS", "PeerPast", "Recent"]

KEPT_RECORDS = 10_000
_KEPT_STEPS = 1_000
_KEPT_TAILS = 64
_KEPT_PEERS = 1_000
_KEPT_TRIPS = 30
_KEPT_OF_PEER = 20
_KEPT_WAYS = 200
_KEPT_OF_WAY = 40


@dataclass(slots=True)
class PeerPast:
    """What was heard of a peer lately, oldest first."""

    trips: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT_TRIPS))
    """Round trips in microseconds."""
    records: deque[Record] = field(default_factory=lambda: deque(maxlen=_KEPT_OF_PEER))
    """All else that names it."""


class Recent:
    """Kept from the first record on, whichever pane is looked at."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        """The newest records by their seq as text, oldest first."""
        self.fresh: deque[Record] = deque(maxlen=KEPT_RECORDS)
        """Those that the log has not taken yet."""
        self._steps: dict[str, tuple[Step, ...]] = {}
        self._tails: dict[tuple[str, str], Tail] = {}
        self._peers: dict[str, PeerPast] = {}
        self._ways: dict[str, deque[Record]] = {}

    def take(self, records: Sequence[Record]) -> list[Record]:
        """Keeps what these records say.

        Returns:
            The records without the bytes of outputs and the texts of drops, which thousands of them must not hold.
        """
        slim = []
        for record in records:
            event = record.event
            if isinstance(event, JobOutput):
                self._output(event)
            elif isinstance(event, ReceiptVerified):
                self.keep_steps(event.receipt, event.steps)
            elif isinstance(event, JobStep):
                self._of_way(event.job, record)
            elif peer := getattr(event, "peer", ""):
                self._of_peer(peer, record)
            if isinstance(event, JobOutput) or (isinstance(event, TickCompleted) and event.dropped):
                slim.append(Record(record.seq, record.ts_ms, strip(event)))
            else:
                slim.append(record)
            self.records[str(record.seq)] = slim[-1]
        self.fresh.extend(slim)
        surplus = len(self.records) - KEPT_RECORDS
        if surplus > 0:
            for key in [key for key, _ in zip(self.records, range(surplus), strict=False)]:
                del self.records[key]
        return slim

    def tail(self, job: str, stream: str) -> Tail:
        """The end of one stream of a job."""
        key = (job, stream)
        if key not in self._tails:
            while len(self._tails) >= _KEPT_TAILS:
                del self._tails[next(iter(self._tails))]
            self._tails[key] = Tail()
        return self._tails[key]

    def steps(self, receipt: str) -> tuple[Step, ...]:
        """The steps of a receipt's last verification; empty when this screen saw none."""
        return self._steps.get(receipt, ())

    def keep_steps(self, receipt: str, steps: Sequence[Step]) -> None:
        """Keeps the steps of a verification."""
        self._steps.pop(receipt, None)
        self._steps[receipt] = tuple(steps)
        while len(self._steps) > _KEPT_STEPS:
            del self._steps[next(iter(self._steps))]

    def way(self, job: str) -> Sequence[Record]:
        """The steps that a job went between two nodes, oldest first; none when this screen saw none."""
        return tuple(self._ways.get(job, ()))

    def peer(self, peer: str) -> PeerPast:
        """What was heard of a peer; nothing when this screen heard nothing."""
        return self._peers.get(peer) or PeerPast()

    def _of_peer(self, peer: str, record: Record) -> None:
        past = self._peers.pop(peer, None) or PeerPast()
        self._peers[peer] = past  # the last one now: who was silent longest is forgotten first
        if isinstance(record.event, PeerMeasured):
            past.trips.append(record.event.rtt_us)
        else:
            past.records.append(record)
        if len(self._peers) > _KEPT_PEERS:
            del self._peers[next(iter(self._peers))]

    def _of_way(self, job: str, record: Record) -> None:
        steps = self._ways.pop(job, None) or deque(maxlen=_KEPT_OF_WAY)
        self._ways[job] = steps  # the last one now, as with peers
        steps.append(record)
        if len(self._ways) > _KEPT_WAYS:
            del self._ways[next(iter(self._ways))]

    def _output(self, event: JobOutput) -> None:
        if event.data_b64 is None:
            return
        try:
            piece = base64.b64decode(event.data_b64, validate=True)
        except (binascii.Error, ValueError):
            return
        self.tail(event.job, event.stream).put(event.offset, piece)
