"""The doctor sees what is wrong and says what to do; a check that breaks hides no other."""

import os
from pathlib import Path

import pytest

from console import doctor
from console.doctor import Check, examine, report
from runtime import vault as vault_module
from runtime.clock import SystemClock
from runtime.pin import PinKeeper
from runtime.statedir import prepare
from runtime.store import Store
from runtime.vault import Vault
from tests.cli.program import orlop


def found(path: Path, name: str) -> Check:
    return next(check for check in examine(path, {}) if check.check == name)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check that starts a child."""
    monkeypatch.setattr(doctor, "CHECKS", {name: check for name, check in doctor.CHECKS.items() if name != "sandbox"})


def test_everything_is_looked_at(tmp_path: Path) -> None:
    checks = examine(tmp_path / "none", os.environ)
    assert [check.check for check in checks] == list(doctor.CHECKS)
    sandbox = next(check for check in checks if check.check == "sandbox")
    assert (sandbox.state, "compiled and ran a module" in sandbox.result) == ("ok", True)
    assert all(check.todo for check in checks if check.state == "bad")
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("only")
def test_a_directory_open_to_others_is_bad(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    check = found(tmp_path, "directory")
    assert (check.state, check.todo[:9]) == ("bad", "run chmod")


@pytest.mark.usefixtures("only")
def test_a_key_open_to_others_is_bad(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "identity.key").write_bytes(bytes(32))
    (tmp_path / "identity.key").chmod(0o644)
    check = found(tmp_path, "keys")
    assert (check.state, check.result) == ("bad", "identity.key is open to others")
    assert check.todo == f"chmod 600 {tmp_path}/identity.key"


@pytest.mark.usefixtures("only")
def test_a_key_map_is_told_and_one_that_cannot_be_read_is_bad(tmp_path: Path) -> None:
    def told() -> Check:
        checks = examine(tmp_path / "none", {"XDG_CONFIG_HOME": str(tmp_path)})
        return next(check for check in checks if check.check == "key map")

    assert told() == Check("key map", "info", "no keys.toml: all keys are the built-in ones")
    file = tmp_path / "orlop" / "keys.toml"
    file.parent.mkdir()
    file.write_text('"ui.help" = "f1"')
    assert told() == Check("key map", "ok", f"{file} rebinds keys; the screen checks them when it opens")
    file.write_text("\nui.help = ")
    assert told() == Check("key map", "bad", f"{file}:2: Invalid value", "it is no TOML")


def test_a_broken_check_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_path: object, _environ: object) -> Check:
        raise ValueError("\x1b[2Jno")

    monkeypatch.setattr(doctor, "CHECKS", {"one": breaks, "python": doctor.CHECKS["python"]})
    checks = examine(tmp_path, {})
    assert checks[0] == Check("one", "bad", "could not look: ValueError: \\x1b[2Jno")
    assert checks[1].state == "ok"
    assert report(checks)["ok"] is False


def test_the_exit_code_says_whether_something_is_wrong(tmp_path: Path) -> None:
    assert orlop(tmp_path, "doctor", "--json").code == 0
    state = tmp_path / "open"
    state.mkdir(mode=0o755)
    ran = orlop(tmp_path, "doctor", "--state-dir", str(state), "--json")
    assert (ran.code, ran.json["ok"]) == (1, False)


def test_what_a_pin_protects_and_what_it_does_not_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_module, "_MEMORY", 8192)
    state = prepare(tmp_path / "state")
    assert found(state.path, "lock").result == "no PIN is set: orlop cannot be locked"
    vault = Vault.load_or_create(state)
    with Store.open(state.database, SystemClock(), owner=True) as store:
        PinKeeper(store, vault, SystemClock().wall_ms, iterations=1).set("493027")
    check = found(state.path, "lock")
    assert (check.state, "on the disk it protects nothing" in check.result) == ("info", True)
    vault.wrap(state, b"correct horse")
    check = found(state.path, "lock")
    assert (check.state, "the vault's passphrase protects the disk" in check.result) == ("ok", True)
