"""Everything about one job: how it ended, its limits as bars, how fast it goes, its output, how to run it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.client import Json
from console.petnames import giver
from console.rows import JobRow, PeerRow
from console.ui.figures import bar, clock, count, short_id, size, took
from console.ui.sheet import BLANK, Line, Span, heading, line
from console.ui.sheet import field as labelled
from console.ui.text.documents import items, text
from console.ui.text.job_peers import place
from console.ui.text.jobs import MARKS, RUNNING, Tail, elapsed_ms, how_full, output_lines
from console.ui.text.pace import Pace
from console.ui.text.repeat import UNKNOWN, repeat_line
from console.view import TERMINAL
from runtime.events import Event, JobStep, Record
from runtime.sanitise import clean

__all__ = ["STREAMS", "JobFacts", "job_sheet"]

STREAMS = ("stdout", "stderr")
_LABEL = 9
_BAR = 14
_STEP = 9
_STEPS_MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What is known of a job beside its row."""

    document: Json = None
    """The answer of `jobs show`; empty until it is there."""
    output: Mapping[str, Tail] = field(default_factory=dict)
    """The ends of its streams."""
    paces: Mapping[str, Pace] = field(default_factory=dict)
    """How fast each stream grows."""
    shown: Sequence[str] = STREAMS
    """The streams that the operator wants to see."""
    verdict: str = ""
    """Of its receipt, as in the receipts' rows."""
    way: Sequence[Record] = ()
    """Its steps between two nodes, oldest first."""
    peers: Mapping[str, PeerRow] = field(default_factory=dict)
    """The book of peers, for their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gauge:
    """A limit and how much of it was used."""

    label: str
    name: str
    """Its own name, as in manifests and receipts."""
    used: int | None
    most: int
    used_words: str
    most_words: str


def job_sheet(row: JobRow, facts: JobFacts, now_ms: int) -> list[Line]:
    """Everything about one job.

    Args:
        row: its row.
        facts: what else is known.
        now_ms: wall time.
    """
    mark, ink = MARKS.get(row.state, RUNNING)
    lines = [
        line(
            (f"{mark} {row.state}", ink),
            (f"  {clean(row.name, 80)}", "strong"),
            ("  on ", "dim"),
            place(row.where, facts.peers),
        ),
        line((f"  {short_id(clean(row.job, 64), 40)}", "link")),
        *_terms(row),
    ]
    if row.state in TERMINAL:
        lines += _ending(row, facts.document)
    lines += _way(facts.way, facts.peers)
    lines += [BLANK, heading("LIMITS"), *(_bar(gauge, row) for gauge in _gauges(row, facts.document, now_ms))]
    lines += [*_plain_limits(row), *_progress(row, facts, now_ms)]
    for stream in STREAMS:
        if stream in facts.shown:
            lines += [BLANK, heading(stream.upper()), *output_lines(facts.output.get(stream, Tail()))]
    lines += [
        BLANK,
        _receipt(row, facts.verdict),
        labelled("MODULE", (clean(row.module, 71)[:23] + "…", "link"), label_width=_LABEL),
        *_parties(row, facts.peers),
    ]
    created = text(facts.document, "manifest", "created_at", limit=40)
    if created:
        lines.append(labelled("SIGNED", (created, "dim"), label_width=_LABEL))
        lines += _repeat(row, facts.document)
    return lines


def _terms(row: JobRow) -> list[Line]:
    """On what terms it waits, where they are not the usual ones."""
    parts = []
    if row.priority:
        parts.append(f"priority {row.priority:+d}")
    if row.retries:
        parts.append(f"attempt {row.attempt + 1} of {row.retries + 1}")
    return [line((f"  {' · '.join(parts)}", "agent"), indent=2)] if parts else []


def _ending(row: JobRow, document: Json) -> list[Line]:
    failed = row.state != "done"
    parts: list[Span] = [(f"  {clean(row.outcome or row.state, 40)}", "trip" if failed else "ok")]
    if row.exit_code is not None:
        parts.append((f"  exit code {row.exit_code}", "" if row.exit_code == 0 else "trip"))
    lines = [line(*parts)]
    if row.tripped:
        lines.append(line((f"  limit {clean(row.tripped, 40)} struck", "alarm")))
    # What happens tells the outcome only; the words are in the job's document.
    why = next((one for one in (row.reason, text(document, "reason", limit=300)) if one not in {"", row.outcome}), "")
    if why:
        lines.append(line((f"  {clean(why, 300)}", "warn"), indent=2))
    return lines


def _way(records: Sequence[Record], peers: Mapping[str, PeerRow]) -> list[Line]:
    """Each step with the time since the first one; of many the last ones."""
    if not records:
        return []
    began_ms = records[0].ts_ms
    hidden = len(records) - _STEPS_MOST
    return [
        BLANK,
        line(("WAY", "head"), (f"  since {clock(began_ms)}", "dim")),
        *([line((f"  … {hidden} steps before", "dim"))] if hidden > 0 else []),
        *(_step(record.event, record.ts_ms - began_ms, peers) for record in records[-_STEPS_MOST:]),
    ]


def _step(event: Event, after_ms: int, peers: Mapping[str, PeerRow]) -> Line:
    if not isinstance(event, JobStep):
        return BLANK
    by = event.detail.removeprefix("by ")
    detail = f"by {place(by, peers)}" if event.step == "offered" and by != event.detail else clean(event.detail, 300)
    broken = event.step in {"cut", "rejected"}
    false = event.step == "verified" and not event.detail.startswith("valid")
    ink = "alarm" if false else "trip" if broken else "ok" if event.step == "verified" else ""
    return line(
        (f"{f'+{took(after_ms)}':>8}  ", "dim"),
        (clean(event.step, _STEP).ljust(_STEP), ink),
        (f" {detail}" if detail else "", "dim"),
        indent=11 + _STEP,
    )


def _parties(row: JobRow, peers: Mapping[str, PeerRow]) -> list[Line]:
    """Who gave it, and the whole PeerId of where it runs, where that is not this node."""
    by = giver(row.submitter)
    given: tuple[Span, ...] = ((clean(row.submitter, 60), "dim"),)
    if by:
        given = ((place(by, peers), "strong"), (f"  {by}", "dim"))
    lines = [labelled("FROM", *given, label_width=_LABEL)]
    if row.where != "local":
        there = ((place(row.where, peers), "strong"), (f"  {clean(row.where, 80)}", "dim"))
        lines.append(labelled("AT", *there, label_width=_LABEL))
    return lines


# --- limits ---------------------------------------------------------------------------------------------------------


def _gauges(row: JobRow, document: Json, now_ms: int) -> list[_Gauge]:
    wall, cpu, dirs = elapsed_ms(row, now_ms), row.cpu_ms, row.dir_bytes
    found = [
        _Gauge(
            label="clock",
            name="timeout_ms",
            used=wall,
            most=row.limit_timeout_ms,
            used_words=took(wall),
            most_words=took(row.limit_timeout_ms),
        ),
        _Gauge(
            label="memory",
            name="memory_bytes",
            used=row.memory_peak_bytes,
            most=row.limit_memory_bytes,
            used_words=size(row.memory_peak_bytes),
            most_words=size(row.limit_memory_bytes),
        ),
        _Gauge(
            label="fuel",
            name="fuel",
            used=row.fuel,
            most=row.limit_fuel,
            used_words=count(row.fuel),
            most_words=count(row.limit_fuel),
        ),
        _Gauge(
            label="output",
            name="max_output_bytes",
            used=row.output_bytes,
            most=row.limit_output_bytes,
            used_words=size(row.output_bytes),
            most_words=f"{size(row.limit_output_bytes)} each",
        ),
    ]
    if row.limit_cpu_ms:
        found.insert(
            1,
            _Gauge(
                label="cpu",
                name="cpu_ms",
                used=cpu,
                most=row.limit_cpu_ms,
                used_words=took(cpu),
                most_words=took(row.limit_cpu_ms),
            ),
        )
    writable = any(str(grant).endswith(":rw") for grant in items(document, "manifest", "payload", "orlop", "dirs"))
    if row.limit_dir_bytes and (writable or dirs is not None or row.tripped == "dir_bytes"):
        found.append(
            _Gauge(
                label="dirs",
                name="dir_bytes",
                used=dirs,
                most=row.limit_dir_bytes,
                used_words=size(dirs),
                most_words=size(row.limit_dir_bytes),
            )
        )
    return found


def _bar(gauge: _Gauge, row: JobRow) -> Line:
    """A limit as a bar; full where it struck, also where nobody counted how much was used."""
    struck = row.tripped == gauge.name
    part = gauge.most if struck and gauge.used is None else gauge.used
    ink = "alarm" if struck else how_full(part, gauge.most)
    return line(
        (f"  {gauge.label:<7} ", "alarm" if struck else "dim"),
        (bar(part, gauge.most, _BAR).replace(" ", "·"), ink),
        f" {gauge.used_words:>6}",
        (f" of {gauge.most_words}", "dim"),
        (" ✗" if struck else "", "alarm"),
    )


def _plain_limits(row: JobRow) -> list[Line]:
    """The limits of which nobody counts how much is used."""
    known = (
        ("stack_bytes", row.limit_stack_bytes, f"stack {size(row.limit_stack_bytes)}"),
        ("table_elements", row.limit_table_elements, f"tables {count(row.limit_table_elements)}"),
        ("open_files", row.limit_open_files, f"files {count(row.limit_open_files)}"),
    )
    spans: list[Span] = []
    for name, most, words in known:
        if most:
            spans += [(" · " if spans else "  ", "dim"), (words, "alarm" if row.tripped == name else "dim")]
    return [line(*spans, indent=2)] if spans else []


def _progress(row: JobRow, facts: JobFacts, now_ms: int) -> list[Line]:
    """How fast it goes, and how long that can go on: only where the end is known, which for a job is its limits."""
    if row.state in TERMINAL:
        return []
    parts: list[str] = []
    elapsed = elapsed_ms(row, now_ms)
    if elapsed is not None:
        parts.append(f"ends within {took(max(row.limit_timeout_ms - elapsed, 0))}")
    elif row.expires_ms is not None:
        parts.append(f"starts within {took(max(row.expires_ms - now_ms, 0))} or never")
    for stream, pace in facts.paces.items():
        rate, left = pace.rate, pace.remaining_ms(row.limit_output_bytes)
        if rate:
            parts.append(f"{stream} {size(round(rate))}/s" + ("" if left is None else f", full in {took(left)}"))
    return [line(("  " + " · ".join(parts), "accent"), indent=2)] if parts else []


# --- the end --------------------------------------------------------------------------------------------------------


def _receipt(row: JobRow, verdict: str) -> Line:
    if not row.receipt:
        said: Span = (
            ("not yet: it is signed when the job ends", "dim") if row.state not in TERMINAL else ("none", "warn")
        )
        return labelled("RECEIPT", said, label_width=_LABEL)
    marks: dict[str, Span] = {"valid": ("  ✓ valid", "ok"), "invalid": ("  ✗ invalid", "alarm")}
    return labelled(
        "RECEIPT",
        (f"{clean(row.receipt, 64)[:12]}…", "link"),
        marks.get(verdict, ("  ? not checked", "warn")),
        ("  o shows it", "dim"),
        label_width=_LABEL,
    )


def _repeat(row: JobRow, document: Json) -> list[Line]:
    said = repeat_line(row, document)
    lines = [labelled("REPEAT", (said, "link"), label_width=_LABEL)]
    missing = [word for word in UNKNOWN if f" {word}" in said]
    if missing:
        names = " and ".join(missing)
        lines.append(labelled("", (f"{names}: a manifest names no path of yours", "dim"), label_width=_LABEL))
    return lines
