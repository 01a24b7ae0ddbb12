"""The key map: what may be written, what is refused and in which words, and that the whole screen follows it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from console.ui.app import OrlopApp
from console.ui.bound import Keys
from console.ui.key_file import read_key_map
from console.ui.places import REACHES, SECTIONS, bindings_of
from runtime.errors import UnavailableError, UsageError
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import NARROW, opened, pane, press, row_of, said, typed, until

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "keys.toml"
        path.write_text(text, "utf-8")
        return path

    return write


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keymap", "shown"),
    [
        ("", {}, {}),
        ('"agents probe" = "B"', {"agents probe": "B"}, {"agents probe": "B"}),
        ('ui.freeze = "é"', {"ui.freeze": "é"}, {"ui.freeze": "é"}),
        ('[ui]\nfreeze = ";"', {"ui.freeze": "semicolon"}, {"ui.freeze": ";"}),
        ('"ui.freeze" = ","', {"ui.freeze": "comma"}, {"ui.freeze": ","}),
        ('"ui.freeze" = "semicolon"', {"ui.freeze": "semicolon"}, {"ui.freeze": ";"}),
        ('"ui.freeze" = "alt+k"', {"ui.freeze": "alt+k"}, {"ui.freeze": "alt+k"}),
        ('"ui.down" = ["j", "↓", "ctrl+n", "j"]', {"ui.down": "j,down,ctrl+n"}, {"ui.down": "j"}),
        ('"ui.back" = ["esc", "backspace"]', {"ui.back": "escape,backspace"}, {"ui.back": "esc"}),
        ('"ui.freeze" = []', {"ui.freeze": "<ui.freeze>"}, {"ui.freeze": "—"}),
        ('"ui.filter" = "?"\n"ui.help" = "/"', {"ui.filter": "question_mark", "ui.help": "slash"}, {"ui.help": "/"}),
        ('"ui.leave" = []\n"ui.freeze" = "q"', {"ui.leave": "<ui.leave>", "ui.freeze": "q"}, {"ui.freeze": "q"}),
        ('"ui.quit" = "f10"', {"ui.quit": "f10"}, {"ui.quit": "f10"}),
        ('"ui.earlier-line" = "up"', {"ui.earlier-line": "up"}, {"ui.earlier-line": "↑"}),
    ],
)
def test_what_may_be_written(written: Written, text: str, keymap: dict[str, str], shown: dict[str, str]) -> None:
    keys = read_key_map(written(text))
    assert keys.keymap() == keymap
    assert {action: keys.named(action, "built in") for action in shown} == shown


NO_KEY = "a character, or a name such as ctrl+k, alt+k, f5, space, enter, esc, pgdn, home"
TYPES = "it works while one types: take a key that types nothing, such as ctrl+k or f5"
SHARED = "give one of them another key, or [] for none"
VALUE = 'a key, such as "P", a list of at most 8 keys, or [] for none'


@pytest.mark.parametrize(
    ("text", "line", "why", "hint"),
    [
        ('\n"ui.quitt" = "f5"', 2, "unknown action `ui.quitt`", "did you mean `ui.quit`?"),
        ('"rooms task." = "z"', 1, "unknown action `rooms task.`", "did you mean `rooms task.due`?"),
        ('"zzz" = "z"', 1, "unknown action `zzz`", "an action's id, as the reference page Keys lists them: `ui.quit`"),
        ('"ui.\\u001b" = "z"', 1, "unknown action `ui.\\x1b`", ""),
        ('"ui.freeze" = "ctrl+foo"', 1, "ui.freeze: `ctrl+foo` is no key", NO_KEY),
        ('"ui.freeze" = "Ctrl+K"', 1, "ui.freeze: `Ctrl+K` is no key", NO_KEY),
        ('"ui.freeze" = ""', 1, "ui.freeze: `` is no key", NO_KEY),
        ('"ui.freeze" = "k,l"', 1, "ui.freeze: `k,l` is no key", NO_KEY),
        ('"ui.freeze" = "<x>"', 1, "ui.freeze: `<x>` is no key", NO_KEY),
        ('"ui.freeze" = "\\u001b"', 1, "ui.freeze: `\\x1b` is no key", NO_KEY),
        ('"ui.freeze" = "ctrl+i"', 1, "ui.freeze: a terminal sends the same for `ctrl+i` as for tab", "take another"),
        ('"ui.freeze" = 3', 1, "ui.freeze: expected keys", VALUE),
        ('"ui.freeze" = ["f5", 3]', 1, "ui.freeze: expected keys", VALUE),
        ("[ui]\nfreeze = true", 2, "ui.freeze: expected keys", VALUE),
        ('"ui.quit" = "Q"', 1, "ui.quit: `Q` types something", TYPES),
        ('"ui.form-go" = "space"', 1, "ui.form-go: `space` types something", TYPES),
        ('"ui.interrupt" = []', 1, "ui.interrupt: must have a key", "it is the way out of every dialog"),
        ('"ui.freeze" = "q"', 1, "ui.freeze: `q` is the key of ui.leave in Rooms", SHARED),
        ('"ui.mark" = " "', 1, "ui.mark: `space` is the key of agents activate in Agents", SHARED),
        ('"ui.mark" = "f5"\n"ui.freeze" = "f5"', 2, "ui.freeze: `f5` is the key of ui.mark in Agents", SHARED),
        (
            '"ui.complete" = "ctrl+n"',
            1,
            "ui.complete: `ctrl+n` is the key of ui.next-suggestion in the command line",
            SHARED,
        ),
        ('"ui.freeze" = ', 1, "Invalid value", "it is no TOML"),
    ],
)
def test_what_is_refused_is_one_line_with_the_place(
    written: Written, text: str, line: int, why: str, hint: str
) -> None:
    path = written(text)
    with pytest.raises(UsageError) as refused:
        read_key_map(path)
    error = refused.value
    assert (error.what, error.where, error.why) == ("key map", f"{path}:{line}", why)
    assert error.hint == hint or not hint
    assert "\n" not in str(error)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="Is a directory"):
        read_key_map(tmp_path)


def test_the_built_in_keys_would_be_accepted(written: Written) -> None:
    lines = []
    for place in SECTIONS.values():
        found: dict[str, list[str]] = {}
        for binding in bindings_of(place):
            found.setdefault(binding.id or "", []).append(binding.key)
        lines += [f'"{name}" = {keys}' for name, keys in found.items() if name != "ui.mark"]
    read_key_map(written("\n".join(dict.fromkeys(lines)).replace("'", '"')))


def test_every_place_that_binds_keys_can_be_reached() -> None:
    assert set(SECTIONS.values()) <= {cls for chain in REACHES.values() for place in chain for cls in place.__mro__}


# --- the screen -----------------------------------------------------------------------------------------------------


def keys(tmp_path: Path, text: str) -> Keys:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    return read_key_map(path)


async def test_the_new_key_works_and_the_built_in_one_does_not(tmp_path: Path) -> None:
    chosen = keys(tmp_path, '"ui.pane-2" = "f2"\n"ui.freeze" = ["ctrl+f8", "H"]')
    async with opened(harbor(), keys=chosen) as (app, pilot):
        await press(pilot, "2")
        assert pane(app).NUMBER == 1
        await press(pilot, "f2")
        assert pane(app).NUMBER == 2
        await press(pilot, "p")
        assert app.frame.behind is None
        await press(pilot, "H")
        assert app.frame.behind == 0
        await press(pilot, "ctrl+f8")
        assert app.frame.behind is None


async def test_two_keys_can_be_swapped(tmp_path: Path) -> None:
    chosen = keys(tmp_path, '"ui.filter" = "?"\n"ui.help" = "/"')
    async with opened(harbor(), keys=chosen) as (app, pilot):
        await press(pilot, "slash")
        assert app.screen.query("#help-filter")
        await press(pilot, "escape", "question_mark")
        assert app.screen.query("#filter")


async def test_an_action_without_a_key_is_still_in_the_menu(tmp_path: Path) -> None:
    chosen = keys(tmp_path, '"agents delete" = []\n"agents probe" = []')
    async with opened(harbor(), keys=chosen) as (app, pilot):
        await press(pilot, "2", "D", "P")
        assert len(app.screen_stack) == 1
        assert not [call for call in app.desk.done if not call.ok]
        await until(pilot, lambda: "upload" in row_of(app, "keys"))
        assert "probe" not in row_of(app, "keys")
        await press(pilot, "x")
        assert "Delete" in said(app)


async def test_footer_help_and_hints_name_the_keys_that_hold(tmp_path: Path) -> None:
    text = '"agents probe" = "B"\n"agents logs" = []\n[ui]\nhelp = "f1"\nopen = ["f3", "enter"]\nclose-help = "f12"'
    async with opened(harbor(), keys=keys(tmp_path, text)) as (app, pilot):
        await press(pilot, "2")
        await until(pilot, lambda: "B probe" in row_of(app, "keys"))
        assert "f1 help" in row_of(app, "keys")
        assert "f3 open" in row_of(app, "keys")
        await press(pilot, "f3")
        assert "B probe: one call" in said(app)
        assert "— D its whole log" in said(app)
        await press(pilot, "f1")
        assert "f12 closes" in said(app)
        assert "B Probe :agents probe" in said(app)
        assert "— Log :agents logs" in said(app)
        await press(pilot, "f12")
        assert len(app.screen_stack) == 1


async def test_keys_of_dialogs_can_be_rebound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(OrlopApp, "notify", lambda _self, message, **_: told.append(message))
    chosen = keys(tmp_path, '"ui.form-go" = "f5"\n"ui.form-cancel" = "f6"\n"ui.interrupt" = "ctrl+g"')
    async with opened(harbor(), keys=chosen) as (app, pilot):
        await press(pilot, "1", "a")
        assert "f5 does it · f6 cancels" in said(app)
        await typed(pilot, "ship")
        await press(pilot, "ctrl+s")
        assert len(app.screen_stack) == 2
        await press(pilot, "f6")
        assert len(app.screen_stack) == 1
        await press(pilot, "ctrl+g")
        assert told == ["ctrl+g again, or q, leaves"]


async def test_hints_of_a_narrow_screen_name_them_too(tmp_path: Path) -> None:
    chosen = keys(tmp_path, '"agents probe" = "B"\n"ui.open" = ["f3", "enter"]')
    async with opened(harbor(), NARROW, keys=chosen) as (app, pilot):
        await press(pilot, "2")
        assert "B probes once, f3 tells more" in said(app)


def test_a_wrong_map_is_told_before_the_screen_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.cmdline.faces import run_screen
    from console.cmdline.options import Options

    monkeypatch.setattr("os.isatty", lambda _descriptor: True)
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "config.toml").touch()
    (tmp_path / "keys.toml").write_text('"ui.freeze" = "q"')
    options = Options(state_dir=str(tmp_path / "state"), config=str(tmp_path / "config.toml"))
    with pytest.raises(UsageError, match=r"is the key of ui\.leave in Rooms"):
        run_screen(options)
    assert not (tmp_path / "state").exists()
