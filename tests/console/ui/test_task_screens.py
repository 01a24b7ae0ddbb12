"""The task editor, changes in place, what a task waits for, sections and orders, and the words of the chat line."""

import pytest
from textual.widgets import Input, Static

from console.client import Json, Result
from console.ui.app import OrlopApp
from console.ui.panes.rooms import RoomsPane
from console.ui.screens.waits import WaitsScreen
from console.ui.text.due import moment
from console.ui.text.slash import meaning, verb_of
from console.ui.text.tasks import DONE_SECTION, task_rows
from console.ui.text.waiting import circles
from tests.console.ui.fake_core import NOW
from tests.console.ui.harbor import HARBOR, JO, SELF, harbor, task
from tests.console.ui.screen import NARROW, opened, pane, press, row_of, said, sheet, shown, toasts, typed, until


def rooms_of(app: OrlopApp) -> RoomsPane:
    rooms = pane(app)
    assert isinstance(rooms, RoomsPane)
    return rooms


def words_of(app: OrlopApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


# --- a new task -----------------------------------------------------------------------------------------------------


async def test_a_new_task_is_the_line_that_is_shown() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter", "a", "ctrl+s")
        assert "a task needs a title" in shown(app)
        await typed(pilot, "Ring the bell")
        app.screen.query_one("#due").focus()
        await typed(pilot, "2h")
        assert "Fri 21 Nov 2025 16:03 UTC, in 2 h" in shown(app)
        app.screen.query_one("#subtasks").focus()
        await typed(pilot, "find it, polish it")
        app.screen.query_one("#urgent").focus()
        await press(pilot, "space")
        line = "Ring the bell | split into: find it, polish it | due: 2h | urgent"
        assert words_of(app, "equivalent") == f"orlop rooms task quiet-harbor --add '{line}'"
        await press(pilot, "ctrl+s")
        assert core.changing() == [("rooms task", {"room": HARBOR, "add": line})]


async def test_keys_alone_fill_every_field_of_a_new_task() -> None:
    core = harbor()
    async with opened(core, NARROW) as (app, pilot):
        await press(pilot, "enter", "a")
        await typed(pilot, "Ring")
        await press(pilot, "down", "down", "right", "right")
        assert "tomorrow" in app.screen.query_one("#due", Input).value
        assert "Sat 22 Nov 2025" in shown(app)
        await press(pilot, "down")
        await typed(pilot, "jo")
        assert "jo Zq4tWm1…, 3 open tasks" in shown(app)
        await press(pilot, "down", "enter")
        assert isinstance(app.screen, WaitsScreen)
        await press(pilot, "space", "ctrl+s", "down")
        await typed(pilot, "softly")
        await press(pilot, "ctrl+s")
        ((_, args),) = core.changing()
        assert args == {"room": HARBOR, "add": "Ring | due: tomorrow | desc: softly", "to": JO, "on": ["t01"]}


async def test_a_quick_pick_is_no_longer_picked_when_another_time_is_typed() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "enter", "a")
        app.screen.query_one("#quick").focus()
        await press(pilot, "right")
        assert app.screen.query_one("#due", Input).value == "1h"
        app.screen.query_one("#due").focus()
        await typed(pilot, "30")
        assert "(•) typed" in shown(app)
        assert "is not a time" in shown(app)


async def test_a_bar_in_a_title_is_refused_since_it_would_end_there() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter", "a")
        await typed(pilot, "one | two")
        await press(pilot, "ctrl+s")
        assert "| divides the parts" in shown(app)
        assert not core.changing()


async def test_a_subtask_is_made_under_the_task_of_the_cursor() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select("t03")
        await press(pilot, "S")
        assert "a part of: Write the incident report" in shown(app)
        await typed(pilot, "Ask the cook")
        await press(pilot, "ctrl+s")
        assert core.changing() == [("rooms task", {"room": HARBOR, "add": "Ask the cook", "under": "t03"})]


# --- changing one ---------------------------------------------------------------------------------------------------


async def test_editing_a_task_sends_what_changed() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select("t07")
        await press(pilot, "e")
        app.screen.query_one("#title").value = "Renew it"  # type: ignore[attr-defined]
        app.screen.query_one("#due").value = "3d"  # type: ignore[attr-defined]
        app.screen.query_one("#member").value = ""  # type: ignore[attr-defined]
        await until(pilot, lambda: "(and 2 more)" in said(app))
        await press(pilot, "ctrl+s")
        assert [args for _, args in core.changing()] == [
            {"room": HARBOR, "title": "t07", "text": "Renew it"},
            {"room": HARBOR, "due": "t07", "text": "3d"},
            {"room": HARBOR, "assign": "t07"},
        ]


async def test_every_field_of_a_task_can_be_changed_in_the_editor() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select("t02")
        await press(pilot, "e")
        app.screen.query_one("#status").focus()
        await press(pilot, "right", "down", "down", "right")
        assert "no longer due at any time" in shown(app)
        app.screen.query_one("#member").focus()
        await typed(pilot, JO[:6])
        app.screen.query_one("#waits").focus()
        assert "Rotate the relay's keys" in said(app)
        await press(pilot, "enter", "space", "down", "space", "ctrl+s")
        app.screen.query_one("#details").focus()
        await typed(pilot, "with care")
        app.screen.query_one("#subtasks").focus()
        await typed(pilot, "sign, upload")
        app.screen.query_one("#urgent").focus()
        await press(pilot, "space", "ctrl+s")
        assert [{key: value for key, value in args.items() if key != "room"} for _, args in core.changing()] == [
            {"due": "t02", "text": ""},
            {"describe": "t02", "text": "with care"},
            {"block": "t02", "on": ["t03"]},
            {"unblock": "t02", "on": ["t01"]},
            {"urgent": "t02"},
            {"add": "sign", "under": "t02"},
            {"add": "upload", "under": "t02"},
            {"assign": "t02", "to": JO},
            {"start": "t02"},
        ]


async def test_a_refused_change_is_said_in_the_editor_and_what_follows_is_not_sent() -> None:
    core = harbor()
    core.refuse("rooms task", "title is longer than 1000 characters")
    async with opened(core) as (app, pilot):
        await press(pilot, "enter", "e")
        await typed(pilot, "x")
        app.screen.query_one("#urgent").focus()
        await press(pilot, "space", "ctrl+s")
        assert "title is longer than 1000 characters" in said(app)
        assert len(core.changing()) == 1
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("size", [(120, 40), NARROW], ids=["120x40", "80x24"])
async def test_a_title_is_changed_where_it_stands(size: tuple[int, int]) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select("t07")
        before = next(y for y, row in enumerate(shown(app).split("\n")) if "Renew the LAN" in row)
        await press(pilot, "t")
        await typed(pilot, "s")
        line = app.screen.query_one(Input)
        assert (line.value, line.region.y) == ("Renew the LAN certificates", before)
        await press(pilot, "enter")
        assert core.changing() == [("rooms task", {"room": HARBOR, "title": "t07", "text": line.value})]
        await press(pilot, "t", "enter", "t")
        await typed(pilot, "x")
        await press(pilot, "escape")
        assert len(core.changing()) == 1


async def test_a_due_time_is_changed_where_it_stands_and_its_meaning_is_shown() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select("t07")
        await press(pilot, "d")
        await typed(pilot, "tomorrow")
        assert "Sat 22 Nov 2025 09:00 UTC" in shown(app)
        await press(pilot, "enter", "d")
        await typed(pilot, "none")
        assert "no longer due" in shown(app)
        await press(pilot, "enter")
        assert [args["text"] for _, args in core.changing()] == ["tomorrow", ""]


async def test_keys_of_tasks_without_a_task_say_so() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select(DONE_SECTION)
        for key in ("space", "e", "t", "d", "w", "S", "b", "U"):
            before = len(toasts(app))
            await press(pilot, key)
            assert len(app.screen_stack) == 1, key
            assert "no task here" in toasts(app)[-1], key
            assert len(toasts(app)) == before + 1, key
        assert not core.changing()


# --- what a task waits for ------------------------------------------------------------------------------------------


async def test_a_task_that_would_close_a_circle_cannot_be_ticked_and_the_reason_is_said() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        rooms_of(app).tasks.select("t01")
        await press(pilot, "w")
        app.screen.query_one("#several").select("t02")  # type: ignore[attr-defined]
        await press(pilot, "space")
        why = "it waits for this one: Publish boot image 14 → Rotate the relay's keys"
        assert words_of(app, "several-why") == f"✗ {why}"
        await press(pilot, "slash")
        await typed(pilot, "incident")
        await press(pilot, "enter", "space", "ctrl+s")
        await until(pilot, lambda: bool(core.changing()))
        assert core.changing() == [("rooms task", {"room": HARBOR, "block": "t01", "on": ["t03"]})]


async def test_leaving_the_list_changes_nothing() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter", "w", "down", "space", "slash")
        await typed(pilot, "deck")
        await press(pilot, "escape", "escape")
        assert len(app.screen_stack) == 1
        assert not core.changing()


def test_circles_are_told_by_their_way() -> None:
    chain = [task(1, "a"), task(2, "b", blockedBy=["t01"]), task(3, "c", blockedBy=["t02"]), task(4, "d")]
    document = {"tasks": chain}
    assert circles(document, "t01") == {
        "t02": "it waits for this one: b → a",
        "t03": "it waits for this one: c → b → a",
    }
    assert circles(document, "t04") == {}
    assert circles(document, "") == {}


# --- the list -------------------------------------------------------------------------------------------------------


def _order(app: OrlopApp) -> list[str]:
    return [key for key in rooms_of(app).tasks.model.order if rooms_of(app).tasks.model.depth(key) == 0]


async def test_urgent_tasks_stand_first_and_done_ones_in_a_section_however_the_list_is_sorted() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "enter")
        table = rooms_of(app).tasks
        by_due = ["t01", "t07", "t02", "t08", "t03", DONE_SECTION]
        assert _order(app) == by_due
        for name, descending, order in (
            ("due", False, by_due),
            ("due", True, ["t01", "t08", "t02", "t07", "t03", DONE_SECTION]),
            ("created", False, ["t01", "t02", "t03", "t07", "t08", DONE_SECTION]),
            ("created", True, ["t01", "t08", "t07", "t03", "t02", DONE_SECTION]),
        ):
            table.model.sort_by(name, descending=descending)
            assert _order(app) == order
        table.model.sort_by("")
        assert table.model.depth("t09") == 1
        assert "Completed 1" in shown(app)
        await until(pilot, lambda: "9 tasks" in row_of(app, "status"))


async def test_the_section_of_done_tasks_folds() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "enter", "G")
        assert "Sweep the deck" in shown(app)
        rooms_of(app).tasks.select(DONE_SECTION)
        await press(pilot, "enter")
        assert "Sweep the deck" not in shown(app)
        await press(pilot, "enter")
        assert "Sweep the deck" in shown(app)


async def test_the_counts_and_the_bar_say_how_far_the_room_is() -> None:
    async with opened(harbor()) as (app, _):
        line = row_of(app, "room-line")
        assert "2 doing, 4 pending, 1 blocked, 3 done" in line
        assert "█" in line
        assert "33 %" in line


def test_a_done_part_stays_with_its_task_and_a_done_task_whose_parent_is_gone_does_not_vanish() -> None:
    document = {"tasks": [task(1, "a", status="completed", parentId="gone"), task(2, "b", status="completed")]}
    assert {row.key: row.parent for row in task_rows(document, NOW)} == {
        "t01": DONE_SECTION,
        "t02": DONE_SECTION,
        DONE_SECTION: "",
    }


@pytest.mark.parametrize(
    ("typed_", "says"),
    [
        ("", ""),
        ("none", "no longer due at any time"),
        ("2h", "Fri 21 Nov 2025 16:03 UTC, in 2 h"),
        ("soon", "is not a time"),
        ("99999w", "too far away"),
    ],
)
def test_a_time_is_said_in_words(typed_: str, says: str) -> None:
    assert moment(typed_, NOW).startswith(says) if says != "too far away" else moment(typed_, NOW)


# --- the chat line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello /task", ""),
        ("/", "/task"),
        ("/ta", "add a task"),
        ("/task", "add a task"),
        ("/task Ring | due: 2h | split into: a, b | urgent", "task “Ring”, 2 parts, due Fri 21 Nov 2025 16:03 UTC"),
        ("/taskfoo", "task “foo”"),
        ("/task | urgent", "a task needs a title"),
        ("/task x | due: soon", "is not a time"),
        ("/rotate", "change the keys"),
        ("/burn", "destroy the room"),
        ("/dance", "is no command: there are /task, /rotate, /burn, /help"),
    ],
)
def test_what_is_typed_in_the_chat_line_says_what_it_would_do(text: str, says: str) -> None:
    assert says in "".join(words for words, _ in meaning(text, NOW))


def test_words_after_a_slash_are_commands_and_others_are_not() -> None:
    assert [verb_of(text) for text in ("hello", "/TASK x", "/taskfoo", "/help", "/nope x", "")] == [
        "",
        "/task",
        "/task",
        "/help",
        "/nope",
        "",
    ]


async def test_an_unknown_command_is_explained_and_stays_in_the_line() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "c")
        await typed(pilot, "/dance")
        assert "/dance is no command" in shown(app)
        await press(pilot, "enter")
        assert "there are /task, /rotate, /burn, /help" in toasts(app)[-1]
        assert app.screen.query_one("#say", Input).value == "/dance"
        assert not core.changing()


async def test_help_in_the_chat_line_lists_the_commands() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "c")
        await typed(pilot, "/help")
        await press(pilot, "enter")
        assert "PARTS OF A /task LINE" in sheet(app, "sheet")
        assert not core.changing()


async def test_what_is_said_and_task_lines_go_to_the_room() -> None:
    core = harbor()
    core.answers["rooms say"] = lambda _args: Result(ok=True, value={"v": 1})
    async with opened(core) as (app, pilot):
        await press(pilot, "c")
        for text in ("hello", "/task Ring"):
            await typed(pilot, text)
            await press(pilot, "enter")
        assert [args for _, args in core.changing()] == [
            {"room": HARBOR, "text": "hello"},
            {"room": HARBOR, "text": "/task Ring"},
        ]
        assert app.screen.query_one("#say", Input).value == ""


# --- members --------------------------------------------------------------------------------------------------------


async def test_a_member_is_opened_from_the_list_and_an_agent_in_its_pane() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "shift+tab")
        assert rooms_of(app).current == "members"
        rooms_of(app).members.select(SELF)
        await press(pilot, "down", "enter")
        assert JO in sheet(app, "sheet")
        assert "Renew the LAN certificate" in sheet(app, "sheet")
        await press(pilot, "escape")
        rooms_of(app).members.select("agent:unblock")
        await press(pilot, "enter")
        await until(pilot, lambda: pane(app).NUMBER == 2)
        assert pane(app).main.model.cursor == f"{HARBOR}/unblock"


async def test_names_that_look_like_markup_or_escapes_are_shown_as_they_are() -> None:
    core = harbor()
    hostile = "[red]x[/red]\x1b]52;c;QQ==\x07"
    document: dict[str, Json] = {
        "members": [{"identityKey": JO, "displayName": hostile, "self": False}],
        "tasks": [task(1, hostile, assignee=JO)],
        "messages": [{"id": "m", "author": JO, "name": hostile, "ts_ms": NOW, "text": hostile}],
    }
    core.answers["rooms show"] = lambda _args: Result(ok=True, value=document)
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        assert shown(app).count("[red]x[/red]") >= 3
        assert "\x1b" not in shown(app)
        await press(pilot, "t")
        assert "\x1b" not in app.screen.query_one(Input).value
        await press(pilot, "escape", "S")
        assert "a part of: [red]x[/red]" in shown(app)
        await press(pilot, "escape", "w", "escape", "tab", "tab")
        rooms_of(app).members.select(JO)
        await press(pilot, "enter")
        assert "[red]x[/red]" in sheet(app, "sheet")
