"""What an installation would be: everything that can be told of a folder without compiling or changing anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.components.bindings.operations import VERSION, WORLDS
from runtime.components.folder import Folder
from runtime.components.imports import misfits
from runtime.components.installed import Installed
from runtime.components.manifest.against import check_hash, check_imports
from runtime.components.manifest.ceilings import Cut, cut_down
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.signature import signer_of
from runtime.components.permissions.grants import Grants
from runtime.sandbox.componentcheck import check_component

__all__ = ["UNSIGNED", "Preview", "carried", "look"]

UNSIGNED: Final = "unsigned"
_EXPORTED: Final = ("orlop:core/component-lifecycle",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an installation would be.

    Attributes:
        manifest: of the component.
        mark: `unsigned`, or the key that signed.
        hash: of its bytes.
        folder_hash: of the whole folder.
        imports: interfaces that it imports.
        cuts: limits that the operator's ceilings cut down.
        before: the version that is installed; None of a first one.
        new_rules: ids of allow rules that nobody was asked about yet.
    """

    manifest: Manifest
    mark: str
    hash: str
    folder_hash: str
    imports: tuple[str, ...]
    cuts: tuple[Cut, ...]
    before: str | None
    new_rules: tuple[str, ...]


def look(folder: Folder, ceilings: Mapping[str, int], before: Installed | None) -> Preview:
    """Checks a folder.

    Args:
        folder: of the component.
        ceilings: the operator's.
        before: the version that is installed, if there is one.

    Raises:
        ManifestError: what is wrong with it.
        ModuleRefusedError: the component is none, or too large.
        SignatureRefusedError: its signature does not fit.
    """
    manifest = folder.manifest
    digest = check_hash(manifest, folder.wasm)
    facts = check_component(folder.wasm)
    check_imports(manifest, misfits(facts, manifest.component.world, WORLDS, _EXPORTED, VERSION))
    mark = signer_of(manifest, folder.files) or UNSIGNED
    _, _, cuts = cut_down(manifest, ceilings)
    _, new = carried(manifest, before)
    return Preview(
        manifest=manifest,
        mark=mark,
        hash=digest,
        folder_hash=folder.hash,
        imports=tuple(facts.imports),
        cuts=cuts,
        before=before.manifest.package.version if before is not None else None,
        new_rules=new,
    )


def carried(manifest: Manifest, before: Installed | None) -> tuple[Grants, tuple[str, ...]]:
    """The grants of a manifest, as far as they were given before, and the ids of the rules that are new.

    Args:
        manifest: of the version to come.
        before: the version that is installed; without one everything is granted, and everything is new.
    """
    if before is None:
        asked = Grants(asked=manifest.permissions)
        return asked, tuple(rule.id for rule in manifest.permissions if not rule.denies)
    return before.grants.carried_to(manifest.permissions)
