"""Manifests: the order and the wordings of the checks, and strict reading of files."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.manifest import (
    ManifestRefusedError,
    Permission,
    make_manifest,
    parse_manifest,
    read_manifest,
)

GOOD = {
    "name": "echo",
    "version": "1",
    "description": "d",
    "author": "a",
    "wasmHash": "00" * 32,
    "permissions": ["read_tasks"],
}


def refusal(document: Any) -> str:
    with pytest.raises(ManifestRefusedError) as refused:
        parse_manifest(document)
    assert refused.value.why == f"Invalid agent manifest: {refused.value.text}"
    return refused.value.text


def test_a_good_one_passes_and_keeps_its_unknown_keys() -> None:
    manifest = parse_manifest(GOOD | {"homepage": "x"})
    assert manifest.name == "echo"
    assert manifest.permissions == (Permission.READ_TASKS,)
    assert manifest.signature is None
    assert manifest.document["homepage"] == "x"


@pytest.mark.parametrize("document", [None, "text", 3, 1.5, True])
def test_it_must_be_an_object(document: Any) -> None:
    assert refusal(document) == "Manifest must be an object"


def test_an_array_fails_on_its_name() -> None:
    assert refusal([]) == "Manifest.name must be a string"


@pytest.mark.parametrize("field", ["name", "version", "description", "author", "wasmHash"])
@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_each_text_must_be_a_string(field: Any, value: Any) -> None:
    assert refusal(GOOD | {field: value}) == f"Manifest.{field} must be a string"
    assert refusal({key: text for key, text in GOOD.items() if key != field}) == f"Manifest.{field} must be a string"


def test_the_first_check_that_fails_decides() -> None:
    broken = {"name": "?", "permissions": ["x"], "signature": 1}
    order = []
    for field in ("version", "description", "author", "wasmHash", None):
        order.append(refusal(broken))
        if field:
            broken[field] = ""
    assert order[:4] == [
        f"Manifest.{name} must be a string" for name in ("version", "description", "author", "wasmHash")
    ]
    assert order[4] == "Invalid permission: x"
    broken["permissions"] = []
    assert refusal(broken) == "Manifest.signature must be a string if provided"
    broken["signature"] = ""
    assert refusal(broken).startswith('Manifest.name "?" must be 1 to 32 of')


@pytest.mark.parametrize("value", [None, "read_tasks", {}, 1])
def test_permissions_must_be_an_array(value: Any) -> None:
    assert refusal(GOOD | {"permissions": value}) == "Manifest.permissions must be an array"


@pytest.mark.parametrize(
    ("one", "shown"), [("admin", "admin"), (1, "1"), (None, "null"), (["read_tasks"], '["read_tasks"]')]
)
def test_an_unknown_permission_is_named(one: Any, shown: Any) -> None:
    assert refusal(GOOD | {"permissions": ["read_tasks", one]}) == f"Invalid permission: {shown}"


def test_a_hostile_permission_is_shown_harmless() -> None:
    assert "\x1b" not in refusal(GOOD | {"permissions": ["\x1b[2J\n"]})


def test_empty_and_duplicate_permissions_are_allowed() -> None:
    assert parse_manifest(GOOD | {"permissions": []}).permissions == ()
    twice = parse_manifest(GOOD | {"permissions": ["persist_state", "read_tasks", "persist_state"]})
    assert twice.permissions == (Permission.READ_TASKS, Permission.PERSIST_STATE)
    every = parse_manifest(GOOD | {"permissions": [one.value for one in Permission]})
    assert every.permissions == tuple(Permission)


def test_a_version_need_not_be_semantic() -> None:
    assert parse_manifest(GOOD | {"version": "", "description": "", "author": "", "wasmHash": ""}).version == ""


def test_a_signature_may_be_any_text() -> None:
    assert parse_manifest(GOOD | {"signature": "v2:x"}).signature == "v2:x"
    assert refusal(GOOD | {"signature": None}) == "Manifest.signature must be a string if provided"


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "a b", "a/b", "a:b", "builtin:x", "a" * 33, "ä", "a\n", "\x1b"])
def test_w33_a_name_that_no_agent_may_have_is_refused(name: Any) -> None:
    assert refusal(GOOD | {"name": name}).startswith("Manifest.name ")


@pytest.mark.parametrize("name", ["a", "0", "a.b_c-d", "a" * 32])
def test_a_name_within_the_contract_passes(name: Any) -> None:
    assert parse_manifest(GOOD | {"name": name}).name == name


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"\x00asm", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"name":"a","name":"b"}', "occurs twice"),
        (b'{"name":NaN}', "NaN"),
        (b"[" * 10_000, "nested deeper"),
        (b'"' + b"a" * 10_000_000 + b'"', "larger than"),
    ],
)
def test_a_file_that_is_no_strict_json_is_refused_in_one_line(raw: Any, reason: Any) -> None:
    with pytest.raises(ManifestRefusedError, match=reason) as refused:
        read_manifest(raw)
    assert str(refused.value).startswith("Invalid agent manifest: Manifest must be JSON: ")
    assert "\n" not in str(refused.value)


def test_a_file_is_read() -> None:
    assert read_manifest(json.dumps(GOOD).encode()).name == "echo"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_document_is_read_or_refused(document: Any) -> None:
    with contextlib.suppress(ManifestRefusedError):
        assert parse_manifest(document).name


@given(st.dictionaries(st.sampled_from([*GOOD, "signature"]), st.text() | st.none() | st.lists(st.text())))
def test_any_change_of_a_good_one_is_read_or_refused(change: Any) -> None:
    with contextlib.suppress(ManifestRefusedError):
        assert parse_manifest(GOOD | change).name


def test_a_manifest_can_be_made_for_a_module_without_one() -> None:
    made = make_manifest(
        name="echo", version="1", description="d", author="a", wasm_hash="00" * 32, permissions=(Permission.READ_TASKS,)
    )
    assert dict(made.document) == GOOD
    with pytest.raises(ManifestRefusedError):
        make_manifest(name="Echo", version="1", description="", author="", wasm_hash="", permissions=())
