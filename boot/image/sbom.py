"""The bill of materials of an image: CycloneDX 1.5, from what was recorded when it was built."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from typing import Final

from boot.image.inventory import Inventory, Package, Wheel
from runtime.canonical import Json, timestamp

__all__ = ["sbom"]

_SPACE: Final = uuid.UUID("6f726c6f-7000-4000-8000-000000000010")


def sbom(name: str, version: str, inventories: Iterable[Inventory], built_ms: int) -> bytes:
    """What is in an image; the same bytes for the same content.

    Args:
        name: of the image.
        version: of the release.
        inventories: of its parts; what several have is listed once.
        built_ms: when it was built, milliseconds since 1970.
    """
    packages, wheels, tools = set[Package](), set[Wheel](), set[tuple[str, str]]()
    for one in inventories:
        packages.update(one.packages)
        wheels.update(one.wheels)
        tools.update(one.tools)
    components: list[Json] = [*map(_package, sorted(packages)), *map(_wheel, sorted(wheels))]
    made: list[Json] = [{"type": "application", "name": tool, "version": found} for tool, found in sorted(tools)]
    document: dict[str, Json] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{_serial(name, version, components)}",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(built_ms),
            "tools": {"components": made},
            "component": {"type": "operating-system", "bom-ref": name, "name": name, "version": version},
        },
        "components": components,
    }
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _serial(name: str, version: str, components: list[Json]) -> uuid.UUID:
    content = json.dumps(components, sort_keys=True).encode()
    return uuid.uuid5(_SPACE, f"{name} {version} {hashlib.sha256(content).hexdigest()}")


def _package(one: Package) -> Json:
    # In a package URL the colon of an epoch and the plus of a version are written by their codes.
    version = one.version.replace(":", "%3A").replace("+", "%2B")
    url = f"pkg:deb/debian/{one.name.replace('+', '%2B')}@{version}?arch={one.arch}&distro=bookworm"
    return _component(url, one.name, one.version, one.sha256)


def _wheel(one: Wheel) -> Json:
    url = f"pkg:pypi/{one.name.lower().replace('_', '-')}@{one.version.replace('+', '%2B')}"
    return _component(url, one.name, one.version, one.sha256)


def _component(url: str, name: str, version: str, sha256: str) -> Json:
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    }
