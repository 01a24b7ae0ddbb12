import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from runtime.account import MemberAccount
from runtime.clock import ManualClock
from runtime.errors import RefusedError
from runtime.identity import verify
from runtime.statedir import StateDir, prepare
from runtime.store import Store
from runtime.vault import Vault

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return prepare(tmp_path / "state")


def test_it_is_made_once(state: StateDir) -> None:
    vault = Vault.load_or_create(state)
    with Store.open(state.database, ManualClock(), owner=True) as store:
        made = MemberAccount.load_or_create(store, vault)
        assert MemberAccount.load_or_create(store, vault).identity_key == made.identity_key
    with Store.open(state.database, ManualClock(), owner=False) as store:
        again = MemberAccount.load_or_create(store, vault)
    assert (again.identity_key, again.ed25519_key) == (made.identity_key, made.ed25519_key)
    assert len(made.identity_key) == len(made.ed25519_key) == 43
    assert len(b64decode(made.identity_key + "=")) == 32


def test_it_signs_under_a_domain(state: StateDir) -> None:
    with Store.open(state.database, ManualClock(), owner=True) as store:
        account = MemberAccount.load_or_create(store, Vault.load_or_create(state))
    signature = account.sign(b"orlop-room:v1:", b"event")
    assert len(signature) == 64
    public = b64decode(account.ed25519_key + "=")
    assert verify(public, b"orlop-room:v1:", b"event", signature)
    assert not verify(public, b"orlop-lease:v1:", b"event", signature)
    with pytest.raises(ValueError, match="domain"):
        account.sign(b"", b"event")


def test_another_vault_does_not_open_it(state: StateDir) -> None:
    with Store.open(state.database, ManualClock(), owner=True) as store:
        MemberAccount.load_or_create(store, Vault.load_or_create(state))
        with pytest.raises(RefusedError, match="the member account cannot be opened; put back"):
            MemberAccount.load_or_create(store, Vault(bytes(32)))


def test_a_damaged_row_is_refused(state: StateDir) -> None:
    vault = Vault.load_or_create(state)
    with Store.open(state.database, ManualClock(), owner=True) as store:
        MemberAccount.load_or_create(store, vault)
        for sealed in (b"", b"\x01" + bytes(50), vault.seal(b"\xff", b"orlop-secret:member-account")):
            store.write(
                lambda t, sealed=sealed: t.execute("UPDATE secrets SET sealed = ?", (sealed,)).rowcount
            ).result()
            with pytest.raises(RefusedError, match="cannot be opened"):
                MemberAccount.load_or_create(store, vault)


def test_nothing_shows_or_stores_the_secret(state: StateDir) -> None:
    vault = Vault.load_or_create(state)
    with Store.open(state.database, ManualClock(), owner=True) as store:
        account = MemberAccount.load_or_create(store, vault)
        sealed = store.read_now(lambda c: c.execute("SELECT sealed FROM secrets").fetchone()[0])
    assert repr(account) == f"<MemberAccount {account.identity_key}>"
    assert account.identity_key.encode() not in sealed


CREATE = """
import sys
from pathlib import Path
from runtime.account import MemberAccount
from runtime.clock import SystemClock
from runtime.statedir import prepare
from runtime.store import Store
from runtime.vault import Vault
sys.stdin.read()
state = prepare(Path(sys.argv[1]))
with Store.open(state.database, SystemClock(), owner=False) as store:
    print(MemberAccount.load_or_create(store, Vault.load_or_create(state)).identity_key)
"""


def test_creators_at_the_same_time_converge(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CREATE, str(tmp_path / "state")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    found = [process.communicate()[0].decode().strip() for process in processes]
    assert len(found[0]) == 43
    assert len(set(found)) == 1
