"""What went into an image: packages, wheels and the tools that made it; `inventory.json` beside a release.

Nobody's trust depends on it: what is booted is named by hashes. It is what an SBOM is made of.
"""

from dataclasses import dataclass
from typing import Final

from boot.trust.documents import Fields, read_document
from runtime.canonical import Json, encode

__all__ = ["INVENTORY", "Inventory", "Package", "Wheel"]

INVENTORY: Final = "inventory.json"

_NAME: Final = "[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}"
_VERSION: Final = "[A-Za-z0-9.+~:_!-]{1,100}"
_SHA256: Final = "[0-9a-f]{64}"
_MOST: Final = 1024


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A Debian package.

    Attributes:
        name: as apt knows it.
        version: with epoch and revision.
        arch: `amd64`, `arm64` or `all`.
        sha256: of the .deb, hexadecimal.
    """

    name: str
    version: str
    arch: str
    sha256: str


@dataclass(frozen=True, slots=True, order=True)
class Wheel:
    """A Python package.

    Attributes:
        name: of the project.
        version: of it.
        sha256: of the wheel's file, hexadecimal.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """All of it.

    Attributes:
        packages: whose files are in the image.
        wheels: likewise.
        tools: programs and their versions, on which the bytes depend.
    """

    packages: tuple[Package, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()

    def document(self) -> bytes:
        """As it lies beside a release; sorted."""
        packages: list[Json] = [
            {"name": one.name, "version": one.version, "arch": one.arch, "sha256": one.sha256}
            for one in sorted(self.packages)
        ]
        wheels: list[Json] = [
            {"name": one.name, "version": one.version, "sha256": one.sha256} for one in sorted(self.wheels)
        ]
        tools: list[Json] = [{"name": name, "version": version} for name, version in sorted(self.tools)]
        return encode({"packages": packages, "wheels": wheels, "tools": tools}) + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Inventory":
        """Reads it.

        Raises:
            BootRefusedError: `malformed` or `too-large`.
        """
        fields = Fields(read_document(raw, "inventory"), "inventory", frozenset({"packages", "wheels", "tools"}))
        packages = [
            Package(_name(one), _version(one), one.text("arch", "amd64|arm64|all", "an architecture"), _sha256(one))
            for one in _entries(fields, "packages", "name", "version", "arch", "sha256")
        ]
        wheels = [
            Wheel(_name(one), _version(one), _sha256(one))
            for one in _entries(fields, "wheels", "name", "version", "sha256")
        ]
        tools = [(_name(one), _version(one)) for one in _entries(fields, "tools", "name", "version")]
        return cls(tuple(packages), tuple(wheels), tuple(tools))


def _entries(fields: Fields, name: str, *names: str) -> list[Fields]:
    if fields.raw(name) == []:
        return []
    entries = fields.items(name, _MOST)
    return [Fields(one, f"inventory.{name}[{number}]", frozenset(names)) for number, one in enumerate(entries)]


def _name(fields: Fields) -> str:
    return fields.text("name", _NAME, "the name of a package")


def _version(fields: Fields) -> str:
    return fields.text("version", _VERSION, "the version of a package")


def _sha256(fields: Fields) -> str:
    return fields.text("sha256", _SHA256, "64 lower-case hexadecimal characters")
