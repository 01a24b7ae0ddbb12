"""`[components.groups.NAME]`: what is taken, what is refused in one line, and where it shows."""

import tomllib
from pathlib import Path

import pytest

from console.config import changed, keeping, load, rows, set_value
from runtime.components.supervision import Group, Rules
from runtime.errors import UsageError

TRIO = (
    '[components.groups.trio]\nmembers = ["a/x", "b/y"]\nstrategy = "rest-for-one"\nmax_restarts = 5\nwindow = "2m"\n'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refused(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(file)
    return str(caught.value)


def test_a_group_says_who_is_supervised_with_whom(file: Path) -> None:
    file.write_text(f"[jobs]\nworkers = 1\n{TRIO}")
    group = load(file).groups["trio"]
    assert group.supervised() == Group(("a/x", "b/y"), "rest-for-one", Rules(max_restarts=5, window_s=120.0))
    assert group.origin == "config.toml:3"


def test_what_is_not_said_is_as_for_one_component(file: Path) -> None:
    file.write_text('[components.groups.pair]\nmembers = ["a/x"]\n')
    assert load(file).groups["pair"].supervised() == Group(("a/x",), "one-for-one", Rules())


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[components]\ngroups = 3\n", 2, "components.groups: expected tables; write [components.groups.NAME]"),
        ("[components.groups]\ntrio = 3\n", 2, "components.groups.trio: expected a table"),
        ("[components.groups.Trio]\n", 1, "components.groups.Trio: a group's name has"),
        ("[components.groups.a]\n", 1, "components.groups.a.members: expected a list of 1 to 64 components"),
        ("[components.groups.a]\nmembers = []\n", 2, "components.groups.a.members: expected a list"),
        ('[components.groups.a]\nmembers = ["x"]\n', 2, "`x` is no name of a component; write namespace/name"),
        ('[components.groups.a]\nmembers = ["n/x", "n/x"]\n', 2, "n/x stands in it twice"),
        ('[components.groups.a]\nmembers = ["n/x"]\nmember = 1\n', 3, "components.groups.a.member: unknown key"),
        ('[components.groups.a]\nmembers = ["n/x"]\nstrategy = "all"\n', 3, "`all` is not one-for-one, rest-for-one"),
        ('[components.groups.a]\nmembers = ["n/x"]\nmax_restarts = -1\n', 3, "expected a number, 0 to 100"),
        ('[components.groups.a]\nmembers = ["n/x"]\nmax_restarts = true\n', 3, "expected a number, 0 to 100"),
        ('[components.groups.a]\nmembers = ["n/x"]\nwindow = 60\n', 3, 'expected a duration, such as "1m"'),
        ('[components.groups.a]\nmembers = ["n/x"]\nwindow = "1ms"\n', 3, "components.groups.a.window: `1ms` is too"),
        (
            '[components.groups.a]\nmembers = ["n/x"]\n[components.groups.b]\nmembers = ["n/x"]\n',
            4,
            "components.groups.b.members: n/x is in the group a already",
        ),
    ],
)
def test_each_mistake_is_one_line_with_file_line_and_key(file: Path, text: str, line: int, words: str) -> None:
    shown = refused(file, text)
    assert shown.startswith(f"configuration: {file}:{line}: ")
    assert words in shown
    assert "\n" not in shown


def test_a_later_file_takes_the_place_of_a_group(tmp_path: Path, file: Path) -> None:
    file.write_text(TRIO)
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d/60.toml").write_text('[components.groups.trio]\nmembers = ["c/z"]\n')
    assert load(file, tmp_path / "config.d").groups["trio"].members == ("c/z",)


def test_setting_a_value_keeps_the_groups_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d/50-set.toml").write_text(TRIO)
    set_value(tmp_path / "config.d", "components.ceiling_handles", "7")
    written = tomllib.loads((tmp_path / "config.d/50-set.toml").read_text())
    assert written["components"]["ceiling_handles"] == 7
    assert list(load(None, tmp_path / "config.d").groups) == ["trio"]


def test_they_show_among_the_settings(file: Path) -> None:
    file.write_text(TRIO)
    assert rows(load(file))[-1] == {
        "key": "components.groups.trio",
        "value": {"strategy": "rest-for-one", "members": ["a/x", "b/y"], "max_restarts": 5, "window_ms": 120_000},
        "written": "rest-for-one a/x b/y; 5 restarts in 2m",
        "origin": "config.toml:1",
        "default": "",
        "help": "components that are supervised together",
    }


def test_they_change_at_the_next_start(file: Path) -> None:
    before = load(None)
    file.write_text(TRIO)
    after = load(file)
    assert changed(before, after) == (("components.groups",), ("components.groups",))
    assert keeping(before, after, ["components.groups"]).groups == {}
    assert list(keeping(before, after, []).groups) == ["trio"]
