import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.dht.record import (
    DOMAIN,
    RecordError,
    capability_key,
    content_key,
    key_id,
    manifest_key,
    peer_key,
    read_record,
    sign_record,
)
from net.peer_id import PeerId
from runtime.canonical import Json, encode
from runtime.errors import UsageError
from runtime.identity import Identity

NOW = 1_700_000_000_000
HOUR = 3_600_000
ME = Identity(b"1" * 32)
OTHER = Identity(b"2" * 32)
KEY = content_key("ab" * 32)


def document(**changes: Json) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "body": {},
        "expires_ms": NOW + HOUR,
        "issued_ms": NOW,
        "key": KEY,
        "kind": "provider",
        "peer": ME.peer_id,
        "seq": 1,
        "v": 1,
    }
    return fields | changes


def packed(signer: Identity = ME, **changes: Json) -> bytes:
    text = encode(document(**changes))
    return signer.sign(DOMAIN, text) + text


def rule_of(raw: bytes, now_ms: int = NOW) -> str:
    with pytest.raises(RecordError) as caught:
        read_record(raw, now_ms)
    return caught.value.rule


def test_a_signed_record_is_read_as_it_was_made() -> None:
    record = sign_record(ME, "provider", KEY, {}, seq=7, issued_ms=NOW, life_ms=HOUR)
    assert read_record(record.packed, NOW) == record
    assert (record.peer, record.seq, record.key_id) == (ME.public, 7, key_id(KEY))


@pytest.mark.parametrize(
    ("kind", "key", "body"),
    [
        ("peer", peer_key(PeerId(ME.public)), {"addresses": ["/ip4/192.0.2.1/udp/4001/quic-v1"], "relays": []}),
        ("provider", capability_key("x86_64", "wasm"), {}),
        ("manifest", manifest_key("stable", "x86_64", "cd" * 32), {"urls": ["https://a.example/m"], "version": 3}),
    ],
)
def test_11_2_each_kind_has_its_key_and_body(kind: str, key: str, body: dict[str, Json]) -> None:
    record = sign_record(ME, kind, key, body, seq=1, issued_ms=NOW, life_ms=HOUR)
    assert read_record(record.packed, NOW).body == body


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kind": "capabilities"}, "kind"),  # signed under the same domain, and no record of the DHT
        ({"kind": 3}, "kind"),
        ({"v": 2}, "form"),
        ({"v": True}, "form"),
        ({"seq": -1}, "form"),
        ({"seq": True}, "form"),
        ({"issued_ms": "now"}, "form"),
        ({"body": []}, "form"),
        ({"body": {"x": 1}}, "form"),
        ({"peer": "12D3KooW"}, "form"),
        ({"peer": PeerId(b"\x01" + bytes(31)).__str__()}, "form"),  # a key under which one signature fits everything
        ({"more": 1}, "form"),
        ({"key": "/orlop/provide/" + "AB" * 32}, "key"),
        ({"key": manifest_key("stable", "x86_64", "cd" * 32)}, "key"),
        ({"issued_ms": NOW + 300_001, "expires_ms": NOW + HOUR}, "time"),
        ({"expires_ms": NOW}, "time"),
        ({"expires_ms": NOW + 26 * HOUR + 1}, "time"),
        ({"kind": "peer", "key": peer_key(PeerId(OTHER.public)), "body": {"addresses": [], "relays": []}}, "key"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_by_its_name(changes: dict[str, Json], rule: str) -> None:
    assert rule_of(packed(**changes)) == rule


@pytest.mark.parametrize(
    "body",
    [
        {"addresses": ["/ip4/192.0.2.1/tcp/1"] * 9, "relays": []},
        {"addresses": ["here"], "relays": []},
        {"addresses": [1], "relays": []},
        {"addresses": "/ip4/192.0.2.1/tcp/1", "relays": []},
        {"addresses": []},
    ],
)
def test_addresses_of_a_peer_are_few_and_well_formed(body: dict[str, Json]) -> None:
    assert rule_of(packed(kind="peer", key=peer_key(PeerId(ME.public)), body=body)) == "form"


@pytest.mark.parametrize("body", [{"urls": ["file:///etc/passwd"], "version": 1}, {"urls": [], "version": 0}])
def test_a_manifest_names_pages_and_a_version(body: dict[str, Json]) -> None:
    key = manifest_key("stable", "x86_64", "cd" * 32)
    assert rule_of(packed(kind="manifest", key=key, body=body)) == "form"


def test_a_record_of_a_megabyte_is_refused_by_its_size() -> None:
    assert rule_of(bytes(1_000_000)) == "size"


def test_row_26_an_unsigned_record_and_one_signed_by_another_are_refused() -> None:
    text = encode(document())
    assert rule_of(bytes(64) + text) == "signature"
    assert rule_of(packed(OTHER)) == "signature"
    assert rule_of(ME.sign(b"orlop-dht-hello:v1:", text) + text) == "signature"


def test_sec12_other_spellings_of_the_same_content_are_refused() -> None:
    text = encode(document()).replace(b'"v":1', b'"v": 1')
    assert rule_of(ME.sign(DOMAIN, text) + text) == "form"


def test_a_record_of_ours_that_others_would_refuse_is_not_made() -> None:
    addresses: list[Json] = [f"/dns/{'a' * 50}.{'b' * 50}.{n}x.example/tcp/{n}" for n in range(1, 9)]
    body: dict[str, Json] = {"addresses": addresses, "relays": []}
    with pytest.raises(RecordError, match="more than 1000"):
        sign_record(ME, "peer", peer_key(PeerId(ME.public)), body, seq=1, issued_ms=NOW, life_ms=HOUR)


@pytest.mark.parametrize("key", [("X86", "wasm"), ("x86_64", "a/b"), ("", "wasm")])
def test_a_key_that_is_none_is_the_callers_mistake(key: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        capability_key(*key)


@given(st.binary(max_size=1100))
def test_garbage_is_refused_and_nothing_else(raw: bytes) -> None:
    assert rule_of(raw) in {"size", "form", "kind"}


@given(st.integers(0, 400), st.integers(0, 7))
def test_no_bit_of_a_record_can_be_changed(place: int, bit: int) -> None:
    raw = bytearray(packed())
    raw[place % len(raw)] ^= 1 << bit
    with pytest.raises(RecordError):
        read_record(bytes(raw), NOW)
