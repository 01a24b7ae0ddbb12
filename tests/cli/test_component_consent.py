"""Signing a component, and agreeing to one: what was signed and what was shown is what is installed, or nothing is."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Ran, inside
from tests.cli.terminal_session import session

DOER = ROOT / "tests/runtime/components/guests/doer.wasm"
MANIFEST = (
    'schema = 1\n[package]\nname = "doer"\nnamespace = "local"\nversion = "1.0.0"\n[component]\nfile = "doer.wasm"\n'
    f'sha256 = "{hashlib.sha256(DOER.read_bytes()).hexdigest()}"\n[permissions.filesystem]\nread = ["/data/a"]\n'
)
QUESTION = b"Install it with these permissions? [y/N] "
CHANGED = "orlop: components install: local/doer: the folder is no longer what was shown; nothing was installed; look"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a node is, with the folder of a component beside it."""
    assert inside(tmp_path, ["init"], cwd=tmp_path).code == 0
    folder = tmp_path / "doer"
    folder.mkdir()
    shutil.copy(DOER, folder)
    (folder / "notes.txt").write_text("what it does\n")
    (folder / "Component.toml").write_text(MANIFEST)
    return tmp_path


def components(home: Path, *words: str) -> Ran:
    return inside(home, ["components", *words], cwd=home)


def installed(home: Path) -> object:
    return [(one["component"], one["version"]) for one in json.loads(components(home, "list", "--json").out)["items"]]


def granted(home: Path) -> object:
    asked = json.loads(components(home, "permissions", "doer", "--json").out)["asked"]
    return {one["rule"]: one["in_force"] for one in asked}


def changed(home: Path, old: str, new: str) -> bytes:
    """Somebody changes the manifest while the operator reads; the operator agrees."""
    manifest = home / "doer/Component.toml"
    manifest.write_text(manifest.read_text().replace(old, new))
    return b"y\n"


# --- signing --------------------------------------------------------------------------------------------------------


def test_a_folder_signed_on_any_machine_shows_its_signer_when_it_is_installed(home: Path) -> None:
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    key = json.loads(inside(elsewhere, ["agents", "keygen", "my.key", "--json"], cwd=home).out)["key"]
    sign = ["components", "sign", "doer", "--key", "my.key"]
    printed = inside(elsewhere, sign, cwd=home)
    assert (home / "doer/Component.toml").read_text() == MANIFEST
    told = inside(elsewhere, [*sign, "--out", "doer/Component.toml", "--json"], cwd=home)
    assert json.loads(told.out) == {
        "v": 1, "component": "local/doer", "out": "doer/Component.toml", "signer": key,
    }  # fmt: skip
    assert (home / "doer/Component.toml").read_text() == printed.text
    assert printed.text.startswith(MANIFEST)
    assert list(elsewhere.iterdir()) == []  # neither a state directory nor anything else was made
    again = inside(elsewhere, sign, cwd=home)
    assert again.text == printed.text  # the signature that was there was replaced
    ran = components(home, "install", "doer", "--yes")
    assert (ran.code, key in ran.text) == (0, True)
    code, said = session(home, "components", "install", "doer", "--upgrade", answers=[])
    assert (code, key.encode() in said) == (0, True)


@pytest.mark.parametrize("name", ["notes.txt", "more.txt", "Component.toml"])
def test_what_changed_after_it_was_signed_is_refused(home: Path, name: str) -> None:
    assert inside(home, ["agents", "keygen", "my.key"], cwd=home).code == 0
    assert components(home, "sign", "doer", "--key", "my.key", "--out", "doer/Component.toml").code == 0
    with (home / "doer" / name).open("r+" if name == "Component.toml" else "a") as file:
        text = "" if name != "Component.toml" else file.read().replace("/data/a", "/data/b")
        file.seek(0)
        file.write(text or "and more\n")
    for words in (["inspect", "doer"], ["install", "doer", "--yes"]):
        ran = components(home, *words)
        assert (ran.code, ran.out, ran.talk.count("\n")) == (1, b"", 1), ran
        assert "signature: it does not fit; the manifest or a file was changed after it was signed" in ran.talk
    assert installed(home) == []


def test_what_cannot_be_signed_is_said_in_a_line(home: Path) -> None:
    sign = ("sign", "doer", "--key", "my.key")
    assert components(home, *sign).talk == "orlop: components sign: my.key: no such file or directory\n"
    (home / "my.key").write_bytes(bytes(31))
    (home / "my.key").chmod(0o600)
    assert components(home, *sign).talk.startswith("orlop: components sign: my.key: has 31 bytes, a key has 32")
    (home / "my.key").write_bytes(bytes(32))
    (home / "my.key").chmod(0o644)
    assert "my.key: others may have read it (mode 0644)" in components(home, *sign).talk
    (home / "my.key").chmod(0o600)
    (home / "doer/doer.wasm").write_bytes(b"another")
    ran = components(home, *sign, "--out", "signed.toml")
    assert (ran.code, "Component.toml:8: component.sha256: doer.wasm has " in ran.talk) == (2, True), ran
    assert not (home / "signed.toml").exists()


# --- agreeing -------------------------------------------------------------------------------------------------------


def test_who_agrees_gets_what_was_shown(home: Path) -> None:
    code, said = session(home, "components", "install", "doer", answers=[(QUESTION, b"y\n")])
    assert code == 0, said
    assert granted(home) == {"permissions.filesystem.read[0]": True}


def test_a_manifest_that_was_changed_while_the_operator_read_it_is_not_installed(home: Path) -> None:
    answers = [(QUESTION, lambda: changed(home, "/data/a", "/**"))]
    code, said = session(home, "components", "install", "doer", answers=answers)
    assert (code, said.decode().splitlines()[-1][: len(CHANGED)]) == (1, CHANGED)
    assert installed(home) == []


def test_another_component_with_the_hash_that_fits_it_is_not_installed_either(home: Path) -> None:
    other = (ROOT / "tests/runtime/components/guests/puppet.wasm").read_bytes()

    def exchange() -> bytes:
        (home / "doer/doer.wasm").write_bytes(other)
        return changed(home, hashlib.sha256(DOER.read_bytes()).hexdigest(), hashlib.sha256(other).hexdigest())

    world = 'world = "orlop:worlds/full"\nsha256'
    (home / "doer/Component.toml").write_text(MANIFEST.replace("sha256", world))
    code, said = session(home, "components", "install", "doer", answers=[(QUESTION, exchange)])
    assert (code, said.decode().splitlines()[-1][: len(CHANGED)]) == (1, CHANGED)
    assert installed(home) == []


def test_an_upgrade_that_changed_meanwhile_leaves_the_old_version(home: Path) -> None:
    assert components(home, "install", "doer", "--yes").code == 0
    changed(home, '["/data/a"]', '["/data/a", "/data/b"]')
    answers = [(QUESTION, lambda: changed(home, "/data/b", "/**"))]
    code, said = session(home, "components", "install", "doer", "--upgrade", answers=answers)
    assert (code, said.decode().splitlines()[-1][: len(CHANGED)]) == (1, CHANGED)
    assert granted(home) == {"permissions.filesystem.read[0]": True}


def test_an_answer_holds_for_the_rules_that_were_shown_whatever_is_installed_by_then(home: Path) -> None:
    assert components(home, "install", "doer", "--yes").code == 0
    changed(home, '["/data/a"]', '["/data/a", "/data/b"]')

    def begin_anew() -> bytes:
        """The one with which it was compared goes, and another that was granted nothing comes."""
        manifest = (home / "doer/Component.toml").read_text()
        assert components(home, "uninstall", "doer", "--yes").code == 0
        changed(home, ', "/data/b"', "")
        assert components(home, "install", "doer", "--grant", "none").code == 0
        (home / "doer/Component.toml").write_text(manifest)
        return b"y\n"

    code, said = session(home, "components", "install", "doer", "--upgrade", answers=[(QUESTION, begin_anew)])
    assert code == 0, said
    assert granted(home) == {"permissions.filesystem.read[0]": False, "permissions.filesystem.read[1]": True}


def test_scripts_bind_what_they_install_to_what_they_inspected(home: Path) -> None:
    shown = json.loads(components(home, "inspect", "doer", "--json").out)["folder_hash"]
    (home / "doer/notes.txt").write_text("something else\n")
    ran = components(home, "install", "doer", "--yes", "--folder-hash", shown)
    assert (ran.code, ran.talk[: len(CHANGED)]) == (1, CHANGED)
    (home / "doer/notes.txt").write_text("what it does\n")
    assert components(home, "install", "doer", "--yes", "--folder-hash", shown).code == 0
