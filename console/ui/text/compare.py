"""A receipt's run beside the run that repeated it, point by point. Pure."""

from console.client import Json
from console.ui.figures import short_id
from console.ui.sheet import BLANK, Line, Span, line
from console.ui.text.documents import flag, objects, text

__all__ = ["compare_sheet"]

_VERDICTS: dict[str, Span] = {
    "same": ("✓ the same", "ok"),
    "different": ("✗ different", "alarm"),
    "inconclusive": ("? inconclusive", "warn"),
}
_POINTS: dict[bool | None, tuple[str, str]] = {True: ("✓", "ok"), False: ("✗", "trip"), None: ("?", "warn")}
_UNKNOWN = "not known"


def compare_sheet(document: Json) -> list[Line]:
    """What `receipts rerun` found.

    Args:
        document: its answer.
    """
    verdict, ink = _VERDICTS.get(text(document, "verdict", limit=20), _VERDICTS["inconclusive"])
    lines = [
        line((verdict, ink), f": {text(document, 'detail', limit=400)}", indent=2),
        line(
            ("  job ", "dim"),
            (short_id(text(document, "job", limit=64), 17), "link"),
            ("  its receipt ", "dim"),
            (short_id(text(document, "rerun", limit=64), 17), "link"),
            ("  deterministic" if flag(document, "deterministic") else "  not deterministic", "dim"),
            indent=2,
        ),
        BLANK,
    ]
    for point in objects(document, "compared"):
        lines += _point(text(point, "name", limit=20), flag(point, "same"), _said(point, "was"), _said(point, "is"))
    return lines


def _said(point: Json, name: str) -> str:
    return text(point, name, limit=200) or _UNKNOWN


def _point(name: str, same: bool | None, was: str, now: str) -> list[Line]:
    mark, ink = _POINTS[same]
    if same:
        return [line((f"{mark} {name:<12}", ink), was, indent=14)]
    return [
        line((f"{mark} {name:<12}", ink), ("was ", "dim"), was, indent=18),
        line((" " * 14, ""), ("is  ", "dim"), (now, ink), indent=18),
    ]
