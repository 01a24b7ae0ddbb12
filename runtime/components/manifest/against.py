"""What a manifest says about its component, held against the component. Pure; who has the bytes calls this."""

import hashlib
from collections.abc import Sequence

from runtime.components.manifest.faults import Fault, ManifestError
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import fault_at, placed
from runtime.sanitise import clean

__all__ = ["check_hash", "check_imports", "check_metadata"]

_SHORT = 4
"""Hexadecimal characters that are shown of a hash, unless more are the same."""


def check_hash(manifest: Manifest, wasm: bytes) -> str:
    """Holds the component's file against `component.sha256`.

    Args:
        manifest: which must have the hash.
        wasm: the file.

    Returns:
        The SHA-256 of the file, lower-case hexadecimal.

    Raises:
        ManifestError: the hash is missing, or another one.
    """
    digest = hashlib.sha256(wasm).hexdigest()
    wanted = manifest.component.sha256
    if wanted is None:
        raise fault_at(manifest, ("component", "sha256"), f'missing; of this file it is "{digest}"')
    if digest != wanted:
        same = next(place for place, (one, other) in enumerate(zip(digest, wanted, strict=True)) if one != other)
        shown = max(_SHORT, same + 1)
        why = f"{manifest.component.file} has {digest[:shown]}…, not {wanted[:shown]}…"
        raise fault_at(manifest, ("component", "sha256"), why)
    return digest


def check_imports(manifest: Manifest, misfits: Sequence[str]) -> None:
    """Refuses a component that asks for more than its world gives, or lacks what every component must have.

    Args:
        manifest: of the component.
        misfits: as `runtime.components.imports.misfits` says them.

    Raises:
        ManifestError: there are any.
    """
    if misfits:
        faults = [Fault(("component", "world"), f"{manifest.component.file} {why}") for why in misfits]
        raise ManifestError(placed(faults, manifest.source), manifest.name)


def check_metadata(manifest: Manifest, name: str, version: str) -> None:
    """Holds what the component says of itself against the manifest.

    Args:
        manifest: of the component.
        name: from the component's `metadata`.
        version: from there too.

    Raises:
        ManifestError: one of them differs.
    """
    package, said = manifest.package, f"{manifest.component.file} calls itself {clean(name, 64)} {clean(version, 64)}"
    if name != package.name:
        raise fault_at(manifest, ("package", "name"), f"{said}, not {package.name}")
    if version != package.version:
        raise fault_at(manifest, ("package", "version"), f"{said}, not {package.version}")
