"""Everything about one component: how it is, what it may, its limits, what was denied, what it asked for, its log."""

from console.client import Json
from console.rows import ComponentRow
from console.ui.bound import Keys
from console.ui.figures import NOTHING, bar, clock, count, day_clock, millis, size, took
from console.ui.sheet import BLANK, Line, Span, heading, line
from console.ui.sheet import field as labelled
from console.ui.text.component_events import why_denied
from console.ui.text.components import HEALTH, at_rest, standing
from console.ui.text.documents import Object, flag, integer, item, objects, text, texts
from console.ui.text.jobs import how_full
from runtime.sanitise import clean

__all__ = ["LEVELS", "component_sheet", "log_line", "rule_label", "rule_words"]

_LABEL = 10
_BAR = 14
_DENIALS = 5
_CALLS = 15
_LINES = 20
_SHORT = 16
_PREFIX = "permissions."

LEVELS = {"plain": ("", ""), "risky": ("! risky", "warn"), "red": ("‼ red", "alarm")}
"""Word and ink of how much thought a permission needs."""

_HABITS = (
    ("autostart", True, "starts with orlop"),
    ("stateful", False, "a fresh instance for each operation"),
)
_SOURCES = {"private": "its own, kept", "temp": "its own, emptied when it stops"}
_LOG_INKS = {"error": "trip", "critical": "alarm", "warn": "warn", "debug": "faint", "trace": "faint"}


def rule_label(rule: str) -> str:
    """The id of a rule as commands take it."""
    return rule.removeprefix(_PREFIX)


def rule_words(rule: Object) -> str:
    """What is asked for in plain words, what needs thought marked in front."""
    level, why = LEVELS.get(text(rule, "level"), ("", ""))[0], text(rule, "why", limit=400)
    return f"{f'{level}: ' if level else ''}{text(rule, 'text', limit=200)}{f' ({why})' if why else ''}"


def component_sheet(row: ComponentRow, document: Json, now_ms: int, keys: Keys) -> list[Line]:
    """Everything about one component.

    Args:
        row: its row.
        document: as `components show` has it; None until it is there.
        now_ms: wall time.
        keys: for hints.
    """
    return [
        *_head(row, document, now_ms),
        *_trouble(row, keys),
        BLANK,
        heading("HEALTH"),
        *_health(row, document),
        BLANK,
        _headed("MAY", keys.named("components permissions", "c"), "changes it"),
        *_permissions(row, document),
        BLANK,
        heading("LIMITS"),
        *_limits(row, document),
        *_mounts(document),
        BLANK,
        heading("DENIED"),
        *_denials(row, document, now_ms),
        BLANK,
        heading("ASKED OF ITS HOST"),
        *_audit(document, now_ms),
        BLANK,
        _headed("LOG", keys.named("components logs", "L"), "shows all of it"),
        *_log(document),
    ]


def _headed(title: str, key: str, does: str) -> Line:
    return line((title, "head"), (f"  {key}", "key"), (f" {does}", "dim"))


def _head(row: ComponentRow, document: Json, now_ms: int) -> list[Line]:
    mark, ink = standing(row)
    signed = "nobody signed it" if row.mark == "unsigned" else f"signed by {clean(row.mark, 64)[:_SHORT]}…"
    about, authors = clean(row.description, 300), ", ".join(texts(document, "authors"))
    written = " · ".join(part for part in (authors, text(document, "license", limit=60)) if part)
    since = integer(document, "installed_ms")
    habits = [words for name, is_on, words in _HABITS if flag(document, name) is is_on]
    called = f"{count(row.calls)} call{'' if row.calls == 1 else 's'}"
    again = f"{row.restarts} restart{'' if row.restarts == 1 else 's'}"
    return [
        line((f"{mark} {clean(row.state, 12)}", ink), ("  ", ""), (clean(row.component, 140), "strong")),
        *([line((about, ""))] if about else []),
        *([line((written, "dim"))] if written else []),
        labelled("version", clean(row.version, 64), (f"  {signed}", "warn" if row.mark == "unsigned" else "ok")),
        labelled("world", clean(row.world, 80), label_width=_LABEL),
        labelled("installed", day_clock(since, now_ms), ("  ", ""), (clean(row.hash, 64)[:_SHORT] + "…", "link")),
        labelled("so far", f"{called}, {again}", label_width=_LABEL),
        *([line((", ".join(habits), "dim"))] if habits else []),
    ]


def _trouble(row: ComponentRow, keys: Keys) -> list[Line]:
    run = keys.named("components run", "r")
    why = clean(row.reason, 300)
    if row.state == "given-up":
        told = line((f"✗ given up: {why}" if why else "✗ given up", "alarm"), indent=2)
        what = "  It fell too often and stays down until you start it: "
        return [BLANK, told, line(what, (run, "key"), " does that.", indent=2)]
    if row.state == "failed":
        return [BLANK, line((f"✗ {why}" if why else "✗ failed", "trip"), indent=2)]
    if row.state == "suspended":
        resume = keys.named("components suspend", "u")
        return [BLANK, line(("◌ it rests; its messages wait. ", "warn"), (resume, "key"), (" lets it go on.", "warn"))]
    return [BLANK, line((why, "dim"))] if why else []


def _health(row: ComponentRow, document: Json) -> list[Line]:
    every = integer(document, "health_interval")
    how = f", asked every {took(every)}" if every else ""
    if at_rest(row):
        said = line(("it does not run", "dim"))
    else:
        said = line((clean(row.status, 12), HEALTH.get(row.status, "dim")), (how, "dim"))
    detail = "" if at_rest(row) else clean(row.detail, 256)
    restart, most, window = text(document, "restart"), integer(document, "max_restarts"), integer(document, "window")
    after = [line((_restarts(restart, most or 0, window or 0), "dim"))] if restart else []
    return [said, *([line((f"  {detail}", ""), indent=2)] if detail else []), *after]


def _restarts(restart: str, most: int, window: int) -> str:
    if restart == "never":
        return "when it falls it stays down"
    often = f"at most {most} times in {took(window)}"
    return f"starts again {'whenever it ends' if restart == 'always' else 'when it falls'}, {often}"


# --- permissions ----------------------------------------------------------------------------------------------------


def _permissions(row: ComponentRow, document: Json) -> list[Line]:
    if document is None:
        return [line(("asking…", "dim"))]
    asked, added = objects(document, "asked"), objects(document, "added")
    lines = [_rule(one, "") for one in asked] + [_rule(one, "added by you") for one in added]
    version = line((f"rules version {row.rules_version}", "faint"))
    return [*lines, version] if lines else [line(("nothing beyond its own memory", "dim"))]


def _rule(rule: Object, origin: str) -> Line:
    held = flag(rule, "in_force") is not False
    word, ink = LEVELS.get(text(rule, "level"), ("", ""))
    why = text(rule, "why", limit=200)
    spans: list[Span] = [("✓ " if held else "· ", "ok" if held else "faint")]
    spans.append((text(rule, "text", limit=200), (ink if held else "dim")))
    if not held:
        spans.append(("  withheld", "warn"))
    if origin:
        spans.append((f"  {origin}", "agent"))
    if word:
        spans.append((f"  {word}" + (f": {why}" if why else ""), ink if held else "dim"))
    spans.append((f"  {rule_label(text(rule, 'rule', limit=100))}", "faint"))
    return line(*spans, indent=2)


# --- limits ---------------------------------------------------------------------------------------------------------


def _limits(row: ComponentRow, document: Json) -> list[Line]:
    handles, cpu_ms = integer(document, "handles_used"), integer(document, "cpu_used_ms")
    lines = [
        _bar("mailbox", row.mailbox, row.mailbox_max, count(row.mailbox), count(row.mailbox_max)),
        _bar("storage", integer(document, "storage_used"), row.storage_max, *_sizes(document, row)),
    ]
    most_cpu = f"{took(row.cpu_max_ms)} a minute"
    if handles is not None:  # a document of an older core does not say what is used of them
        lines.append(_bar("handles", handles, row.handles_max, count(handles), count(row.handles_max)))
    if cpu_ms is not None:
        lines.append(_bar("cpu", cpu_ms, row.cpu_max_ms, took(cpu_ms), most_cpu))
    limits = item(document, "limits")
    call = integer(limits, "call_timeout")
    parts = [
        f"memory {size(row.memory_max)}",
        *([f"handles {count(row.handles_max)}"] if handles is None else []),
        *([f"cpu {most_cpu}"] if cpu_ms is None else []),
        *([f"a call {took(call)}"] if call else []),
        *[f"{name.replace('_', ' ')} {count(value)}" for name in _COUNTS if (value := integer(limits, name))],
    ]
    return [*lines, line(("  " + " · ".join(parts), "dim"), indent=2)]


_COUNTS = ("open_files", "sockets", "children")


def _sizes(document: Json, row: ComponentRow) -> tuple[str, str]:
    used = integer(document, "storage_used")
    return NOTHING if used is None else size(used), size(row.storage_max)


def _bar(label: str, used: int | None, most: int, used_words: str, most_words: str) -> Line:
    return line(
        (f"  {label:<8} ", "dim"),
        (bar(used, most, _BAR).replace(" ", "·"), how_full(used, most)),
        f" {used_words:>6}",
        (f" of {most_words}", "dim"),
    )


def _mounts(document: Json) -> list[Line]:
    found = objects(document, "mounts")
    return [BLANK, heading("FOLDERS"), *map(_mount, found)] if found else []


def _mount(mount: Object) -> Line:
    host = text(mount, "host", limit=200)
    source = text(mount, "source", limit=10)
    where = host or _SOURCES.get(source, "")
    only = "  read only" if flag(mount, "read_only") else ""
    return line((f"  {text(mount, 'guest', limit=200)}", "link"), f"  {where}", (only, "dim"), indent=4)


# --- what it asked for ----------------------------------------------------------------------------------------------


def _denials(row: ComponentRow, document: Json, now_ms: int) -> list[Line]:
    found = objects(document, "denials")[:_DENIALS]
    if not found:
        return [line(("nothing that the journal has", "dim"))]
    return [each for denial in found for each in _denial(denial, row.component, now_ms)]


def _denial(denial: Object, component: str, now_ms: int) -> list[Line]:
    what = f"{text(denial, 'op', limit=80)} {text(denial, 'target', limit=200)}".rstrip()
    why = why_denied(text(denial, "rule", limit=100), integer(denial, "line"))
    remedy = text(denial, "remedy", limit=300)
    way = f"orlop components permissions {clean(component, 140)} {remedy}" if remedy else ""
    return [
        line(
            (f"{day_clock(integer(denial, 'ts_ms'), now_ms)} ", "dim"),
            (f"✗ {what}", "trip"),
            (_times(denial), "warn"),
            (f"  {why}", ""),
            indent=9,
        ),
        line((" " * 9, ""), ("allow it: ", "dim") if way else ("nothing allows this", "dim"), (way, "link"), indent=9),
    ]


def _audit(document: Json, now_ms: int) -> list[Line]:
    found = objects(document, "audit")[:_CALLS]
    return [_call(one, now_ms) for one in found] or [line(("nothing that the journal has", "dim"))]


def _call(one: Object, now_ms: int) -> Line:
    denied = text(one, "type") == "component.denied"
    what = f"{text(one, 'op', limit=80)} {text(one, 'target', limit=200)}".rstrip()
    if denied:
        end: Span = ("denied", "trip")
    else:
        outcome = text(one, "outcome", limit=40)
        end = (outcome, "ok" if outcome == "ok" else "warn")
    bulk = integer(one, "bytes")
    figures = [millis(integer(one, "duration_us"))] if not denied else []
    figures += [size(bulk)] if bulk else []
    rule = rule_label(text(one, "rule", limit=100))
    return line(
        (f"{day_clock(integer(one, 'ts_ms'), now_ms)} ", "dim"),
        (what, ""),
        (_times(one), "dim"),
        ("  ", ""),
        end,
        (f" {' '.join(figures)}" if figures else "", "dim"),
        (f"  {rule}" if rule else "", "faint"),
        indent=9,
    )


def _times(one: Object) -> str:
    calls = integer(one, "calls") or 1
    return f" ×{calls:,}" if calls > 1 else ""  # noqa: RUF001 - so many times


def _log(document: Json) -> list[Line]:
    found = objects(document, "log")[-_LINES:]
    return [log_line(one) for one in found] or [line(("nothing written", "dim"))]


def log_line(one: Object) -> Line:
    """A line that a component wrote."""
    level = text(one, "level", limit=10)
    return line(
        (f"{clock(integer(one, 'ts_ms'))} ", "dim"),
        (f"{level:<5} ", _LOG_INKS.get(level, "faint")),
        (text(one, "text", limit=4_096), ""),
        indent=15,
    )
