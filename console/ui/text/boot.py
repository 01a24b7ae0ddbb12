"""Booting: rows of releases that are served and of machines that ask for them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from boot.trust.verifier import STEPS
from console.rows import MachineRow, ReleaseRow, StepRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, age, bar, due, size
from runtime.sanitise import clean

__all__ = [
    "MACHINES",
    "RELEASES",
    "VERDICTS",
    "expiry_ink",
    "failed_step",
    "machine_row",
    "marks",
    "place_of",
    "rate",
    "release_row",
    "standing",
]

_BAR = 4
_SHORT = 8
_SOON_MS = 3 * 86_400_000

RELEASES = (
    Column(name="mark", title="", width=1),
    Column(name="release", title="RELEASE", width=10, grow=2),
    Column(name="version", title="VER", width=5, right=True),
    Column(name="channel", title="CHANNEL", width=8),
    Column(name="arch", title="ARCH", width=6),
    Column(name="expires", title="EXPIRES", width=8),
    Column(name="keys", title="KEYS", width=6, priority=1),
    Column(name="size", title="SIZE", width=5, right=True, priority=2, unit="bytes"),
    Column(name="url", title="URL", width=22, grow=2, priority=3),
)

MACHINES = (
    Column(name="mark", title="", width=1),
    Column(name="machine", title="MACHINE", width=_SHORT),
    Column(name="address", title="ADDRESS", width=11, grow=1, priority=4),
    Column(name="state", title="STATE", width=8),
    Column(name="trust", title="TRUST", width=len(STEPS) + 2),
    Column(name="sent", title="SENT", width=_BAR + 6, unit="bytes"),
    Column(name="rate", title="RATE", width=7, right=True, priority=5, unit="bytes"),
    Column(name="receipt", title="RECEIPT", width=9, priority=2),
    Column(name="seen", title="SEEN", width=4, right=True, priority=3),
    Column(name="at", title="AT", width=8, grow=4, priority=1),
)

VERDICTS = {"valid": ("✓", "ok"), "invalid": ("✗", "alarm"), "unchecked": ("?", "warn")}
"""Mark and ink of each verdict about a receipt."""

_SAID = {"valid": "valid", "invalid": "false", "unchecked": "unknown"}
"""Words for a cell: the key of an unchecked one is nobody's that is known."""

_STATES = {
    "asked": ("○", "dim"),
    "fetching": ("◐", "accent"),
    "fetched": ("●", ""),
    "stopped": ("✗", "trip"),
    "booted": ("●", "ok"),
}
"""Mark and ink of how far a machine is, in the order of sorting."""

_OF_STEP: Mapping[str, str] = MappingProxyType(
    {
        "too-large": "form",
        "bad-signature": "signatures",
        "unknown-key": "signatures",
        "revoked-key": "signatures",
        "threshold": "signatures",
        "not-yet-valid": "time",
        "expired": "time",
        "rollback": "version",
    }
)
"""The step at which the verifier refuses for a reason; other reasons are called as their step."""

_ANYWHERE = "malformed"
"""Why a document is refused at whichever step reads that part of it."""

_ORDER = ("booted", "fetched", "fetching", "asked", "stopped")


def standing(row: MachineRow) -> tuple[str, str, str]:
    """How far a machine is: a word, its mark and its ink. `booted` is a claim until the receipt is valid."""
    if failed_step(row) is not None:
        word = "stopped"
    elif row.receipt:
        word = "booted"
    elif row.size and row.bytes >= row.size:
        word = "fetched"
    else:
        word = "fetching" if row.bytes else "asked"
    mark, ink = _STATES[word]
    if word == "booted" and row.verdict != "valid":
        ink = VERDICTS.get(row.verdict, ("", "warn"))[1]
    return word, mark, ink


def failed_step(row: MachineRow) -> tuple[str, str] | None:
    """Name and reason of the step at which a machine says that it stopped; the last, if it tried again."""
    failed = [step for step in row.steps if not step.ok]
    return (clean(failed[-1].name, 32), clean(failed[-1].detail, 256)) if failed else None


def place_of(step: StepRow, steps: Sequence[StepRow]) -> str:
    """The step of the verifier at which something was passed or refused; else what it is called.

    Args:
        step: that was reported.
        steps: all that were.
    """
    if step.ok or step.name in STEPS:
        return step.name
    passed = {one.name for one in steps if one.ok}
    if step.name == _ANYWHERE:
        return next((name for name in STEPS if name not in passed), step.name)
    place = _OF_STEP.get(step.name, step.name)
    return step.name if place in passed else place  # after the verifier, kernels and disks refuse in the same words


def marks(row: MachineRow) -> str:
    """A mark for each step that was reported, and one for each of the verifier's that was not."""
    known = {place_of(step, row.steps) for step in row.steps}
    told = "".join("✓" if step.ok else "✗" for step in row.steps)
    return told + "·" * sum(name not in known for name in STEPS)


def rate(row: MachineRow) -> int | None:
    """Bytes a second on average, until something was sent last; None while there is nothing to say."""
    took_ms = row.moved_ms - row.began_ms
    return row.bytes * 1000 // took_ms if row.bytes and took_ms > 0 else None


def expiry_ink(expires_ms: int, now_ms: int) -> str:
    """Loud once it is over, a warning for the last three days."""
    if expires_ms <= now_ms:
        return "alarm"
    return "warn" if expires_ms - now_ms < _SOON_MS else ""


def release_row(row: ReleaseRow, now_ms: int) -> Row:
    """A row of the releases.

    Args:
        row: what is known.
        now_ms: wall time.
    """
    ink = expiry_ink(row.expires_ms, now_ms)
    keys = f"{len(row.keys)}/{row.threshold}" if row.threshold else str(len(row.keys))
    few = row.threshold > len(row.keys)
    cells = (
        "✗" if ink == "alarm" else "●",
        clean(row.release, 64),
        str(row.manifest_version),
        clean(row.channel, 16),
        clean(row.arch, 16),
        "expired" if ink == "alarm" else due(row.expires_ms, now_ms),
        keys,
        size(row.size),
        clean(row.url, 100),
    )
    inks = (ink or "ok", "strong", "", "", "", ink, "trip" if few else "", "dim", "link")
    values = (
        row.expires_ms,
        row.release,
        row.manifest_version,
        row.channel,
        row.arch,
        row.expires_ms,
        len(row.keys),
        row.size,
        row.url,
    )
    return Row(key=row.url, cells=cells, values=values, inks=inks)


def machine_row(row: MachineRow, now_ms: int) -> Row:
    """A row of the machines.

    Args:
        row: what is known.
        now_ms: wall time.
    """
    word, mark, ink = standing(row)
    speed = rate(row)
    sign, verdict_ink = VERDICTS.get(row.verdict, ("", "faint"))
    failed = failed_step(row)
    at = _at(row, failed)
    cells = (
        mark,
        row.session[:_SHORT],
        clean(row.address, 45),
        word,
        marks(row),
        f"{bar(min(row.bytes, row.size), row.size, _BAR).replace(' ', '·')} {size(row.bytes):>5}",
        NOTHING if speed is None else f"{size(speed)}/s",
        f"{sign} {_SAID.get(row.verdict, '')}" if row.verdict else NOTHING,
        age(row.seen_ms, now_ms),
        at,
    )
    inks = (
        ink,
        "link",
        "",
        ink,
        "steps",
        "" if row.bytes else "faint",
        "dim",
        verdict_ink,
        "dim",
        "trip" if failed else "dim",
    )
    values = (
        _ORDER.index(word),
        row.session,
        row.address,
        word,
        len(row.steps),
        row.bytes,
        speed,
        row.verdict,
        row.seen_ms,
        at,
    )
    return Row(key=row.session, cells=cells, values=values, inks=inks)


def _at(row: MachineRow, failed: tuple[str, str] | None) -> str:
    """Why it stopped, else the step that it passed last, else what it gets."""
    if failed is not None:
        name, why = failed
        return f"{name}: {why}" if why else name
    if row.steps:
        return clean(row.steps[-1].name, 32)
    return clean(row.artifact, 64) or "manifest"
