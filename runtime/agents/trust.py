"""Whom a room believes about an agent: a key that it trusts, or orlop itself for what it ships. Pure.

Who vouches for a module is judged when it is uploaded, and again whenever it is started: a key that is not trusted any
more starts nothing.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import assets
from runtime.agents.manifest import AgentManifest
from runtime.agents.signature import SignatureRefusedError, signer_of, version_1_refusal
from runtime.agents.stored import AgentRecord
from runtime.agents.trusted_keys import TrustedKey
from runtime.canonical import CanonicalError, Json, encode
from runtime.errors import RefusedError

__all__ = [
    "HASH_ONLY",
    "SHIPPED",
    "SIGNED",
    "UNSIGNED",
    "Demand",
    "Required",
    "Verdict",
    "admit",
    "judge",
    "recheck",
    "rests_on_keys",
    "signed_mark",
]

UNSIGNED: Final = "unsigned"
"""The mark of a module for which nobody vouches: the operator said that it may be stored all the same."""
SIGNED: Final = "signed by "
"""What the mark of a module begins with whose manifest a trusted key signed; the beginning of that key follows."""
HASH_ONLY: Final = "hash only"
"""The mark of a module whose bytes a trusted key signed, but neither its name, version nor permissions."""
SHIPPED: Final = "shipped"
"""The mark of a module and manifest that are part of orlop."""

_SHORT: Final = 16
_NOT_ALL: Final = "its signature covers the module only, not its name, version and permissions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a room wants of uploads.

    Attributes:
        signed: somebody has to vouch for a module, unless the operator says otherwise for this one.
        by_room: the room itself wants it, so that the operator cannot say otherwise.
    """

    signed: bool = True
    by_room: bool = False


Required = Callable[[str], Demand]
"""Asked with the id of a room, on a thread that may wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who vouches for a manifest.

    Attributes:
        mark: what is shown and stored.
        signer: the key whose signature of version 2 fits, trusted or not; else empty.
        why: why nobody does whom the room believes; empty when somebody does.
        hint: what to do about it.
        warning: what to know although somebody does.
    """

    mark: str
    signer: str = ""
    why: str = ""
    hint: str = ""
    warning: str = ""


def signed_mark(signer: str) -> str:
    """The mark of a manifest that a trusted key signed.

    Args:
        signer: the key.
    """
    return f"{SIGNED}{signer[:_SHORT]}"


def judge(manifest: AgentManifest, keys: Sequence[TrustedKey]) -> Verdict:
    """Who vouches for a manifest.

    Args:
        manifest: as it was read.
        keys: those that the room trusts.

    Returns:
        The verdict.

    Raises:
        SignatureRefusedError: a signature is there and does not fit, which nobody can allow.
    """
    signer = signer_of(manifest)
    if signer:
        return _signed(signer, keys)
    if _canonical(manifest.document) in _shipped():
        return Verdict(mark=SHIPPED)
    if manifest.signature is None:
        hint = "have it signed by a trusted key (`orlop agents sign`), or say --unsigned if you vouch for it yourself"
        return Verdict(mark=UNSIGNED, why="Module signature required but not provided", hint=hint)
    return _hash_only(manifest, keys)


def admit(verdict: Verdict, demand: Demand, *, unsigned: bool) -> None:
    """Lets an upload pass, or not.

    Args:
        verdict: of its manifest.
        demand: of its room.
        unsigned: whether the operator said that nobody need vouch for it.

    Raises:
        SignatureRefusedError: nobody vouches for it, and somebody has to.
    """
    if not verdict.why or not (demand.by_room or (demand.signed and not unsigned)):
        return
    hint = "the room takes signed agents only" if unsigned else verdict.hint
    raise SignatureRefusedError(verdict.why, hint=hint)


def rests_on_keys(record: AgentRecord) -> bool:
    """Whether somebody vouches for a stored agent by a key.

    Args:
        record: as stored.
    """
    return record.mark not in {UNSIGNED, SHIPPED}


def recheck(record: AgentRecord, keys: Sequence[TrustedKey]) -> None:
    """Whether those who vouched for a stored agent still do, and for the module that is stored.

    Args:
        record: as stored.
        keys: those that the room trusts now.

    Raises:
        RefusedError: they do not.
    """
    if record.hash != record.manifest.wasm_hash:
        raise RefusedError("the stored manifest is that of another module", hint="upload it again")
    if not rests_on_keys(record):
        return
    verdict = judge(record.manifest, keys)
    if verdict.why:
        raise RefusedError(f"{verdict.why} any more", hint="`agents trust` trusts it again")
    if verdict.mark != record.mark:
        raise RefusedError(f"it is stored as {record.mark} and is {verdict.mark}", hint="upload it again")


def _signed(signer: str, keys: Sequence[TrustedKey]) -> Verdict:
    if any(one.key == signer for one in keys):
        return Verdict(mark=signed_mark(signer), signer=signer)
    return Verdict(
        mark=UNSIGNED,
        signer=signer,
        why=f"the key {signer[:_SHORT]}… that signed it is not trusted",
        hint=f"`orlop agents trust {signer}` trusts it, if you know whose it is",
    )


def _hash_only(manifest: AgentManifest, keys: Sequence[TrustedKey]) -> Verdict:
    """Version 1 names no key: each that is trusted is asked."""
    if not keys:
        return Verdict(mark=UNSIGNED, why="it has a signature of version 1, and no key is trusted")
    refusals = {version_1_refusal(manifest, b64encode(bytes.fromhex(one.key)).decode()) for one in keys}
    if "" in refusals:
        return Verdict(mark=HASH_ONLY, warning=_NOT_ALL)
    hint = "trust the key that signed it, or take `signature` out of the manifest"
    raise SignatureRefusedError(refusals.pop(), hint=hint)


@cache
def _shipped() -> frozenset[bytes]:
    """The manifests that are part of orlop, each of which names its module by its hash."""
    found = sorted(assets.path("agents").glob("*/*.json"))
    manifests = [json.loads(path.read_bytes()) for path in found if path.stem == path.parent.name]
    return frozenset(encode(manifest) for manifest in manifests)


def _canonical(document: Json) -> bytes:
    try:
        return encode(document)
    except CanonicalError:
        return b""
