"""The schemas: what they refuse the strict readers refuse, and another implementation of draft-07 says the same."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

import assets
from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.jobs.legacy import legacy_receipt, parse_legacy_receipt, read_legacy_manifest
from runtime.jobs.manifest import ManifestRefusedError, read_manifest
from runtime.jobs.receipt_form import ReceiptRefusedError, message, read_receipt
from runtime.jobs.schemas import SchemaName, SchemaRefusedError, check
from tests.runtime.jobs.test_legacy import MANIFEST as LEGACY_MANIFEST
from tests.runtime.jobs.test_verify import EXAMPLE, MANIFEST, ME, receipt

LEGACY = json.loads(legacy_receipt(EXAMPLE, ME))


def _signed(document: dict[str, Json]) -> bytes:
    """A manifest with a signature that fits, so that only its form can be wrong."""
    fields = {name: value for name, value in document.items() if name not in {"signature", "signer_pubkey"}}
    made = document.get("signature") == MANIFEST.document["signature"]
    signature = ME.sign(b"phase-manifest:v1:", encode(fields)).hex()
    return encode(document | ({"signature": signature} if made else {}))


FORMS: dict[SchemaName, tuple[dict[str, Json], Callable[[dict[str, Json]], object]]] = {
    "receipt.v1": (json.loads(receipt()), lambda document: read_receipt(encode(document))),
    "job-manifest.v1": (dict(MANIFEST.document), lambda document: read_manifest(_signed(document))),
    "receipt.v0.1": (LEGACY, parse_legacy_receipt),
    "manifest.v0.1": (LEGACY_MANIFEST, lambda document: read_legacy_manifest(encode(document))),
}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.text("0a:.TZ-sha256wm", max_size=70),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-1, 256), min_size=31, max_size=33),
    st.dictionaries(st.sampled_from(["exit_code", "orlop.seq", "orlop.prev", "x"]), st.text("01a", max_size=3)),
)


def places(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path into a document; of an array only the first item."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*path, name))
    elif isinstance(value, list) and value:
        found += places(value[0], (*path, 0))
    return found


@st.composite
def bent(draw: st.DrawFn, name: SchemaName) -> dict[str, Json]:
    """A document of a form with one place replaced, removed or added."""
    document: dict[str, Any] = json.loads(json.dumps(FORMS[name][0]))
    *parents, last = draw(st.sampled_from(places(document)))
    inside: Any = document
    for step in parents:
        inside = inside[step]
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "remove" if isinstance(inside, dict):
            del inside[last]
        case "add" if isinstance(inside, dict):
            inside[draw(st.sampled_from(["more", "orlop.seq", "kind", "expires_at"]))] = draw(VALUES)
        case _:
            inside[last] = draw(VALUES)
    return document


def schema_of(name: SchemaName) -> Any:
    return json.loads(assets.path(f"schemas/{name}.json").read_bytes())


def fits(name: SchemaName, document: Json) -> bool:
    try:
        check(name, document)
    except SchemaRefusedError:
        return False
    return True


def refused(name: SchemaName, document: dict[str, Json]) -> str | None:
    """Why the strict reader refuses a document; None when it takes it."""
    try:
        FORMS[name][1](document)
    except (ReceiptRefusedError, ManifestRefusedError) as error:
        return error.why
    return None


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_schemas_are_draft_07_and_take_what_we_write(name: SchemaName) -> None:
    schema = schema_of(name)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)
    check(name, FORMS[name][0])
    FORMS[name][1](FORMS[name][0])


@pytest.mark.parametrize("name", sorted(FORMS))
@given(data=st.data())
def test_another_implementation_and_the_reader_say_the_same(name: SchemaName, data: st.DataObject) -> None:
    document = data.draw(bent(name))
    ours = fits(name, document)
    assert ours is Draft7Validator(schema_of(name)).is_valid(document)
    refusal = refused(name, document)
    # What draft-07 cannot say: that the day exists, and that the milliseconds are not written as 000.
    assert (refusal is None) is ours or (ours and "not a time" in str(refusal))


@given(st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner), max_leaves=9))
def test_nothing_makes_a_check_fail_otherwise(document: Json) -> None:
    assume(document != LEGACY_MANIFEST)
    for name in FORMS:
        assert fits(name, document) is False


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("result", "metrics", "extra", "exit_code"), 3, "result.metrics.extra.exit_code: expected a decimal number"),
        (("result", "metrics", "extra", "exit_code"), "3\n", "result.metrics.extra.exit_code: expected"),
        (("result", "metrics", "extra", "a{b}.c"), 1, "result.metrics.extra.a{b}.c: expected text, found 1"),
        (("result", "metrics", "extra", "\x1b[2J"), 1, "result.metrics.extra.\\x1b[2J: expected text, found 1"),
        (("result", "output_commitment"), [0] * 31, "result.output_commitment: expected an array of 32 bytes, found"),
        (("result", "output_commitment"), [0] * 31 + [256], "result.output_commitment[31]: expected a byte, 0 to 255"),
        (("result", "metrics", "extra"), {"orlop.seq": "1"}, "extra: orlop.prev and orlop.seq come together"),
        (("result", "\u202egnp"), 1, "result.\\u202egnp: is not a field of this version"),
        (("result",), None, "result: expected an object, found null"),
        (("signature",), "30" * 71, "signature: expected 128 lower-case hexadecimal characters, found 142 characters"),
        (("schema_version",), True, "schema_version: expected 1, found true"),
    ],
)
def test_a_refusal_names_the_path_inside_the_document(path: tuple[str, ...], value: Json, said: str) -> None:
    document: Any = json.loads(receipt())
    inside = document
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    with pytest.raises(SchemaRefusedError) as caught:
        check("receipt.v1", document)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    with pytest.raises(RefusedError) as refused:
        read_receipt(encode(document))
    assert said in str(refused.value)


def test_a_missing_field_is_named() -> None:
    document = json.loads(receipt())
    del document["result"]["metrics"]["extra"]
    with pytest.raises(SchemaRefusedError, match=r"result\.metrics\.extra: is missing"):
        check("receipt.v1", document)


def test_a_signature_does_not_make_up_for_a_wrong_form() -> None:
    document = json.loads(receipt())
    document["result"]["metrics"]["extra"]["exit_code"] = "-1"
    document["signature"] = ME.sign(b"phase-receipt:v1:", message(document)).hex()
    with pytest.raises(ReceiptRefusedError, match="exit_code"):
        read_receipt(encode(document))
