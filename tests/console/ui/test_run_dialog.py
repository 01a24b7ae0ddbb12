"""The run dialog under keys: what runs, where, on what terms, in which limits; it makes a line as one types it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from console.client import Args
from console.rows import PeerRow
from console.ui.app import OrlopApp
from console.ui.screens.run import RunScreen
from console.ui.screens.workers import WorkersScreen
from runtime import events
from tests.console.ui.anchorage import BANNED, BUOY, HULL, LIAR, PEERS, PILOT, peer
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.harbor import MODULE, harbor
from tests.console.ui.screen import (
    NARROW,
    WIDE,
    opened,
    pane,
    press,
    said,
    toasts,
    typed,
    until,
)

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
LIMITS = {"memory_bytes": 1, "fuel": 1, "timeout_ms": 1, "max_output_bytes": 1}
NAMES = {"kind": "wasm", "module": MODULE, "name": "hello.wasm", "submitter": "self", "where": "local"}


def submitted(job: str) -> events.JobSubmitted:
    return events.JobSubmitted(job=job, **NAMES, **LIMITS)  # type: ignore[arg-type]


def module_in(folder: Path) -> str:
    (folder / "hello.wasm").write_bytes(b"\0asm job")
    return str(folder / "hello.wasm")


@SIZES
async def test_a_preset_fills_in_limits_that_one_may_change(size: tuple[int, int], tmp_path: Path) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        app.screen.query_one("#module").value = module_in(tmp_path)  # type: ignore[attr-defined]
        await focus_on(pilot, "preset")
        await press(pilot, "right")
        await says(pilot, "--memory 64MiB --timeout 5s --max-output 1MiB")
        app.screen.query_one("#timeout").value = "7s"  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(core.changing()))
        name, args = core.changing()[-1]
        assert (name, args["memory"], args["timeout"], args["max_output"]) == ("jobs run", "64MiB", "7s", "1MiB")


async def test_the_default_preset_takes_every_limit_back() -> None:
    async with opened(harbor()) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        await focus_on(pilot, "preset")
        await press(pilot, "right", "right")
        await says(pilot, "--memory 1GiB")
        await press(pilot, "right")
        await until(pilot, lambda: "--memory" not in said(app))


async def test_a_job_is_put_into_the_queue_on_its_terms(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        app.screen.query_one("#module").value = module_in(tmp_path)  # type: ignore[attr-defined]
        assert not app.screen.query_one("#retries").parent.display  # type: ignore[union-attr]
        await focus_on(pilot, "when")
        await press(pilot, "right")
        for name, value in (("priority", "-5"), ("retries", "2"), ("expires", "10m"), ("env", "A=1 'B=two words'")):
            app.screen.query_one(f"#{name}").value = value  # type: ignore[attr-defined]
        await focus_on(pilot, "deterministic")
        await press(pilot, "space", "ctrl+s")
        await until(pilot, lambda: bool(core.changing()))
        name, args = core.changing()[-1]
        assert name == "jobs submit"
        assert (args["priority"], args["retries"], args["expires"]) == ("-5", "2", "10m")
        assert args["env"] == ["A=1", "B=two words"]
        assert args["deterministic"] == "true"
        core.emit(submitted("ff" * 32))
        await until(pilot, lambda: pane(app).main.model.cursor == "ff" * 32)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("args", "'open", "arguments: No closing quotation"),
        ("env", "'open", "environment: No closing quotation"),
        ("dir", "'open", "directories: No closing quotation"),
        ("priority", "11", "priority"),
        ("stack", "9TiB", "stack"),
        ("dir", "/nowhere-at-all:/data", "/nowhere-at-all"),
    ],
)
async def test_what_is_wrong_with_a_job_is_said_in_the_dialog(
    tmp_path: Path, field: str, value: str, words: str
) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        app.screen.query_one("#module").value = module_in(tmp_path)  # type: ignore[attr-defined]
        app.screen.query_one(f"#{field}").value = value  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "✗" in app.screen.query_one("#problem").render().plain)  # type: ignore[union-attr]
        assert words in said(app)
        assert not core.changing()


# --- where it runs --------------------------------------------------------------------------------------------------


def dialog(app: OrlopApp) -> RunScreen:
    found = app.screen
    assert isinstance(found, RunScreen)
    return found


async def stands_on(pilot: Pilot[int], kind: type[Screen[Any]], name: str) -> None:
    """Waits until a screen of this kind is there with the focus on this: only then do keys mean it."""

    def there() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, kind) and screen.focused is not None and screen.focused.id == name

    await until(pilot, there)


async def dialog_by(pilot: Pilot[int], *keys: str) -> None:
    """Opens the dialog."""
    await press(pilot, *keys)
    await stands_on(pilot, RunScreen, "module")


@pytest.mark.parametrize(
    ("keys", "lands"),
    [
        (("right", "down"), "on"),
        (("right", "right", "down"), "any_peer"),
        (("right", "right", "right", "down"), "args"),
        (("right", "down", "up", "right", "down", "up", "left", "down"), "on"),
    ],
)
async def test_who_types_faster_than_the_dialog_draws_lands_where_the_choice_leads(
    keys: tuple[str, ...], lands: str
) -> None:
    async with opened(harbor()) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        await focus_on(pilot, "where")
        for key in keys:
            app.post_message(Key(key, None))
        await stands_on(pilot, RunScreen, lands)


async def focus_on(pilot: Pilot[int], name: str) -> None:
    """Goes to a field at once."""
    pilot.app.screen.query_one(f"#{name}").focus()
    await stands_on(pilot, RunScreen, name)


def fill(app: OrlopApp, folder: Path, **fields: str) -> None:
    """Types into fields at once."""
    for name, value in {"module": module_in(folder), **fields}.items():
        app.screen.query_one(f"#{name}").value = value  # type: ignore[attr-defined]


async def at_a_peer(pilot: Pilot[int], *keys: str) -> None:
    """Opens the dialog from the pane of jobs, and from it the list of peers, and presses keys there."""
    await dialog_by(pilot, "4", "r")
    await press(pilot, "down")
    await stands_on(pilot, RunScreen, "where")
    await press(pilot, "right")
    await offers(pilot, "on")
    await press(pilot, "down")
    await stands_on(pilot, RunScreen, "on")
    await in_the_list(pilot, *keys)


async def offers(pilot: Pilot[int], *names: str) -> None:
    """Waits until these fields are there."""
    app = pilot.app
    assert isinstance(app, OrlopApp)
    await until(pilot, lambda: all(dialog(app).shows(name) for name in names))


async def compared(pilot: Pilot[int]) -> None:
    """Ticks that the job is deterministic, so that it can run at several peers."""
    await focus_on(pilot, "deterministic")
    await press(pilot, "space")
    await offers(pilot, "replicas", "agree")


async def in_the_list(pilot: Pilot[int], *keys: str) -> None:
    """Opens the list of peers and presses keys there."""
    await press(pilot, "enter")
    await stands_on(pilot, WorkersScreen, "several")
    await press(pilot, *keys)
    if keys and keys[-1] in {"enter", "ctrl+s", "escape"}:
        await stands_on(pilot, RunScreen, "on")


async def says(pilot: Pilot[int], words: str) -> None:
    """Waits until this is on the screen."""
    app = pilot.app
    assert isinstance(app, OrlopApp)
    await until(pilot, lambda: words in said(app))


async def run(pilot: Pilot[int], core: FakeCore) -> tuple[str, Args]:
    """Says that it is to be done; what was run."""
    await press(pilot, "ctrl+s")
    await until(pilot, lambda: bool(core.changing()))
    return core.changing()[-1]


async def refusal(pilot: Pilot[int], core: FakeCore) -> str:
    """Says that it is to be done; why it is not."""
    await press(pilot, "ctrl+s")
    problem = pilot.app.screen.query_one("#problem")
    await until(pilot, lambda: "✗" in str(problem.render()))
    assert not core.changing()
    return str(problem.render())


@SIZES
async def test_a_peer_is_taken_from_the_list_by_keys_alone(size: tuple[int, int], tmp_path: Path) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await at_a_peer(pilot, "enter")
        await says(pilot, "Peer hull-2 ▸")
        await says(pilot, "orlop jobs run '' --on hull-2")
        fill(app, tmp_path, input="Hello")
        name, args = await run(pilot, core)
        assert (name, args["on"], args.get("discover")) == ("jobs run", ["hull-2"], None)
        assert core.contents[-1]["stdin"] == b"Hello"


async def test_the_list_names_who_is_trusted_first_and_is_filtered_by_name_or_peer_id() -> None:
    async with opened(harbor()) as (app, pilot):
        await at_a_peer(pilot)
        table = app.screen.query_one("#several")
        listed = [HULL.peer, PILOT.peer, BUOY.peer, *(row.peer for row in PEERS[4:5]), LIAR.peer, BANNED.peer]
        assert table.model.order == listed  # type: ignore[attr-defined]
        for words, left in (("pil", [PILOT.peer]), (BUOY.peer[-12:].lower(), [BUOY.peer]), ("nobody", [])):
            await press(pilot, "slash")
            app.screen.query_one("#several-filter").value = ""  # type: ignore[attr-defined]
            await typed(pilot, words)
            await press(pilot, "enter")
            assert table.model.order == left  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert table.model.order == listed  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("row", "why"),
    [(LIAR, f"✗ it gave a false receipt: {LIAR.problem}"), (BANNED, f"✗ it is banned: {BANNED.problem}")],
)
async def test_who_lied_or_is_banned_cannot_be_chosen_and_the_list_says_why(row: PeerRow, why: str) -> None:
    async with opened(harbor()) as (app, pilot):
        await at_a_peer(pilot)
        app.screen.query_one("#several").select(row.peer)  # type: ignore[attr-defined]
        await press(pilot, "space", "enter")
        assert isinstance(app.screen, WorkersScreen)
        await says(pilot, why)
        await press(pilot, "ctrl+s")
        await says(pilot, "Peer nobody ▸")


async def test_leaving_the_list_leaves_who_was_chosen() -> None:
    async with opened(harbor()) as (_app, pilot):
        await at_a_peer(pilot, "enter")
        await in_the_list(pilot, "down", "space", "escape")
        await says(pilot, "Peer hull-2 ▸")


@SIZES
async def test_several_peers_are_compared(size: tuple[int, int], tmp_path: Path) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await at_a_peer(pilot, "space", "down", "space", "ctrl+s")
        await says(pilot, "--on hull-2 --on pilot --deterministic --replicas 2")
        fill(app, tmp_path, agree="2")
        name, args = await run(pilot, core)
        assert (name, args["on"], args["replicas"], args["agree"]) == ("jobs run", ["hull-2", "pilot"], "2", "2")
        assert args["deterministic"] == "true"


async def test_one_peer_after_several_is_asked_alone() -> None:
    async with opened(harbor()) as (app, pilot):
        await at_a_peer(pilot, "space", "down", "space", "ctrl+s")
        await in_the_list(pilot, "down", "space", "ctrl+s")
        await says(pilot, "--on hull-2 --deterministic")
        assert "--replicas" not in dialog(app).words()


async def test_the_best_that_is_found_is_looked_for_and_strangers_only_where_that_is_ticked(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        await focus_on(pilot, "where")
        await press(pilot, "left")
        await offers(pilot, "any_peer")
        await says(pilot, "orlop jobs run '' --discover")
        await focus_on(pilot, "any_peer")
        await press(pilot, "space")
        await says(pilot, "orlop jobs run '' --discover --any-peer")
        fill(app, tmp_path)
        name, args = await run(pilot, core)
        assert (name, args["discover"], args["any_peer"]) == ("jobs run", "true", "true")
        assert toasts(app) == ["looking for peers that can run it"]


async def test_the_best_that_are_found_may_be_several(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        await focus_on(pilot, "where")
        await press(pilot, "left")
        await offers(pilot, "any_peer")
        await compared(pilot)
        fill(app, tmp_path, replicas="5", agree="4")
        name, args = await run(pilot, core)
        assert (name, args["discover"], args["replicas"], args["agree"]) == ("jobs run", "true", "5", "4")


async def test_a_job_is_left_to_an_orlop_that_follows_it_at_a_peer(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await at_a_peer(pilot, "enter")
        await focus_on(pilot, "when")
        await press(pilot, "right")
        fill(app, tmp_path)
        name, args = await run(pilot, core)
        assert (name, args["on"]) == ("jobs submit", "hull-2")


ONLY = {
    "here": {"dir", "when", "priority", "keep_output"},
    "at a peer": {"on", "when"},
    "at the best that is found": {"any_peer"},
}


async def test_only_what_counts_is_asked_and_what_is_hidden_is_not_sent(tmp_path: Path) -> None:
    async with opened(harbor()) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        fill(app, tmp_path, dir=f"{tmp_path}:/data", priority="5")
        app.screen.query_one("#keep_output").ticked = True  # type: ignore[attr-defined]
        await focus_on(pilot, "where")
        every = {name for names in ONLY.values() for name in names}

        def only(names: set[str]) -> bool:
            return {name for name in every if dialog(app).shows(name)} == names

        for where, names in ONLY.items():
            await until(pilot, partial(only, names))
            assert dialog(app).chosen("where") == where
            given = {"--dir", "--priority", "--keep-output"} & set(dialog(app).words())
            assert len(given) == (3 if where == "here" else 0)
            await press(pilot, "right")


async def test_who_can_be_compared_is_said_before_replicas_are_asked_for() -> None:
    async with opened(harbor()) as (app, pilot):
        await at_a_peer(pilot, "enter")
        await says(pilot, "can run at several peers, to be compared")
        assert not dialog(app).shows("replicas")
        await compared(pilot)
        await until(pilot, lambda: "can run at several peers" not in said(app))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"replicas": "3"}, "--replicas: asks for 3 peers, and --on names 1"),
        ({"agree": "2"}, "--agree: goes with --replicas"),
        ({"replicas": "17"}, "--replicas"),
        ({"replicas": "2", "agree": "x"}, "--agree"),
    ],
)
async def test_what_does_not_fit_together_is_said_as_the_command_says_it(
    tmp_path: Path, fields: dict[str, str], words: str
) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await at_a_peer(pilot, "enter")
        await compared(pilot)
        fill(app, tmp_path, **fields)
        assert words in await refusal(pilot, core)


async def test_several_peers_of_the_queue_or_without_a_comparison_are_refused(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await at_a_peer(pilot, "space", "down", "space", "ctrl+s")
        fill(app, tmp_path, replicas="")
        assert "--on: names 2 peers; --replicas 2 asks all of them" in await refusal(pilot, core)
        await focus_on(pilot, "when")
        await press(pilot, "right")
        assert "--on: given more than once" in await refusal(pilot, core)


async def test_a_peer_must_be_chosen(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await dialog_by(pilot, "4", "r")
        await focus_on(pilot, "where")
        await press(pilot, "right")
        await offers(pilot, "on")
        fill(app, tmp_path)
        assert "no peer: choose one in the row Peer" in await refusal(pilot, core)


async def test_a_name_that_looks_like_an_option_is_no_option(tmp_path: Path) -> None:
    core = harbor()
    core.peers = [peer("odd", name="--any-peer", worker=True)]
    async with opened(core) as (app, pilot):
        await at_a_peer(pilot, "enter")
        fill(app, tmp_path)
        _, args = await run(pilot, core)
        assert args["on"] == [core.peers[0].peer]


async def test_a_failure_at_a_peer_is_told_when_the_dialog_is_gone(tmp_path: Path) -> None:
    core = harbor()
    core.refuse("jobs run", "no free slot (2 of 2)")
    async with opened(core) as (app, pilot):
        await at_a_peer(pilot, "enter")
        fill(app, tmp_path)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(toasts(app)))
        assert toasts(app) == ["jobs run: no free slot (2 of 2)"]
        assert len(app.screen_stack) == 1


# --- from the pane of peers -----------------------------------------------------------------------------------------


@SIZES
async def test_a_job_is_run_at_the_peer_under_the_cursor(size: tuple[int, int], tmp_path: Path) -> None:
    core = harbor()
    async with opened(core, size) as (app, pilot):
        await dialog_by(pilot, "3", "r")
        await says(pilot, "Peer hull-2 ▸")
        assert dialog(app).chosen("where") == "at a peer"
        fill(app, tmp_path)
        _, args = await run(pilot, core)
        assert (args["on"], "replicas" in args) == (["hull-2"], False)
        await until(pilot, lambda: toasts(app) == ["the job is on its way; 4 shows each step"])


async def test_a_job_is_compared_among_the_marked_peers(tmp_path: Path) -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await dialog_by(pilot, "3", "space", "space", "r")
        fill(app, tmp_path)
        _, args = await run(pilot, core)
        assert (args["on"], args["replicas"], args["deterministic"]) == (["hull-2", BUOY.peer], "2", "true")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (LIAR, f"mirage gets no job: it gave a false receipt: {LIAR.problem}"),
        (BANNED, f"gets no job: it is banned: {BANNED.problem}"),
    ],
)
async def test_a_liar_and_a_banned_peer_get_no_job(row: PeerRow, why: str) -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "3")
        pane(app).main.select(row.peer)
        await press(pilot, "r")
        assert why in toasts(app)[-1]
        assert len(app.screen_stack) == 1


async def test_no_job_is_run_at_a_peer_read_only_or_where_there_is_none() -> None:
    core = harbor(read_only=True)
    async with opened(core) as (app, pilot):
        await press(pilot, "3", "r")
        assert "changing commands are off" in toasts(app)[-1]
    core.peers = []
    async with opened(core) as (app, pilot):
        await press(pilot, "3", "r")
        assert (len(app.screen_stack), toasts(app)) == (1, [])
