"""Rooms with others on the screen: inviting, joining, comparing, the state of the way to them, and the lock."""

from dataclasses import replace

import pytest
from textual.widgets import Input, Static

from console.client import Json, Result
from console.ui.app import OrlopApp
from console.ui.bound import Keys
from console.ui.component_notices import ComponentNotices
from console.ui.notices import notices
from console.ui.panes.rooms import RoomsPane
from console.ui.screens.confirm import ConfirmScreen
from console.ui.screens.invite import InviteScreen, JoinScreen, RelayScreen
from console.ui.screens.lock import LockScreen
from console.ui.screens.pin import PinScreen
from console.ui.screens.prompt import PromptScreen
from console.ui.screens.safety import SafetyScreen
from console.ui.text.qr import qr_rows
from console.view import View
from runtime import events
from runtime.events import Record
from runtime.rooms.invite import Invite
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import NOW, FakeCore
from tests.console.ui.harbor import HARBOR, JO, MINUTE, PIER, SELF, harbor
from tests.console.ui.screen import (
    NARROW,
    WIDE,
    opened,
    pane,
    press,
    row_of,
    said,
    settled,
    sheet,
    shown,
    toasts,
    typed,
    until,
)

INVITE = str(Invite(room="ab" * 16, relay="wss://relay.example", secret="cd" * 16, creator="ef" * 16, name="far-pier"))


def answering(core: FakeCore, command: str, value: Json) -> None:
    core.answers[command] = lambda _args: Result(ok=True, value=value)


def rooms_of(app: OrlopApp) -> RoomsPane:
    rooms = pane(app)
    assert isinstance(rooms, RoomsPane)
    return rooms


def words_of(app: OrlopApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).content)


# --- inviting and joining -------------------------------------------------------------------------------------------


async def test_an_invitation_is_shown_as_text_and_code_and_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    core = harbor()
    answering(core, "rooms invite", world.INVITATION)
    async with opened(core) as (app, pilot):
        sent: list[str] = []
        monkeypatch.setattr(app, "copy_to_clipboard", sent.append)
        await press(pilot, "i")
        await until(pilot, lambda: isinstance(app.screen, InviteScreen))
        await settled(pilot)
        assert words_of(app, "invitation") == world.INVITATION["invitation"]  # type: ignore[index, call-overload]
        assert "Pass it on as you would a password" in said(app)
        assert shown(app).count("▀") > 100
        await press(pilot, "y")
        assert sent == [world.INVITATION["invitation"]]  # type: ignore[index, call-overload]
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1


async def test_a_screen_without_room_for_the_code_says_how_much_it_needs() -> None:
    core = harbor()
    answering(core, "rooms invite", world.INVITATION)
    async with opened(core, NARROW) as (app, pilot):
        await press(pilot, "i")
        await until(pilot, lambda: isinstance(app.screen, InviteScreen))
        await settled(pilot)
        assert "needs a terminal of 59x39" in words_of(app, "no-qr")
        assert words_of(app, "invitation").replace("\n", "") in shown(app).replace("│", "").replace(" ", "").replace(
            "\n", ""
        )


def test_the_code_is_what_its_text_says() -> None:
    import segno

    rows = qr_rows(INVITE, 200, 200)
    whole = [
        [bool(cell) for cell in row]
        for row in segno.make(INVITE, error="l", micro=False, boost_error=False).matrix_iter(border=2)
    ]
    upper = {"█", "▀"}
    drawn = [[cell in upper for cell in row] for row in rows]
    assert drawn == whole[::2]
    assert {len(row) for row in rows} == {len(whole[0])}
    assert qr_rows(INVITE, len(rows[0]) - 1, 200) == ()
    assert qr_rows(INVITE, 200, len(rows) - 1) == ()
    assert qr_rows("x" * 3_000, 1_000, 1_000) == ()


async def test_a_room_without_a_relay_is_asked_for_one_first() -> None:
    core = harbor()
    answering(core, "rooms invite", {**world.INVITATION, "room": PIER})  # type: ignore[dict-item]
    async with opened(core) as (app, pilot):
        await press(pilot, "j", "i")
        assert isinstance(app.screen, RelayScreen)
        await press(pilot, "ctrl+s")
        assert "name its address" in shown(app)
        await typed(pilot, "ws://127.0.0.1:8484")
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, InviteScreen))
        assert core.changing() == [("rooms invite", {"room": PIER, "relay": "ws://127.0.0.1:8484"})]


async def test_the_prompt_asks_for_an_invitation_in_the_dialog() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "rooms join")
        await press(pilot, "enter")
        assert isinstance(app.screen, JoinScreen)


async def test_an_invitation_is_kept_in_no_history() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        for line in (f"rooms join {INVITE}", f"rooms joni {INVITE}", "rooms list"):
            await press(pilot, "colon")
            app.screen.query_one("#line", Input).value = line
            await press(pilot, "enter")
            await until(pilot, lambda: not isinstance(app.screen, PromptScreen))
            if line == "rooms list":
                await press(pilot, "escape")
        await press(pilot, "plus")
        app.screen.query_one("#invitation", Input).value = INVITE
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(core.changing()) == 2)
        assert core.changing() == [("rooms join", {"invitation": INVITE})] * 2
        assert app.lines == ["rooms list"]
        assert [done.line for done in app.desk.done if "join" in done.line] == ["orlop rooms join -"] * 2
        await press(pilot, "at")
        assert "orlop rooms join -" in said(app)
        assert "cdcdcdcd" not in said(app)


async def test_the_prompt_shows_an_invitation_as_the_key_does() -> None:
    core = harbor()
    answering(core, "rooms invite", world.INVITATION)
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "rooms invite quiet-harbor")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, InviteScreen))


async def test_joining_says_which_room_is_meant_and_what_came_of_it() -> None:
    core = harbor()
    answering(core, "rooms join", {"v": 1, "room": "ab" * 16, "name": "far-pier", "state": "joined"})
    async with opened(core) as (app, pilot):
        await press(pilot, "plus")
        assert isinstance(app.screen, JoinScreen)
        await typed(pilot, "orlop-room:1:x")
        assert "no invitation" in words_of(app, "what")
        app.screen.query_one("#invitation", Input).value = INVITE
        await settled(pilot)
        assert words_of(app, "what") == "to far-pier, which meets at wss://relay.example"
        assert "cd" * 16 not in words_of(app, "equivalent")
        await press(pilot, "ctrl+s")
        assert core.changing() == [("rooms join", {"invitation": INVITE})]
        assert toasts(app)[-1] == "you are in far-pier"


async def test_a_join_that_waits_or_fails_says_so() -> None:
    core = harbor()
    core.refuse("rooms join", "this node is in the room already")
    async with opened(core) as (app, pilot):
        await press(pilot, "plus")
        app.screen.query_one("#invitation", Input).value = INVITE
        await press(pilot, "ctrl+s")
        assert "this node is in the room already" in said(app)
        answering(core, "rooms join", {"v": 1, "name": "far-pier", "state": "waiting", "notice": "nobody is there yet"})
        await press(pilot, "ctrl+s")
        assert toasts(app)[-1] == "far-pier: nobody is there yet"


# --- members --------------------------------------------------------------------------------------------------------


async def at_jo(app: OrlopApp, pilot: object) -> None:
    rooms_of(app).focus_part("members")
    rooms_of(app).members.select(JO)


async def test_a_member_is_verified_after_the_numbers_were_compared() -> None:
    core = harbor()
    answering(core, "rooms verify", world.SAFETY)
    async with opened(core) as (app, pilot):
        await at_jo(app, pilot)
        await press(pilot, "V")
        await until(pilot, lambda: isinstance(app.screen, SafetyScreen))
        await settled(pilot)
        for part in (*world.SAFETY["numbers"], *world.SAFETY["words"]):  # type: ignore[index, call-overload, misc]
            assert str(part) in shown(app)
        await press(pilot, "enter")
        assert [args for name, args in core.calls if name == "rooms verify"] == [
            {"room": HARBOR, "member": JO, "numbers": "true"}
        ]
        await press(pilot, "V")
        await until(pilot, lambda: isinstance(app.screen, SafetyScreen))
        await press(pilot, "right", "enter")
        await until(pilot, lambda: core.calls[-1] == ("rooms verify", {"room": HARBOR, "member": JO, "yes": "true"}))


async def test_the_mark_of_a_verified_member_can_be_taken_back() -> None:
    core = harbor()
    answering(core, "rooms verify", {**world.SAFETY, "verified": True})  # type: ignore[dict-item]
    async with opened(core) as (app, pilot):
        await at_jo(app, pilot)
        await press(pilot, "V")
        await until(pilot, lambda: isinstance(app.screen, SafetyScreen))
        assert "who is verified" in said(app)
        await press(pilot, "right", "enter")
        await until(pilot, lambda: core.calls[-1] == ("rooms verify", {"room": HARBOR, "member": JO, "off": "true"}))


async def test_the_prompt_shows_a_safety_number_as_the_key_does() -> None:
    core = harbor()
    answering(core, "rooms verify", world.SAFETY)
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "rooms verify quiet-harbor jo")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, SafetyScreen))
        await press(pilot, "right", "enter")
        await until(pilot, lambda: core.calls[-1] == ("rooms verify", {"room": HARBOR, "member": JO, "yes": "true"}))


async def test_nobody_verifies_or_removes_oneself() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        rooms_of(app).focus_part("members")
        rooms_of(app).members.select(SELF)
        for key in ("V", "D"):
            await press(pilot, key)
            assert "choose another member" in toasts(app)[-1]
        assert not core.changing()


async def test_removing_a_member_asks_first_and_cancels_by_default() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await at_jo(app, pilot)
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "jo from quiet-harbor" in shown(app)
        await press(pilot, "enter")
        assert not core.changing()
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await press(pilot, "right", "enter")
        assert core.changing() == [("rooms remove", {"room": HARBOR, "member": JO})]


# --- a room's life --------------------------------------------------------------------------------------------------


async def test_keys_of_a_room_run_its_commands() -> None:
    core = harbor()
    async with opened(core) as (_app, pilot):
        for key, command in (("u", "rooms undo"), ("K", "rooms keep"), ("R", "rooms rotate")):
            await press(pilot, key)
            assert core.changing()[-1] == (command, {"room": HARBOR})


async def test_burning_wants_the_name_typed_from_the_key_and_from_the_chat() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert app.screen.query_one("#go").disabled
        await press(pilot, "escape", "c")
        await typed(pilot, "/burn")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        app.screen.query_one("#typed").focus()
        await typed(pilot, "quiet-harbor")
        app.screen.query_one("#go").focus()
        await press(pilot, "enter")
        assert core.changing() == [("rooms burn", {"room": HARBOR})]


async def test_w24_the_countdown_is_shown_with_the_keys_that_keep_and_delete() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        assert row_of(app, "room-banner") == ""
        core.emit(events.RoomCountdown(room=HARBOR, at_ms=NOW + 24 * 60 * MINUTE))
        await until(pilot, lambda: "deletes itself in 24 h 00 m" in row_of(app, "room-banner"))
        assert "K keeps it B deletes now" in row_of(app, "room-banner")
        core.emit(events.RoomCountdown(room=HARBOR, at_ms=None))
        await until(pilot, lambda: row_of(app, "room-banner") == "")


async def test_the_way_to_the_others_is_a_dot_and_a_banner_says_what_is_wrong_with_it() -> None:
    core = harbor()
    document = {**world.ROOM, "link": {"state": "online", "reestablishing": [JO]}}  # type: ignore[dict-item]
    answering(core, "rooms show", document)
    async with opened(core) as (app, pilot):
        assert "● quiet-harbor  " in row_of(app, "room-line")
        core.emit(events.RoomReestablishing(room=HARBOR, missing=(JO,)))
        await until(pilot, lambda: "re-establishing: no keys of jo yet" in row_of(app, "room-banner"))
        core.emit(events.RoomReestablishing(room=HARBOR, missing=()))
        await until(pilot, lambda: row_of(app, "room-banner") == "")
        core.emit(events.RoomDisconnected(room=HARBOR, reason="the relay\x1b[2J is gone", retries=True))
        await until(pilot, lambda: "○ not connected" in row_of(app, "room-banner"))
        assert "\x1b" not in row_of(app, "room-banner")
        assert "tried again by itself" in row_of(app, "room-banner")
        core.emit(events.RoomDisconnected(room=HARBOR, reason="removed", retries=False))
        await until(pilot, lambda: "✗ closed: removed" in row_of(app, "room-banner"))
        core.emit(events.RoomConnected(room=HARBOR))
        await until(pilot, lambda: row_of(app, "room-banner") == "")


async def test_a_room_of_which_nothing_is_on_the_disk_bears_a_flame() -> None:
    core = harbor()
    core.rooms[0] = replace(core.rooms[0], ephemeral=True)
    async with opened(core) as (app, _pilot):
        assert "♨ quiet" in shown(app)
        assert "♨ ephemeral" in row_of(app, "room-line")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
async def test_why_a_room_is_offline_stands_there_in_full(size: tuple[int, int]) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await press(pilot, "enter")
        core.emit(events.RoomDisconnected(room=HARBOR, reason=world.NO_RELAY, retries=True))
        await until(pilot, lambda: world.NO_RELAY in row_of(app, "room-banner"))
        await settled(pilot)
        place = app.query_one("#room-banner").region
        rows = shown(app).splitlines()[place.y : place.bottom]
        told = " ".join(" ".join(row[place.x : place.right] for row in rows).split())
        assert told == f"○ not connected: {world.NO_RELAY}; tried again by itself, nothing is lost"


async def test_a_message_that_cannot_be_read_is_explained_in_the_chat() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        core.emit(events.RoomUndecryptable(room=HARBOR, key=JO, reason="its key was never shared\x1b]0;x\x07"))
        await until(pilot, lambda: "unable to decrypt this message" in shown(app))
        assert "its key was never shared" in sheet(app, "chat-text")
        assert "\x1b" not in shown(app)


async def test_the_cursor_in_members_stands_on_a_member_also_where_agents_are_known_first() -> None:
    core = harbor()
    answer = core.answers["rooms show"]
    core.refuse("rooms show", "the log is still being read")
    async with opened(core) as (app, pilot):
        core.emit(events.AgentActivated(room=HARBOR, agent="unblock", hash="ab" * 32))
        await until(pilot, lambda: app.desk.view.agents[(HARBOR, "unblock")].hash == "ab" * 32)
        await settled(pilot)
        core.answers["rooms show"] = answer
        core.emit(events.MessagePosted(room=HARBOR, id="ab" * 16, author=JO, text="here"))
        members = rooms_of(app).members
        await until(pilot, lambda: len(members.model.rows) > 2)
        assert members.model.cursor == SELF
        await press(pilot, "shift+tab", "j")
        chosen = members.model.cursor
        assert chosen != SELF
        core.emit(events.AgentActivated(room=HARBOR, agent="faulty", hash="ab" * 32))
        await settled(pilot)
        assert members.model.cursor == chosen


async def test_a_due_task_and_a_warning_are_toasts() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        core.emit(events.TaskDue(room=HARBOR, task="t01", due_ms=NOW + 5 * MINUTE, title="Ring\x1b[2J the bell"))
        await until(pilot, lambda: bool(toasts(app)))
        assert toasts(app) == ["due in 5 m: Ring\\x1b[2J the bell"]
        core.emit(events.RoomWarning(room=HARBOR, key=JO, about="impostor", reason="its keys do not belong together"))
        await until(pilot, lambda: "its keys do not belong together" in toasts(app)[-1])


async def test_who_comes_and_goes_is_a_toast_but_not_who_makes_a_room() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        core.emit(
            events.RoomCreated(room="ab" * 16, name="far-pier"),
            events.MemberJoined(room="ab" * 16, key=SELF, name="mara"),
            events.MemberJoined(room=HARBOR, key="K" * 43, name="bo\x1b[2J"),
            events.MemberLeft(room=HARBOR, key="K" * 43, name="bo\x1b[2J"),
        )
        await until(pilot, lambda: len(toasts(app)) == 2)
        assert toasts(app) == ["bo\\x1b[2J is a member now", "bo\\x1b[2J has left the room"]


def told(*happened: events.Event) -> list[tuple[str, str]]:
    """The toasts of events in two rooms with names, as title and text."""
    view = View()
    for room, name in ((HARBOR, "quiet-harbor"), (PIER, "north-pier")):
        view.apply([Record(view.seq + 1, NOW, events.RoomCreated(room=room, name=name))])
    records = [Record(view.seq + number, NOW, event) for number, event in enumerate(happened, 1)]
    view.apply(records)
    return [(notice.title, notice.text) for notice in notices(records, view, 0, ComponentNotices(Keys()))]


def test_toasts_name_members_and_shorten_a_key_only_where_no_name_is_known() -> None:
    assert told(
        events.MemberLeft(room=HARBOR, key=JO, name="jo"),
        events.MemberLeft(room=PIER, key="K" * 43),
        events.RoomWarning(room=HARBOR, key=JO, about="fork", reason="two devices write in this name", name="jo"),
    ) == [
        ("quiet-harbor", "jo: two devices write in this name"),
        ("quiet-harbor", "jo has left the room"),
        ("north-pier", "KKKKKKK… has left the room"),
    ]


def test_who_is_removed_is_a_toast_and_so_is_that_it_was_oneself() -> None:
    assert told(
        events.MemberRemoved(room=HARBOR, key=JO, name="jo"),
        events.MemberRemoved(room=PIER, key=SELF, own=True, name="mara"),
    ) == [
        ("north-pier", "you were removed; what came until then stays to be read"),
        ("quiet-harbor", "jo was removed; the room's keys are others now"),
    ]


def test_of_several_who_come_or_go_together_one_toast_is_said() -> None:
    crew = [events.MemberJoined(room=HARBOR, key=name * 4, already=True, name=name) for name in ("ann", "bob", "cy")]
    more = [events.MemberJoined(room=HARBOR, key=f"k{number}", already=True, name=f"m{number}") for number in range(9)]
    assert told(*crew) == [("quiet-harbor", "you are in, with ann, bob and cy")]
    assert told(*crew, *more) == [("quiet-harbor", "you are in, with ann, bob and 10 more")]
    assert told(
        events.MemberLeft(room=HARBOR, key=JO, name="jo"), events.MemberLeft(room=HARBOR, key="K" * 43, name="kit")
    ) == [("quiet-harbor", "jo and kit have left the room")]


def test_what_one_did_oneself_is_no_toast() -> None:
    assert (
        told(
            events.MemberLeft(room=HARBOR, key=SELF, own=True, name="mara"),
            events.MemberJoined(room=PIER, key=JO, already=True, name="jo"),
            events.RoomImported(room=PIER, name="north-pier", entries=3),
        )
        == []
    )


def lease(agent: str, runner: str, term: int, *, own: bool = False) -> events.AgentLeased:
    name = "mara" if own else "jo\x1b[2J"
    return events.AgentLeased(room=HARBOR, agent=agent, runner=runner, term=term, own=own, name=name)


def test_where_an_agent_runs_is_a_toast_when_that_changes() -> None:
    assert told(lease("digest", SELF, 1, own=True), lease("triage", "", 0)) == []
    assert told(lease("digest", SELF, 2, own=True)) == [("quiet-harbor", "digest runs here now")]
    assert told(lease("digest", JO, 3), lease("triage", JO, 1)) == [
        ("quiet-harbor", "digest and triage run at jo\\x1b[2J; here they stand by")
    ]


def test_a_burst_of_notices_does_not_cover_the_screen() -> None:
    records = [Record(number, NOW, events.TaskDue(room=HARBOR, task="t", due_ms=NOW)) for number in range(1, 50)]
    assert [notice.text for notice in notices(records, View(), 0, ComponentNotices(Keys()))][1:] == [
        "due now: a task",
        "and 47 more; the Log pane has them",
    ]
    assert notices(records, View(), 50, ComponentNotices(Keys())) == []


# --- the lock -------------------------------------------------------------------------------------------------------


async def test_locking_without_a_pin_asks_for_one_first() -> None:
    core = harbor()
    answering(core, "pin status", {"v": 1, "set": False, "locked": False})
    async with opened(core) as (app, pilot):
        await pilot.press("Z")
        await until(pilot, lambda: isinstance(app.screen, PinScreen))
        await typed(pilot, "12345")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "a PIN has six digits" in shown(app))
        app.screen.query_one("#pin", Input).value = "123456"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "the two are not the same" in shown(app))
        app.screen.query_one("#again", Input).value = "123456"
        assert "123456" not in shown(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: core.calls[-1][0] == "lock")
        assert core.changing() == [("pin set", {}), ("lock", {})]
        assert [each for each in core.contents if each] == [{"pin_file": b"123456"}]
        assert "123456" not in str([done.line for done in app.desk.done])


async def locked(core: FakeCore, app: OrlopApp, pilot: object) -> None:
    core.emit(events.CoreLocked(by="command"))
    await until(pilot, lambda: isinstance(app.screen, LockScreen))  # type: ignore[arg-type]
    await settled(pilot)  # type: ignore[arg-type]


async def test_w25_a_locked_screen_shows_nothing_of_rooms_and_takes_no_other_key() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter", "e")
        core.emit(events.TaskDue(room=HARBOR, task="t01", due_ms=NOW, title="Rotate"))
        await until(pilot, lambda: bool(toasts(app)))
        await locked(core, app, pilot)
        for word in ("quiet-harbor", "Rotate", "mara", "boot image", "unblock"):
            assert word not in shown(app)
        assert not toasts(app)
        for key in ("escape", "ctrl+c", "colon", "2", "ctrl+p", "f24", "question_mark", "tab", "at", "slash"):
            await pilot.press(key)
            await settled(pilot)
            assert isinstance(app.screen, LockScreen), key
        core.emit(events.TaskDue(room=HARBOR, task="t01", due_ms=NOW, title="Rotate"))
        await settled(pilot)
        assert "Rotate" not in shown(app)
        assert not core.changing()


async def test_w25_the_pin_is_tried_when_it_is_whole_and_a_wrong_one_says_how_long_to_wait() -> None:
    core = harbor()
    core.refuse("unlock", "too early: no PIN is looked at for another 30s", "3 were wrong")
    async with opened(core) as (app, pilot):
        await locked(core, app, pilot)
        await typed(pilot, "123456")
        await until(pilot, lambda: "no PIN is looked at for another 30s" in said(app))
        assert app.screen.query_one(Input).value == ""
        assert "123456" not in shown(app)
        del core.answers["unlock"]
        await typed(pilot, "654321")
        await until(pilot, lambda: len(core.changing()) == 2)
        assert core.contents[-1] == {"pin_file": b"654321"}
        core.emit(events.CoreUnlocked(by="pin"))
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await settled(pilot)
        assert "quiet-harbor" in shown(app)
        await press(pilot, "2")
        assert pane(app).NUMBER == 2


async def test_w25_the_passphrase_unlocks_where_no_pin_is_looked_at_any_more() -> None:
    core = harbor()
    answering(core, "pin status", {"v": 1, "set": True, "locked": True, "used_up": True, "protected": True})
    async with opened(core) as (app, pilot):
        await locked(core, app, pilot)
        assert "use the passphrase" in said(app)
        await press(pilot, "ctrl+t")
        assert "Passphrase of the vault" in shown(app)
        await typed(pilot, "a long one")
        await press(pilot, "enter")
        await until(pilot, lambda: bool(core.changing()))
        assert core.changing() == [("unlock", {"passphrase": "true"})]
        assert core.contents[-1] == {"passphrase": b"a long one"}


async def test_w25_a_screen_that_opens_on_a_locked_core_is_locked() -> None:
    core = harbor()
    core.node = replace(core.node, locked=True)
    async with opened(core) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        assert "quiet-harbor" not in shown(app)


async def test_the_prompt_sets_the_pin_in_a_dialog_too() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "pin set")
        await press(pilot, "enter")
        assert isinstance(app.screen, PinScreen)


async def test_a_new_room_may_have_a_relay_all_history_and_no_place_on_the_disk() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "a")
        await typed(pilot, "far-pier")
        await press(pilot, "down")
        await typed(pilot, "ws://127.0.0.1:8484")
        await press(pilot, "down", "right", "down", "space")
        assert words_of(app, "equivalent").endswith("--relay ws://127.0.0.1:8484 --history all --ephemeral")
        await press(pilot, "ctrl+s")
        assert core.changing() == [
            (
                "rooms create",
                {"name": "far-pier", "relay": "ws://127.0.0.1:8484", "history": "all", "ephemeral": "true"},
            )
        ]
