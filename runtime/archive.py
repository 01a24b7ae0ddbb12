"""What a backup holds and how its files are named: an index, then the files' bytes, one after another.

The plain stream is the index's length (four bytes, big-endian), the index (canonical JSON) and the content of the files
in the index's order. A name is one of the few that a state directory has; a reader takes no other, so no archive can
write elsewhere. `docs/reference/backup-format.md` has it byte for byte.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.errors import RefusedError, UsageError

__all__ = ["INDEX_MAX", "Entry", "Index", "is_name", "read_index"]

INDEX_MAX: Final = 64 << 20
"""Bytes of an index."""

_VERSION: Final = 1
_NAMED: Final = frozenset({"VERSION", "identity.key", "orlop.db", "ui.toml", "vault.key"})
_NEEDED: Final = frozenset({"identity.key", "orlop.db", "vault.key"})
_BY_CONTENT: Final = re.compile(r"(?:modules|blobs)/sha256/([0-9a-f]{2})/\1[0-9a-f]{62}", re.ASCII)
_OUTPUT: Final = re.compile(r"output/[0-9a-f]{64}", re.ASCII)
_SETTINGS: Final = re.compile(r"config\.d/(?!\.)[^/\0]{1,200}\.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a backup: its name below the state directory, and its bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What stands at the beginning of a backup.

    Attributes:
        created_ms: wall time of the copy.
        program: version of orlop that wrote it.
        schema: version of the database's tables.
        entries: the files, in the order of their content.
    """

    created_ms: int
    program: str
    schema: int
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def document(self) -> bytes:
        """As canonical JSON."""
        files: list[Json] = [[entry.name, entry.size] for entry in self.entries]
        return encode(
            {
                "v": _VERSION,
                "created_ms": self.created_ms,
                "orlop": self.program,
                "schema": self.schema,
                "files": files,
            }
        )


def is_name(name: str) -> bool:
    """Whether a file of that name may be in a backup."""
    patterns = (_BY_CONTENT, _OUTPUT, _SETTINGS)
    return name in _NAMED or (name.isprintable() and any(pattern.fullmatch(name) for pattern in patterns))


def read_index(data: bytes) -> Index:
    """Reads what `Index.document` wrote.

    Raises:
        UsageError: a later version wrote it.
        RefusedError: it is none, names a file that no backup holds, or lacks one that every backup has.
    """
    try:
        found = decode(data, limit=INDEX_MAX)
    except CanonicalError as error:
        raise RefusedError(f"its index is damaged: {error.why}") from error
    if not isinstance(found, Mapping):
        raise RefusedError("its index is damaged")
    version, created, program, schema = (found.get(name) for name in ("v", "created_ms", "orlop", "schema"))
    if isinstance(version, int) and version > _VERSION:
        why = f"was written by a later version of orlop (index {version}, this one knows {_VERSION})"
        raise UsageError(why, hint="update orlop")
    if not (isinstance(created, int) and isinstance(program, str) and isinstance(schema, int)):
        raise RefusedError("its index is damaged")
    return Index(created_ms=created, program=program, schema=schema, entries=_entries(found.get("files")))


def _entries(files: Json) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for item in files if isinstance(files, list) else []:
        name, size = item if isinstance(item, list) and len(item) == 2 else (None, 0)  # noqa: PLR2004 - a pair
        if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise RefusedError("its index is damaged")
        if not is_name(name):
            raise RefusedError(f"holds `{name[:80]}`, which is no file of a state directory")
        entries.append(Entry(name, size))
    names = {entry.name for entry in entries}
    if len(names) < len(entries):
        raise RefusedError("names a file twice")
    if lacking := sorted(_NEEDED - names):
        raise RefusedError(f"lacks {', '.join(lacking)}")
    return tuple(entries)
