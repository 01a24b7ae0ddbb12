"""When a room that is done deletes itself, as far as its tasks, its setting and its members' Keep decide it."""

from runtime.rooms.autodelete import COUNTDOWN_MS, Keep, deletion_ms
from runtime.rooms.tasks import Task

DONE = 1_700_000_000_000


def task(task_id: str, updated: int, status: str = "completed") -> Task:
    return Task(id=task_id, title=task_id, status=status, created_by="me", created_at=1, updated_at=updated)


TASKS = [task("a", DONE), task("b", DONE - 5)]


def test_w24_the_countdown_is_24_hours_from_the_last_change_of_the_last_task() -> None:
    assert deletion_ms(TASKS, auto_delete=True) == DONE + COUNTDOWN_MS == DONE + 86_400_000


def test_a_room_without_the_setting_is_never_deleted() -> None:
    assert deletion_ms(TASKS, auto_delete=False) is None


def test_a_room_with_open_tasks_or_with_none_is_not_deleted() -> None:
    assert deletion_ms([*TASKS, task("c", DONE, "in_progress")], auto_delete=True) is None
    assert deletion_ms([], auto_delete=True) is None


def test_w24_keep_holds_until_a_time_or_for_good() -> None:
    until = DONE + 10 * COUNTDOWN_MS
    assert deletion_ms(TASKS, auto_delete=True, keep=Keep(DONE + 1, until)) == until
    assert deletion_ms(TASKS, auto_delete=True, keep=Keep(DONE + 1, None)) is None


def test_keep_never_brings_the_deletion_nearer() -> None:
    assert deletion_ms(TASKS, auto_delete=True, keep=Keep(DONE + 1, DONE + 2)) == DONE + COUNTDOWN_MS


def test_keep_ends_with_the_next_change_of_a_task() -> None:
    assert deletion_ms(TASKS, auto_delete=True, keep=Keep(DONE - 1, None)) == DONE + COUNTDOWN_MS
