"""Components over the life of a node: with and without an owner, restarts, backups, and what documents look like."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import ROOT, Ran, inside
from tests.cli.running import Running

DOER = (ROOT / "tests/runtime/components/guests/doer.wasm").read_bytes()
STORES = '[permissions.storage]\nnamespaces = [{ name = "doer:notes", actions = ["read", "write"] }]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "doer"
    made.mkdir()
    (made / "doer.wasm").write_bytes(DOER)
    (made / "Component.toml").write_text(
        'schema = 1\n[package]\nname = "doer"\nnamespace = "local"\nversion = "1.0.0"\n[component]\n'
        f'file = "doer.wasm"\nsha256 = "{hashlib.sha256(DOER).hexdigest()}"\n{STORES}'
    )
    return made


@pytest.fixture
def home(tmp_path: Path, folder: Path) -> Path:
    (tmp_path / "home").mkdir()
    assert inside(tmp_path / "home", ["components", "install", str(folder), "--yes"], cwd=tmp_path).code == 0
    return tmp_path / "home"


def asked(home: Path, *words: str) -> dict[str, Any]:
    """The document of a command that succeeds."""
    ran = inside(home, [*words, "--json"], cwd=home)
    assert ran.code == 0, ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def run(home: Path, *words: str) -> Ran:
    return inside(home, ["components", *words], cwd=home)


def until(holds: Callable[[], bool]) -> None:
    """Asks until it is so; the suite's own limit ends what never comes."""
    while not holds():
        pass


def state(home: Path) -> str:
    return str(asked(home, "components", "list")["items"][0]["state"])


def test_every_document_has_a_shape_that_scripts_can_count_on(home: Path, folder: Path) -> None:
    shapes = {
        "check": {"v", "component", "hash"},
        "inspect": {
            *(
                "v",
                "component",
                "version",
                "description",
                "world",
                "hash",
                "folder_hash",
                "mark",
                "before",
                "imports",
                "asked",
                "gone",
            ),
            *("mounts", "cuts"),
        },
    }
    for word, shape in shapes.items():
        assert asked(home, "components", word, str(folder)).keys() == shape, word
    installed = asked(home, "components", "install", str(folder), "--yes", "--upgrade")
    assert installed.keys() == {"v", "component", "version", "hash", "mark", "granted"}
    assert asked(home, "components", "list").keys() == {"v", "items"}
    ran = asked(home, "components", "run", "doer", "echo", "x")
    assert ran.keys() == {"v", "component", "operation", "outcome", "duration_us", "cpu_us", "output"}
    assert asked(home, "components", "logs", "doer").keys() == {"v", "component", "items"}
    permissions = asked(home, "components", "permissions", "doer")
    assert permissions.keys() == {"v", "component", "version", "asked", "added", "granted"}
    assert permissions["asked"][0].keys() == {"rule", "text", "level", "in_force"}
    assert asked(home, "components", "uninstall", "doer", "--yes") == {
        "v": 1,
        "component": "local/doer",
        "uninstalled": True,
    }


def test_an_operation_reads_standard_input_where_it_is_told_to(home: Path) -> None:
    given = bytes(range(256))
    ran = inside(home, ["components", "run", "doer", "echo", "-"], stdin=given, cwd=home)
    assert (ran.code, ran.out) == (0, given)
    node = Running(home, "--no-ui")
    try:
        node.until("core.ready")
        assert inside(home, ["components", "run", "doer", "echo", "-"], stdin=given, cwd=home).out == given
    finally:
        node.close()


def test_status_counts_them(home: Path) -> None:
    assert asked(home, "status")["components"] == {"installed": 1, "wanted": 0}
    assert "components  1 installed, 0 wanted" in inside(home, ["status"], cwd=home).text


def test_without_an_owner_an_operation_runs_and_nothing_is_left_running(home: Path) -> None:
    assert run(home, "run", "doer", "log", "2").code == 0
    lines = asked(home, "components", "logs", "doer")["items"]
    assert [(line["level"], line["text"]) for line in lines] == [("info", "a line\\x1b[2J")] * 2
    assert state(home) == "installed"
    assert asked(home, "status")["components"]["wanted"] == 0  # asking is not starting


def test_what_an_operator_started_runs_again_with_the_next_owner(home: Path) -> None:
    first = Running(home, "--no-ui")
    first.until("core.ready")
    assert run(home, "run", "doer").text == "local/doer is running\n"
    assert run(home, "run", "doer", "store", "kept").code == 0
    first.end()
    assert state(home) == "installed"
    second = Running(home, "--no-ui")
    second.until("core.ready")
    until(lambda: state(home) == "running")
    assert run(home, "suspend", "doer").text == "local/doer is suspended\n"
    assert run(home, "resume", "doer").text == "local/doer is running\n"
    assert run(home, "uninstall", "doer", "--yes").talk.startswith("orlop: components uninstall: local/doer: has to be")
    assert run(home, "stop", "doer").text == "local/doer is stopped\n"
    assert run(home, "uninstall", "doer", "--yes").text == "local/doer is gone\n"
    second.end()


def test_a_backup_holds_them_with_what_they_keep(home: Path, tmp_path: Path) -> None:
    assert run(home, "run", "doer", "store", "kept").code == 0
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery staple")
    secret.chmod(0o600)
    given = ["--passphrase-file", str(secret)]
    kept = inside(home, ["backup", str(tmp_path / "b"), *given], cwd=home)
    assert kept.code == 0, kept
    restored = inside(home, ["restore", str(tmp_path / "b"), "--state-dir", str(tmp_path / "again"), *given], cwd=home)
    assert restored.code == 0, restored
    again = ["--state-dir", str(tmp_path / "again"), "components"]
    [row] = json.loads(inside(home, [*again, "list", "--json"], cwd=home).out)["items"]
    assert (row["component"], row["state"]) == ("local/doer", "installed")
    assert inside(home, [*again, "run", "doer", "echo", "x"], cwd=home).out == b"x"
