"""The interface between host and agents as data: names and types, without the engine that links them."""

from types import MappingProxyType
from typing import Final, Literal

from runtime.agents.manifest import Permission
from runtime.sandbox.facts import FuncType

__all__ = ["ENTRIES", "ENTRY_POINTS", "FUNCTIONS", "MEMORY", "MODULE", "NEEDS", "NOW", "NOW_TYPES", "Trigger"]


MODULE: Final = "env"
"""The module that every import names."""
MEMORY: Final = "memory"
NOW: Final = "host_get_now"
NOW_TYPES: Final = ("i32", "i64", "f64")
"""The result types that `host_get_now` may be declared with; the declared one decides."""
ENTRY_POINTS: Final = ("init", "on_task_event", "on_tick")

Trigger = Literal["init", "event", "tick"]
"""What a call is made for."""

ENTRIES: Final = MappingProxyType({"init": "init", "event": "on_task_event", "tick": "on_tick"})
"""The entry point of each trigger."""

_GET: Final = FuncType(("i32", "i32"), ("i32",))
_PUT: Final = FuncType(("i32", "i32"), ())

FUNCTIONS: Final = MappingProxyType(
    {
        "host_get_tasks": _GET,
        "host_get_members": _GET,
        NOW: FuncType((), ("i32",)),
        "host_get_event": _GET,
        "host_emit_event": _PUT,
        "host_get_state": _GET,
        "host_set_state": _PUT,
        "host_log": _PUT,
        "host_get_assignment_data": _GET,
        "host_emit_assignment": FuncType(("i32", "i32", "i32", "i32"), ()),
        "host_get_dependency_data": _GET,
        "host_emit_urgency": _PUT,
    }
)
"""The twelve host functions."""

_TASKS: Final = (Permission.READ_TASKS,)
_MEMBERS: Final = (Permission.READ_MEMBERS,)
_EMIT: Final = (Permission.EMIT_EVENTS,)
_STATE: Final = (Permission.PERSIST_STATE,)

NEEDS: Final = MappingProxyType(
    {
        "host_get_tasks": _TASKS,
        "host_get_members": _MEMBERS,
        NOW: (),
        "host_get_event": (),
        "host_emit_event": _EMIT,
        "host_get_state": _STATE,
        "host_set_state": _STATE,
        "host_log": (),
        "host_get_assignment_data": _TASKS + _MEMBERS,
        "host_emit_assignment": _EMIT + _TASKS,
        "host_get_dependency_data": _TASKS,
        "host_emit_urgency": _EMIT + _TASKS,
    }
)
"""The permissions that each host function asks for."""
