"""Everything about one release that is served, or about one machine that asked for it: how trust was established."""

from boot.trust.verifier import STEPS
from console.rows import MachineRow, ReleaseRow, StepRow
from console.ui.figures import bar, day_clock, due, size
from console.ui.sheet import BLANK, Line, heading, line
from console.ui.sheet import field as labelled
from console.ui.text.boot import VERDICTS, expiry_ink, place_of, rate, standing
from runtime.sanitise import clean

__all__ = ["machine_sheet", "release_sheet"]

_BAR = 20
_NAME = 11


def release_sheet(row: ReleaseRow, asked: int, now_ms: int) -> list[Line]:
    """Everything about one release.

    Args:
        row: what is known.
        asked: how many machines asked for it.
        now_ms: wall time.
    """
    ink = expiry_ink(row.expires_ms, now_ms)
    over = "expired, no machine boots it" if ink == "alarm" else due(row.expires_ms, now_ms)
    machines = f"{asked} machine{'' if asked == 1 else 's'}"
    return [
        line((clean(row.release, 64), "strong"), ("  version ", "dim"), str(row.manifest_version)),
        labelled("for", f"{clean(row.channel, 16)}, {clean(row.arch, 16)}"),
        labelled("served at", (clean(row.url, 100), "link")),
        labelled("announced", *_announced(row)),
        labelled("size", size(row.size)),
        labelled("asked by", machines),
        BLANK,
        heading("MANIFEST"),
        labelled("hash", (clean(row.hash, 64), "link")),
        labelled("created", day_clock(row.created_ms, now_ms)),
        labelled("expires", (day_clock(row.expires_ms, now_ms), ink), (f"  {over}", ink or "dim")),
        BLANK,
        heading("KEYS"),
        *_keys(row),
    ]


def _announced(row: ReleaseRow) -> tuple[tuple[str, str], ...]:
    if row.announced:
        return ((", ".join(clean(one, 60) for one in row.announced), ""),)
    return (("nowhere", "warn"), ("  machines have to be told orlop.provider=", "dim"), (clean(row.url, 100), "dim"))


def _keys(row: ReleaseRow) -> list[Line]:
    signed = [labelled("signed by", (clean(key, 64), "link")) for key in row.keys]
    if not row.threshold:
        needed = line(("as many as the root in the images asks for; no newer root is served", "dim"))
        return [*signed, needed]
    enough = len(row.keys) >= row.threshold
    words = f"{row.threshold} of {row.root_keys} keys, by root version {row.root_version}, which is served too"
    return [*signed, labelled("needed", (words, "" if enough else "trip"))]


def machine_sheet(row: MachineRow, release: ReleaseRow | None, now_ms: int) -> list[Line]:
    """Everything about one machine.

    Args:
        row: what is known.
        release: what it asked for, while that is served.
        now_ms: wall time.
    """
    word, mark, ink = standing(row)
    asked_for = (
        f"{clean(release.release, 64)}, version {release.manifest_version}" if release else "served no more, or another"
    )
    return [
        line((f"{mark} {word}", ink), ("  from ", "dim"), (clean(row.address, 60), "strong")),
        labelled("session", (clean(row.session, 32), "link")),
        labelled("asked", f"{day_clock(row.began_ms, now_ms)} for {asked_for}"),
        *_transfer(row),
        BLANK,
        line(("TRUST", "head"), ("  reported by the machine", "warn")),
        *_chain(row),
        BLANK,
        heading("RECEIPT"),
        *_receipt(row),
    ]


def _transfer(row: MachineRow) -> list[Line]:
    speed = rate(row)
    pace = f"  {size(speed)}/s" if speed is not None else ""
    last = f"  {clean(row.artifact, 64)}" if row.artifact else ""
    return [
        labelled(
            "sent",
            (bar(min(row.bytes, row.size), row.size, _BAR).replace(" ", "·"), "accent"),
            f" {size(row.bytes)} of {size(row.size)}",
            (pace, ""),
            (last, "dim"),
        )
    ]


def _chain(row: MachineRow) -> list[Line]:
    """The verifier's steps in its order, each as far as it was reported; then what was reported beside them."""
    told: dict[str, StepRow] = {}
    others: list[StepRow] = []
    for step in row.steps:
        place = place_of(step, row.steps)
        if place in STEPS:
            told[place] = step
        else:
            others.append(step)
    chain = [_step(name, told.get(name)) for name in STEPS]
    return [*chain, *(_step(step.name, step) for step in others)]


def _step(name: str, step: StepRow | None) -> Line:
    shown = f"{clean(name, 32):<{_NAME}}"
    if step is None:
        return line(("· ", "faint"), (shown, "faint"))
    if step.ok:
        return line(("✓ ", "ok"), (shown, ""), (clean(step.detail, 256), "dim"), indent=2 + _NAME)
    why = f"{step.name}: {step.detail}" if step.name != name else step.detail
    return line(("✗ ", "trip"), (shown, "trip"), (clean(why, 300), "trip"), indent=2 + _NAME)


def _receipt(row: MachineRow) -> list[Line]:
    if not row.receipt:
        return [line(("none was delivered", "dim"))]
    mark, ink = VERDICTS.get(row.verdict, ("?", "warn"))
    meaning = {
        "valid": "verified, by a key that is believed",
        "invalid": "it does not verify",
        "unchecked": "the signature fits, the key is nobody's that is believed",
    }.get(row.verdict, "")
    names = (
        ("it names the manifest that is served; a claim", "ok")
        if row.names_manifest
        else ("it does not name the manifest that is served", "warn")
    )
    doubt = [line((clean(row.doubt, 300), "trip"), indent=2)] if row.doubt and row.verdict != "valid" else []
    return [
        line((f"{mark} {clean(row.verdict, 12)}", ink), (f"  {meaning}", "dim"), indent=2),
        *doubt,
        line(names, indent=2),
        labelled("receipt", (clean(row.receipt, 64), "link")),
        labelled("key", (clean(row.key, 64), "link")),
    ]
