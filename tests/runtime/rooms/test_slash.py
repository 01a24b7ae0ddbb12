"""The `/task` line."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UsageError
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.slash import NewTask, command_of, drafts, is_task_command, parse, parse_due

NOW = int(datetime(2026, 1, 30, 12, 0, tzinfo=UTC).timestamp()) * 1000
HOUR = 3_600_000


def test_all_directives() -> None:
    line = "/task Ship it | split into: build, , test | due: 2h | desc: with care | urgent"
    assert parse(line, NOW) == NewTask(
        title="Ship it", description="with care", due_at=NOW + 2 * HOUR, urgent=True, subtasks=("build", "test")
    )


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("/task a", "a"),
        ("/taskfoo", "foo"),
        ("/TASK  a b ", "a b"),
        ("/task a|nonsense: 5| |x", "a"),
        ("/task: a", ": a"),
    ],
)
def test_the_title_ends_at_the_first_bar_and_unknown_directives_are_ignored(line: str, title: str) -> None:
    assert parse(line, NOW) == NewTask(title=title)


def test_directives_do_not_mind_case_or_blanks() -> None:
    found = parse("/task a | URGENT | Split  Into : x | DESC: d | Due: 30M", NOW)
    assert found == NewTask(title="a", urgent=True, subtasks=("x",), description="d", due_at=NOW + HOUR // 2)


@pytest.mark.parametrize("line", ["/task", "/task  | urgent", "task a", "", "/tas a"])
def test_without_a_title_or_the_command_it_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        parse(line, NOW)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("30m", NOW + HOUR // 2),
        ("+2h", NOW + 2 * HOUR),
        ("1d 12h", NOW + 36 * HOUR),
        ("2 days", NOW + 48 * HOUR),
        ("1w", NOW + 168 * HOUR),
        ("90 minutes", NOW + HOUR * 3 // 2),
        ("today 17:30", NOW + 5 * HOUR + HOUR // 2),
        ("Tomorrow", NOW + 21 * HOUR),
        ("tomorrow 9:00", NOW + 21 * HOUR),
        ("2026-01-31", NOW + 21 * HOUR),
        ("2026-01-31T00:00", NOW + 12 * HOUR),
    ],
)
def test_times(text: str, due: int) -> None:
    assert parse_due(text, NOW, UTC) == due


@pytest.mark.parametrize(
    "text", ["soon", "2", "h", "-2h", "2026-02-30", "today 25:00", "tomorrow 9", "1e3h", "999999h", "²h"]
)
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_due(text, NOW, UTC)


def test_days_are_those_of_the_machine_without_a_zone() -> None:
    local = datetime.fromtimestamp(NOW / 1000).astimezone().replace(hour=17, minute=30, second=0, microsecond=0)
    assert parse_due("today 17:30", NOW) == int(local.timestamp()) * 1000


@given(st.text(max_size=60))
def test_any_line_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse("/task" + text, NOW, UTC)
    except UsageError:
        return
    assert found.title == text.split("|", maxsplit=1)[0].strip()
    assert all(found.subtasks)


def test_drafts_come_parent_first() -> None:
    ids = (f"t{n}" for n in count())
    made = drafts(NewTask(title="a", urgent=True, subtasks=("b", "c")), lambda: next(ids))
    assert made == [
        TaskDraft("task_created", "t0", {"title": "a", "urgent": True}),
        TaskDraft("subtask_created", "t1", {"title": "b", "parentId": "t0"}),
        TaskDraft("subtask_created", "t2", {"title": "c", "parentId": "t0"}),
    ]


def test_only_task_lines_are_commands() -> None:
    assert is_task_command("/Task x")
    assert not is_task_command("tell /task x")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("hello", ""),
        (" /task x", ""),
        ("/task buy bread", "/task"),
        ("/TASKbread", "/task"),
        ("/rotate", "/rotate"),
        ("/Rotate now", "/rotate"),
        ("/burn", "/burn"),
        ("/help me", "/help"),
    ],
)
def test_a_line_is_said_or_is_a_command(text: str, command: str) -> None:
    assert command_of(text) == command


@pytest.mark.parametrize("text", ["/", "/rotated", "/burnt", "/halp", "/etc/hosts", "/\x1b[31m"])
def test_a_command_that_there_is_not_is_explained(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        command_of(text)
    assert str(caught.value).endswith("no such slash command; there are /task, /rotate, /burn, /help")
    assert str(caught.value).isprintable()
