"""The manifest of an agent: what it says about itself. The first check that fails decides, in a fixed order."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from runtime.agents.limits import MAX_MANIFEST_BYTES
from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import RefusedError
from runtime.sanitise import clean

__all__ = [
    "AgentManifest",
    "ManifestRefusedError",
    "Permission",
    "make_manifest",
    "parse_manifest",
    "read_manifest",
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_STRINGS: Final = ("name", "version", "description", "author", "wasmHash")


class Permission(StrEnum):
    """What an agent may ask for, and an operator may grant."""

    READ_TASKS = "read_tasks"
    READ_MEMBERS = "read_members"
    EMIT_EVENTS = "emit_events"
    PERSIST_STATE = "persist_state"


class ManifestRefusedError(RefusedError):
    """A manifest that does not pass. `text` is the fixed wording without the prefix."""

    def __init__(self, text: str) -> None:
        super().__init__(f"Invalid agent manifest: {text}")
        self.text = text


@dataclass(frozen=True, slots=True)
class AgentManifest:
    """A manifest that passed every check.

    Attributes:
        name: matches `[a-z0-9][a-z0-9._-]{0,31}`.
        version: any text; not compared.
        description: text of the author's choosing, not sanitised.
        author: likewise.
        wasm_hash: SHA-256 of the module as the manifest has it.
        permissions: without duplicates, in the order of `Permission`.
        signature: as given; checked elsewhere.
        state_version: of the layout of its state, from 1; None when the manifest does not say.
        document: the whole document, unknown keys included.
    """

    name: str
    version: str
    description: str
    author: str
    wasm_hash: str
    permissions: tuple[Permission, ...]
    signature: str | None = None
    state_version: int | None = None
    document: Mapping[str, Json] = field(default_factory=dict, repr=False)


def parse_manifest(document: Json) -> AgentManifest:
    """Checks a manifest.

    Args:
        document: parsed JSON; unknown keys are ignored, but kept in `document`.

    Returns:
        The manifest.

    Raises:
        ManifestRefusedError: with the wording of the first check that fails.
    """
    if isinstance(document, list):
        document = {}  # an empty or full array passes as an object and fails on its name, as everywhere
    if not isinstance(document, Mapping):
        raise ManifestRefusedError("Manifest must be an object")
    strings = {}
    for key in _STRINGS:
        value = document.get(key)
        if not isinstance(value, str):
            raise ManifestRefusedError(f"Manifest.{key} must be a string")
        strings[key] = value
    asked = document.get("permissions")
    if not isinstance(asked, list | tuple):
        raise ManifestRefusedError("Manifest.permissions must be an array")
    known = {permission.value for permission in Permission}
    for one in asked:
        if not isinstance(one, str) or one not in known:
            shown = one if isinstance(one, str) else json.dumps(one)
            raise ManifestRefusedError(f"Invalid permission: {clean(shown, 60)}")
    signature = document.get("signature")
    if "signature" in document and not isinstance(signature, str):
        raise ManifestRefusedError("Manifest.signature must be a string if provided")
    if not _NAME.fullmatch(strings["name"]):
        shown = clean(strings["name"], 60)
        raise ManifestRefusedError(
            f'Manifest.name "{shown}" must be 1 to 32 of a-z, 0-9, ".", "_", "-" and begin with a letter or digit'
        )
    return AgentManifest(
        name=strings["name"],
        version=strings["version"],
        description=strings["description"],
        author=strings["author"],
        wasm_hash=strings["wasmHash"],
        permissions=tuple(permission for permission in Permission if permission in asked),
        signature=signature if isinstance(signature, str) else None,
        state_version=_state_version(document),
        document=document,
    )


def _state_version(document: Mapping[str, Json]) -> int | None:
    layout = document.get("stateVersion")
    if "stateVersion" not in document:
        return None
    if not isinstance(layout, int) or isinstance(layout, bool) or layout < 1:
        raise ManifestRefusedError("Manifest.stateVersion must be an integer from 1 if provided")
    return layout


def read_manifest(raw: bytes) -> AgentManifest:
    """Reads and checks a manifest file.

    Args:
        raw: the file; at most 64 KiB, strict JSON.

    Returns:
        The manifest.

    Raises:
        ManifestRefusedError: too large, not JSON, a duplicate key, or a check of `parse_manifest`.
    """
    try:
        document = decode(raw, limit=MAX_MANIFEST_BYTES, floats=True)
    except CanonicalError as error:
        raise ManifestRefusedError(f"Manifest must be JSON: {clean(error.why, 200)}") from None
    return parse_manifest(document)


def make_manifest(
    *, name: str, version: str, description: str, author: str, wasm_hash: str, permissions: tuple[Permission, ...]
) -> AgentManifest:
    """A manifest for a module that came without one.

    Args:
        name: see `AgentManifest`.
        version: any text.
        description: any text.
        author: any text.
        wasm_hash: SHA-256 of the module, lower-case hexadecimal.
        permissions: what it asks for.

    Returns:
        The manifest, checked.

    Raises:
        ManifestRefusedError: the name is none.
    """
    return parse_manifest(
        {
            "name": name,
            "version": version,
            "description": description,
            "author": author,
            "wasmHash": wasm_hash,
            "permissions": [permission.value for permission in permissions],
        }
    )
