"""All commands of components in tables: what each does while the vault is locked, and what the audit says of each."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.registry import COMMANDS
from tests.cli.program import ROOT, Ran, inside
from tests.cli.running import Running

DOER = (ROOT / "tests/runtime/components/guests/doer.wasm").read_bytes()
RULE = "permissions.storage.namespaces[0]"
MANIFEST = (
    'schema = 1\n[package]\nname = "doer"\nnamespace = "local"\nversion = "1.0.0"\n[component]\nfile = "doer.wasm"\n'
    f'sha256 = "{hashlib.sha256(DOER).hexdigest()}"\n[permissions.storage]\n'
    'namespaces = [{ name = "doer:notes", actions = ["read", "write"] }]\n'
)
VERBS = {
    "check": ("doer",),
    "inspect": ("doer",),
    "sign": ("doer", "--key", "sign.key"),
    "install": ("doer", "--yes"),
    "list": (),
    "show": ("doer",),
    "run": ("doer", "echo", "x"),
    "stop": ("doer",),
    "suspend": ("doer",),
    "resume": ("doer",),
    "logs": ("doer",),
    "permissions": ("doer", "--revoke", RULE),
    "uninstall": ("doer", "--yes"),
    "bindings": ("orlop:core/component", "--lang", "c"),
}
"""Each with words that it takes."""
OF_FOLDERS = {"check", "inspect", "sign", "bindings"}
"""Need no state directory: they are as they are, whatever is locked."""
LOCKED = "is wrapped under a passphrase; name a file that holds it with --passphrase-file\n"


def with_folder(home: Path) -> Path:
    """A home with the folder of a component."""
    (home / "doer").mkdir(parents=True)
    (home / "doer/doer.wasm").write_bytes(DOER)
    (home / "doer/Component.toml").write_text(MANIFEST)
    return home


def run(home: Path, verb: str, *words: str) -> Ran:
    return inside(home, ["components", verb, *(words or VERBS[verb])], cwd=home)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose vault asks for a passphrase, which nobody gives."""
    home = with_folder(tmp_path_factory.mktemp("locked") / "home")
    (home / "pass").write_text("a passphrase\n")
    open_it = ["--passphrase-file", str(home / "pass")]
    for words in (["init"], ["components", "install", "doer", "--yes"]):
        ran = inside(home, [*words, *open_it], cwd=home)
        assert ran.code == 0, ran.talk
    return home


def test_the_table_has_every_command() -> None:
    assert {f"components {verb}" for verb in VERBS} == {name for name in COMMANDS if name.startswith("components ")}


def test_a_locked_vault_refuses_each_that_needs_it_in_one_line(locked: Path) -> None:
    before = sorted(str(path) for path in (locked / ".local/state/orlop").rglob("*"))
    for verb in VERBS.keys() - OF_FOLDERS:
        ran = run(locked, verb)
        assert (ran.code, ran.out) == (1, b""), verb
        assert ran.talk.startswith(f"orlop: components {verb}: "), verb
        assert ran.talk.endswith(LOCKED), verb
        assert ran.talk.count("\n") == 1, verb
    assert sorted(str(path) for path in (locked / ".local/state/orlop").rglob("*")) == before


def test_with_the_passphrase_all_is_as_it_was(locked: Path) -> None:
    ran = inside(locked, ["components", "run", "doer", "echo", "x", "--passphrase-file", "pass"], cwd=locked)
    assert (ran.code, ran.out) == (0, b"x")


def test_a_locked_vault_is_nothing_to_those_that_read_folders(locked: Path) -> None:
    for verb in OF_FOLDERS - {"sign"}:
        assert run(locked, verb).code == 0, verb


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """A home with a node that runs."""
    home = with_folder(tmp_path / "home")
    owner = Running(home, "--no-ui")
    owner.until("core.ready")
    yield home
    owner.close()


CHANGING = sorted(name for name in COMMANDS if name.startswith("components ") and COMMANDS[name].changes)
LIFE = (
    *("install", "run", "suspend", "resume", "permissions", "stop", "uninstall"),
    *("run", "suspend", "resume", "permissions", "stop", "uninstall"),  # there is none any more
)
LIVES = 7
"""So many of them find it there."""


def test_the_audit_lists_each_that_changes_something_with_who_and_how_it_ended(node: Path) -> None:
    through_the_core = [name.split()[1] for name in CHANGING if name.split()[1] not in OF_FOLDERS]
    assert set(LIFE) == set(through_the_core)
    ended = []
    for at, verb in enumerate(LIFE):
        ran = run(node, verb)
        assert (ran.code == 0) is (at < LIVES), (verb, ran.talk)
        ended.append((verb, "ok" if ran.code == 0 else "failed"))
    assert run(node, "install", "doer", "--grant", "permissions.nothing[7]").code != 0
    for verb in ("list", "logs", "show"):
        run(node, verb)
    ran = inside(node, ["audit", "--command", "components *", "--json"], cwd=node)
    items = ran.json["items"]
    found = [(one["command"].removeprefix("components "), one["outcome"]) for one in reversed(items)]
    assert found == [*ended, ("install", "failed")]
    assert {(one["uid"], one["face"]) for one in items} == {(os.geteuid(), "cli")}
    assert all(one["ts_ms"] > 0 for one in items)
