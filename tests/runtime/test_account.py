import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from vodozemac import Account, Curve25519PublicKey, PreKeyMessage, SessionCreationException

from runtime.account import MemberAccount, SessionOpenedError
from runtime.clock import ManualClock
from runtime.errors import RefusedError, UnavailableError
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


# --- keys that others open sessions with -----------------------------------------------------------------------------


@dataclass
class Kept:
    """A node whose store can be opened again."""

    state: StateDir
    store: Store
    account: MemberAccount
    vault: Vault


@pytest.fixture
def kept(state: StateDir) -> Iterator[Kept]:
    vault = Vault.load_or_create(state)
    with Store.open(state.database, ManualClock(), owner=True) as store:
        yield Kept(state, store, MemberAccount.load_or_create(store, vault), vault)


def first_message(sender: Account, account: MemberAccount, key: str, text: bytes = b"hello") -> PreKeyMessage:
    identity = Curve25519PublicKey.from_base64(account.identity_key)
    session = sender.create_outbound_session(identity, Curve25519PublicKey.from_base64(key))
    message = session.encrypt(text).to_pre_key()
    assert message is not None
    return message


def test_each_room_is_offered_keys_of_its_own(kept: Kept) -> None:
    offers = [kept.account.offer(room, afresh=True) for room in ("a", "b", "c")]
    assert [len(offer) for offer in offers] == [20, 20, 20]
    assert len({key for offer in offers for key in offer.values()}) == 60
    assert kept.account.offer("a", afresh=False) == offers[0]
    assert kept.account.offer("b", afresh=True).keys().isdisjoint(offers[1])


def test_w16_each_key_opens_one_session_and_the_fallback_key_any_number(kept: Kept) -> None:
    sender, account = Account(), kept.account
    identity = sender.curve25519_key.to_base64()
    key = next(iter(account.offer("a", afresh=True).values()))
    for offered in (key, account.fallback_key(), account.fallback_key()):
        session, text = account.create_inbound(identity, first_message(sender, account, offered))
        assert text == b"hello"
        assert session.session_id
    with pytest.raises(SessionCreationException, match="unknown one-time key"):
        account.create_inbound(identity, first_message(sender, account, key))


def test_w17_used_keys_are_replaced(kept: Kept) -> None:
    sender, account = Account(), kept.account
    before = account.offer("a", afresh=True)
    for key in list(before.values())[:3]:
        account.create_inbound(sender.curve25519_key.to_base64(), first_message(sender, account, key))
    assert account.unused("a") == 17
    after = account.offer("a", afresh=False)
    assert len(after) == 20
    assert len(after.keys() & before.keys()) == 17


def test_a_session_is_bound_to_the_identity_of_its_sender(kept: Kept) -> None:
    message = first_message(Account(), kept.account, kept.account.fallback_key())
    with pytest.raises(SessionCreationException, match="identity key"):
        kept.account.create_inbound(Account().curve25519_key.to_base64(), message)


def test_w20_a_first_message_that_is_repeated_opens_nothing(kept: Kept) -> None:
    sender = Account()
    message = first_message(sender, kept.account, kept.account.fallback_key())
    kept.account.create_inbound(sender.curve25519_key.to_base64(), message)
    with pytest.raises(SessionOpenedError, match="has been used"):
        kept.account.create_inbound(sender.curve25519_key.to_base64(), message)


def test_what_was_saved_is_there_after_a_restart_and_is_then_done_away_with(kept: Kept) -> None:
    sender, account = Account(), kept.account
    key = next(iter(account.offer("a", afresh=True).values()))
    messages = [first_message(sender, account, one) for one in (key, account.fallback_key())]
    account.save().result()
    again = MemberAccount.load_or_create(kept.store, kept.vault)
    assert again.identity_key == account.identity_key
    again.create_inbound(sender.curve25519_key.to_base64(), messages[0])  # what was published can be used
    later = MemberAccount.load_or_create(kept.store, kept.vault)
    later.offer("a", afresh=True)
    for message in messages:  # of an earlier run: whoever sends it now repeats it
        with pytest.raises(SessionCreationException, match="unknown one-time key"):
            later.create_inbound(sender.curve25519_key.to_base64(), message)


def test_it_knows_what_is_not_saved(kept: Kept) -> None:
    account = kept.account
    assert not account.changed
    account.offer("a", afresh=True)
    assert account.changed
    account.save().result()
    assert not account.changed
    sender = Account()
    account.create_inbound(sender.curve25519_key.to_base64(), first_message(sender, account, account.fallback_key()))
    assert account.changed


def test_a_save_that_fails_says_so_and_is_tried_again(kept: Kept) -> None:
    kept.account.offer("a", afresh=True)
    pages = kept.store.read_now(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    kept.store.write(lambda t: t.execute(f"PRAGMA max_page_count={pages}").fetchone()).result()
    with pytest.raises(UnavailableError, match="disk is full"):
        kept.account.save().result()
    assert kept.account.changed
    kept.store.write(lambda t: t.execute("PRAGMA max_page_count=100000").fetchone()).result()
    kept.account.save().result()
    assert not kept.account.changed


def test_a_key_that_is_none_opens_nothing(kept: Kept) -> None:
    other = Account().curve25519_key.to_base64()
    for identity, key in (("", other), (other, "!"), (other, "A" * 43), ("A" * 43, other)):
        with pytest.raises(ValueError, match=r"."):
            kept.account.open_session(identity, key)
