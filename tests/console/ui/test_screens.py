"""Pictures of every pane, dialog, prompt and empty state; look at each change (`make snapshots`)."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import Result
from console.ui.app import OrlopApp
from console.ui.widgets.frame_view import FrameView
from runtime import events
from tests.console.ui import harbor as world
from tests.console.ui import quay
from tests.console.ui.fake_core import NOW, FakeCore, clock
from tests.console.ui.screen import NARROW, WIDE, press, settled, typed, until

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
PANES = {
    "rooms": ("1",),
    "agents": ("2",),
    "peers": ("3",),
    "jobs": ("4",),
    "receipts": ("5",),
    "boot": ("6",),
    "log": ("7",),
    "components": ("8",),
}

DETAILS = {
    "tasks": ("1", "enter"),
    "chat": ("1", "c"),
    "members": ("1", "tab", "tab", "tab"),
    "agent-tripped": ("2", "enter"),
    "peer": ("3", "enter"),
    "peer-lied": ("3", "j", "j", "enter"),
    "peer-banned": ("3", "G", "enter"),
    "job-running": ("4", "enter"),
    "job-failed": ("4", "j", "j", "j", "j", "j", "enter"),
    "receipt-valid": ("5", "enter"),
    "receipt-invalid": ("5", "j", "j", "j", "j", "j", "enter"),
    "machine": ("6", "j", "enter"),
    "machine-stopped": ("6", "j", "j", "j", "enter"),
    "release": ("6", "tab", "enter"),
    "event": ("7", "k", "enter"),
    "component": ("8", "j", "j", "j", "enter"),
    "component-given-up": ("8", "enter"),
}
DIALOGS = {
    "confirm": ("2", "D"),
    "quit": ("q",),
    "upload": ("2", "u"),
    "permissions": ("2", "c"),
    "dial": ("3", "d"),
    "name": ("3", "e"),
    "take-jobs": ("3", "G", "k", "T"),
    "trust-anew": ("3", "j", "j", "t"),
    "ban": ("3", "b"),
    "run": ("4", "r"),
    "run-on": ("3", "r"),
    "run-found": ("4", "r", "down", "left"),
    "run-replicas": ("3", "space", "space", "r"),
    "workers": ("4", "r", "down", "right", "down", "enter", "space", "G"),
    "export": ("5", "E"),
    "chain": ("5", "C"),
    "rerun": ("5", "R"),
    "waiting": ("4", "f"),
    "new-room": ("1", "a"),
    "new-task": ("1", "enter", "a"),
    "edit-task": ("1", "enter", "e"),
    "new-subtask": ("1", "enter", "G", "k", "k", "S"),
    "waits-for": ("1", "enter", "w", "j", "space"),
    "title-in-place": ("1", "enter", "t", "=!"),
    "due-in-place": ("1", "enter", "d", "=2h"),
    "slash": ("1", "c", "=/task Ring | due: 2h | urgent"),
    "slash-help": ("1", "c", "=/help", "enter"),
    "member": ("1", "shift+tab", "j", "enter"),
    "safety": ("1", "shift+tab", "j", "V"),
    "invite": ("1", "i"),
    "relay": ("1", "j", "i"),
    "join": ("1", "plus"),
    "burn": ("1", "B"),
    "pin": ("Z",),
    "auto-assign": ("1", "enter", "A"),
    "task": ("1", "enter", "j", "enter"),
    "help": ("2", "question_mark"),
    "sort": ("2", "s"),
    "copy": ("5", "y"),
    "actions": ("2", "x"),
    "agent-log": ("2", "L"),
    "job-output": ("4", "L"),
    "json": ("4", "J"),
    "command-log": ("2", "space", "at"),
    "refused": ("2", "P"),
    "filtered": ("2", "slash", "=state:act", "enter"),
    "filter": ("2", "slash", "=p95>0.5ms"),
    "filter-error": ("2", "slash", "=re:["),
    "search": ("2", "slash", "=/quiet"),
    "found": ("2", "G", "slash", "=/quiet", "enter", "n"),
    "found-in-text": ("2", "L", "slash", "=tick", "enter", "n"),
    "prompt": ("2", "colon", "=agents de"),
    "earlier-lines": ("2", "colon", "=theme dark", "enter", "colon", "ctrl+r", "=the"),
    "palette": ("ctrl+p", "=rec"),
    "serve": ("6", "r"),
    "sign": ("6", "i"),
    "keygen": ("6", "K"),
    "build": ("6", "b"),
    "operation": ("8", "j", "j", "j", "r"),
    "component-may": ("8", "j", "j", "j", "c"),
    "component-folder": ("8", "i"),
    "component-consent": ("8", "i", "=/usr", "ctrl+s"),
    "component-upgrade": ("8", "i", "=/usr", "ctrl+s"),
    "component-log": ("8", "j", "j", "j", "L"),
    "uninstall": ("8", "G", "D"),
}


ASKING = {"D", "A", "B", "Z", "q", "ctrl+p"}
ASKING_OF_PEERS = {"T", "t", "b"}
"""Keys behind which something waits for an answer: it never settles."""


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in a picture depends on how fast the machine is."""
    monkeypatch.setattr(FrameView, "tick", FrameView.draw)


def script(keys: tuple[str, ...]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, OrlopApp)
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        for key in keys:
            if key.startswith("="):
                await typed(pilot, key[1:])
                await settled(pilot)
            elif key in ASKING or (keys[0] == "3" and key in ASKING_OF_PEERS):
                depth = len(app.screen_stack)
                await pilot.press(key)
                await until(pilot, lambda depth=depth: len(app.screen_stack) > depth)
            else:
                await press(pilot, key)
        if keys[:1] == ("ctrl+p",):
            await until(pilot, lambda: bool(app.screen.query_one("OptionList").option_count))
        await pilot.pause()

    return run


def picture(compare: Compare, core: FakeCore, keys: tuple[str, ...], size: tuple[int, int], **options: object) -> bool:
    app = OrlopApp(core.options(**options), clock())
    try:
        return compare(app, terminal_size=size, run_before=script(keys))
    finally:
        app.desk.close()


@SIZES
@pytest.mark.parametrize("name", PANES)
def test_pane(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, world.harbor(), PANES[name], size)


@pytest.mark.parametrize("name", ["rooms", "agents", "jobs", "found"])
@pytest.mark.parametrize("look", ["light", "ascii", "no-color"])
def test_look(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, name: str, look: str) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    options = {"light": {"theme": "light"}, "ascii": {"ascii": True}}.get(look, {})
    assert picture(snap_compare, world.harbor(), (PANES | DIALOGS)[name], WIDE, **options)


@SIZES
@pytest.mark.parametrize("name", DETAILS)
def test_detail(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, world.harbor(), DETAILS[name], size)


@SIZES
@pytest.mark.parametrize("name", DIALOGS)
def test_dialog(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    core = world.harbor()
    core.answers["rooms verify"] = lambda _args: Result(ok=True, value=world.SAFETY)
    core.answers["rooms invite"] = lambda _args: Result(ok=True, value=world.INVITATION)
    core.answers["pin status"] = lambda _args: Result(ok=True, value={"v": 1, "set": False})
    core.answers["rooms task"] = lambda _args: Result(ok=True, value={"v": 1, "preview": world.PLAN})
    seen = quay.NEWER if name == "component-upgrade" else quay.SEEN
    core.answers["components inspect"] = lambda _args: Result(ok=True, value=seen)
    core.answers["components logs"] = lambda _args: Result(ok=True, value={"items": quay.FACTS["log"]})
    core.refuse("agents probe", "the disk is full", "free some space and press P again")
    assert picture(snap_compare, core, DIALOGS[name], size)


def told(*happened: events.Event) -> Callable[[FakeCore], None]:
    return lambda core: core.emit(*happened)


STATES = {
    "countdown": (("1", "enter"), told(events.RoomCountdown(room=world.HARBOR, at_ms=NOW + 1_435 * world.MINUTE))),
    "re-establishing": (("1", "enter"), told(events.RoomReestablishing(room=world.HARBOR, missing=(world.JO,)))),
    "offline": (
        ("1", "enter"),
        told(
            events.RoomDisconnected(
                room=world.HARBOR, reason="the relay cannot be reached: connection refused", retries=True
            )
        ),
    ),
    "unread": (
        ("1", "c"),
        told(events.RoomUndecryptable(room=world.HARBOR, key=world.JO, reason="the key was never shared with us")),
    ),
    "reminder": (
        ("1",),
        told(
            events.TaskDue(
                room=world.HARBOR, task="t01", due_ms=NOW + 5 * world.MINUTE, title="Rotate the relay's keys"
            )
        ),
    ),
    "locked": (("1",), told(events.CoreLocked(by="idle"))),
}


@SIZES
@pytest.mark.parametrize("name", STATES)
def test_state(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    core = world.harbor()
    core.rooms[1] = replace(core.rooms[1], ephemeral=True)
    keys, happen = STATES[name]

    async def run(pilot: Pilot[Any]) -> None:
        await script(keys)(pilot)
        before = core.seq
        happen(core)
        await until(pilot, lambda: pilot.app.desk.view.seq > before)  # type: ignore[attr-defined]
        await settled(pilot)

    app = OrlopApp(core.options(), clock())
    try:
        assert snap_compare(app, terminal_size=size, run_before=run)
    finally:
        app.desk.close()


@pytest.mark.parametrize("look", ["light", "ascii", "no-color"])
def test_invite_look(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    options = {"light": {"theme": "light"}, "ascii": {"ascii": True}}.get(look, {})
    core = world.harbor()
    core.answers["rooms invite"] = lambda _args: Result(ok=True, value=world.INVITATION)
    assert picture(snap_compare, core, DIALOGS["invite"], WIDE, **options)


@SIZES
@pytest.mark.parametrize("name", PANES)
def test_empty(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, FakeCore(node=world.node()), PANES[name], size)


@SIZES
def test_first_run(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, FakeCore(node=world.node()), (), size, first_run=True)


@SIZES
def test_read_only_and_frozen(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, world.harbor(read_only=True), ("2", "p"), size)


def test_too_small(snap_compare: Compare) -> None:
    assert picture(snap_compare, world.harbor(), (), (50, 10))
