"""Dialogs and prompts: what they ask, what they run, and that doing nothing is their default."""

import base64
from pathlib import Path

import pytest

from console.client import Result
from console.registry import COMMANDS
from console.ui.screens.confirm import ConfirmScreen
from console.ui.screens.reading import SheetScreen
from console.ui.sheet import line
from console.ui.text.agents import agent_key
from runtime import events
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.harbor import HARBOR, JO, RECEIPT, RECEIPTS, SELF, harbor
from tests.console.ui.screen import opened, pane, press, row_of, said, settled, sheet, shown, toasts, typed, until


async def test_enter_on_the_question_cancels_and_the_button_deletes() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "faulty"))
        for _ in range(2):
            await pilot.press("D")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            text = shown(app)
            assert "Delete 1 agent" in text
            assert "faulty in quiet-harbor" in text
            assert "There is no undo" in text
            assert f"orlop agents delete faulty --room {HARBOR}" in text
            await pilot.press("y")
            assert isinstance(app.screen, ConfirmScreen)
            await press(pilot, "enter")
            assert not core.changing()
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await press(pilot, "right", "enter")
        assert core.changing() == [("agents delete", {"agent": "faulty", "room": HARBOR})]


async def test_a_question_about_several_names_them_and_built_ins_are_refused() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "asterisk", "D")
        assert "built-in agents cannot be deleted" in toasts(app)[-1]
        await press(pilot, "escape", "m", "m")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Delete 2 agents" in shown(app)
        assert "(and 1 more)" in said(app)
        await press(pilot, "escape")
        assert not core.changing()


async def test_a_name_that_must_be_typed() -> None:
    answers: list[bool | None] = []
    async with opened(harbor()) as (app, pilot):
        app.push_screen(ConfirmScreen(title="Burn 1 room", names=["demo"], typed="demo"), answers.append)
        await settled(pilot)
        await press(pilot, "right")
        assert app.screen.query_one("#go").disabled
        app.screen.query_one("#typed").focus()
        await typed(pilot, "demo")
        app.screen.query_one("#go").focus()
        await press(pilot, "enter")
        assert answers == [True]


async def test_a_refusal_says_what_to_do_and_stays_in_the_log_of_commands() -> None:
    core = harbor()
    core.refuse("agents deactivate", "the disk is full", "free some space and press space again")
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "space")
        assert toasts(app) == ["agents deactivate: the disk is full; free some space and press space again"]
        assert "✗ agents deactivate: the disk is full" in row_of(app, "status")
        await press(pilot, "at")
        assert f"orlop agents deactivate unblock --room {HARBOR}" in sheet(app, "sheet")


async def test_read_only_offers_nothing_and_says_why() -> None:
    core = harbor(read_only=True)
    async with opened(core) as (app, pilot):
        assert "READ-ONLY" in row_of(app, "header")
        for keys in (
            ("1", "a"),
            ("1", "tab", "space"),
            ("2", "space"),
            ("2", "P"),
            ("2", "u"),
            ("2", "c"),
            ("2", "D"),
            ("4", "r"),
            ("4", "ctrl+x"),
        ):
            app.clear_notifications()
            await press(pilot, "escape", *keys)
            assert len(app.screen_stack) == 1, keys
            assert len(toasts(app)) == 1, keys
            assert "read" in toasts(app)[-1] or "built-in" in toasts(app)[-1], keys
        await press(pilot, "colon")
        await typed(pilot, "rooms create x")
        await press(pilot, "enter")
        assert "changing commands are off" in toasts(app)[-1]
        assert not core.changing()


async def test_an_upload_takes_the_manifest_beside_the_module_and_asks_for_each_permission(tmp_path: Path) -> None:
    (tmp_path / "echo.wasm").write_bytes(b"\0asm")
    (tmp_path / "echo.json").write_text(
        '{"name":"echo","version":"2.0","author":"jo","description":"says it again","permissions":["emit_events"]}'
    )
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "u")
        await typed(pilot, f"{tmp_path}/ec".replace("\\", "/"))
        await press(pilot, "tab")
        assert "echo.wasm" in shown(app).replace("\n", "")
        await until(pilot, lambda: "says it again" in shown(app))
        assert "read_members" not in shown(app)
        await press(pilot, "ctrl+s")
        assert core.calls[-1][1]["grant"] == "none"
        await press(pilot, "2", "u")
        await typed(pilot, f"{tmp_path}/echo.wasm")
        await until(pilot, lambda: "says it again" in shown(app))
        app.screen.query_one("#emit_events").focus()
        await press(pilot, "space")
        core.refuse("agents upload", "imports wasi_snapshot_preview1.fd_write", "an agent may import only env.*")
        await press(pilot, "ctrl+s")
        assert "✗ agents upload: imports wasi_snapshot_preview1.fd_write" in shown(app)
        del core.answers["agents upload"]
        await press(pilot, "ctrl+s")
        assert len(app.screen_stack) == 1
        name, args = core.changing()[-1]
        assert name == "agents upload"
        assert (args["room"], args["grant"]) == ("quiet-harbor", "emit_events")
        assert core.contents[-1]["module"] == b"\0asm"
        assert core.contents[-1]["manifest"].startswith(b'{"name"')


async def test_a_file_that_is_not_there_is_said_in_the_dialog() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4", "r", "ctrl+s")
        assert "no module" in shown(app)
        await typed(pilot, "/nowhere.wasm")
        await press(pilot, "ctrl+s")
        assert "no such file" in shown(app)
        await press(pilot, "escape")
        assert not core.changing()


async def test_a_job_gets_typed_input_without_a_file_and_outlives_its_dialog(tmp_path: Path) -> None:
    module = tmp_path / "hello.wasm"
    module.write_bytes(b"\0asm job")
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4", "r")
        await typed(pilot, str(module))
        app.screen.query_one("#args").focus()
        await typed(pilot, "-n 'two words'")
        app.screen.query_one("#input").focus()
        await typed(pilot, "Hello")
        app.screen.query_one("#timeout").focus()
        await typed(pilot, "0")
        await press(pilot, "ctrl+s")
        assert "✗" in shown(app)
        app.screen.query_one("#timeout").value = "5s"  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(core.changing()))
        assert len(app.screen_stack) == 1
        name, args = core.changing()[-1]
        assert name == "jobs run"
        assert (args["args"], args["timeout"]) == (["-n", "two words"], "5s")
        assert core.contents[-1] == {"module": b"\0asm job", "stdin": b"Hello"}
        limits = {"memory_bytes": 1, "fuel": 1, "timeout_ms": 1, "max_output_bytes": 1}
        names = {"job": "ff" * 32, "kind": "wasm", "module": world.MODULE, "name": "hello.wasm"}
        core.emit(events.JobSubmitted(submitter="self", where="local", **names, **limits))
        await until(pilot, lambda: pane(app).main.model.cursor == "ff" * 32)


async def test_receipts_are_exported_where_the_dialog_says(tmp_path: Path) -> None:
    core = harbor()
    core.answers["receipts export"] = lambda _args: Result(ok=True, value={"v": 1, "items": [RECEIPT]})
    out = tmp_path / "out.jsonl"
    async with opened(core) as (app, pilot):
        await press(pilot, "5", "E")
        app.screen.query_one("#out").value = str(out)  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert out.read_text().count("\n") == 1
        assert core.calls[-1][1]["receipts"] == [RECEIPTS[0].receipt]


async def test_auto_assign_shows_the_plan_and_asks() -> None:
    core = harbor()
    plan = [
        {"task": "t08", "title": "Test titles", "assignee": JO, "name": "jo"},
        {"task": "t02", "title": "Publish", "assignee": SELF, "name": "mara"},
    ]
    core.answers["rooms task"] = lambda args: Result(
        ok=True,
        value={"v": 1, "room": HARBOR, "changed": [], "rejected": [], "preview": plan if args.get("preview") else []},
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        await pilot.press("A")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "Assign 2 tasks" in shown(app)
        assert "→ mara" in shown(app)
        await press(pilot, "enter")
        assert len([1 for name, _ in core.calls if name == "rooms task"]) == 1
        await pilot.press("A")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await press(pilot, "right", "enter")
        assert core.calls[-1] == ("rooms task", {"room": HARBOR, "auto_assign": "true"})


async def test_permissions_are_set_to_exactly_those_that_are_ticked() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "c", "space", "down", "space", "ctrl+s")
        assert core.changing() == [("agents grant", {"agent": "unblock", "permissions": "emit_events", "room": HARBOR})]


# --- the prompt, the palette, help, copy ---------------------------------------------------------------------------


async def test_the_prompt_completes_runs_and_remembers() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "agents deac")
        await press(pilot, "tab")
        await typed(pilot, "unb")
        await press(pilot, "tab")
        await typed(pilot, "--ro")
        await press(pilot, "tab")
        await typed(pilot, "qui")
        await press(pilot, "tab", "enter")
        assert core.changing() == [("agents deactivate", {"agent": "unblock", "room": "quiet-harbor"})]
        await press(pilot, "colon", "up")
        assert app.screen.query_one("#line").value == "agents deactivate unblock --room quiet-harbor "[:-1]  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1


async def test_the_prompt_asks_before_what_cannot_be_undone() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "agents delete faulty")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await press(pilot, "enter")
        assert not core.changing()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("agent list", "did you mean agents"),
        ("agents try quiet.wasm", "--manifest is missing"),
        ("jobs run -", "standard input and output are this screen"),
        ("theme pink", "no theme `pink`"),
    ],
)
async def test_a_line_that_means_nothing_says_what_was_meant(line: str, says: str) -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, line)
        await press(pilot, "enter")
        assert any(says in toast for toast in toasts(app))


async def test_what_a_reading_command_answers_is_shown() -> None:
    core = harbor()
    core.answers["rooms list"] = lambda _args: Result(
        ok=True, value={"v": 1, "items": [{"name": "quiet-harbor", "room": HARBOR, "open": 5}]}
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "rooms list")
        await press(pilot, "enter")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "quiet-harbor" in sheet(app, "sheet")


async def test_the_palette_finds_every_command_and_runs_the_same() -> None:
    from console.ui.palette import RegistryProvider

    core = harbor()
    async with opened(core) as (app, pilot):
        provider = RegistryProvider(app.screen)
        offered = {str(hit.text) async for hit in provider.discover()}
        assert set(COMMANDS) <= offered
        for name in COMMANDS:
            assert name in [str(hit.text) async for hit in provider.search(name)]
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        app.open_command("agents deactivate")
        await settled(pilot)
        assert app.screen.query_one("#line").value == f"agents deactivate unblock --room {HARBOR} "  # type: ignore[attr-defined]
        await press(pilot, "enter")
        assert core.changing() == [("agents deactivate", {"agent": "unblock", "room": HARBOR})]
        app.open_command("rooms list")
        await until(pilot, lambda: core.calls[-1][0] == "rooms list")
        await settled(pilot)


def test_a_text_that_is_mounted_while_the_screen_is_taken_down_does_no_harm() -> None:
    text = SheetScreen(title="rooms list", lines=[line("quiet-harbor")])
    text.on_mount()
    assert not text.is_attached


async def test_help_lists_every_key_and_can_be_filtered() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "question_mark")
        text = sheet(app, "help")
        for words in (
            "AGENTS",
            "MOVING",
            "EVERYWHERE",
            ":agents probe",
            "Half a page down",
            "Freeze the screen",
            "ctrl+q",
        ):
            assert words in text
        await typed(pilot, "delete")
        assert ":agents delete" in sheet(app, "help")
        assert ":agents probe" not in sheet(app, "help")


async def test_the_menu_of_actions_does_what_the_keys_do() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "x")
        assert "On/off" in shown(app)
        table = app.screen.query_one("#menu")
        table.select("switch")  # type: ignore[attr-defined]
        await press(pilot, "enter")
        await until(pilot, lambda: bool(core.changing()))
        assert core.changing()[0][0] == "agents deactivate"


async def test_copying_sends_harmless_text_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    core = harbor()
    core.agents[0] = world.agent("auto-balance", mark="\x1b]52;c;AAAA\x07")
    async with opened(core) as (app, pilot):
        sent: list[str] = []
        monkeypatch.setattr(app, "copy_to_clipboard", sent.append)
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "auto-balance"))
        await press(pilot, "Y")
        assert sent == ["auto-balance"]
        await press(pilot, "y")
        menu = app.screen.query_one("#menu")
        for what in ("row", "json", "command line", "signed"):
            menu.select(what)  # type: ignore[attr-defined]
            await press(pilot, "enter", "y")
            menu = app.screen.query_one("#menu")
        assert "\x1b" not in "".join(sent)
        assert sent[3] == f"orlop agents show auto-balance --room {HARBOR}"
        assert "sent to the terminal's clipboard" in toasts(app)[-1]


async def test_the_first_start_says_what_was_made_and_an_empty_pane_what_fills_it() -> None:
    core = FakeCore(node=world.node())
    async with opened(core, first_run=True) as (app, pilot):
        assert world.PEER in shown(app)
        assert "Nothing is sent to the network" in shown(app)
        assert "Add the demo room" in shown(app)
        await press(pilot, "enter")
        assert core.changing() == []
        assert "No rooms yet." in shown(app)
        for key, words in (
            ("2", "u uploads one"),
            ("4", "r runs one"),
            ("5", "4 then r"),
            ("7", "Nothing has happened"),
        ):
            await press(pilot, key)
            assert words in shown(app)


async def test_the_first_start_adds_the_demo_room_when_it_is_wanted() -> None:
    core = FakeCore(node=world.node())
    async with opened(core, first_run=True) as (app, pilot):
        await press(pilot, "left", "enter")
        assert core.changing() == [("rooms create", {"name": "quiet-harbor", "with_demo": "true"})]
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_the_first_start_adds_nothing_by_the_way(key: str) -> None:
    core = FakeCore(node=world.node())
    async with opened(core, first_run=True) as (app, pilot):
        await press(pilot, key)
        assert core.changing() == []
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("core", [FakeCore(node=world.node(read_only=True)), harbor()], ids=["read-only", "rooms"])
async def test_the_demo_room_is_offered_only_where_it_can_be_made_and_nothing_else_is(core: FakeCore) -> None:
    async with opened(core, first_run=True) as (app, pilot):
        assert "Begin" in shown(app)
        assert "Add the demo room" not in shown(app)
        await press(pilot, "enter")
        assert len(app.screen_stack) == 1


async def test_the_theme_changes_from_the_prompt() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "colon")
        await typed(pilot, "theme light")
        await press(pilot, "enter")
        await until(pilot, lambda: app.theme == "orlop-light")


async def test_ctrl_c_closes_a_dialog_and_twice_is_quit() -> None:
    core = harbor()
    core.jobs = []
    async with opened(core) as (app, pilot):
        await press(pilot, "colon", "ctrl+c")
        assert len(app.screen_stack) == 1
        await press(pilot, "2", "u", "ctrl+c")
        assert len(app.screen_stack) == 1
        await press(pilot, "ctrl+c")
        assert app.return_code is None
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.return_code == 0)


async def test_quitting_asks_only_when_jobs_would_be_cancelled() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Quit and cancel 1 job" in shown(app)
        assert "1 more waits: what was submitted stays in the queue." in shown(app)
        await press(pilot, "enter")
        assert app.return_code is None
        core.emit(events.JobState(job=world.JOBS[0].job, state="done", previous="running", reason="exit"))
        await until(pilot, lambda: app.desk.view.job_states["running"] == 0)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code == 0)


async def test_logs_and_outputs_fill_a_screen_of_their_own() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "L")
        await until(pilot, lambda: "assignee matches no member" in sheet(app, "sheet"))
        await press(pilot, "escape", "4", "j", "L")
        assert base64.b64decode("cm9icmFoICxvbGxlSAo=").decode().strip() in sheet(app, "sheet")
        await press(pilot, "escape", "J")
        assert f'"job": "{world.JOBS[1].job}"' in sheet(app, "sheet")
        await press(pilot, "escape", "1", "enter", "enter")
        assert "Rotate the relay's keys" in sheet(app, "sheet")
