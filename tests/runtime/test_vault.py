import hmac
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import vault as module
from runtime.errors import RefusedError
from runtime.statedir import StateDir, prepare
from runtime.vault import SealBrokenError, Vault, VaultLockedError


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return prepare(tmp_path / "state")


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least memory that Argon2id takes; the file says so, so it opens all the same."""
    monkeypatch.setattr(module, "_MEMORY", 8192)


ROOT = Vault(bytes(32))


@given(st.binary(max_size=300), st.binary(max_size=30))
def test_what_is_sealed_opens_in_its_place_alone(plain: bytes, aad: bytes) -> None:
    sealed = ROOT.seal(plain, aad)
    assert ROOT.open(sealed, aad) == plain
    assert sealed[0] == 1
    assert len(sealed) == 1 + 12 + len(plain) + 16
    for wrong in (lambda: ROOT.open(sealed, aad + b"x"), lambda: ROOT.open(sealed, aad, ROOT.new_key())):
        with pytest.raises(SealBrokenError):
            wrong()
    assert ROOT.seal(plain, aad) != sealed


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    sealed = bytearray(ROOT.seal(b"state of an agent", b"room agent"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBrokenError):
        ROOT.open(bytes(sealed), b"room agent")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(60), b"\x01" + bytes(27)])
def test_what_was_never_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealBrokenError):
        ROOT.open(sealed, b"")


def test_keys_of_rooms_are_apart() -> None:
    one, two = ROOT.new_key(), ROOT.new_key()
    assert len(one) == 32
    sealed = ROOT.seal(b"text", b"a", one)
    assert ROOT.open(sealed, b"a", one) == b"text"
    for key in (two, None):
        with pytest.raises(SealBrokenError):
            ROOT.open(sealed, b"a", key)
    with pytest.raises(ValueError, match="32 bytes"):
        ROOT.seal(b"", b"", b"short")


def test_subkeys_are_stable_and_apart() -> None:
    keys = {ROOT.subkey(name) for name in ("seal", "compiled-cache", "x")}
    assert len(keys) == 3
    assert ROOT.subkey("x") == Vault(bytes(32)).subkey("x")
    assert ROOT.subkey("x") != Vault(bytes(31) + b"\1").subkey("x")


def test_keys_of_the_older_format_are_as_it_derived_them() -> None:
    # RFC 5869: HKDF-SHA256 of 32 zeros, computed with the standard library's HMAC.
    salt, info = b"weave-agent-state-v1", b"agent-state:balance"
    extracted = hmac.digest(salt, bytes(32), "sha256")
    assert ROOT.subkey(info.decode(), salt=salt) == hmac.digest(extracted, info + b"\1", "sha256")


def test_a_raw_key_is_made_once(state: StateDir) -> None:
    made = Vault.load_or_create(state)
    assert not made.wrapped
    assert state.vault_key.stat().st_mode & 0o777 == 0o600
    assert state.vault_key.stat().st_size == 32
    again = Vault.load_or_create(state, b"a passphrase that is not needed")
    assert again.open(made.seal(b"x", b""), b"") == b"x"


@pytest.mark.usefixtures("cheap")
def test_a_wrapped_key_needs_its_passphrase(state: StateDir) -> None:
    made = Vault.load_or_create(state, b"correct horse")
    assert made.wrapped
    sealed = made.seal(b"x", b"")
    assert Vault.load_or_create(state, b"correct horse").open(sealed, b"") == b"x"
    with pytest.raises(VaultLockedError, match=r"wrapped under a passphrase; .*--passphrase-file"):
        Vault.load_or_create(state)
    with pytest.raises(VaultLockedError, match="the passphrase does not fit"):
        Vault.load_or_create(state, b"correct house")


@pytest.mark.usefixtures("cheap")
def test_wrapping_later_and_again(state: StateDir) -> None:
    made = Vault.load_or_create(state)
    sealed = made.seal(b"x", b"")
    for passphrase in (b"first", b"second"):
        made.wrap(state, passphrase)
        assert made.wrapped
        assert state.vault_key.stat().st_mode & 0o777 == 0o600
        assert Vault.load_or_create(state, passphrase).open(sealed, b"") == b"x"
    with pytest.raises(VaultLockedError):
        Vault.load_or_create(state, b"first")


@pytest.mark.usefixtures("cheap")
def test_a_passphrase_is_known_again_without_opening_anything(state: StateDir) -> None:
    vault = Vault.load_or_create(state)
    assert not vault.opens(state, b"")
    vault.wrap(state, b"correct horse")
    assert vault.opens(state, b"correct horse")
    assert not vault.opens(state, b"wrong horse")
    assert not Vault(bytes(32)).opens(state, b"correct horse")


@pytest.mark.usefixtures("cheap")
def test_a_changed_file_is_refused(state: StateDir) -> None:
    Vault.load_or_create(state, b"p")
    content = state.vault_key.read_bytes()
    assert b"argon2id" in content
    for wrong in (
        content[:-1],
        content.replace(b'"ops":3', b'"ops":4'),
        content.replace(b'"ops":3', b'"ops":99'),
        content.replace(b'"memory":8192', b'"memory":99999999999'),
        content.replace(b"argon2id", b"argon2xx"),
        content[:60],
        b"",
        bytes(31),
    ):
        state.vault_key.write_bytes(wrong)
        with pytest.raises(RefusedError) as caught:
            Vault.load_or_create(state, b"p")
        assert str(caught.value).startswith(str(state.vault_key))
        assert str(caught.value).isprintable()


def test_a_file_open_to_others_is_refused(state: StateDir) -> None:
    Vault.load_or_create(state)
    state.vault_key.chmod(0o604)
    with pytest.raises(RefusedError, match="mode 0604"):
        Vault.load_or_create(state)


def test_creators_at_the_same_time_converge(state: StateDir) -> None:
    code = (
        "import sys; from pathlib import Path; from runtime.statedir import StateDir; sys.stdin.read()\n"
        "from runtime.vault import Vault; print(Vault.load_or_create(StateDir(Path(sys.argv[1]))).subkey('x').hex())"
    )
    command = [sys.executable, "-c", code, str(state.path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    found = {process.communicate()[0].decode().strip() for process in processes}
    assert found == {Vault.load_or_create(state).subkey("x").hex()}


def test_nothing_shows_the_secret(state: StateDir) -> None:
    vault = Vault.load_or_create(state)
    raw = state.vault_key.read_bytes()
    assert repr(vault) == str(vault) == "<Vault>"
    with pytest.raises(SealBrokenError) as caught:
        vault.open(vault.seal(b"plain", b""), b"other")
    assert raw.hex() not in str(caught.value)
    assert not hasattr(vault, "__dict__")
