"""Every help text equals its golden file at 100 columns, and every command has one."""

from pathlib import Path

import pytest

from console import registry
from console.cmdline.helptext import help_for

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["", *registry.GROUPS, *registry.COMMANDS]


@pytest.mark.parametrize("name", NAMES)
def test_a_help_text_is_the_reviewed_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    golden = GOLDEN / f"{name.replace(' ', '-') or 'orlop'}.txt"
    text = help_for(tuple(name.split()))
    assert text is not None
    assert text == golden.read_text(), f"write {golden} anew if the change is meant"


def test_there_is_no_golden_file_without_a_command() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {name.replace(" ", "-") or "orlop" for name in NAMES}


@pytest.mark.parametrize("columns", ["20", "60", "100", "200"])
def test_no_line_is_wider_than_the_terminal_or_100_columns(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for name in NAMES:
        text = help_for(tuple(name.split())) or ""
        said = text.partition("Examples:")[0].partition("\n")[2]
        assert all(len(line) <= max(40, min(100, int(columns))) for line in said.splitlines() if "  " in line.strip())


def test_a_help_for_nothing_is_none() -> None:
    assert help_for(("rooms", "melt")) is None
    assert help_for(("nothing",)) is None
