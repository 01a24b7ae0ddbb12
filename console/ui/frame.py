"""The four rows around every pane: header, pane strip, status row, keys row. Pure: from facts to spans."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.petnames import short_peer
from console.rows import NodeRow
from console.table import TableModel
from console.ui.desk import Done
from console.ui.figures import uptime
from console.ui.sheet import Span, cut, width_of
from console.ui.text.jobs import WAITING
from console.view import View
from runtime.sanitise import clean

__all__ = [
    "AGENTS",
    "BOOT",
    "COMPONENTS",
    "JOBS",
    "LOG",
    "PANES",
    "PEERS",
    "RECEIPTS",
    "ROOMS",
    "Badges",
    "Key",
    "header",
    "keys_row",
    "pane_at",
    "status_right",
    "strip",
    "table_status",
]

ROOMS, AGENTS, PEERS, JOBS, RECEIPTS, BOOT, LOG, COMPONENTS = 1, 2, 3, 4, 5, 6, 7, 8
PANES = (
    (ROOMS, "Rooms"),
    (AGENTS, "Agents"),
    (PEERS, "Peers"),
    (JOBS, "Jobs"),
    (RECEIPTS, "Receipts"),
    (BOOT, "Boot"),
    (LOG, "Log"),
    (COMPONENTS, "Components"),
)
"""Numbers and names of the panes that exist; a number stays its pane's for ever."""

_LABELS = {f" {number} {name} ": number for number, name in PANES}
_LATE_MS, _SLOW_MS = 5, 100
"""Lateness of the screen that is worth a figure, and worth a warning."""

_MAX_KEYS = 8
_WIDE = 100
"""From this width on panes have a part at their side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Badges:
    """What the header warns of."""

    read_only: bool = False
    behind: int | None = None
    """Events behind a frozen screen; None when it is not frozen."""
    lost: int = 0
    """Events that this screen missed."""
    starting: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key that works here and now."""

    key: str
    does: str
    spare: bool = False
    """Shown only where all others leave room for it."""


def header(
    node: NodeRow | None, title: str, view: View, badges: Badges, now_ms: int
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Left: product, node, mode. Right: badges in their fixed order, uptime; the least important first."""
    left: list[Span] = [(" orlop ", "badge"), ("  ", "")]
    if node is None:
        left.append((clean(title, 40), "strong"))
        left.append(("  starting…" if badges.starting else "", "dim"))
    else:
        left.append((clean(node.name, 40), "strong"))
        left.append((f"  {short_peer(node.peer_id)}", "link"))
        left.append((f"  {clean(node.mode, 60)}{' · demo' if node.demo else ''}", "dim"))
    right: list[Span] = []
    if node is not None:
        right.append((f"up {uptime(now_ms - node.started_ms)}  ", "dim"))
    for text, ink, on in (
        (" READ-ONLY ", "badge", badges.read_only),
        (f" FROZEN {badges.behind or 0:,} behind ", "badge", badges.behind is not None),
        (f" GAP {badges.lost:,} ", "alarm-badge", badges.lost > 0),
        (f" {view.tripped} TRIPPED ", "alarm-badge", view.tripped > 0),
    ):
        if on:
            right += [(text, ink), (" ", "")]
    return tuple(left), tuple(right)


def strip(view: View, current: int, unseen: frozenset[int], width: int) -> tuple[Span, ...]:
    """The panes with their counters, the current one reversed, a mark where something failed and was not looked at."""
    counted, gap = width >= _WIDE, "   " if width >= _WIDE else " "
    spans = _panes(view, current, unseen, gap=gap, counted=counted)
    fits = width_of("".join(text for text, _ in spans).rstrip()) <= width
    return spans if fits else _panes(view, current, unseen, gap="", counted=counted)


def _panes(view: View, current: int, unseen: frozenset[int], *, gap: str, counted: bool) -> tuple[Span, ...]:
    spans: list[Span] = [(" ", "")]
    for number, name in PANES:
        here = number == current
        spans.append((f" {number} {name} ", "here" if here else "dim"))
        if counted:
            spans.extend(_counter(view, number))
        if number in unseen and not here:
            spans.append(("▲", "alarm"))
        spans.append((gap, ""))
    return tuple(spans)


def pane_at(spans: Sequence[Span], x: int) -> int | None:
    """Which pane of the strip stands at a column."""
    left = 0
    number: int | None = None
    for text, _ in spans:
        number = _LABELS.get(text, number)
        if left <= x < left + width_of(text) and text.strip():
            return number
        left += width_of(text)
    return None


def _counter(view: View, number: int) -> list[Span]:  # noqa: PLR0911 - one counter for each pane
    if number == ROOMS and view.rooms:
        return [(f" {len(view.rooms)}", "")]
    if number == AGENTS and view.agents:
        spans: list[Span] = [(f" {view.active}/{len(view.agents)}", "")]
        return [*spans, (f" ✗{view.tripped}", "alarm")] if view.tripped else spans
    if number == PEERS and view.peers:
        return [(f" {view.connected}/{len(view.peers):,}", "")]
    if number == JOBS and view.jobs:
        running = sum(view.job_states[state] for state in ("compiling", "running"))
        waiting = sum(view.job_states[state] for state in WAITING)
        spans = [(f" {len(view.jobs):,}", "")]
        spans += [(f" ◐{running:,}", "accent")] if running else []
        return [*spans, (f" ◌{waiting:,}", "warn")] if waiting else spans
    if number == RECEIPTS and view.receipts:
        return [(f" {len(view.receipts):,}", "")]
    if number == BOOT and view.boot.machines:
        return [(f" {len(view.boot.machines):,}", "")]
    if number == COMPONENTS and view.components:
        spans = [(f" {view.live}/{len(view.components)}", "")]
        return [*spans, (f" ✗{view.given_up}", "alarm")] if view.given_up else spans
    return []


def table_status(model: TableModel, noun: str, *, aside: int = 0) -> tuple[Span, ...]:
    """`12 of 10,000 agents · /trip · sort last▼ · 3 marked`; `aside`: rows that only head others."""
    shown, whole = max(len(model.order) - aside, 0), len(model.rows) - aside
    noun = noun.removesuffix("s") if whole == 1 else noun
    parts: list[Span] = [(f" {shown:,} of {whole:,} {noun}" if model.filter.tests else f" {whole:,} {noun}", "dim")]
    if model.filter.tests:
        parts.append((f" · /{clean(model.filter.text, 40)}", "accent"))
    if model.sort:
        parts.append((f" · sort {model.sort}{'▼' if model.descending else '▲'}", "dim"))
    if model.marks.keys:
        parts.append((f" · {len(model.marks.keys):,} marked", "agent"))
    return tuple(parts)


def status_right(done: Done | None, running: int, rate: int, lag_ms: int) -> tuple[Span, ...]:
    """The last command's outcome, events a second, the screen's own lateness."""
    spans: list[Span] = []
    if running:
        spans.append((f"◐ {running} running   ", "accent"))
    elif done is not None:
        spans.append((f"{'✓' if done.ok else '✗'} {cut(done.text, 60)}   ", "ok" if done.ok else "trip"))
    lag = f"{lag_ms} ms" if lag_ms >= _LATE_MS else f"<{_LATE_MS} ms"
    spans.append((f"{rate} ev/s   lag {lag} ", "warn" if lag_ms >= _SLOW_MS else "dim"))
    return tuple(spans)


def keys_row(here: Sequence[Key], always: Sequence[Key], width: int) -> tuple[Span, ...]:
    """At most eight keys, as many as fit whole: those of the place first, the most useful of them first."""
    needed = [key for key in always if not key.spare]
    room = width - 1 - sum(_key_width(key) for key in needed)
    kept: list[Key] = []
    for key in here[: max(_MAX_KEYS - len(needed), 0)]:
        if _key_width(key) > room:
            break
        kept.append(key)
        room -= _key_width(key)
    last = [key for key in always if not key.spare or _key_width(key) <= room]
    spans: list[Span] = [(" ", "")]
    for key in (*kept, *last):
        spans += [(key.key, "key"), (f" {key.does}  ", "dim")]
    return tuple(spans)


def _key_width(key: Key) -> int:
    return width_of(key.key) + width_of(key.does) + 3
