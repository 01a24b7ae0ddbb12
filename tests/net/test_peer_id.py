import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import AddressError
from net.peer_id import PeerId
from runtime import base58
from runtime.identity import Identity

SEED = hashlib.sha256(b"orlop worked example 1").digest()
PUBLIC = bytes.fromhex("1c2c29907ae347fb0105ce623022a8abb0c11b90679315a45632b225227a13cb")
MULTIHASH = bytes.fromhex("0024080112201c2c29907ae347fb0105ce623022a8abb0c11b90679315a45632b225227a13cb")
BASE58 = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
BASE32 = "bafzaajaiaejcahbmfgihvy2h7maqlttcgarkrk5qyenzaz4tcwsfmmvseurhue6l"
BASE36 = "k51qzi5uqu5dgvv87gb35pjzo9qynwmc5ecxyo84dsa5ck4h9z3yqdstpzv8i3"
CID = b"\x01\x72" + MULTIHASH
RSA = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"

KEYS = st.binary(min_size=32, max_size=32).map(lambda seed: PeerId(Identity(seed).public))
LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "01" + "00" * 30 + "80",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "ec" + "ff" * 30 + "7f",
    "ff" * 32,
]


def base32(raw: bytes) -> str:
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


def base36(raw: bytes) -> str:
    number, text = int.from_bytes(raw), ""
    while number:
        number, digit = divmod(number, 36)
        text = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + text
    return f"k{text}"


def test_the_worked_example() -> None:
    peer = PeerId(PUBLIC)
    assert Identity(SEED).public == PUBLIC
    assert peer.multihash == MULTIHASH
    assert peer.protobuf == MULTIHASH[2:]
    assert str(peer) == BASE58


@pytest.mark.parametrize("text", [BASE58, BASE32, BASE36, "z" + base58.encode(CID)])
def test_every_form_is_read_and_one_is_written(text: str) -> None:
    assert PeerId.parse(text) == PeerId(PUBLIC)
    assert str(PeerId.parse(text)) == BASE58


@given(KEYS)
def test_all_forms_name_the_same_peer(peer: PeerId) -> None:
    cid = b"\x01\x72" + peer.multihash
    forms = {str(peer), base32(cid), base36(cid), "z" + base58.encode(cid)}
    assert {PeerId.parse(form) for form in forms} == {peer}
    assert PeerId.from_multihash(peer.multihash) == PeerId.from_protobuf(peer.protobuf) == PeerId.from_key(peer.key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "Qm",
        BASE58[:-1],
        BASE58 + "1",
        BASE58.lower(),
        "2" + BASE58[1:],
        f" {BASE58}",
        f"{BASE58}\n",
        BASE58 * 3,
        base32(CID + b"\0"),  # bytes behind it
        base32(CID).upper(),
        "b" + BASE32[1:].upper(),
        BASE32 + "=",
        BASE32 + "b",  # bits behind the last byte
        BASE32.replace("i", "\u0131", 1),  # upper case makes an I of it
        base32(b"\x02\x72" + MULTIHASH),  # another version
        base32(b"\x01\x55" + MULTIHASH),  # another codec
        base32(b"\x81\x00\x72" + MULTIHASH),  # a number that is longer than it need be
        base32(b"\x01\xf2\x00" + MULTIHASH),
        BASE36[0] + "0" + BASE36[1:],
        BASE36[:5] + "_" + BASE36[5:],  # which Python's numbers may have
        BASE36.upper(),
        "k",
        "b",
        "z",
        "z" + BASE58,
        "f0172" + MULTIHASH.hex(),  # a base that nobody uses for this
        base32(b"\x01\x72" + MULTIHASH[:-1]),
        base32(b"\x01\x72\0\x25" + MULTIHASH[2:] + b"\0"),
        base58.encode(b"\0\x24\x08\x01\x12\x21" + PUBLIC),
        "b" + "a" * 200,
    ],
)
def test_what_is_no_peer_id(text: str) -> None:
    with pytest.raises(AddressError, match="is not a PeerId; a PeerId begins with 12D3KooW"):
        PeerId.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        RSA,
        base32(b"\x01\x72" + (base58.decode(RSA) or b"")),
        base58.encode(b"\0\x25\x08\x02\x12\x21\x02" + bytes(32)),  # secp256k1, which names itself too
    ],
)
def test_a_peer_with_another_kind_of_key_is_told_apart(text: str) -> None:
    with pytest.raises(AddressError, match="another kind of key: orlop speaks to Ed25519 keys"):
        PeerId.parse(text)


@pytest.mark.parametrize("key", LOW_ORDER)
def test_a_key_under_which_signatures_prove_nothing_names_nobody(key: str) -> None:
    peer = PeerId(bytes.fromhex(key))
    for read, raw in (
        (PeerId.from_key, peer.key),
        (PeerId.from_protobuf, peer.protobuf),
        (PeerId.from_multihash, peer.multihash),
    ):
        with pytest.raises(AddressError, match="is not a valid Ed25519 public key"):
            read(raw)
    with pytest.raises(AddressError, match=f"{peer}: is not a valid Ed25519 public key"):
        PeerId.parse(str(peer))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        MULTIHASH,
        MULTIHASH[2:-1],
        MULTIHASH[2:] + b"\0",
        b"\x12\x20" + PUBLIC + b"\x08\x01",  # the fields the other way round
        b"\x08\x81\x00\x12\x20" + PUBLIC,  # a longer number
        b"\x08\x01\x12\xa0\x00" + PUBLIC,
        b"\x12\x20" + PUBLIC,
        b"\x08\x00\x12\x20" + PUBLIC,
    ],
)
def test_a_key_has_one_protobuf(raw: bytes) -> None:
    with pytest.raises(AddressError):
        PeerId.from_protobuf(raw)


def test_an_error_shows_what_is_harmless() -> None:
    with pytest.raises(AddressError, match=re.escape("\\x1b[31m")):
        PeerId.parse("\x1b[31mred")


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="has 32 bytes, not 31"):
        PeerId(bytes(31))
