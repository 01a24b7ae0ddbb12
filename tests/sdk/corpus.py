"""One catalogue for every verifier: genuine receipts, and every way in which we could think of forging one.

The same in every run. Python's verdicts are the measure, and `test_same_verdicts.py` holds the others to them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Final

from runtime.canonical import encode
from runtime.identity import Identity
from tests.sdk import oddities
from tests.sdk.documents import (
    FIRST,
    FULL,
    MANIFEST,
    MANIFEST_DOMAIN,
    MODULE,
    OTHER_MANIFEST,
    RECEIPT,
    STDERR,
    STDOUT,
    STRANGER,
    WORKER,
    Case,
    Document,
    at_place,
    flipped,
    job_of,
    make_receipt,
    places,
    receipt_id,
    shown,
    signed_manifest,
    signed_receipt,
    with_value,
    without,
)

__all__ = ["CASES", "FORGED", "bundle", "cases_document", "legacy"]


def genuine() -> Iterator[Case]:
    """What must not be refused, with more and less to hold it against."""
    yield FULL
    for name in ("key", "manifest", "module", "stdout", "stderr", "previous"):
        yield replace(FULL, name=f"genuine, without {name}", **{name: None})
    yield Case(name="genuine, the key alone", receipt=FULL.receipt)
    yield replace(FULL, name="genuine, the first of its key", receipt=encode(FIRST), previous=None)
    yield replace(FULL, name="the key as a PeerId", key=WORKER.peer_id)
    yield replace(FULL, name="the key in capitals", key=WORKER.public_hex.upper())
    for name, layout in {
        "indented": json.dumps(RECEIPT, indent=2).encode(),
        "indented by tabs": json.dumps(RECEIPT, indent="\t").encode(),
        "reversed": json.dumps(dict(reversed(RECEIPT.items()))).encode(),
        "a line end": FULL.receipt + b"\n",
        "a line end of Windows": FULL.receipt + b"\r\n",
        "escaped slashes": FULL.receipt.replace(b"/", rb"\/"),
        "every character escaped": everything_escaped(FULL.receipt),
    }.items():
        yield replace(FULL, name=f"layout: {name}", receipt=layout)
    for name, text in {
        "above U+FFFF": "😀\ue000",
        "line separators": "\u2028\u2029",
        "delete and controls": '\x7f\x01\x1f\t\b\f\r\n"\\/',
        "nothing": "",
    }.items():
        odd = make_receipt(0, "0" * 64, **{"note": text, f"{text}key": "x", f"\ue000{text}": "y"})
        yield replace(FULL, name=f"text: {name}", receipt=encode(odd), previous=None)
    for name in ("__proto__", "constructor", "0", "123", "k", "", "-1", "toString", "\0", "hasOwnProperty"):
        odd = make_receipt(0, "0" * 64, **{name: "x"})
        yield replace(FULL, name=f"entry named {name!r}", receipt=encode(odd), previous=None)


def everything_escaped(raw: bytes) -> bytes:
    """The same document with each character of each text as an escape."""

    def escaped(match: re.Match[str]) -> str:
        units = match[1].encode("utf-16-be")
        return '"' + "".join(f"\\u{units[at]:02x}{units[at + 1]:02X}" for at in range(0, len(units), 2)) + '"'

    return re.sub(r'"([^"\\]*)"', escaped, raw.decode()).encode()


def changed_documents() -> Iterator[tuple[str, Document]]:
    """Receipts of which one field has another value, is missing or is one too many."""
    for path in places(RECEIPT):
        before = at_place(RECEIPT, path)
        for number, value in enumerate(flipped(before)):
            if (type(value), value) != (type(before), before):
                yield f"{shown(path)} changed, {number}", with_value(RECEIPT, path, value)
        if isinstance(path[-1], str):
            yield f"{shown(path)} missing", without(RECEIPT, path)
    for path in [(), *places(RECEIPT)]:
        inside = at_place(RECEIPT, path)
        if isinstance(inside, Mapping):
            yield f"one more in {shown(path)}", with_value(RECEIPT, path, {**inside, "more": "x"})


def changed_fields() -> Iterator[Case]:
    """Every field changed under the old signature."""
    for name, document in changed_documents():
        yield replace(FULL, name=name, receipt=encode(document))


def signed_nonsense() -> Iterator[Case]:
    """The same, signed by the worker: what is well-formed is its word."""
    for name, document in changed_documents():
        yield replace(FULL, name=f"{name}, signed", receipt=encode(signed_receipt(document)))


def changed_bytes() -> Iterator[Case]:
    """Every byte changed, and every byte missing."""
    for at in range(len(FULL.receipt)):
        raw = bytearray(FULL.receipt)
        raw[at] ^= (1, 0x20, 0x80, 2)[at % 4]
        yield replace(FULL, name=f"byte {at} changed", receipt=bytes(raw))
        if at % 3 == 0:
            yield replace(FULL, name=f"byte {at} missing", receipt=FULL.receipt[:at] + FULL.receipt[at + 1 :])
        if at % 97 == 0:
            yield replace(FULL, name=f"cut at {at}", receipt=FULL.receipt[:at])


def duplicated_keys() -> Iterator[Case]:
    """Every key twice in its object, before and behind, with the same value and with another."""
    text = FULL.receipt.decode()
    for path in places(RECEIPT):
        if not isinstance(path[-1], str):
            continue
        name, value = path[-1], at_place(RECEIPT, path)
        written = f"{json.dumps(name)}:{encode(value).decode()}"
        for what, double in {
            "twice": f"{written},{written}",
            "null before": f"{json.dumps(name)}:null,{written}",
            "null behind": f"{written},{json.dumps(name)}:null",
            "escaped behind": written + f',"\\u{ord(name[0]):04x}{name[1:]}":{encode(value).decode()}',
        }.items():
            assert text.count(written) >= 1, path
            yield replace(FULL, name=f"{shown(path)} {what}", receipt=text.replace(written, double, 1).encode())


def rewritten() -> Iterator[Case]:
    """The same content in forms that readers take differently, and what stands around a document."""
    text = FULL.receipt.decode()

    def with_text(name: str, old: str, new: str) -> Case:
        assert old in text, old
        return replace(FULL, name=name, receipt=text.replace(old, new, 1).encode())

    for number in oddities.NUMBERS:
        yield with_text(f"a number written {number[:20]}", '"total_duration_ms":42', f'"total_duration_ms":{number}')
    for seconds in oddities.SECONDS:
        yield with_text(f"seconds written {seconds!r}", "06.250Z", seconds)
    for time in oddities.TIMES:
        changed = encode(signed_receipt(RECEIPT | {"completed_at": time}))
        yield replace(FULL, name=f"completed at {time!r}, signed", receipt=changed)
    for name, around in oddities.AROUND.items():
        yield replace(FULL, name=f"with {name}", receipt=around.replace(b"%s", FULL.receipt))
    for name, raw in oddities.INSTEAD.items():
        yield replace(FULL, name=f"instead of a receipt: {name}", receipt=raw)
    yield replace(FULL, name="UTF-16", receipt=FULL.receipt.decode().encode("utf-16"))
    yield replace(FULL, name="a trailing comma", receipt=FULL.receipt[:-1] + b",}")
    yield replace(FULL, name="single quotes", receipt=FULL.receipt.replace(b'"', b"'"))
    yield replace(FULL, name="too long", receipt=FULL.receipt + b" " * 262_144)
    for name, written in oddities.TEXTS.items():
        yield with_text(f"a text with {name}", '"wasmtime 50.0.1"', f'"{written}"')


def substituted() -> Iterator[Case]:
    """Other keys, older forms, other domains, other jobs."""
    by_stranger = encode(signed_receipt(RECEIPT, STRANGER))
    yield replace(FULL, name="signed by another key", receipt=by_stranger)
    yield replace(FULL, name="signed by another key, none given", receipt=by_stranger, key=None)
    yield replace(FULL, name="signed by another key, that one given", receipt=by_stranger, key=STRANGER.public_hex)
    yield replace(FULL, name="another key's name", receipt=encode(RECEIPT | {"worker_pubkey": STRANGER.public_hex}))
    yield replace(
        FULL,
        name="another key's signature",
        receipt=encode(RECEIPT | {"signature": json.loads(by_stranger)["signature"]}),
    )
    yield replace(FULL, name="another key given", key=STRANGER.public_hex)
    yield replace(
        FULL,
        name="the key in capitals in the receipt",
        receipt=encode(RECEIPT | {"worker_pubkey": WORKER.public_hex.upper()}),
    )
    for key in oddities.KEYS:
        for signature in (RECEIPT["signature"], "01" + "0" * 126):  # the second fits every message under the key 1
            weak = encode(RECEIPT | {"worker_pubkey": key, "signature": signature})
            yield replace(
                FULL, name=f"the key {key[:4]}…{key[-4:]}, {signature[:4]}", receipt=weak, key=key, previous=None
            )
    for name, signature in {
        "zeros": "0" * 128,
        "all ones": "f" * 128,
        "too large a scalar": RECEIPT["signature"][:64] + "f" * 64,
    }.items():
        yield replace(FULL, name=f"a signature of {name}", receipt=encode(RECEIPT | {"signature": signature}))
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(bytes.fromhex(RECEIPT["signature"][64:]), "little") + order
    malleable = RECEIPT["signature"][:64] + scalar.to_bytes(32, "little").hex()
    yield replace(FULL, name="a malleable signature", receipt=encode(RECEIPT | {"signature": malleable}))
    yield replace(FULL, name="signed as a manifest", receipt=encode(signed_receipt(RECEIPT, domain=MANIFEST_DOMAIN)))
    yield replace(FULL, name="a manifest instead", receipt=encode(MANIFEST))
    yield replace(FULL, name="the older form instead", receipt=legacy())
    yield replace(FULL, name="the older form under no key", receipt=legacy(), key=None)
    yield replace(FULL, name="a magic word", receipt=b'{"signature":"local_execution","node_pubkey":"local_execution"}')
    yield replace(FULL, name="a magic word as signature", receipt=encode(RECEIPT | {"signature": "local_execution"}))
    for version in (0, 2, -1, "1", "0.1", True, None, 1.0, [1]):
        changed = {**RECEIPT, "schema_version": version}
        yield replace(FULL, name=f"version {version!r}", receipt=json.dumps(changed).encode())
    job = job_of(OTHER_MANIFEST)
    result = {**RECEIPT["result"], "job_spec_hash": list(job)}
    for name, replay in {
        "its id": RECEIPT | {"job_id": job.hex()},
        "its hash": RECEIPT | {"result": result},
        "both": RECEIPT | {"job_id": job.hex(), "result": result},
    }.items():
        for what, raw in {"": encode(replay), ", signed": encode(signed_receipt(replay))}.items():
            yield replace(FULL, name=f"replayed under another job: {name}{what}", receipt=raw)
            yield replace(
                FULL,
                name=f"replayed under another job: {name}{what}, with its manifest",
                receipt=raw,
                manifest=encode(OTHER_MANIFEST),
            )


def legacy() -> bytes:
    """A receipt 0.1 with a signature that fits."""
    signed = f"0.1|{MODULE}|0|42|1700000000".encode()
    fields_ = {
        "version": "0.1",
        "module_hash": MODULE,
        "exit_code": 0,
        "wall_time_ms": 42,
        "timestamp": 1_700_000_000,
        "node_pubkey": WORKER.public_hex,
        "signature": WORKER.sign_legacy_receipt(hashlib.sha256(signed).digest()).hex(),
    }
    return json.dumps(fields_, indent=2).encode()


def other_manifests() -> Iterator[Case]:
    """A genuine receipt against manifests that are not its own, or none."""
    yield replace(FULL, name="another manifest", manifest=encode(OTHER_MANIFEST))
    yield replace(FULL, name="a receipt as manifest", manifest=FULL.receipt)
    for path in places(MANIFEST):
        for number, value in enumerate(flipped(at_place(MANIFEST, path))):
            changed = with_value(MANIFEST, path, value)
            yield replace(FULL, name=f"manifest: {shown(path)} changed, {number}", manifest=encode(changed))
            if path[0] not in {"signature", "signer_pubkey"}:
                yield from of_manifest(
                    f"manifest: {shown(path)} changed and signed, {number}", signed_manifest(changed)
                )
        if isinstance(path[-1], str) and path[0] not in {"signature", "signer_pubkey"}:
            yield from of_manifest(f"manifest: {shown(path)} missing, signed", signed_manifest(without(MANIFEST, path)))
    for arrays in (62, 63, 64):  # the field itself is two deep
        for inside in ("", "1", "{}"):
            deep = {**MANIFEST, "payload": {**MANIFEST["payload"], "deep": "HERE"}}
            text = json.dumps(deep).replace('"HERE"', "[" * arrays + inside + "]" * arrays)
            yield replace(FULL, name=f"manifest: {arrays} arrays around {inside!r}", manifest=text.encode())
    for at in range(0, len(encode(MANIFEST)), 5):
        raw = bytearray(encode(MANIFEST))
        raw[at] ^= 1
        yield replace(FULL, name=f"manifest: byte {at} changed", manifest=bytes(raw))
    for name, odd in {
        "nothing": b"",
        "null": b"null",
        "too long": b" " * 200_000,
        "twice": encode(MANIFEST) * 2,
    }.items():
        yield replace(FULL, name=f"manifest: {name}", manifest=odd)


def other_evidence() -> Iterator[Case]:
    """A receipt against another module, other output, and limits that the manifest does not allow."""
    yield replace(FULL, name="another module", module="sha256:" + "0" * 64)
    for number, limits in enumerate(oddities.LIMITS):
        odd = encode(make_receipt(0, "0" * 64, **{"orlop.limits": limits}))
        yield replace(FULL, name=f"limits {number}: {limits[:30]}", receipt=odd, previous=None)
    for name, stdout, stderr in (
        ("another byte", STDOUT[:-1] + b"x", STDERR),
        ("one less", STDOUT[:-1], STDERR),
        ("one more", STDOUT, STDERR + b"x"),
        ("swapped", STDERR, STDOUT),
        ("one stream", STDOUT + STDERR, b""),
        ("none", b"", b""),
        ("stdout only, and it is the whole", STDOUT + STDERR, None),
        ("stderr only", None, STDERR),
        ("too much of stdout", STDOUT * 3, None),
        ("half of stdout", STDOUT[:65_536], None),
    ):
        yield replace(FULL, name=f"output: {name}", stdout=stdout, stderr=stderr)


def of_manifest(name: str, manifest: Document) -> Iterator[Case]:
    """A manifest with the old receipt, and with a receipt that was signed for its job."""
    yield replace(FULL, name=name, manifest=encode(manifest))
    job = job_of(manifest)
    result = {**RECEIPT["result"], "job_spec_hash": list(job)}
    receipt = signed_receipt(RECEIPT | {"job_id": job.hex(), "result": result})
    yield replace(FULL, name=f"{name}, and a receipt for it", manifest=encode(manifest), receipt=encode(receipt))


def other_chains() -> Iterator[Case]:
    """Predecessors that are none."""
    second = make_receipt(1, receipt_id(FIRST), OTHER_MANIFEST)
    third = make_receipt(2, receipt_id(second))
    for name, receipt, previous in (
        ("itself", RECEIPT, RECEIPT),
        ("a later one", FIRST, RECEIPT),
        ("a replaced one", third, RECEIPT),
        ("the right one", third, second),
        ("one left out", third, FIRST),
        ("reordered", second, third),
        ("of another key", RECEIPT, signed_receipt(FIRST, STRANGER)),
        ("with a false signature", RECEIPT, FIRST | {"signature": RECEIPT["signature"]}),
        ("number 0 with one", make_receipt(0, "1" * 64), FIRST),
        ("number 1 without", make_receipt(1, "0" * 64), FIRST),
        ("the first, with one", FIRST, FIRST),
        ("another number", make_receipt(5, receipt_id(FIRST)), FIRST),
        ("a manifest", RECEIPT, MANIFEST),
    ):
        yield replace(FULL, name=f"predecessor: {name}", receipt=encode(receipt), previous=encode(previous))
        yield replace(FULL, name=f"predecessor: {name}, not given", receipt=encode(receipt), previous=None)
    for raw in (b"", b"{}", encode(FIRST)[:-1], encode(FIRST) + b"\n", legacy()):
        yield replace(FULL, name=f"predecessor: {raw[-20:]!r}", previous=raw)


def older_forms() -> Iterator[Case]:
    """Receipts of version 0.1, true and false, against modules and manifests."""
    document = json.loads(legacy())
    manifest = {"version": "0.1", "module_hash": MODULE, "cpu_cores": 1, "memory_mb": 64, "timeout_seconds": 5}
    for name, key in {"its key": WORKER.public_hex, "another key": STRANGER.public_hex, "no key": None}.items():
        yield Case(name=f"older form: {name}", receipt=legacy(), key=key)
    yield Case(name="older form: its module", receipt=legacy(), module=MODULE)
    yield Case(name="older form: another module", receipt=legacy(), module="sha256:" + "0" * 64)
    for name, odd in {
        "its manifest": manifest,
        "another module's manifest": manifest | {"module_hash": "sha256:" + "0" * 64},
        "a later version's manifest": manifest | {"version": "0.7"},
        "too many cores": manifest | {"cpu_cores": 65},
        "no manifest": {},
    }.items():
        yield Case(name=f"older form: {name}", receipt=legacy(), manifest=encode(odd))
    for field, value in document.items():
        for number, other in enumerate(flipped(value)):
            yield Case(name=f"older form: {field} changed, {number}", receipt=encode(document | {field: other}))
        yield Case(name=f"older form: {field} missing", receipt=encode(without(document, (field,))))


def bundles() -> Iterator[Case]:
    """Proof bundles, with and without rotations, and what was changed in them."""
    middle = Identity(bytes(32))
    first, second = rotation(STRANGER, middle, 1), rotation(middle, WORKER, 2)
    whole = bundle(first, second)
    yield Case(name="bundle: its key", receipt=encode(whole))
    yield Case(name="bundle: in another layout", receipt=json.dumps(whole, indent=1).encode() + b" \n\n")
    yield Case(name="bundle: no key", receipt=encode(whole), key=None)
    yield Case(name="bundle: the first key", receipt=encode(whole), key=STRANGER.public_hex)
    yield Case(name="bundle: the key before", receipt=encode(whole), key=middle.public_hex)
    yield Case(name="bundle: a later key", receipt=encode(bundle(rotation(WORKER, middle, 1))), key=middle.public_hex)
    yield Case(name="bundle: a key that nothing connects", receipt=encode(bundle(first)), key=STRANGER.public_hex)
    yield Case(
        name="bundle: a circle", receipt=encode(bundle(first, rotation(middle, STRANGER, 2))), key=middle.public_hex
    )
    yield Case(name="bundle: other output given", receipt=encode(whole), stdout=b"x", stderr=b"")
    yield Case(name="bundle: another manifest given", receipt=encode(whole), manifest=encode(OTHER_MANIFEST))
    yield Case(name="bundle: its predecessor given", receipt=encode(whole), previous=encode(FIRST))
    for name in ("manifest", "outputs", "key", "receipt", "bundle_version"):
        yield Case(name=f"bundle: without {name}", receipt=encode(without(whole, (name,))))
    for path in places(whole):
        if path[0] not in {"receipt", "manifest"} or len(path) < 3:
            for number, value in enumerate(flipped(at_place(whole, path))):
                odd = encode(with_value(whole, path, value))
                yield Case(name=f"bundle: {shown(path)} changed, {number}", receipt=odd, key=STRANGER.public_hex)
    for text in (
        "QQ==",
        "QR==",
        "QQ=",
        "QQ",
        "Q===",
        "====",
        "=",
        "QQ==QQ==",
        "Q Q=",
        "QQ==\n",
        "-_==",
        "QUI=",
        "QUJD",
        "é===",
    ):
        odd = encode(with_value(whole, ("outputs", "stdout"), text))
        yield Case(name=f"bundle: output {text!r}", receipt=odd)


def bundle(*statements: Document) -> Document:
    """A proof bundle of the receipt."""
    output = (b"harbor\n", STDERR)
    receipt = make_receipt(1, receipt_id(FIRST), MANIFEST, output)
    outputs = {name: base64.b64encode(data).decode() for name, data in zip(("stdout", "stderr"), output, strict=True)}
    key = {"public": WORKER.public_hex, "statements": list(statements)}
    return {"bundle_version": 1, "receipt": receipt, "manifest": MANIFEST, "key": key, "outputs": outputs}


def rotation(old: Identity, new: Identity, number: int) -> Document:
    """That one key came after another."""
    at = "2025-01-01T00:00:00Z"
    signed = {"created_at": at, "new": new.public_hex, "number": number, "old": old.public_hex}
    made = {"signature": old, "confirmation": new}
    return signed | {name: by.sign(b"orlop-key:v1:", encode(signed)).hex() for name, by in made.items()}


FORGED: Final = tuple(
    case for family in (changed_fields, changed_bytes, duplicated_keys, substituted) for case in family()
)
"""None of them says what the worker signed for this job."""

FAMILIES: Final = (
    genuine,
    signed_nonsense,
    rewritten,
    other_manifests,
    other_evidence,
    other_chains,
    older_forms,
    bundles,
)

CASES: Final = (
    *FORGED,
    *(case for family in FAMILIES for case in family()),
)
"""All of them."""


def cases_document(cases: tuple[Case, ...] = CASES) -> bytes:
    """The catalogue for the other languages: `{"blobs": [base64…], "cases": [{field: text, or number of a blob}…]}`."""
    blobs: dict[bytes, int] = {}

    def plain(value: object) -> object:
        return blobs.setdefault(value, len(blobs)) if isinstance(value, bytes) else value

    rows = [{field.name: plain(getattr(case, field.name)) for field in fields(Case)} for case in cases]
    return json.dumps({"blobs": [base64.b64encode(blob).decode() for blob in blobs], "cases": rows}).encode()
