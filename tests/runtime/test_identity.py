import hashlib
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RefusedError
from runtime.identity import DOMAINS, Identity, load_or_create, peer_id_of, public_of, verify
from runtime.statedir import StateDir, prepare

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
PEER_ID = "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV"

MANIFEST = (
    b'{"created_at":"2025-01-02T03:04:05Z","payload":{"input":[0,255],"kind":"wasm","max_duration_ms":null,'
    b'"max_memory_bytes":134217728,"module_cid":"sha256:'
    b'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"schema_version":1}'
)
LEGACY = b"0.1|sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855|3|42|1700000000"


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return prepare(tmp_path / "state")


def test_the_worked_examples() -> None:
    identity = Identity(SEED)
    assert identity.public_hex == PUBLIC
    assert identity.peer_id == PEER_ID
    assert identity.sign(b"phase-manifest:v1:", MANIFEST).hex() == (
        "d042faffcbd23ac5878205e270dc4118aef9732f507544c38a4b7263eaaa2b60"
        "fea51f694e9e5a4cec1390f4398e3b619b3cf331bb9382d5b7b0941b6e4b520c"
    )
    digest = hashlib.sha256(LEGACY).digest()
    assert digest.hex() == "348a6efa9b6bd7e9fd4d1e1b8918f2136606f668d5c2ff969a99e7cad33d960a"
    assert identity.sign_legacy_receipt(digest).hex() == (
        "06b43aa8c3c5ca77cf472d800873baf36fd9840a271d3d3bb63fcfb001f5e445"
        "c33e4cc1491d453b8d0ecb0f0e3a7b044d3047490cc472faa172564aa72cf20c"
    )


def test_it_is_made_once_and_private(state: StateDir) -> None:
    made = load_or_create(state)
    assert state.identity_key.stat().st_mode & 0o777 == 0o600
    assert state.identity_key.stat().st_size == 32
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert load_or_create(state).peer_id == made.peer_id
    assert made.is_own(made.public_hex)
    assert not made.is_own(PUBLIC)


def test_creators_at_the_same_time_converge(state: StateDir) -> None:
    code = (
        "import sys; from pathlib import Path; from runtime.statedir import StateDir; sys.stdin.read()\n"
        "from runtime.identity import load_or_create; print(load_or_create(StateDir(Path(sys.argv[1]))).peer_id)"
    )
    command = [sys.executable, "-c", code, str(state.path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    found = {process.communicate()[0].decode().strip() for process in processes}
    assert found == {load_or_create(state).peer_id}


def test_threads_converge_too(state: StateDir) -> None:
    found: set[str] = set()
    threads = [threading.Thread(target=lambda: found.add(load_or_create(state).peer_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_short_or_long_file_is_refused(state: StateDir, size: int) -> None:
    state.identity_key.write_bytes(bytes(size))
    state.identity_key.chmod(0o600)
    with pytest.raises(RefusedError, match=f"identity.key: has {size} bytes, an identity has 32; put it back"):
        load_or_create(state)
    assert state.identity_key.stat().st_size == size


def test_a_file_open_to_others_is_refused(state: StateDir) -> None:
    load_or_create(state)
    state.identity_key.chmod(0o644)
    with pytest.raises(RefusedError, match=r"mode 0644\); run chmod 600"):
        load_or_create(state)


def test_nothing_shows_the_secret() -> None:
    identity = Identity(SEED)
    for shown in (repr(identity), str(identity), f"{identity}"):
        assert shown == f"<Identity {PEER_ID}>"
    with pytest.raises(TypeError):
        pickle.dumps(identity)


@given(st.binary(max_size=200), st.sampled_from(sorted(DOMAINS)))
def test_signatures_hold_for_their_message_and_domain_alone(message: bytes, domain: bytes) -> None:
    identity = Identity(SEED)
    signature = identity.sign(domain, message)
    assert verify(identity.public, domain, message, signature)
    assert not verify(identity.public, domain, message + b"\0", signature)
    assert not verify(Identity(bytes(32)).public, domain, message, signature)
    assert not verify(identity.public, domain, message, signature[:-1])
    assert not verify(identity.public[:-1], domain, message, signature)
    for other in DOMAINS - {domain}:
        assert not verify(identity.public, other, message, signature)


@pytest.mark.parametrize("domain", [b"", b"phase-receipt:v1", b"anything:v1:"])
def test_nothing_is_signed_without_a_domain_of_ours(domain: bytes) -> None:
    with pytest.raises(ValueError, match="domain"):
        Identity(SEED).sign(domain, b"x")
    with pytest.raises(ValueError, match="SHA-256"):
        Identity(SEED).sign_legacy_receipt(b"x")


def test_no_domain_begins_another() -> None:
    assert not [(a, b) for a in DOMAINS for b in DOMAINS if a != b and b.startswith(a)]


@given(st.binary(min_size=32, max_size=32))
def test_peer_ids_go_both_ways(public: bytes) -> None:
    peer_id = peer_id_of(public)
    assert peer_id.startswith("12D3KooW")
    assert public_of(peer_id) == public


@pytest.mark.parametrize(
    "text",
    ["", "12D3KooW", PEER_ID + "1", "1" + PEER_ID, PEER_ID[:-1], PEER_ID[:-1] + "0", PEER_ID.lower(), "Qm" * 4000, "é"],
)
def test_what_is_no_peer_id(text: str) -> None:
    with pytest.raises(RefusedError, match="is not the PeerId"):
        public_of(text)


def test_a_public_key_has_32_bytes() -> None:
    with pytest.raises(RefusedError):
        peer_id_of(bytes(31))


SMALL_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
]


@pytest.mark.parametrize("point", SMALL_ORDER)
@pytest.mark.parametrize("sign", [0, 0x80])
def test_a_key_under_which_every_signature_fits_is_no_key(point: str, sign: int) -> None:
    """Under a point of small order, one signature in eight fits that was made without any key."""
    raw = bytearray.fromhex(point)
    raw[31] |= sign
    forged = [bytes.fromhex(r) + bytes(32) for r in SMALL_ORDER]
    for number in range(16):
        for signature in forged:
            assert not verify(bytes(raw), b"phase-receipt:v1:", b"%d" % number, signature)


def test_a_signature_has_one_form() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    identity = Identity(SEED)
    signature = identity.sign(b"phase-receipt:v1:", b"x")
    scalar = int.from_bytes(signature[32:], "little") + order
    assert not verify(identity.public, b"phase-receipt:v1:", b"x", signature[:32] + scalar.to_bytes(32, "little"))
