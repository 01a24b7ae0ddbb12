"""The bash script at work; zsh's and fish's by their text, since those shells are rarely installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from console import registry
from console.cmdline.verbline import spelled
from console.completion import SHELLS, live_names, script

_DRIVER = """
source "$1"; shift
orlop() { echo "live-$2"; echo "live-$3"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _orlop; echo "${COMPREPLY[*]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bash") / "orlop"
    path.write_text(script("bash"))
    return path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ro"], "rooms"),
        (["rooms", "t"], "tasks task"),
        (["config", "s"], "set"),
        (["jobs", "run", "--m"], "--memory --max-output"),
        (["jobs", "list", "--state", "f"], "failed"),
        (["completion", ""], "bash fish zsh"),
        (["--state-dir", "/x", "agents", "show", "a"], "live-agent live-a"),
        (["agents", "show", "--json", "a"], "live-agent live-a"),
        (["agents", "show", "x", "--room", "q"], "live-room live-q"),
        (["--n"], "--no-mouse --no-ui"),
        (["rooms", "say", "x", "y"], ""),
    ],
)
def test_bash_offers(bash_script: Path, words: list[str], offered: str) -> None:
    line = ["bash", "-c", _DRIVER, "_", str(bash_script), "orlop", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout.strip(), done.stderr) == (offered, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_every_script(shell: str) -> None:
    text = script(shell)
    for command in registry.COMMANDS.values():
        for word in command.name.split():
            assert word in text
        for arg in command.args:
            if arg.option:
                assert (f"-l {spelled(arg)[2:]}" if shell == "fish" else spelled(arg)) in text


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_sound_where_its_shell_is_at_hand(shell: str) -> None:
    found = shutil.which(shell)
    if found is not None:
        subprocess.run([found, "-n"], input=script(shell).encode(), timeout=30, check=True)


def test_names_that_a_shell_would_read_otherwise_are_not_offered(tmp_path: Path) -> None:
    import sqlite3

    database = tmp_path / "a?b#c.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE rooms (name TEXT)")
    connection.executemany("INSERT INTO rooms VALUES (?)", [("quiet",), ("qu iet",), ("q$(x)",), ("qé",), ("other",)])
    connection.execute("CREATE TABLE peers (peer TEXT, name TEXT, seen_ms INTEGER)")
    connection.execute("INSERT INTO peers VALUES ('12D3KooWa', '', 2), ('12D3KooWb', 'ada', 1)")
    connection.execute("CREATE TABLE components (component TEXT)")
    connection.execute("INSERT INTO components VALUES ('local/doer'), ('other/doer'), ('local/x y')")
    connection.commit()
    connection.close()
    assert live_names(database, "component", "") == ["doer", "local/doer", "other/doer"]
    assert live_names(database, "component", "local/d") == ["local/doer"]
    assert live_names(database, "room", "q") == ["quiet"]
    assert live_names(database, "peer", "") == ["ada", "12D3KooWa", "12D3KooWb"]
    assert live_names(database, "agent", "q") == []
    assert live_names(database, "rooms", "q") == []
    assert live_names(tmp_path / "none", "room", "") == []
