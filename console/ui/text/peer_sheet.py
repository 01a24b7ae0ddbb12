"""Everything about one peer: what it may and what that means, its connection, addresses, jobs and history."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.client import Json
from console.rows import JobRow, PeerRow
from console.ui.bound import Keys
from console.ui.figures import NOTHING, clock, day_clock, millis, short_id
from console.ui.sheet import BLANK, Line, heading, line
from console.ui.sheet import field as labelled
from console.ui.text.agent_use import sparkline
from console.ui.text.documents import Object, integer, objects, text
from console.ui.text.jobs import MARKS, RUNNING
from console.ui.text.log import loudness
from console.ui.text.peer_events import said_of_peer
from console.ui.text.peers import has_lied, standing
from net.errors import AddressError
from net.peer_id import PeerId
from runtime.events import Record
from runtime.sanitise import clean

__all__ = ["PeerFacts", "peer_sheet", "submitter_of"]

_LABEL = 9
_MOST_JOBS = 6
_MOST_EVENTS = 12
_SOURCES = {
    "typed": "an operator",
    "identify": "the peer itself",
    "lan": "the local network",
    "dht": "the network",
}
"""Who said where a peer is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """What is known of a peer beside its row."""

    document: Json = None
    """As `peers show` has it; None until it is there."""
    trips: Sequence[int] = ()
    """Its last round trips in microseconds, oldest first."""
    records: Sequence[Record] = ()
    """What else happened with it, oldest first."""
    there: Sequence[JobRow] = ()
    """Jobs of this node that were given to it, the newest first."""
    here: Sequence[JobRow] = ()
    """Jobs that it gave to this node, the newest first."""


def submitter_of(row: PeerRow) -> str:
    """What stands as submitter in the jobs that a peer gave; empty for a PeerId that is none."""
    try:
        return PeerId.parse(row.peer).key.hex()
    except AddressError:
        return ""


def peer_sheet(row: PeerRow, facts: PeerFacts, now_ms: int, keys: Keys) -> list[Line]:
    """Everything about one peer.

    Args:
        row: its row.
        facts: what else is known.
        now_ms: wall time.
        keys: for hints.
    """
    return [
        *_head(row, facts.document, now_ms),
        *_problem(row, keys),
        BLANK,
        heading("IT MAY"),
        *_trusts(row, keys),
        BLANK,
        heading("CONNECTION"),
        *_connection(row, facts.trips, keys),
        BLANK,
        heading("ADDRESSES"),
        *_addresses(facts.document, now_ms),
        BLANK,
        heading("JOBS"),
        *_jobs(row, facts, now_ms),
        BLANK,
        heading("LATELY"),
        *_history(facts.records),
    ]


def _head(row: PeerRow, document: Json, now_ms: int) -> list[Line]:
    mark, ink, word = standing(row)
    name, note = clean(row.name, 40), text(document, "note", limit=200) or clean(row.note, 200)
    proven = f"proven, last at {day_clock(row.proven_ms, now_ms)}" if row.proven_ms else "never proven: only hearsay"
    agent = text(document, "agent", limit=64) or clean(row.agent, 64)
    return [
        line((f"{mark} {word}", ink), *((("  ", ""), (name, "strong")) if name else ())),
        line((clean(row.peer, 80), "link")),
        *([line((note, ""))] if note else []),
        labelled("key", (proven, "" if row.proven_ms else "warn"), label_width=_LABEL),
        labelled("seen", "now" if row.state == "connected" else day_clock(row.seen_ms, now_ms), label_width=_LABEL),
        labelled("program", agent or NOTHING, (" (it says)" if agent else "", "dim"), label_width=_LABEL),
    ]


def _problem(row: PeerRow, keys: Keys) -> list[Line]:
    trust, ban = keys.named("peers trust", "t"), keys.named("peers ban", "b")
    why = clean(row.problem, 300)
    if row.state == "banned":
        told = line((f"✗ banned: {why}" if why else "✗ banned", "alarm"), indent=2)
        what = "  It is neither dialled nor answered. "
        return [BLANK, told, line(what, (ban, "key"), " lifts the ban; no trust comes back.", indent=2)]
    if not has_lied(row):
        return []
    told = line((f"✗ it gave a false receipt: {why}", "alarm"), indent=2)
    what = "  It gets no job until it is trusted anew. "
    return [BLANK, told, line(what, (trust, "key"), " does that, ", (ban, "key"), " bans it.", indent=2)]


def _trusts(row: PeerRow, keys: Keys) -> list[Line]:
    """Each trust with what it means, in the same words on and off."""
    runs = "its receipts are believed, jobs are given to it" if row.worker else "it gets none, and is not believed"
    gives = "its programs run here, in limits, without files" if row.submitter else "each offer of it is refused"
    return [
        _trust(keys.named("peers trust", "t"), "run jobs for this node", runs, on=row.worker),
        _trust(keys.named("peers trust.jobs", "T"), "give this node jobs", gives, on=row.submitter),
    ]


def _trust(key: str, what: str, meaning: str, *, on: bool) -> Line:
    mark, ink = ("✓", "ok") if on else ("·", "dim")
    return line((key, "key"), (f" {mark} {what}", ink), f": {meaning}", indent=4)


def _connection(row: PeerRow, trips: Sequence[int], keys: Keys) -> list[Line]:
    lines = [line(("not connected", "dim"))]
    if row.state == "connected":
        how = "this node dialled it" if row.dialled else "it dialled this node"
        by = line((f"by {clean(row.transport, 8)}", "ok"), f", {how}")
        lines = [by, line((f"  {clean(row.address, 200)}", "link"))]
    if trips:
        figures = f"  {millis(trips[-1])}, best {millis(min(trips))}, worst {millis(max(trips))}"
        return [*lines, labelled("trips", (sparkline(tuple(trips)), "link"), (figures, ""), label_width=_LABEL)]
    if row.rtt_us is not None:
        return [*lines, labelled("trip", f"{millis(row.rtt_us)}, the last one", label_width=_LABEL)]
    return [*lines, line((keys.named("peers ping", "P"), "key"), (" measures the round trip", "dim"))]


def _addresses(document: Json, now_ms: int) -> list[Line]:
    places = objects(document, "places")
    return [_address(place, now_ms) for place in places] or [line(("none is known", "dim"))]


def _address(place: Object, now_ms: int) -> Line:
    proven, source = integer(place, "proven_ms"), text(place, "source", limit=16)
    said = _SOURCES.get(source, source)
    sure = proven is not None
    how = f"proven there at {day_clock(proven, now_ms)}" if sure else f"only a hint of {said}"
    mark = ("✓ ", "ok") if sure else ("? ", "warn")
    return line(mark, (text(place, "address", limit=200), "link"), (f"  {how}", "dim"), indent=2)


def _jobs(row: PeerRow, facts: PeerFacts, now_ms: int) -> list[Line]:
    ended = line(f"{row.done} ran there and proved it, ", (f"{row.failed} did not", "trip" if row.failed else ""))
    return [
        ended if row.done or row.failed else line(("none ended there yet", "dim")),
        *_some(facts.there, "ran there", now_ms),
        *_some(facts.here, "it gave to this node", now_ms),
    ]


def _some(jobs: Sequence[JobRow], where: str, now_ms: int) -> list[Line]:
    """The newest jobs of a kind."""
    if not jobs:
        return []
    more = [line((f"  and {len(jobs) - _MOST_JOBS} more", "dim"))] if len(jobs) > _MOST_JOBS else []
    return [line((f"{where}:", "dim")), *(_job(job, now_ms) for job in jobs[:_MOST_JOBS]), *more]


def _job(job: JobRow, now_ms: int) -> Line:
    mark, ink = MARKS.get(job.state, RUNNING)
    return line(
        (f"{mark} ", ink),
        (short_id(clean(job.job, 64), 8), "link"),
        f"  {clean(job.name, 40)}  ",
        (clean(job.state, 16), ink),
        (f"  {day_clock(job.created_ms, now_ms)}", "dim"),
        indent=2,
    )


def _history(records: Sequence[Record]) -> list[Line]:
    newest = [*records][: -_MOST_EVENTS - 1 : -1]
    if not newest:
        return [line(("nothing that this screen has seen", "dim"))]
    return [_happened(record) for record in newest]


def _happened(record: Record) -> Line:
    said = clean(said_of_peer(record.event), 300)
    return line((f"{clock(record.ts_ms)} ", "dim"), (said, loudness(record.event)), indent=9)
