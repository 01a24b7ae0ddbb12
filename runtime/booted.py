"""What a machine says that it was started from: a small file that whoever started it wrote, and the node only repeats.

It stands in the environment of every receipt, as `boot_manifest`, `boot_version` and `boot_mode`: a claim that the node
signs, no proof. The first job takes the session's nonce, so that whoever served the release knows its receipt.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime import durable
from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.errors import RefusedError
from runtime.sanitise import clean

__all__ = ["Booted", "Claims", "read_booted"]

Claims = tuple[tuple[str, str], ...]
"""Names and values in the environment of receipts."""

_LIMIT: Final = 4096
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "manifest": re.compile("[0-9a-f]{64}", re.ASCII),
    "version": re.compile("[1-9][0-9]{0,15}", re.ASCII),
    "mode": re.compile("[a-z]{1,16}", re.ASCII),
    "session": re.compile("(?:[0-9a-f]{32})?", re.ASCII),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """What was booted.

    Attributes:
        manifest: hash of the boot manifest, 64 hexadecimal characters.
        version: of the manifest.
        mode: in which the machine was started.
        session: the nonce by which the server of the release knows this machine, or empty.
    """

    manifest: str
    version: str
    mode: str
    session: str = ""

    @property
    def claims(self) -> Claims:
        """What receipts say of it."""
        return (("boot_manifest", self.manifest), ("boot_mode", self.mode), ("boot_version", self.version))

    def document(self) -> bytes:
        """As the file has it."""
        value: dict[str, Json] = {name: getattr(self, name) for name in _FORMS}
        return encode(value) + b"\n"


def read_booted(path: Path) -> Booted:
    """Reads the file.

    Args:
        path: where it is.

    Raises:
        RefusedError: it is missing, or says something else.
        UnavailableError: it cannot be read.
    """
    raw = durable.read(path, limit=_LIMIT)
    try:
        value = decode(raw or b"", limit=_LIMIT)
    except CanonicalError as error:
        raise _refused(path, "is missing" if raw is None else error.why) from None
    if not isinstance(value, dict) or set(value) != set(_FORMS):
        raise _refused(path, f"an object with {', '.join(_FORMS)} is needed")
    found: dict[str, str] = {}
    for name, form in _FORMS.items():
        text = value[name]
        if not isinstance(text, str) or not form.fullmatch(text):
            raise _refused(path, f"{name} has another form")
        found[name] = text
    return Booted(**found)


def _refused(path: Path, why: str) -> RefusedError:
    return RefusedError(why, where=clean(str(path), 200), hint="node.booted names it")
