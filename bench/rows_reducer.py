"""The fold of task events."""

from typing import Final

from bench.measure import Figure, alternate, figure, wall_us
from runtime.rooms.tasks import Folding, TaskEvent

__all__ = ["measure"]

_TASKS: Final = 1_000
_ACTOR: Final = "M" * 43


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds, changes = (3, 2) if quick else (20, 9)
    events = _events(changes)
    many = len(events)

    def folded() -> None:
        folding = Folding()
        for event in events:
            folding.apply(event)
        if len(folding.state().tasks) != _TASKS:
            raise RuntimeError("tasks are missing")

    def watched() -> None:
        folding = Folding()
        for number, event in enumerate(events):
            folding.forget()  # as a room does when the time goes on
            folding.apply(event)
            if number % 10 == 0:
                folding.state()

    def merged() -> None:
        tasks: dict[str, dict[str, object]] = {}
        for event in events:
            tasks[event.task_id] = {**tasks.get(event.task_id, {}), **(event.task or {})}

    fold, watch, merge = alternate(
        rounds, lambda: wall_us(folded) / many, lambda: wall_us(watched) / many, lambda: wall_us(merged) / many
    )
    baseline = ("merge of two dicts, no rules", merge)
    return [
        figure("event folded", "µs", fold, against=baseline, note=f"{1e6 / min(fold):,.0f} events/s"),
        figure(f"the same, a state taken after every tenth, {_TASKS:,} tasks", "µs", watch, against=baseline),
    ]


def _events(changes: int) -> list[TaskEvent]:
    """Every task created, then changed so often, all tasks in turns."""
    made = []
    for turn in range(changes + 1):
        for number in range(_TASKS):
            payload: dict[str, str | int | list[str]] = {"status": ("pending", "in_progress", "completed")[turn % 3]}
            if turn == 0:
                payload |= {"id": f"task-{number}", "title": f"Task {number}", "createdBy": _ACTOR, "createdAt": number}
                payload |= {"blockedBy": [f"task-{number - 1}"]} if number % 10 else {}
            made.append(
                TaskEvent(
                    type="task_status_changed" if turn else "task_created",
                    task_id=f"task-{number}",
                    task=payload,
                    timestamp=turn * _TASKS + number + 1,
                    actor_id=_ACTOR,
                )
            )
    return made
