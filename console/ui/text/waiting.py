"""What a task may wait for: the other tasks of its room, and why some of them would close a circle. Pure."""

from collections import deque
from collections.abc import Mapping

from console.client import Json
from console.table_rows import Column, Row
from console.ui.text.documents import objects, text, texts

__all__ = ["WAIT_COLUMNS", "circles", "waiting_rows"]

WAIT_COLUMNS = (
    Column(name="chosen", title="", width=3),
    Column(name="status", title="STATUS", width=7, priority=1),
    Column(name="title", title="TITLE", width=24, grow=2),
    Column(name="why", title="", width=20, grow=1, priority=2),
)
_MOST = 6
"""Tasks of a way that are named."""

_WORDS = {"pending": "open", "in_progress": "doing", "completed": "done"}


def circles(document: Json, task: str) -> Mapping[str, str]:
    """The tasks that one cannot wait for, and why: each waits, on a way that is told, for that one itself.

    Args:
        document: the room, as `rooms show` has it.
        task: id of the task that would wait; empty for one that is not made yet, for which nothing waits.
    """
    if not task:
        return {}
    titles = {text(each, "id", limit=80): text(each, "title", limit=24) for each in objects(document, "tasks")}
    waiting: dict[str, list[str]] = {}
    for each in objects(document, "tasks"):
        for other in texts(each, "blockedBy"):
            waiting.setdefault(other, []).append(text(each, "id", limit=80))
    following = {task: ""}
    queue = deque([task])
    while queue:
        here = queue.popleft()
        for key in waiting.get(here, ()):
            if key not in following:
                following[key] = here
                queue.append(key)
    return {
        key: f"it waits for this one: {' → '.join(_way(key, following, titles))}" for key in following if key != task
    }


def _way(start: str, following: Mapping[str, str], titles: Mapping[str, str]) -> list[str]:
    """Titles on the way from a task to the one for which it waits; of a long one the first."""
    way = [titles.get(start, start)]
    while (start := following[start]) and len(way) < _MOST:
        way.append(titles.get(start, start))
    return way


def waiting_rows(document: Json, task: str, chosen: frozenset[str]) -> list[Row]:
    """The tasks that one may wait for, those that are chosen ticked, the ones that are done last.

    Args:
        document: the room, as `rooms show` has it.
        task: id of the task that waits; empty for one that is not made yet.
        chosen: ids of the tasks that it is to wait for.
    """
    rows = []
    refused = circles(document, task)
    for each in objects(document, "tasks"):
        key = text(each, "id", limit=80)
        status, title = text(each, "status"), text(each, "title", limit=200)
        why = refused.get(key, "")
        if key == task:
            continue
        box, ink = ("[✓]", "ok") if key in chosen else (" ✗ ", "warn") if why else ("[ ]", "dim")
        done = status == "completed"
        rows.append(
            Row(
                key=key,
                cells=(box, _WORDS.get(status, status[:7]), title, why),
                values=(int(key in chosen), status, title, why),
                inks=(ink, "dim", "dim" if why else "faint" if done else "", "warn"),
                band=int(done),
            )
        )
    return rows
