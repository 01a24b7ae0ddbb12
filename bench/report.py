"""The results as a table for people and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from bench.measure import Figure

__all__ = ["RowResult", "as_json", "as_markdown", "as_text", "number"]

_HEADS: Final = ("row", "what", "measured", "baseline of the same run", "ratio", "bound", "kept?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """A row that was run.

    Attributes:
        name: of the row.
        title: what it is about.
        seconds: how long it took.
        others: how many cores other programs kept busy meanwhile.
        figures: its lines; none when it failed.
        trouble: why it failed.
    """

    name: str
    title: str
    seconds: float
    others: float
    figures: Sequence[Figure] = ()
    trouble: str = ""


def number(value: float) -> str:
    """A figure in three significant digits, never in powers of ten."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _pair(median: float, best: float, samples: int, unit: str) -> str:
    if samples == 1:
        return f"{number(median)}{unit}"
    return f"{number(median)}{unit} (best {number(best)})"


def _cells(row: RowResult, one: Figure) -> tuple[str, ...]:
    if not one.samples:
        return row.name, one.what, one.note, "", "", "", ""
    unit = f" {one.unit}" if one.unit else ""
    base = ratio = bound = ""
    if one.base is not None and one.base_best is not None and one.ratio is not None and one.ratio_best is not None:
        base = f"{_pair(one.base, one.base_best, one.samples, unit)}: {one.baseline}"
        ratio = _pair(one.ratio, one.ratio_best, one.samples, "")
    if one.bound is not None:
        bound = f"≤ {one.bound:g}{' times' if one.bound_of == 'ratio' else unit}"
    kept = {True: "yes", False: "**missed**", None: ""}[one.kept]
    what = f"{one.what}; {one.note}" if one.note else one.what
    return row.name, what, _pair(one.median, one.best, one.samples, unit), base, ratio, bound, kept


def as_text(row: RowResult) -> str:
    """A row for a terminal, one line for each figure."""
    if row.trouble:
        return f"{row.name:<11} FAILED: {row.trouble}\n"
    lines = ""
    for one in row.figures:
        _, what, measured, base, ratio, bound, kept = _cells(row, one)
        parts = (measured, base and f"[{base}]", ratio and f"{ratio} times", bound, kept.strip("*"))
        lines += f"{row.name:<11} {what}: {' · '.join(filter(None, parts))}\n"
    return lines


def as_markdown(rows: Sequence[RowResult], about: str) -> str:
    """All rows as a page.

    Args:
        rows: in the order of the page.
        about: a paragraph on machine and load.
    """
    table = [_HEADS, ("---",) * len(_HEADS)]
    for row in rows:
        table += [_cells(row, one) for one in row.figures]
        if row.trouble:
            table.append((row.name, row.title, "failed", "", "", "", row.trouble.splitlines()[0]))
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table)
    bounded = [one.kept for row in rows for one in row.figures if one.kept is not None]
    return (
        "# Measurements\n\n"
        "Written by `make bench`. The figures are of one run on one machine, the ratios carry over. Less is\n"
        "better in all lines. Medians, in brackets the best sample; a baseline is taken in turns with what it is for.\n"
        f"\n{about}\n\nBounds kept: {sum(bounded)} of {len(bounded)}.\n\n{body}\n"
    )


def as_json(rows: Sequence[RowResult], machine: dict[str, str]) -> dict[str, object]:
    """All rows as a document."""
    return {
        "v": 1,
        "machine": machine,
        "rows": [
            {**asdict(row), "figures": [{**asdict(one), "kept": one.kept} for one in row.figures]} for row in rows
        ],
    }
