"""The catalogue of tampering: what is signed is changed in every field and in every way, and none of it is believed.

A `Sealed` is a genuine document and what believes it. Each change of the catalogue is made in each of its places. What
only lays the same values out differently (order of keys, white space, escapes in text) is the same document under the
same id, and is no tampering; everything else must be refused.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import pytest

from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.identity import DOMAINS, Identity
from runtime.identity import verify as signature_fits
from runtime.jobs import receipt_form
from runtime.jobs.attestation import attest, pre_authentication
from runtime.jobs.bundle import make_bundle
from runtime.jobs.commitment import commit
from runtime.jobs.ending import Usage
from runtime.jobs.evidence import Evidence
from runtime.jobs.legacy import legacy_receipt
from runtime.jobs.manifest import DOMAIN as MANIFEST_DOMAIN
from runtime.jobs.manifest import Manifest, ManifestRefusedError, read_manifest, sign_manifest
from runtime.jobs.receipt_form import FIRST_PREVIOUS, ReceiptRefusedError, read_receipt
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.statement import Statement, sign_receipt
from runtime.jobs.verify import verify
from runtime.keys import read_statement

ME = Identity(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
NEXT = Identity(bytes([7]) * 32)
STRANGER = Identity(bytes(32))
MODULE = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
REQUEST = JobRequest(
    name="hello.wasm", args=("größe", "a/b"), env=("K=V",), dirs=(DirGrant("/in"), DirGrant("/out", True))
)
NOW_MS = 1_735_787_045_250

Path = tuple[str | int, ...]


def manifest_of(request: JobRequest, nonce: str) -> Manifest:
    return sign_manifest(
        ME, request, MODULE, nonce=nonce, created_ms=NOW_MS, stdin_sha256="a" * 64, expires_ms=NOW_MS + 60_000
    )


MANIFEST = manifest_of(REQUEST, "0" * 32)
OTHER_JOB = manifest_of(REQUEST, "1" * 32)


def statement_of(manifest: Manifest) -> Statement:
    return Statement(
        job=manifest.job,
        module=MODULE,
        nonce=str(manifest.extension["nonce"]),
        argv=REQUEST.argv,
        env=REQUEST.env,
        dirs=tuple(str(grant) for grant in REQUEST.dirs),
        stdin_sha256="a" * 64,
        limits=REQUEST.limits,
        outcome="exit",
        exit_code=0,
        guest_exit_code=None,
        usage=Usage(wall_ms=42, fuel=7, memory_peak_bytes=65_536, stdout_bytes=6),
        commitment=commit(b"orlop\n", b"error"),
        completed_ms=NOW_MS,
    )


RECEIPT = sign_receipt(ME, statement_of(MANIFEST), 0, FIRST_PREVIOUS).document
FULL = Evidence(
    key=ME.public_hex, manifest=encode(MANIFEST.document), module=MODULE, stdout=b"orlop\n", stderr=b"error"
)


@dataclass(frozen=True)
class Held:
    """A genuine document, and what it is held to.

    Attributes:
        document: as it travels.
        identify: gives what the document is known by, when all of it is believed, else None.
    """

    document: Mapping[str, Json]
    identify: Callable[[bytes], str | None]


@dataclass(frozen=True)
class Sealed(Held):
    """A document with a signature of its own.

    Attributes:
        domain: what the signed bytes begin with.
        unsigned: the fields that the signature does not cover.
        reseal: signs another content of the same shape, with any key.
    """

    domain: bytes
    unsigned: frozenset[str]
    reseal: Callable[[dict[str, Json], Identity], dict[str, Json]]

    @property
    def signed(self) -> dict[str, Json]:
        """What the signature covers."""
        return {name: value for name, value in self.document.items() if name not in self.unsigned}


def receipt_believed(raw: bytes) -> str | None:
    return read_receipt(raw).id if verify(raw, FULL).ok is True else None


def manifest_believed(raw: bytes) -> str | None:
    """Believed is a manifest of the one submitter that we serve, before it expires."""
    try:
        read = read_manifest(raw, now_ms=NOW_MS)
    except ManifestRefusedError:
        return None
    return read.job if read.signer == ME.public_hex else None


def rotation_believed(raw: bytes) -> str | None:
    """Believed is a statement of the key that we know about the key that came after it."""
    try:
        read = read_statement(raw)
    except RefusedError:
        return None
    return f"{read.number} {read.created_at}" if (read.old, read.new) == (ME.public_hex, NEXT.public_hex) else None


def seal_rotation(document: dict[str, Json], identity: Identity) -> dict[str, Json]:
    signed = {name: value for name, value in document.items() if name not in {"signature", "confirmation"}}
    message = encode(signed | {"old": identity.public_hex})
    return {
        **signed,
        "old": identity.public_hex,
        "signature": identity.sign(KEY_DOMAIN, message).hex(),
        "confirmation": NEXT.sign(KEY_DOMAIN, message).hex(),
    }


def envelope(document: Mapping[str, Json], identify: Callable[[bytes], str | None], domain: bytes, key: str) -> Sealed:
    """A structure of which one field names the key, and another has the signature over all the rest."""
    unsigned = frozenset({key, "signature"})

    def reseal(document: dict[str, Json], identity: Identity) -> dict[str, Json]:
        signed = {name: value for name, value in document.items() if name not in unsigned}
        return signed | {key: identity.public_hex, "signature": identity.sign(domain, encode(signed)).hex()}

    return Sealed(document, identify, domain, unsigned, reseal)


KEY_DOMAIN: Final = b"orlop-key:v1:"
ROTATION = seal_rotation({"created_at": "2025-01-02T03:04:05.250Z", "new": NEXT.public_hex, "number": 1}, ME)

SEALED: Final = {
    "receipt": envelope(RECEIPT, receipt_believed, receipt_form.DOMAIN, "worker_pubkey"),
    "manifest": envelope(MANIFEST.document, manifest_believed, MANIFEST_DOMAIN, "signer_pubkey"),
    "rotation": Sealed(
        ROTATION, rotation_believed, KEY_DOMAIN, frozenset({"signature", "confirmation"}), seal_rotation
    ),
}


def bundle_believed(raw: bytes) -> str | None:
    """Who knows the later key alone believes a receipt of the earlier one by the statement in the bundle."""
    verification = verify(raw, Evidence(key=NEXT.public_hex, module=MODULE))
    return json.loads(raw)["receipt"]["job_id"] if all(step.ok for step in verification.steps) else None


BUNDLE = make_bundle(
    RECEIPT,
    manifest=MANIFEST.document,
    statements=[read_statement(encode(ROTATION))],
    outputs=(b"orlop\n", b"error"),
)

HELD: Final[dict[str, Held]] = {**SEALED, "bundle": Held(BUNDLE, bundle_believed)}


@pytest.fixture(params=sorted(HELD))
def held(request: pytest.FixtureRequest) -> Held:
    """Each signed structure, and the bundle of them, in turn."""
    return HELD[request.param]


@pytest.fixture(params=sorted(SEALED))
def sealed(request: pytest.FixtureRequest) -> Sealed:
    """Each signed structure in turn."""
    return SEALED[request.param]


# --- places ---------------------------------------------------------------------------------------------------------


def places(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every value inside a document, with its path."""
    if path:
        yield path, value
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def put(document: Json, path: Path, value: Json) -> Json:
    """The document with another value in one place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(document, Mapping):
        return {name: put(item, rest, value) if name == first else item for name, item in document.items()}
    assert isinstance(document, list)
    return [put(item, rest, value) if index == first else item for index, item in enumerate(document)]


def drop(document: Json, path: Path) -> Json:
    """The document without one place."""
    first, rest = path[0], path[1:]
    if isinstance(document, Mapping):
        return {
            name: drop(item, rest) if name == first and rest else item
            for name, item in document.items()
            if name != first or rest
        }
    assert isinstance(document, list)
    return [
        drop(item, rest) if index == first and rest else item
        for index, item in enumerate(document)
        if index != first or rest
    ]


def written(value: Json, path: Path, text: str) -> str:
    """JSON text with `text` in one place, in canonical layout elsewhere."""
    if not path:
        return text
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        inner = [
            f"{json.dumps(name, ensure_ascii=False)}:{_item(item, name == first, rest, text)}"
            for name, item in sorted(value.items())
        ]
        return "{" + ",".join(inner) + "}"
    assert isinstance(value, list)
    return "[" + ",".join(_item(item, index == first, rest, text) for index, item in enumerate(value)) + "]"


def _item(item: Json, here: bool, rest: Path, text: str) -> str:
    return written(item, rest, text) if here else encode(item).decode()


def twice(value: Json, path: Path, name: str, first: str, second: str) -> str:
    """JSON text where the object at a path has one key twice."""
    inner = at(value, path)
    assert isinstance(inner, Mapping)
    pairs = [f"{json.dumps(key)}:{encode(item).decode()}" for key, item in sorted(inner.items()) if key != name]
    return written(value, path, "{" + ",".join([f'"{name}":{first}', *pairs, f'"{name}":{second}']) + "}")


def at(value: Json, path: Path) -> Json:
    for step in path:
        value = value[step]  # type: ignore[index]
    return value


def changed(value: Json) -> Iterator[Json]:
    """Other values in the place of this one: of the same kind, and of others."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        yield value ^ 1
        yield -value - 1
    elif isinstance(value, str):
        yield value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
        yield value + "0"
        yield value[:-1]
        yield value.swapcase() if value.swapcase() != value else value + " "
        yield f" {value}"
    for other in (None, True, 0, "", [], {}, [value], {"value": value}):
        if type(other) is not type(value):
            yield other


# --- every field ----------------------------------------------------------------------------------------------------


def test_the_genuine_ones_are_believed(held: Held) -> None:
    assert held.identify(encode(held.document)) is not None
    assert verify(encode(RECEIPT), FULL).ok is True
    assert {step.name: step.ok for step in verify(encode(RECEIPT), FULL).steps}["job_id"] is True


def test_no_field_can_be_changed(held: Held) -> None:
    count = 0
    for path, value in places(held.document):
        for other in changed(value):
            assert held.identify(encode(put(held.document, path, other))) is None, (path, other)
            count += 1
    assert count > 50


def test_no_field_can_be_removed(held: Held) -> None:
    for path, _ in places(held.document):
        assert held.identify(encode(drop(held.document, path))) is None, path


def test_no_field_can_be_added(held: Held) -> None:
    for path, value in [((), held.document), *places(held.document)]:
        if isinstance(value, Mapping):
            for name in ("", "note", "orlop", "trusted", "__proto__"):
                added = put(held.document, path, {**value, name: "x"})
                assert held.identify(encode(added)) is None, (path, name)
        elif isinstance(value, list):
            for more in ([*value, 0], [*value, "x"], [*value, *value[:1]]):
                again = path == ("key", "statements") and more[1:] == value  # one statement twice says nothing new
                if more != value and not again:
                    assert held.identify(encode(put(held.document, path, more))) is None, path


def test_no_array_can_be_put_into_another_order(held: Held) -> None:
    for path, value in places(held.document):
        if isinstance(value, list) and len(value) > 1:
            for other in (value[::-1], value[1:] + value[:1], sorted(value, key=str), sorted(value, key=str)[::-1]):
                if other != value:
                    assert held.identify(encode(put(held.document, path, other))) is None, path


def test_no_two_fields_can_change_places(held: Held) -> None:
    for path, value in [((), held.document), *places(held.document)]:
        if isinstance(value, Mapping):
            names = sorted(value)
            for one, two in pairwise(names):
                swapped = {**value, one: value[two], two: value[one]}
                if swapped != value:
                    assert held.identify(encode(put(held.document, path, swapped))) is None, (path, one, two)


def test_no_key_can_stand_twice(held: Held) -> None:
    for path, value in [((), held.document), *places(held.document)]:
        if isinstance(value, Mapping):
            for name, item in value.items():
                own = encode(item).decode()
                for first, second in ((own, own), ("null", own), (own, "null"), ("0", own), (own, '"x"')):
                    raw = twice(held.document, path, name, first, second).encode()
                    assert held.identify(raw) is None, (path, name, first)
                escaped = name[:-1] + f"\\u{ord(name[-1]):04x}"
                raw = twice(held.document, path, name, own, own).replace(f'"{name}":', f'"{escaped}":', 1).encode()
                assert held.identify(raw) is None, (path, name, "escaped")


# --- other ways to write the same -----------------------------------------------------------------------------------


def test_no_number_can_be_written_otherwise(held: Held) -> None:
    for path, value in places(held.document):
        if isinstance(value, int) and not isinstance(value, bool):
            for text in ("{}.0", "{}e0", "{}E+0", "0{}", "+{}", '"{}"', "{}.", "0x{}", "1e400", "NaN"):
                raw = written(held.document, path, text.format(value)).encode()
                assert held.identify(raw) is None, (path, text)


def test_no_time_can_be_written_otherwise(sealed: Sealed) -> None:
    times = [
        (path, value)
        for path, value in places(sealed.document)
        if isinstance(value, str) and re.fullmatch(r"2025-\d\d-\d\dT.*Z", value)
    ]
    assert times
    for path, value in times:
        for other in (
            value[:-1] + "+00:00",
            value[:-1] + "-00:00",
            value[:-1] + "z",
            value[:-1],
            value.replace("T", " "),
            value.replace("T", "t"),
            value[:-1] + "000Z",
            value[:-2] + "Z",
            value.replace(".", ","),
        ):
            forged = put(sealed.document, path, other)
            assert isinstance(forged, dict)
            assert sealed.identify(encode(forged)) is None, other
            # Neither when whoever has the key signs a time of another form; six digits are the original's own.
            if other != value[:-1] + "000Z":
                assert sealed.identify(encode(sealed.reseal(forged, ME))) is None, other


@pytest.mark.parametrize(
    "lay_out",
    [
        json.dumps,
        lambda value: json.dumps(value, indent=4),
        lambda value: json.dumps(dict(reversed(value.items())), ensure_ascii=False),
        lambda value: re.sub(r"[a-f]", lambda m: f"\\u{ord(m[0]):04x}", json.dumps(value)).replace("\\\\", "\\"),
        lambda value: json.dumps(value).replace("/", r"\/"),
    ],
    ids=["escapes", "indented", "other order", "escapes where none are needed", "slashes"],
)
def test_another_layout_of_the_same_values_is_the_same_document(
    held: Held, lay_out: Callable[[Mapping[str, Json]], str]
) -> None:
    text = lay_out(held.document)
    try:
        same = json.loads(text) == held.document
    except json.JSONDecodeError:
        same = False  # an escape in the place of a word such as null is no JSON
    expected = held.identify(encode(held.document)) if same else None
    assert held.identify(text.encode()) == expected


def test_a_signature_over_another_layout_is_none(sealed: Sealed) -> None:
    """Signed with the right key, but over text with escapes, spaces, or keys in another order."""
    signed = sealed.signed
    canonical = encode(signed)
    for text in (
        json.dumps(signed, separators=(",", ":"), sort_keys=True).replace("/", r"\/").encode(),
        json.dumps(signed, sort_keys=True).encode(),
        json.dumps(dict(sorted(signed.items(), reverse=True)), separators=(",", ":"), ensure_ascii=False).encode(),
        canonical + b"\n",
        b"\xef\xbb\xbf" + canonical,
        canonical.replace(b"2025", b"20\\u00325"),
    ):
        if text == canonical:
            continue  # a receipt has no character that is escaped by some and not by others
        forged = {**sealed.document, "signature": ME.sign(sealed.domain, text).hex()}
        assert sealed.identify(encode(forged)) is None, text[:60]


@pytest.mark.parametrize("around", [b" %s", b"%s{}", b"[%s]", b"\xef\xbb\xbf%s", b"%s\0", b"%s//", b'{"a":%s}'])
def test_nothing_can_stand_around_a_receipt(around: bytes) -> None:
    assert receipt_believed(around % encode(RECEIPT)) is None


# --- downgrade, other keys, other uses ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, -1, 2, 1 << 31, None, True, "1", "0.1"])
def test_no_other_version_is_believed_whoever_signed_it(sealed: Sealed, version: Json) -> None:
    forged = {**sealed.document, "schema_version": version}
    assert sealed.identify(encode(forged)) is None
    assert sealed.identify(encode(sealed.reseal(forged, ME))) is None


def test_the_older_form_of_a_receipt_is_no_receipt() -> None:
    old = legacy_receipt(RECEIPT, ME)
    assert verify(old, FULL).ok is not True
    merged = encode({**RECEIPT, **json.loads(old)})
    assert verify(merged, FULL).ok is not True
    with pytest.raises(ReceiptRefusedError):
        read_receipt(old)


def test_no_document_signed_by_another_key_is_believed(sealed: Sealed) -> None:
    document = dict(sealed.document)
    theirs = sealed.reseal(document, STRANGER)
    assert sealed.identify(encode(theirs)) is None
    # Their signature under our name, ours under theirs.
    for name, value in document.items():
        if isinstance(value, str) and value in {ME.public_hex, NEXT.public_hex}:
            assert sealed.identify(encode({**theirs, name: value})) is None
            assert sealed.identify(encode({**document, name: STRANGER.public_hex})) is None
        if name in {"signature", "confirmation"}:
            assert sealed.identify(encode({**document, name: theirs[name]})) is None


def test_a_strangers_receipt_is_unchecked_and_never_valid_without_a_key() -> None:
    theirs = encode(SEALED["receipt"].reseal(dict(RECEIPT), STRANGER))
    assert verify(theirs, replace(FULL, key=None)).ok is None
    assert verify(theirs, FULL).ok is False


@pytest.mark.parametrize(
    "signature",
    [
        "00" * 64,
        "01" + "00" * 63,
        "ff" * 64,
        str(MANIFEST.document["signature"]),
        str(RECEIPT["signature"]),
        str(RECEIPT["signature"]).upper(),
        str(RECEIPT["signature"])[:-2],
        str(RECEIPT["signature"]) + "00",
        f"0x{RECEIPT['signature']}"[:128],
    ],
)
def test_no_other_signature_fits(sealed: Sealed, signature: str) -> None:
    if signature != sealed.document["signature"]:
        assert sealed.identify(encode({**sealed.document, "signature": signature})) is None


def test_what_was_signed_for_one_use_is_good_for_no_other() -> None:
    """The same bytes under another domain, and hashed before signing as receipts of version 0.1 are."""
    for sealed in SEALED.values():
        signed = encode(sealed.signed)
        for domain in DOMAINS - {sealed.domain}:
            forged = {**sealed.document, "signature": ME.sign(domain, signed).hex()}
            assert sealed.identify(encode(forged)) is None
        for text in (signed, sealed.domain + signed):
            hashed = ME.sign_legacy_receipt(hashlib.sha256(text).digest()).hex()
            assert sealed.identify(encode({**sealed.document, "signature": hashed})) is None
    for other, believed in ((RECEIPT, manifest_believed), (MANIFEST.document, receipt_believed)):
        assert believed(encode(other)) is None
        renamed = {
            "worker_pubkey" if n == "signer_pubkey" else "signer_pubkey" if n == "worker_pubkey" else n: v
            for n, v in other.items()
        }
        assert believed(encode(renamed)) is None


# --- replay ---------------------------------------------------------------------------------------------------------


def test_a_receipt_is_not_one_of_another_job() -> None:
    other = replace(FULL, manifest=encode(OTHER_JOB.document))
    assert verify(encode(RECEIPT), other).ok is False
    for field in ("job_id", "job_spec_hash", "both"):
        document = json.loads(encode(RECEIPT))
        if field != "job_spec_hash":
            document["job_id"] = OTHER_JOB.job
        if field != "job_id":
            document["result"]["job_spec_hash"] = list(bytes.fromhex(OTHER_JOB.job))
        assert verify(encode(document), other).ok is False, field
        assert verify(encode(document), FULL).ok is False, field


def test_a_worker_that_signs_an_old_result_for_a_new_job_contradicts_its_manifest() -> None:
    """The worker itself replays: everything is signed well, but nonce, input or limits are those of the earlier job."""
    replayed = replace(statement_of(MANIFEST), job=OTHER_JOB.job)
    raw = sign_receipt(ME, replayed, 0, FIRST_PREVIOUS).canonical
    verification = verify(raw, replace(FULL, manifest=encode(OTHER_JOB.document)))
    assert verification.ok is False
    assert {step.name for step in verification.steps if step.ok is False} == {"job_id"}
    assert "orlop.nonce" in verification.steps[4].detail


def test_a_receipt_takes_no_other_place_in_its_chain() -> None:
    first = read_receipt(encode(RECEIPT))
    second = sign_receipt(ME, statement_of(OTHER_JOB), 1, first.id).canonical
    known = {0: first.id, 1: read_receipt(second).id}
    evidence = replace(FULL, manifest=None, chain=lambda _worker, number: known.get(number))
    assert verify(second, evidence).ok is True
    for number, previous in ((2, first.id), (1, "ab" * 32), (1, FIRST_PREVIOUS), (0, FIRST_PREVIOUS), (0, first.id)):
        raw = sign_receipt(ME, statement_of(OTHER_JOB), number, previous).canonical
        verification = verify(raw, evidence)
        found = {step.name: step.ok for step in verification.steps}["chain"]
        assert found is False, (number, previous)


def test_an_expired_manifest_is_not_believed_again() -> None:
    raw = encode(MANIFEST.document)
    read_manifest(raw, now_ms=NOW_MS + 60_000)
    with pytest.raises(ManifestRefusedError) as refused:
        read_manifest(raw, now_ms=NOW_MS + 60_001)
    assert refused.value.check == "Expired"


def test_an_attestation_is_over_its_payload_and_type_by_the_key_that_it_names() -> None:
    """As any DSSE verifier checks it: the signature over `DSSEv1`, both lengths, type and payload."""
    made = attest(ME, RECEIPT, manifest=MANIFEST.document, statements=())
    (signature,) = json.loads(encode(made))["signatures"]
    payload, kind = base64.b64decode(str(made["payload"])), str(made["payloadType"])
    assert json.loads(payload)["predicate"]["receipt"] == RECEIPT
    domain = b"DSSEv1 "

    def fits(key: Identity, kind: str, payload: bytes, signature: str) -> bool:
        signed = pre_authentication(kind, payload).removeprefix(domain)
        return signature_fits(key.public, domain, signed, base64.b64decode(signature))

    assert signature["keyid"] == ME.public_hex
    assert fits(ME, kind, payload, signature["sig"])
    assert not fits(STRANGER, kind, payload, signature["sig"])
    assert not fits(ME, kind + " ", payload, signature["sig"])
    for at in range(len(payload)):
        assert not fits(ME, kind, payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :], signature["sig"])
