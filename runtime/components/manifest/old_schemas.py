"""The five schemas of old: recognised, refused with the new place, and translated."""

from collections.abc import Iterator, Mapping

from runtime.components.manifest.faults import Fault, KeyPath

__all__ = ["old_faults"]

_TOP = {
    "capabilities": "use permissions",
    "runtime": "use limits",
    "resources": "use limits",
    "build": "it has no place here",
    "security": "use signature",
    "deployment": "use supervision",
    "development": "it has no place here",
    "dependencies": "use component.world",
}
_IN_COMPONENT = {
    "name": "use package.name",
    "version": "use package.version",
    "description": "use package.description",
    "author": "use package.authors",
    "authors": "use package.authors",
    "permissions": "use permissions",
}


def old_faults(document: Mapping[str, object]) -> list[Fault]:
    """What shows that a document is of an older schema; nothing for one that is not."""
    how = "(orlop components check --migrate shows how)"
    return [Fault(path, f"an older schema; {place} {how}") for path, place in _old_places(document)]


def _old_places(document: Mapping[str, object]) -> Iterator[tuple[KeyPath, str]]:
    for name, place in _TOP.items():
        if name in document:
            yield (name,), place
    component = document.get("component")
    if isinstance(component, dict):
        for name, place in _IN_COMPONENT.items():
            if name in component:
                yield ("component", name), place
    permissions = document.get("permissions")
    if isinstance(permissions, list):
        yield ("permissions",), "use permissions.filesystem and its siblings"
    elif isinstance(permissions, dict):
        for name, value in permissions.items():
            if isinstance(value, list):
                yield ("permissions", name), f"use permissions.{name}.…"
