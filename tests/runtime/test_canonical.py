import hashlib
import json
import subprocess
import sys
from collections import UserList
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.canonical import CanonicalError, decode, encode, parse_timestamp, timestamp

INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
TEXTS = st.text()  # hypothesis makes no lone surrogates
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXTS, children, max_size=4),
    max_leaves=12,
)

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(VALUES)
def test_what_is_encoded_is_read_back_and_encodes_to_the_same_bytes(value: Any) -> None:
    raw = encode(value)
    again = decode(raw, limit=len(raw))
    assert again == value
    assert encode(again) == raw


@given(st.dictionaries(TEXTS, INTEGERS), st.randoms())
def test_order_of_keys_does_not_matter(value: dict[str, int], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert encode(dict(items)) == encode(value)


@given(st.lists(TEXTS, unique=True, min_size=2))
def test_keys_are_sorted_by_their_utf_8_bytes(keys: list[str]) -> None:
    written = list(json.loads(encode(dict.fromkeys(keys, 0))))
    assert written == sorted(keys, key=lambda key: key.encode())


def _in_other_types(value: Any) -> Any:
    """The same in types of which `json` knows nothing."""
    if isinstance(value, dict):
        return MappingProxyType({key: _in_other_types(item) for key, item in value.items()})
    return UserList(map(_in_other_types, value)) if isinstance(value, list) else value


@given(VALUES)
def test_what_is_written_without_a_copy_is_the_same_as_with_one(value: Any) -> None:
    assert encode(value) == encode(_in_other_types(value))


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}])
@pytest.mark.parametrize("inner", [[], {}, 1, "a", [1]])
@pytest.mark.parametrize("levels", [63, 64, 65])
def test_the_greatest_depth_is_the_same_with_and_without_a_copy(wrap: Any, inner: Any, levels: int) -> None:
    value = inner
    for _ in range(levels):
        value = wrap(value)
    told = []
    for one in (value, _in_other_types(value)):
        try:
            told.append(encode(one))
        except CanonicalError as error:
            told.append(error.why.encode())
    assert told[0] == told[1]


def test_sorting_is_not_that_of_utf_16() -> None:
    assert encode({"\U0001f600": 1, "\uff5e": 2}) == '{"\uff5e":2,"\U0001f600":1}'.encode()


def test_form_of_each_kind() -> None:
    value = {"b": [1, True, None, ()], "a": 'é/\u2028\x7f\x1f"\\\n', "c": {"z": -1, "y": {}}}
    assert encode(value) == '{"a":"é/\u2028\x7f\\u001f\\"\\\\\\n","b":[1,true,null,[]],"c":{"y":{},"z":-1}}'.encode()


def test_signed_message_of_the_worked_manifest() -> None:
    signed = {
        "schema_version": 1,
        "created_at": timestamp(1_735_787_045_000),
        "payload": {
            "kind": "wasm",
            "module_cid": EMPTY,
            "input": [0, 255],
            "max_memory_bytes": 134_217_728,
            "max_duration_ms": None,
        },
    }
    message = b"phase-manifest:v1:" + encode(signed)
    assert len(message) == 255
    assert hashlib.sha256(message).hexdigest() == "b8c7b8b1ad6f8c4180ba55ab21445b4f1dca5df9cfaac47603abc06993a9aa8e"


def test_signed_message_of_the_worked_receipt() -> None:
    job = "b8c7b8b1ad6f8c4180ba55ab21445b4f1dca5df9cfaac47603abc06993a9aa8e"
    commitment = "d8d63e8a3b76ec791640bd3e86b244dd74b136bfeae67c938a50301505ce8df9"
    signed = {
        "schema_version": 1,
        "job_id": job,
        "completed_at": timestamp(1_735_787_046_250),
        "result": {
            "job_spec_hash": list(bytes.fromhex(job)),
            "output_commitment": list(bytes.fromhex(commitment)),
            "output_chunk_count": 1,
            "completion": "stop",
            "resumption": None,
            "metrics": {
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "total_duration_ms": 42,
                "extra": {"module_hash": EMPTY, "exit_code": "3"},
            },
        },
    }
    message = b"phase-receipt:v1:" + encode(signed)
    assert len(message) == 690
    assert hashlib.sha256(message).hexdigest() == "3902a5046e095427fd8e6b13d8f0576179adb8374a6cd0fa290717ac30628142"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": 1.0}, "$.a"),
        ({"a": [0, 2**63]}, "$.a[1]"),
        ([-(2**63)], "$[0]"),
        ({"a": "\ud800"}, "$.a"),
        ({"\udfff": 1}, "$"),
        ({1: 2}, "$"),
        (b"bytes", "$"),
        ({"a": {1, 2}}, "$.a"),
        (object(), "$"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_place(value: Any, place: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        encode(value)
    assert caught.value.where == place


@pytest.mark.parametrize("inside", ["", "1", "true", '"x"', "{}"])
def test_nothing_lies_deeper_than_64_whatever_it_is(inside: str) -> None:
    arrays = 64 if inside else 65
    assert decode(f"{'[' * arrays}{inside}{']' * arrays}".encode(), limit=1000) is not None
    with pytest.raises(CanonicalError, match="deeper"):
        decode(f"[{'[' * arrays}{inside}{']' * arrays}]".encode(), limit=1000)


def test_endless_and_deep_values_are_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(CanonicalError, match="deeper"):
        encode(endless)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"a":1,"a":1}', 'the key "a" occurs twice'),
        (b'{"x":{"\\u0061":1,"a":2}}', 'the key "a" occurs twice'),
        (b"1.5", "not an integer"),
        (b"1e3", "not an integer"),
        (b"NaN", "NaN is not JSON"),
        (b"-Infinity", "is not JSON"),
        (b"9223372036854775808", "63 bits"),
        (b"1" * 5000, "63 bits"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b"[" * 70 + b"]" * 70, "deeper"),
        (b"[" * 90_000, "deeper"),
        (b'{"a":' * 90_000, "deeper"),
        (b"[" + b" " * 600_000 + b"]", "larger"),
    ],
)
def test_what_is_not_strict_json_is_refused_in_one_line(raw: bytes, why: str) -> None:
    with pytest.raises(CanonicalError, match=why) as caught:
        decode(raw, limit=600_000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_fractions_are_read_when_they_are_asked_for() -> None:
    assert decode(b"[1.5,2e2,3]", limit=99, floats=True) == [1.5, 200.0, 3]
    with pytest.raises(CanonicalError, match="too large"):
        decode(b"1e999", limit=99, floats=True)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        value = decode(raw, limit=60)
    except CanonicalError:
        return
    assert decode(encode(value), limit=1000) == value


@given(st.integers(0, 253_402_300_799_999))
def test_times_go_both_ways(ms: int) -> None:
    text = timestamp(ms)
    assert parse_timestamp(text) == ms
    assert ("." in text) == (ms % 1000 != 0)


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-02T03:04:05.000Z",
        "2025-01-02T03:04:05.1Z",
        "2025-01-02T03:04:05.123456Z",
        "2025-01-02T03:04:05+00:00",
        "2025-01-02T03:04:05",
        "2025-01-02 03:04:05Z",
        "2025-02-29T00:00:00Z",
        "2025-01-01T24:00:00Z",
        "2025-01-01T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "2025-01-02T03:04:05Z\n",
        "٢٠٢٥-01-02T03:04:05Z",
        "",
    ],
)
def test_times_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(CanonicalError):
        parse_timestamp(text)


@pytest.mark.parametrize("ms", [-1, 253_402_300_800_000])
def test_times_of_other_ages_are_refused(ms: int) -> None:
    with pytest.raises(CanonicalError):
        timestamp(ms)


def test_loading_it_loads_no_other_module_of_ours() -> None:
    code = "import sys, runtime.canonical; print(sorted(m for m in sys.modules if m.split('.')[0] == 'runtime'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['runtime', 'runtime.canonical', 'runtime.errors']"
