"""What a tick of each shipped agent costs, in a small room and in a large one, once it has done its work."""

from collections.abc import Callable
from typing import Final

import wasmtime

from bench.guests import shipped
from bench.measure import Figure, alternate, figure, wall_us
from bench.rows_call import sandbox_of
from runtime.agents.calls import perform
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentModule, Sandbox
from runtime.agents.manifest import Permission
from runtime.agents.view import AgentView
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task

__all__ = ["measure"]

_NOW: Final = 1_700_000_000_000
_MEMBER: Final = "M" * 43
_NAMES: Final = ("auto-balance", "unblock", "due-watch", "triage", "digest")
_RULES: Final = "; ".join(f"*word{number}* -> urgent" for number in range(20))
_SMALL: Final = 100


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds = 5 if quick else 30
    sandbox = sandbox_of()
    lines = [
        line
        for tasks in (_SMALL, 1_000 if quick else 10_000)
        for line in _in_a_room(sandbox, _room(tasks), tasks, rounds)
    ]
    sandbox.ticker.close()  # type: ignore[attr-defined]
    return lines


def _in_a_room(sandbox: Sandbox, view: AgentView, tasks: int, rounds: int) -> list[Figure]:
    samples = alternate(rounds, *(_ticks(sandbox, view, name, 20 if tasks == _SMALL else 1) for name in _NAMES))
    return [
        figure(f"tick of {name} in a room of {tasks:,} tasks", "µs", found)
        for name, found in zip(_NAMES, samples, strict=True)
    ]


def _ticks(sandbox: Sandbox, view: AgentView, name: str, times: int) -> Callable[[], float]:
    """Ticks of one instance, whose first ones, which find everything new, do not count."""
    module = AgentModule.of(wasmtime.Module(sandbox.engine, shipped(name).read_bytes()))
    kept: list[bytes | None] = [None]

    def host() -> HostCall:
        return HostCall(view, frozenset(Permission), kept[0], lambda: _NOW, None)

    instance = perform(sandbox, module, None, host(), "init", tasks=view.tasks).instance

    def tick() -> None:
        call = host()
        if not perform(sandbox, module, instance, call, "tick", tasks=view.tasks).ok:
            raise RuntimeError(f"{name} failed")
        kept[0] = call.state

    tick()
    tick()
    return lambda: wall_us(tick, times)


def _room(tasks: int) -> AgentView:
    """A room in which everybody is busy and nothing is due, with rules that fit nothing."""
    listed = [
        Task(
            id=f"{number:036d}",
            title=f"Task number {number}",
            status="in_progress",
            due_at=_NOW + 86_400_000,
            blocked_by=(f"{number - 1:036d}",) if number % 10 == 1 else None,
            created_by=_MEMBER,
            created_at=_NOW,
            updated_at=_NOW,
            assignee=_MEMBER,
        )
        for number in range(tasks - 1)
    ]
    rules = Task(
        id="rules",
        title="triage-rules",
        status="in_progress",
        description=_RULES,
        created_by=_MEMBER,
        created_at=_NOW,
        updated_at=_NOW,
        assignee=_MEMBER,
    )
    found = {task.id: task for task in (*listed, rules)}
    return AgentView(found, [Member(identity_key=_MEMBER, display_name="me", is_self=True)])
