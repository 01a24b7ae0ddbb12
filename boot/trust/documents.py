"""Reading signed documents: strict JSON into values of known types, or a refusal that names the place."""

import re
from collections.abc import Mapping
from typing import Final

from boot.errors import BootRefusedError
from runtime.canonical import CanonicalError, Json, decode, parse_timestamp
from runtime.sanitise import clean

__all__ = ["DOCUMENT_MAX", "Fields", "read_document", "signatures_of"]

DOCUMENT_MAX: Final = 64 << 10
"""Bytes of a manifest or root."""

_SIGNATURES_MAX: Final = 32
_KEY: Final = re.compile("[0-9a-f]{64}", re.ASCII)
_SIGNATURE: Final = re.compile("[0-9a-f]{128}", re.ASCII)


def read_document(raw: bytes, what: str) -> dict[str, Json]:
    """A JSON object.

    Args:
        raw: as it came.
        what: for the refusal, such as `manifest`.

    Raises:
        BootRefusedError: `too-large` or `malformed`.
    """
    if len(raw) > DOCUMENT_MAX:
        raise BootRefusedError("too-large", f"the {what} has more than {DOCUMENT_MAX} bytes")
    try:
        document = decode(raw, limit=DOCUMENT_MAX)
    except CanonicalError as error:
        raise BootRefusedError("malformed", f"the {what} is {error.why}") from None
    if not isinstance(document, Mapping):
        raise BootRefusedError("malformed", f"the {what} is no object")
    return dict(document)


class Fields:
    """The fields of one object, each asked for by its type.

    Args:
        value: the object, as it was read.
        path: where it stands, for refusals.
        names: the fields that it has to have; others are refused.
        optional: the fields that it may have.
    """

    def __init__(self, value: Json, path: str, names: frozenset[str], optional: frozenset[str] = frozenset()) -> None:
        if not isinstance(value, Mapping):
            raise BootRefusedError("malformed", f"{path}: an object is needed")
        for name in sorted(names - set(value)):
            raise BootRefusedError("malformed", f"{path}: `{name}` is missing")
        for name in sorted(set(value) - names - optional):
            raise BootRefusedError("malformed", f"{path}: `{clean(name, 40)}` is not known, or not signed")
        self._value = value
        self._path = path

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number within bounds; true and false are none."""
        value = self._value[name]
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(name, f"a whole number from {low} to {high} is needed")
        return value

    def text(self, name: str, form: str, what: str) -> str:
        """A text of a form, which is a regular expression."""
        value = self._value[name]
        if not isinstance(value, str) or not re.fullmatch(form, value, re.ASCII):
            raise self._wrong(name, f"{what} is needed")
        return value

    def time(self, name: str) -> int:
        """A signed time, in milliseconds since 1970."""
        value = self._value[name]
        try:
            return parse_timestamp(value if isinstance(value, str) else "")
        except CanonicalError as error:
            raise self._wrong(name, error.why) from None

    def items(self, name: str, limit: int) -> list[Json]:
        """A list that is not empty."""
        value = self._value[name]
        if not isinstance(value, list) or not 0 < len(value) <= limit:
            raise self._wrong(name, f"a list of 1 to {limit} entries is needed")
        return value

    def keys(self, name: str, limit: int) -> tuple[str, ...]:
        """Public keys, each once, in the order in which they stand."""
        found: list[str] = []
        for number, value in enumerate(self.items(name, limit)):
            if not isinstance(value, str) or not _KEY.fullmatch(value):
                raise self._wrong(f"{name}[{number}]", "64 lower-case hexadecimal characters are needed")
            found.append(value)
        return tuple(dict.fromkeys(found))

    def raw(self, name: str) -> Json:
        """A field as it is, for a reader of its own."""
        return self._value.get(name)

    def _wrong(self, name: str, why: str) -> BootRefusedError:
        return BootRefusedError("malformed", f"{self._path}.{name}: {why}")


def signatures_of(fields: Fields, path: str) -> list[tuple[str, bytes]]:
    """The signatures of a document, key and bytes.

    Args:
        fields: of the document.
        path: where it stands, for refusals.

    Raises:
        BootRefusedError: `malformed`.
    """
    found: list[tuple[str, bytes]] = []
    for number, value in enumerate(fields.items("signatures", _SIGNATURES_MAX)):
        one = Fields(value, f"{path}.signatures[{number}]", frozenset({"key", "signature"}))
        key = one.text("key", _KEY.pattern, "a key of 64 lower-case hexadecimal characters")
        made = one.text("signature", _SIGNATURE.pattern, "a signature of 128 lower-case hexadecimal characters")
        found.append((key, bytes.fromhex(made)))
    return found
