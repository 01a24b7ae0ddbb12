"""The Components pane under keys: what is shown of them, and what the operator does with them."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from console.client import Args, Fault, Json, Result
from console.ui.app import OrlopApp
from console.ui.figures import NOTHING
from console.ui.panes.components import ComponentsPane
from console.ui.screens.component_install import AgreeScreen, FolderScreen, UpgradeScreen
from console.ui.screens.components import OperationScreen, PermissionsScreen
from console.ui.screens.confirm import ConfirmScreen
from console.ui.screens.reading import SheetScreen
from console.ui.widgets.tick import Tick
from runtime import component_events as events
from runtime.events import Event
from tests.console.ui import harbor, quay
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.quay import COUNTER, FLAKY, IDLE, MIRROR, NOTIFY
from tests.console.ui.screen import (
    NARROW,
    WIDE,
    drained,
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

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])


def world(*rows: object, read_only: bool = False) -> FakeCore:
    core = harbor.harbor(read_only=read_only)
    if rows:
        core.components = list(rows)  # type: ignore[arg-type]
    return core


def asked(core: FakeCore, command: str) -> list[Args]:
    return [args for name, args in core.calls if name == command]


def words_of(app: OrlopApp) -> str:
    """What a dialog says, without what lies under it."""
    return " ".join(str(each.content) for each in app.screen.query(Static))


def fill(app: OrlopApp, **values: str) -> None:
    """Puts texts in the fields of a dialog."""
    for name, value in values.items():
        app.screen.query_one(f"#{name}", Input).value = value


# --- what is shown --------------------------------------------------------------------------------------------------


async def test_rows_say_how_each_is_and_those_that_need_a_look_come_first() -> None:
    async with opened(world(), (200, 40)) as (app, pilot):
        await press(pilot, "8")
        assert isinstance(pane(app), ComponentsPane)
        model = pane(app).main.model
        assert model.order == [row.component for row in (MIRROR, FLAKY, NOTIFY, COUNTER, IDLE)]
        assert [cell for cell in model.at(3).cells if cell] == [
            "●", "word-count", "running", "degraded", "0", "1,240", "3", "█▏· 96/256", "1.0.0", NOTHING,
        ]  # fmt: skip
        assert model.at(0).cells[1:4] == ("acme/mirror", "given-up", NOTHING)


@SIZES
async def test_columns_go_by_priority_and_never_name_state_or_reason(size: tuple[int, int]) -> None:
    async with opened(world(), size) as (app, pilot):
        await press(pilot, "8")
        head = next(line for line in shown(app).splitlines() if "COMPONENT" in line and "STATE" in line)
        assert {"STATE", "HEALTH", "DENIED", "MAILBOX", "REASON"} <= {word.strip("▼│") for word in head.split()}


async def test_the_row_of_panes_counts_those_that_live_and_those_given_up() -> None:
    core = world()
    async with opened(core) as (app, pilot):
        await until(pilot, lambda: "8 Components  2/5 ✗1" in row_of(app, "strip"))
        core.emit(
            events.ComponentState(component=IDLE.component, version="1.0.0", state="running", reason="", restarts=0)
        )
        await until(pilot, lambda: "8 Components  3/5 ✗1" in row_of(app, "strip"))


async def test_what_happens_repaints_the_row_and_uninstalling_takes_it_away() -> None:
    core = world()
    async with opened(core) as (app, pilot):
        await press(pilot, "8")
        core.emit(events.ComponentMeasured(component=NOTIFY.component, calls=90, denied=7, mailbox=2))
        core.emit(events.ComponentUninstalled(component=IDLE.component))
        model = pane(app).main.model
        await until(pilot, lambda: IDLE.component not in model.rows)
        assert model.rows[NOTIFY.component].cells[6] == "7"


async def test_a_component_that_was_installed_comes_with_the_next_snapshot() -> None:
    core = world(COUNTER)
    async with opened(core) as (app, pilot):
        await press(pilot, "8")
        core.components.append(IDLE)
        core.seq += 1
        core.emit(
            events.ComponentInstalled(
                component=IDLE.component, version="1.0.0", hash="", world="", mark="unsigned", previous=""
            )
        )
        await until(pilot, lambda: IDLE.component in pane(app).main.model.rows)


async def test_the_sheet_says_what_it_may_what_was_denied_and_what_would_allow_it() -> None:
    async with opened(world(COUNTER)) as (app, pilot):
        await press(pilot, "8")
        text = sheet(app, "component")
        for words in (
            "· connects to * (any port)  withheld  ‼ red: any host there is  network.outbound[0]",
            "✓ writes /data/out/**  ! risky: changes files of yours",
            "✓ sends messages to local/notify  added by you",
            "mailbox  █████▎········     96 of 256",
            "storage  ███████████▍··    13M of 16M",
            "/data  /srv/texts",
            "filesystem.deny.all[0], Component.toml:17",
            "allow it: orlop components permissions local/word-count --grant storage.namespaces=word-count:totals",
            "ok 1.9ms 240K  filesystem.read[0]",
            "left out private/keys.txt",
        ):
            assert words in text, words


async def test_a_log_line_and_a_denial_are_asked_for_and_those_of_others_are_not() -> None:
    core = world(COUNTER, NOTIFY)
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "G")
        assert pane(app).main.model.cursor == COUNTER.component
        before = len(asked(core, "components show"))
        core.emit(events.ComponentLogged(component=NOTIFY.component, level="info", text="hello"))
        await until(pilot, lambda: app.desk.view.seq == core.seq)
        await settled(pilot)
        assert len(asked(core, "components show")) == before
        core.emit(events.ComponentLogged(component=COUNTER.component, level="info", text="hello"))
        await until(pilot, lambda: len(asked(core, "components show")) == before + 1)
        core.emit(quay.denied())
        await until(pilot, lambda: len(asked(core, "components show")) == before + 2)


async def test_given_up_and_suspended_say_which_key_helps() -> None:
    async with opened(world()) as (app, pilot):
        await press(pilot, "8")
        assert "It fell too often and stays down until you start it: r does that." in sheet(app, "component")
        await press(pilot, "j", "j")
        assert "it rests; its messages wait. u lets it go on." in sheet(app, "component")


async def test_filter_search_and_sort_work_as_in_every_pane() -> None:
    async with opened(world()) as (app, pilot):
        await press(pilot, "8", "slash")
        await typed(pilot, "denied>0")
        await press(pilot, "enter")
        assert pane(app).main.model.order == [COUNTER.component]
        await press(pilot, "escape", "slash")
        await typed(pilot, "/mirror")
        await press(pilot, "enter")
        assert "1/" in row_of(app, "status")
        await press(pilot, "escape", "greater_than_sign")
        assert pane(app).main.model.sort == "health"


async def test_an_idle_pane_asks_for_nothing_and_sets_no_timer() -> None:
    core = world()
    async with opened(core) as (app, pilot):
        await press(pilot, "8")
        before = len(core.calls)
        for _ in range(5):
            app._second()
            await settled(pilot)
        assert len(core.calls) == before
        assert pane(app)._fetch_timer is None


# --- start, run, stop, rest -----------------------------------------------------------------------------------------


async def test_r_starts_a_component() -> None:
    core = world(IDLE)
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "r")
        assert isinstance(app.screen, OperationScreen)
        await press(pilot, "ctrl+s")
        assert core.changing() == [("components run", {"component": IDLE.component})]
        assert len(app.screen_stack) == 1


async def test_r_runs_an_operation_and_shows_what_it_returns_made_harmless() -> None:
    core = world(COUNTER)
    output = base64.b64encode(b"two\x1b[2J\nlines").decode()
    value = {"component": COUNTER.component, "operation": "count", "output": output, "duration_us": 1_400}
    core.answers["components run"] = lambda _args: Result(ok=True, value=value)
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "r")
        fill(app, operation="count", input="--all", timeout="2s")
        await press(pilot, "ctrl+s")
        assert core.changing() == [
            (
                "components run",
                {"component": COUNTER.component, "operation": "count", "input": "--all", "timeout": "2s"},
            )
        ]
        assert isinstance(app.screen, SheetScreen)
        assert sheet(app, "sheet").splitlines() == ["returned 13B in 1.4ms", "", r"two\x1b[2J", "lines"]


async def test_an_input_file_comes_along_as_its_standard_input(tmp_path: Path) -> None:
    core = world(COUNTER)
    (tmp_path / "words").write_bytes(b"some words")
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "r")
        fill(app, operation="count", file=str(tmp_path / "words"))
        await press(pilot, "ctrl+s")
        assert core.changing()[0][1]["input"] == "-"
        assert core.contents[-1] == {"stdin": b"some words"}


async def test_what_is_wrong_with_an_operation_is_said_in_the_dialog(tmp_path: Path) -> None:
    core = world(COUNTER)
    core.answers["components run"] = lambda _args: Result(
        ok=False, fault=Fault("failed", "local/word-count: trap: oops")
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "r")
        fill(app, input="words")
        await press(pilot, "ctrl+s")
        assert "an input is for an operation" in words_of(app)
        fill(app, operation="count", file=str(tmp_path))
        await press(pilot, "ctrl+s")
        assert "an input text or an input file, not both" in words_of(app)
        fill(app, input="")
        await press(pilot, "ctrl+s")
        assert "is a directory, not a file" in words_of(app)
        assert core.changing() == []
        fill(app, file="")
        await press(pilot, "ctrl+s")
        assert "word-count: trap: oops" in words_of(app)


async def test_s_stops_the_marked_ones_that_run() -> None:
    core = world()
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "asterisk", "S")
        stopped = {str(args["component"]) for _, args in core.changing()}
        assert stopped == {row.component for row in (FLAKY, NOTIFY, COUNTER)}
        await press(pilot, "asterisk", "G", "S")
        assert toasts(app)[-1] == "it does not run"


async def test_u_lets_what_runs_rest_and_what_rests_go_on() -> None:
    core = world()
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "j", "j", "u", "j", "u", "j", "u")
        assert core.changing() == [
            ("components resume", {"component": NOTIFY.component}),
            ("components suspend", {"component": COUNTER.component}),
        ]
        assert toasts(app)[-1] == "only what runs can rest"


async def test_the_whole_log_fills_the_screen() -> None:
    core = world(COUNTER)
    core.answers["components logs"] = lambda _args: Result(ok=True, value={"items": quay.FACTS["log"]})
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "L")
        assert "info  counting /data" in sheet(app, "sheet")


# --- permissions ----------------------------------------------------------------------------------------------------


async def permissions(pilot: Pilot[int]) -> None:
    await press(pilot, "8", "c")
    await until(pilot, lambda: isinstance(pilot.app.screen, PermissionsScreen))
    await settled(pilot)


async def test_ticks_become_grants_and_revocations() -> None:
    core = world(COUNTER)
    async with opened(core) as (app, pilot):
        await permissions(pilot)
        await press(pilot, "ctrl+s")
        assert "nothing is changed yet" in words_of(app)
        for number in (0, 2, 5):
            app.screen.query_one(f"#rule-{number}", Tick).action_switch()
        fill(app, grant="--grant 'filesystem.read=/x/**'", deny="filesystem.read=/y/**")
        await press(pilot, "ctrl+s")
        assert core.changing() == [
            (
                "components permissions",
                {
                    "component": COUNTER.component,
                    "grant": ["network.outbound[0]", "filesystem.read=/x/**"],
                    "revoke": ["filesystem.read[0]", "operator.messaging.send[0]"],
                    "deny": ["filesystem.read=/y/**"],
                },
            )
        ]
        assert len(app.screen_stack) == 1


async def test_what_would_have_allowed_a_denied_call_is_completed() -> None:
    async with opened(world(COUNTER)) as (app, pilot):
        await permissions(pilot)
        assert "Denied last: filesystem.file.open /data/private/keys.txt: filesystem.deny.all[0]" in words_of(app)
        app.screen.set_focus(app.screen.query_one("#grant"))
        await typed(pilot, "st")
        await until(pilot, lambda: bool(app.screen.query_one("#grant", Input)._suggestion))
        await press(pilot, "right")
        assert app.screen.query_one("#grant", Input).value == "storage.namespaces=word-count:totals:write"


async def test_a_refused_rule_is_said_in_the_dialog() -> None:
    core = world(COUNTER)
    core.refuse("components permissions", "`filesystem.raed` is no group", "did you mean filesystem.read?")
    async with opened(core) as (app, pilot):
        await permissions(pilot)
        fill(app, grant="filesystem.raed=/x")
        await press(pilot, "ctrl+s")
        assert "did you mean filesystem.read?" in words_of(app)
        assert isinstance(app.screen, PermissionsScreen)


# --- installing -----------------------------------------------------------------------------------------------------


def inspecting(core: FakeCore, *answers: Json) -> None:
    """What `components inspect` answers, one after the other, the last one again and again."""
    left = list(answers)
    core.answers["components inspect"] = lambda _args: Result(ok=True, value=left.pop(0) if len(left) > 1 else left[0])


async def look_inside(app: OrlopApp, pilot: Pilot[int], folder: Path) -> None:
    await press(pilot, "8", "i")
    assert isinstance(app.screen, FolderScreen)
    fill(app, folder=str(folder))
    await press(pilot, "ctrl+s")


async def test_a_folder_is_looked_at_and_then_installed_with_what_is_ticked(tmp_path: Path) -> None:
    core = world()
    inspecting(core, quay.SEEN)
    async with opened(core) as (app, pilot):
        await look_inside(app, pilot, tmp_path)
        assert isinstance(app.screen, AgreeScreen)
        assert [app.screen.query_one(f"#rule-{number}", Tick).ticked for number in range(3)] == [False, False, True]
        for words in ("nobody signed it", "‼ red: connects to *", "limits.memory to 64M", "Finds the page by itself"):
            assert words in said(app), words
        app.screen.query_one("#rule-1", Tick).action_switch()
        await press(pilot, "ctrl+s")
        assert "a folder of yours is needed for /data" in words_of(app)
        fill(app, **{"mount-0": str(tmp_path)})
        await press(pilot, "ctrl+s")
        assert core.changing() == [
            (
                "components install",
                {
                    "folder": str(tmp_path),
                    "folder_hash": quay.DIGEST,
                    "grant": ["filesystem.write[0]", "filesystem.read[0]"],
                    "dir": [f"{tmp_path}:/data"],
                },
            )
        ]
        place = next(number for number, (command, _) in enumerate(core.calls) if command == "components install")
        assert set(core.files[place]) == {"folder", "dir.0"}


async def test_who_ticks_nothing_grants_nothing(tmp_path: Path) -> None:
    core = world()
    inspecting(core, {**quay.SEEN, "mounts": []})
    async with opened(core) as (app, pilot):
        await look_inside(app, pilot, tmp_path)
        app.screen.query_one("#rule-2", Tick).action_switch()
        await press(pilot, "ctrl+s")
        assert core.changing()[0][1]["grant"] == ["none"]


async def test_an_upgrade_says_what_is_new_what_holds_and_what_is_no_more(tmp_path: Path) -> None:
    core = world(replace(COUNTER, mark=quay.SIGNER))
    inspecting(core, quay.NEWER)
    async with opened(core) as (app, pilot):
        await look_inside(app, pilot, tmp_path)
        assert isinstance(app.screen, UpgradeScreen)
        for words in (
            "In the place of 1.0.0, which goes on until this one runs.",
            "holds reads /data/**/*.txt",
            "withheld ! risky: writes /data/out/**",
            "no more connects to * (any port)",
            "It also asks for:",
        ):
            assert words in said(app), words
        app.screen.query_one("#unsigned", Tick).action_switch()
        await press(pilot, "ctrl+s")
        assert core.changing() == [
            (
                "components install",
                {
                    "folder": str(tmp_path),
                    "folder_hash": quay.DIGEST,
                    "grant": ["none"],
                    "upgrade": "true",
                    "unsigned": "true",
                },
            )
        ]


async def test_a_folder_that_changed_since_it_was_shown_is_not_installed(tmp_path: Path) -> None:
    core = world()
    inspecting(core, {**quay.SEEN, "mounts": []})
    changed = Fault("refused", "the folder is no longer what was shown")
    core.answers["components install"] = lambda _args: Result(ok=False, fault=changed)
    async with opened(core) as (app, pilot):
        await look_inside(app, pilot, tmp_path)
        await press(pilot, "ctrl+s")
        assert core.changing()[0][1]["folder_hash"] == quay.DIGEST
        assert "the folder is no longer what was shown" in words_of(app)
        assert isinstance(app.screen, AgreeScreen)


async def test_every_fault_of_a_manifest_has_a_line(tmp_path: Path) -> None:
    core = world()
    faults = "Component.toml:4: package.version: missing\nComponent.toml:9: limits: unknown key\x1b[2J"
    core.answers["components inspect"] = lambda _args: Result(ok=False, fault=Fault("usage", faults))
    async with opened(core) as (app, pilot):
        await look_inside(app, pilot, tmp_path)
        assert isinstance(app.screen, FolderScreen)
        lines = str(app.screen.query_one("#faults", Static).content).splitlines()
        assert lines == ["Component.toml:4: package.version: missing", r"Component.toml:9: limits: unknown key\x1b[2J"]


async def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    async with opened(world()) as (app, pilot):
        await look_inside(app, pilot, tmp_path / "nowhere")
        assert "no such file or directory" in words_of(app)
        fill(app, folder="")
        await press(pilot, "ctrl+s")
        assert "the folder of the component is needed" in words_of(app)


# --- uninstalling ---------------------------------------------------------------------------------------------------


async def test_uninstalling_wants_the_name_typed() -> None:
    core = world(IDLE)
    async with opened(core) as (app, pilot):
        await press(pilot, "8")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await drained(pilot)
        assert app.screen.query_one("#go").disabled
        fill(app, typed=IDLE.component)
        await drained(pilot)
        await pilot.click("#go")
        await settled(pilot)
        assert core.changing() == [("components uninstall", {"component": IDLE.component})]


async def test_what_runs_is_not_uninstalled() -> None:
    core = world(COUNTER)
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "D")
        assert toasts(app)[-1] == "word-count is running: S stops it first"
        assert core.changing() == []


# --- everywhere -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["r", "S", "u", "c", "i"])
async def test_a_screen_that_only_reads_refuses_by_every_key(key: str) -> None:
    core = world(COUNTER, read_only=True)
    async with opened(core) as (app, pilot):
        await press(pilot, "8", key)
        assert core.changing() == []
        assert "changing commands are off" in toasts(app)[-1]


@pytest.mark.parametrize("key", ["r", "S", "u", "c", "D", "L"])
async def test_keys_do_nothing_where_there_is_no_component(key: str) -> None:
    core = harbor.harbor()
    core.components = []
    async with opened(core) as (app, pilot):
        await press(pilot, "8", key)
        assert len(app.screen_stack) == 1
        assert core.changing() == []


async def test_the_prompt_completes_names_and_shows_what_an_operation_returned() -> None:
    core = world()
    value = {"component": COUNTER.component, "operation": "count", "output": base64.b64encode(b"42").decode()}
    core.answers["components run"] = lambda _args: Result(ok=True, value=value)
    async with opened(core) as (app, pilot):
        await press(pilot, "8", "colon")
        await typed(pilot, "components run wor")
        await until(pilot, lambda: "component, running" in said(app))
        await press(pilot, "tab")
        await typed(pilot, "count")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, SheetScreen))
        await settled(pilot)
        assert "42" in sheet(app, "sheet")


async def test_installing_by_the_prompt_asks_for_consent(tmp_path: Path) -> None:
    core = world()
    inspecting(core, quay.SEEN)
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        fill_prompt = app.screen.query_one(Input)
        fill_prompt.value = f"components install {tmp_path} --dir {tmp_path}:/data --grant filesystem.write[0]"
        await press(pilot, "enter")
        assert isinstance(app.screen, FolderScreen)
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, AgreeScreen)
        assert [app.screen.query_one(f"#rule-{number}", Tick).ticked for number in range(3)] == [False, True, False]
        await press(pilot, "ctrl+s")
        assert core.changing()[0][1] == {
            "folder": str(tmp_path), "folder_hash": quay.DIGEST, "grant": ["filesystem.write[0]"],
            "dir": [f"{tmp_path}:/data"],
        }  # fmt: skip


def failed(reason: str = "trap") -> events.ComponentState:
    return events.ComponentState(component=FLAKY.component, version="1.0.0", state="failed", reason=reason, restarts=0)


TOLD: list[tuple[Callable[[], Event], str]] = [
    (failed, "flaky failed: trap"),
    (quay.denied, "word-count was denied storage.set word-count:totals/all: no rule allows it, Component.toml:19."),
    (
        lambda: events.ComponentGivenUp(component=MIRROR.component, group="", reasons=("trap",)),
        "acme/mirror is given up: trap. r in Components starts it again",
    ),
]


@pytest.mark.parametrize(("happened", "words"), TOLD, ids=["failed", "denied", "given-up"])
async def test_what_nobody_should_miss_is_a_toast(happened: Callable[[], Event], words: str) -> None:
    core = world()
    async with opened(core) as (app, pilot):
        core.emit(happened())
        await until(pilot, lambda: any(words in toast for toast in toasts(app)))


async def test_a_failure_marks_the_pane_until_it_is_looked_at() -> None:
    core = world()
    async with opened(core) as (app, pilot):
        core.emit(failed())
        await until(pilot, lambda: row_of(app, "strip").rstrip().endswith("▲"))
        await press(pilot, "8")
        assert "▲" not in row_of(app, "strip")
