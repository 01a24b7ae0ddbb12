"""Bindings in the languages of authors: C by orlop, others by their own tools, where they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.components.authoring.languages import (
    LANGUAGES,
    BindingsError,
    ToolMissingError,
    bindings_in_c,
    our_wit,
    write_bindings,
)
from runtime.components.bindings import operations
from runtime.components.wit import WitError
from runtime.errors import UsageError

FULL = "orlop:worlds/full"


def program(folder: Path, name: str, body: str) -> None:
    """Puts a program into a folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


def test_c_needs_no_tool() -> None:
    header = bindings_in_c("orlop:core/component")
    assert "orlop_storage_get(" in header
    assert "orlop_filesystem_open(" not in header
    assert LANGUAGES == ("c", "python", "js")


@pytest.mark.parametrize(("language", "name", "how"), [("python", "componentize-py", "pip"), ("js", "jco", "npm")])
@pytest.mark.usefixtures("programs")
def test_a_tool_that_is_not_there_is_named_with_how_to_get_it(
    tmp_path: Path, language: str, name: str, how: str
) -> None:
    with pytest.raises(ToolMissingError) as raised:
        write_bindings(language, FULL, tmp_path / "out")
    assert str(raised.value).startswith(f"{name} is not installed; {how} install ")
    assert not (tmp_path / "out").exists()


def test_a_tool_gets_the_wit_the_world_and_the_folder(tmp_path: Path, programs: Path) -> None:
    program(programs, "jco", 'mkdir -p "$6"; echo "$@" > "$6/said"; ls "$2" > "$6/wit"')
    write_bindings("js", FULL, tmp_path / "out")
    said = (tmp_path / "out/said").read_text().split()
    assert (said[0], said[2:]) == ("types", ["--world-name", FULL, "-o", str(tmp_path / "out"), "-q"])
    assert "worlds.wit" in (tmp_path / "out/wit").read_text().split()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "echo 'Traceback'; echo 'Caused by:'; echo '  no such world'; echo 'Stack backtrace: 1 2'; exit 1",
            "no such world",
        ),
        ("printf 'bad \\033[31mnews\\n' >&2; exit 2", "bad \\x1b[31mnews"),
        ("exit 3", "it failed and said nothing"),
    ],
)
def test_a_tool_that_fails_is_quoted_on_one_harmless_line(tmp_path: Path, programs: Path, body: str, why: str) -> None:
    program(programs, "jco", f'touch "$6/half"; {body}')
    with pytest.raises(BindingsError) as raised:
        write_bindings("js", FULL, tmp_path / "out")
    assert str(raised.value) == f"jco: {why}"
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(tmp_path: Path, programs: Path) -> None:
    program(programs, "jco", "exit 0")
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="the folder is not empty; name a new one"):
        write_bindings("js", FULL, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, programs: Path) -> None:
    program(programs, "jco", "exit 0")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file/out: is no folder: not a directory"):
        write_bindings("js", FULL, tmp_path / "file/out")


def test_a_language_or_world_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cobol: there are bindings in c, python, js"):
        write_bindings("cobol", FULL, tmp_path / "out")
    with pytest.raises(WitError, match="the worlds are"):
        write_bindings("python", "orlop:worlds/empty", tmp_path / "out")
    with pytest.raises(WitError, match="the worlds are"):
        bindings_in_c("full")


@pytest.mark.kit
@pytest.mark.parametrize("world", sorted(operations.WORLDS))
def test_kit_componentize_py_reads_every_world(tmp_path: Path, world: str) -> None:
    write_bindings("python", world, tmp_path / "out")
    modules = [path for path in (tmp_path / "out").rglob("*.py") if path.parent.name == "imports"]
    assert {path.stem for path in modules} >= {
        name.rpartition("/")[2].replace("-", "_") for name in our_wit().world(world).imports if "/types" not in name
    }
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(tmp_path / "out/wit_world")], check=True)
