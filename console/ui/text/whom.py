"""Who is meant by what was typed: the members of a room by name or key, and how much each has to do. Pure."""

from console.client import Json
from console.ui.figures import short_id
from console.ui.text.documents import Object, objects, text
from console.ui.text.tasks import KEY_SHOWN

__all__ = ["member_names", "reference_of", "whom"]

_LEAST = 4
"""Characters of a key that name a member at least."""


def member_names(document: Json) -> list[str]:
    """The display names, self first."""
    return [name for member in objects(document, "members") if (name := text(member, "displayName", limit=40))]


def _fitting(document: Json, typed: str) -> list[Object]:
    members = objects(document, "members")
    by_key = [m for m in members if len(typed) >= _LEAST and str(m.get("identityKey", "")).startswith(typed)]
    return by_key or [member for member in members if member.get("displayName") == typed]


def reference_of(document: Json, typed: str) -> str:
    """What a command takes for a member: the key where exactly one fits, else what was typed, which the core judges."""
    fitting = _fitting(document, typed)
    return str(fitting[0].get("identityKey")) if len(fitting) == 1 else typed


def whom(document: Json, typed: str) -> str:
    """Whose name or key was typed, and how many open tasks that member has; what is wrong; or nothing."""
    if not typed:
        return ""
    fitting = _fitting(document, typed)
    if not fitting:
        return "no member is called so; → completes a name"
    if len(fitting) > 1:
        keys = ", ".join(short_id(text(each, "identityKey", limit=80), KEY_SHOWN) for each in fitting[:4])
        return f"{len(fitting)} members are called so: type the key instead, {keys}"
    key = text(fitting[0], "identityKey", limit=80)
    tasks = objects(document, "tasks")
    load = sum(text(t, "assignee", limit=80) == key and text(t, "status") != "completed" for t in tasks)
    name = text(fitting[0], "displayName", limit=40)
    return f"{name} {short_id(key, KEY_SHOWN)}, {load or 'no'} open task{'' if load == 1 else 's'}"
