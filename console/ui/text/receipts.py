"""Receipts: a row of the table, and their verification step by step, exactly as the verifier reported it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from console.client import Json
from console.petnames import short_peer
from console.rows import ReceiptRow
from console.table_rows import Column, Row
from console.ui.bound import Keys
from console.ui.figures import day_clock, short_id
from console.ui.sheet import BLANK, Line, heading, line
from console.ui.sheet import field as labelled
from console.ui.text.chain import Chains, chain_cell, chain_lines
from console.ui.text.documents import item, text
from runtime.events import Step
from runtime.sanitise import clean

__all__ = ["COLUMNS", "ReceiptFacts", "receipt_row", "receipt_sheet", "verdict_of"]

_LABEL = 10
_NO_PREDECESSOR = "0" * 64

COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="no", title="NO", width=5, right=True),
    Column(name="receipt", title="RECEIPT", width=9, grow=1),
    Column(name="job", title="JOB", width=9, priority=2),
    Column(name="worker", title="WORKER", width=9, priority=3),
    Column(name="exit", title="EXIT", width=4, right=True, priority=1),
    Column(name="outcome", title="OUTCOME", width=9, priority=5),
    Column(name="chain", title="CHAIN", width=8, priority=4),
    Column(name="verdict", title="VERDICT", width=13),
    Column(name="issued", title="ISSUED", width=12, priority=6),
)

_VERDICTS = {
    "valid": ("✓", "✓ valid", "ok"),
    "invalid": ("✗", "✗ invalid", "alarm"),
    "unchecked": ("?", "? not checked", "warn"),
    "": ("·", "· not checked", "dim"),
}

_STEP_NAMES = {
    "schema": "schema",
    "canonical": "canonical form",
    "key": "worker key",
    "signature": "signature",
    "job_id": "job id",
    "module": "module",
    "commitment": "commitment",
    "chain": "chain",
}


def receipt_row(row: ReceiptRow, chains: Chains, now_ms: int) -> Row:
    """A row of the table."""
    mark, word, ink = _VERDICTS.get(row.verdict, _VERDICTS[""])
    chain, chain_ink = chain_cell(chains.link(row), row.number)
    cells = (
        mark,
        f"#{row.number}",
        short_id(clean(row.receipt, 64), 9),
        short_id(clean(row.job, 64), 9),
        "self" if row.own else short_peer(row.worker),
        str(row.exit_code),
        clean(row.outcome, 20),
        chain,
        word,
        day_clock(row.issued_ms, now_ms),
    )
    inks = (ink, "strong", "link", "link", "dim", "dim" if row.exit_code == 0 else "trip", "dim", chain_ink, ink, "dim")
    values = (
        row.verdict,
        row.number,
        row.receipt,
        row.job,
        row.worker,
        row.exit_code,
        row.outcome,
        row.number - 1,
        row.verdict,
        row.issued_ms,
    )
    return Row(key=row.receipt, cells=cells, values=values, inks=inks)


def verdict_of(steps: Sequence[Step]) -> str:
    """`valid`, `invalid` or `unchecked`, by the rule of the contracts: the first four decide what null means."""
    if any(step.ok is False for step in steps):
        return "invalid"
    return "valid" if steps and all(step.ok for step in steps[:4]) else "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts:
    """What is known of a receipt beside its row."""

    steps: Sequence[Step] = ()
    """Of its last verification that this screen saw; empty when there was none."""
    chains: Chains = field(default_factory=Chains)
    """All receipts on this screen."""
    document: Json = None
    """The receipt itself; empty until it is there."""


def receipt_sheet(row: ReceiptRow, facts: ReceiptFacts, now_ms: int, keys: Keys) -> list[Line]:
    """Everything about one receipt.

    Args:
        row: its row.
        facts: what else is known.
        now_ms: wall time.
        keys: for hints.
    """
    lines = [
        line(
            (f"#{row.number}", "strong"),
            ("  for job ", "dim"),
            (short_id(clean(row.job, 64), 16), "link"),
            ("  by ", "dim"),
            "this node" if row.own else short_peer(row.worker),
        ),
        line((f"  {clean(row.receipt, 64)}", "link"), indent=2),
        BLANK,
    ]
    if facts.steps:
        lines += [*_steps(facts.steps), BLANK, *_conclusion(facts.steps)]
    else:
        lines += [
            line(("· not verified on this screen yet", "dim")),
            line(
                (f"  {keys.named('ui.open', 'enter')}", "key"),
                " or ",
                (keys.named("receipts verify", "V"), "key"),
                " checks all eight steps, from schema to chain",
                indent=2,
            ),
        ]
    return [
        *lines,
        BLANK,
        *chain_lines(row, facts.chains),
        BLANK,
        heading("IT SAYS"),
        *_claims(row, facts.document, now_ms),
    ]


def _steps(steps: Sequence[Step]) -> list[Line]:
    lines = []
    for number, step in enumerate(steps, 1):
        mark, ink = ("✓", "ok") if step.ok else ("✗", "alarm") if step.ok is False else ("?", "warn")
        name = _STEP_NAMES.get(step.name, clean(step.name, 20))
        lines.append(
            line((f"{mark} {number} {name:<15}", ink), (clean(step.detail, 300), "" if step.ok else ink), indent=19)
        )
    return lines


def _conclusion(steps: Sequence[Step]) -> list[Line]:
    verdict = verdict_of(steps)
    if verdict == "valid":
        return [line(("✓ valid", "ok"), ": this worker says so and cannot deny it.", indent=2)]
    if verdict == "invalid":
        place = next(number for number, step in enumerate(steps, 1) if step.ok is False)
        return [
            line(("✗ invalid", "alarm"), f": step {place} is false. Believe nothing that this receipt says.", indent=2)
        ]
    return [
        line(("? not checked", "warn"), ": nothing is false, but not enough could be checked to believe it.", indent=2)
    ]


def _claims(row: ReceiptRow, document: Json, now_ms: int) -> list[Line]:
    extra = item(document, "result", "metrics", "extra")
    lines = [
        labelled(
            "outcome",
            clean(row.outcome, 40),
            ("  exit code ", "dim"),
            (str(row.exit_code), "" if row.exit_code == 0 else "trip"),
            label_width=_LABEL,
        ),
        labelled("issued", day_clock(row.issued_ms, now_ms), label_width=_LABEL),
        labelled(
            "previous",
            (
                short_id(clean(row.previous, 64), 17)
                if row.previous != _NO_PREDECESSOR
                else "none: the first of its chain",
                "link",
            ),
            label_width=_LABEL,
        ),
    ]
    for label, key in (
        ("module", "module_hash"),
        ("engine", "orlop.engine"),
        ("fuel used", "orlop.fuel_used"),
        ("limits", "orlop.limits"),
        ("stdin", "orlop.stdin_sha256"),
        ("node", "orlop.environment"),
    ):
        said = text(extra, key, limit=300)
        if said:
            lines.append(labelled(label, said, label_width=_LABEL))
    signature = text(document, "signature", limit=128)
    if signature:
        lines.append(labelled("signature", (short_id(signature, 33), "dim"), label_width=_LABEL))
    return lines
