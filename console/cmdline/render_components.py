"""How documents about components look to people."""

from collections.abc import Callable, Mapping

from console.output import Column, Item, facts, items_of, list_of, moment, table, text, text_of, word
from runtime.sanitise import clean

__all__ = ["COMPONENTS", "asked_text"]

_MARKS: Mapping[str, str] = {"plain": " ", "risky": "!", "red": "‼"}
_COMPONENTS = (
    Column("COMPONENT", word("component"), limit=40),
    Column("VERSION", word("version"), limit=20),
    Column("STATE", word("state")),
    Column("HEALTH", word("status")),
    Column("RESTARTS", word("restarts"), right=True),
    Column("CALLS", word("calls"), right=True),
    Column("DENIED", word("denied"), right=True),
    Column("MAIL", word("mailbox"), right=True),
    Column("REASON", word("reason"), limit=60),
)


def asked_text(value: Item) -> str:
    """What a component asks for, a line each, the riskiest first.

    Args:
        value: the document of `components inspect`.
    """
    head = facts([(name, word(name)(value)) for name in ("component", "version", "description", "world", "mark")])
    lines = [_asked(one) for one in items_of(value, "asked")]
    return head + ("asks for nothing\n" if not lines else "asks for\n" + "".join(lines))


def _asked(one: Item) -> str:
    mark = _MARKS.get(text(one, "level"), "?")
    why = f" — {clean(text(one, 'why'), 200)}" if one.get("why") else ""
    reason = f" (“{clean(text(one, 'reason'), 200)}”)" if one.get("reason") else ""
    rule = f"  [{clean(text(one, 'rule').removeprefix('permissions.'), 80)}]" if one.get("rule") else ""
    return f"  {mark} {clean(text(one, 'text'), 200)}{why}{reason}{rule}\n"


def _checked(value: Item) -> str:
    if "manifest" in value:
        return text(value, "manifest")
    return f"{clean(text(value, 'component'), 140)}: nothing is wrong\n"


def _inspected(value: Item) -> str:
    imports = "".join(f"  {clean(text_of(one), 120)}\n" for one in list_of(value, "imports"))
    hashes = facts([("hash", word("hash")(value)), ("folder", word("folder_hash")(value))])
    return f"{asked_text(value)}{hashes}imports\n{imports or '  nothing'}\n"


def _signed(value: Item) -> str:
    if "manifest" in value:
        return text(value, "manifest")
    return facts([(name, word(name)(value)) for name in ("component", "out", "signer")])


def _listed(value: Item) -> str:
    return table(_COMPONENTS, items_of(value, "items"), empty="no components")


def _shown(value: Item) -> str:
    names = ("component", "version", "description", "state", "reason", "status", "detail", "restarts", "world", "mark")
    added = items_of(value, "added")
    told = [
        facts([(name, word(name)(value)) for name in names if text(value, name)]),
        _permissions({**value, "version": value.get("rules_version"), "added": [_rule(one) for one in added]}),
    ]
    for title, name in (("denied", "denials"), ("asked of the host", "audit")):
        lines = [_request(one, text(value, "component")) for one in items_of(value, name)]
        told.append(f"{title}\n" + ("".join(lines) or "  nothing\n"))
    return "".join(told) + "log\n" + (_logs({"items": value.get("log")}) or "  nothing\n")


def _rule(one: Item) -> str:
    return f"{text(one, 'text')}  {text(one, 'rule')}"


def _request(one: Item, component: str) -> str:
    times = f", {text(one, 'calls')} times" if one.get("calls") != 1 else ""
    said = f"  {moment('ts_ms')(one)}  {clean(text(one, 'op'), 80)} {clean(text(one, 'target'), 200)}{times}"
    if one.get("type") != "component.denied":
        return f"{said}: {clean(text(one, 'outcome'), 60)}\n"
    line = f", Component.toml:{text(one, 'line')}" if one.get("line") else ""
    rule = clean(text(one, "rule"), 100) or "no rule allows it"
    remedy = clean(text(one, "remedy"), 300)
    way = f"\n      orlop components permissions {clean(component, 140)} {remedy}" if remedy else ""
    return f"{said}: denied, {rule}{line}{way}\n"


def _ran(value: Item) -> str:
    return _state(value) if "state" in value else ""  # what an operation returned is printed as it is


def _state(value: Item) -> str:
    return f"{clean(text(value, 'component'), 140)} is {clean(text(value, 'state'), 20)}\n"


def _logs(value: Item) -> str:
    lines = items_of(value, "items")
    return "".join(
        f"{moment('ts_ms')(one)}  {text(one, 'level'):5}  {clean(text(one, 'text'), 4096)}\n" for one in lines
    )


def _permissions(value: Item) -> str:
    lines = []
    for one in items_of(value, "asked"):
        held = "in force" if one.get("in_force") else "withheld"
        lines.append(f"  {held:8}  {clean(text(one, 'text'), 160)}  [{clean(text(one, 'rule'), 80)}]\n")
    lines += [f"  added     [{clean(text_of(one), 160)}]\n" for one in list_of(value, "added")]
    return f"{clean(text(value, 'component'), 140)}, rules version {text(value, 'version')}\n" + "".join(lines)


def _uninstalled(value: Item) -> str:
    return f"{clean(text(value, 'component'), 140)} is gone\n"


def _bindings(value: Item) -> str:
    return (
        f"{clean(text(value, 'world'), 80)} for {text(value, 'language')} is in {clean(text(value, 'folder'), 200)}\n"
    )


COMPONENTS: Mapping[str, Callable[[Item], str]] = {
    "components check": _checked,
    "components inspect": _inspected,
    "components sign": _signed,
    "components list": _listed,
    "components show": _shown,
    "components run": _ran,
    "components stop": _state,
    "components suspend": _state,
    "components resume": _state,
    "components logs": _logs,
    "components permissions": _permissions,
    "components uninstall": _uninstalled,
    "components bindings": _bindings,
}
