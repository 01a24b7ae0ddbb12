"""Summaries: what a member says of its copy of the log, so that others see what it lacks.

For each author: how far each block is complete, which entry stands there, a digest of the structural entries up to it
(a joiner was not given all others), and from which place on the author contradicts itself.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runtime.canonical import INTEGER_MAX, Json
from runtime.errors import RefusedError

__all__ = ["AuthorSummary", "Extent", "Summary", "digest_of", "parse_summary", "summary_to_json"]

_AUTHORS: Final = 128
_BLOCKS: Final = 256
_ID_CHARACTERS: Final = 32
_ITEMS: Final = 4


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a block is complete.

    Attributes:
        number: of its last entry.
        id: of that entry; empty when only a snapshot covers it.
        structure: digest of the structural entries up to it.
    """

    number: int
    id: str
    structure: str


@dataclass(frozen=True, slots=True)
class AuthorSummary:
    """One author's sequence."""

    blocks: Mapping[int, Extent] = field(default_factory=dict)
    fork: int | None = None


Summary = Mapping[str, AuthorSummary]
"""By identity key."""


def digest_of(ids: Iterable[str]) -> str:
    """Stands for these entries, in order; 32 hexadecimal characters, empty for none."""
    joined = "".join(ids)
    return hashlib.sha256(joined.encode()).hexdigest()[:_ID_CHARACTERS] if joined else ""


def summary_to_json(summary: Summary) -> dict[str, Json]:
    """The summary as it travels: `{author: {"blocks": [[block, number, id, structure], …], "fork": seq or null}}`."""
    return {
        author: {
            "blocks": [[block, one.number, one.id, one.structure] for block, one in sorted(said.blocks.items())],
            "fork": said.fork,
        }
        for author, said in sorted(summary.items())
    }


def parse_summary(value: Json) -> dict[str, AuthorSummary]:
    """Reads what `summary_to_json` writes.

    Raises:
        RefusedError: another shape, or beyond its bounds.
    """
    if not isinstance(value, Mapping) or len(value) > _AUTHORS:
        raise RefusedError(f"must be an object of at most {_AUTHORS} authors", where="summary")
    return {author: _author(said) for author, said in value.items()}


def _author(value: Json) -> AuthorSummary:
    blocks = value.get("blocks") if isinstance(value, Mapping) else None
    fork = value.get("fork") if isinstance(value, Mapping) else None
    if not isinstance(blocks, list | tuple) or len(blocks) > _BLOCKS or not (fork is None or _is_number(fork)):
        raise RefusedError("must have a list `blocks` and a place `fork`, or null", where="summary")
    found = {}
    for item in blocks:
        if not isinstance(item, list | tuple) or len(item) != _ITEMS:
            raise RefusedError("must have lists of block, number, id and digest", where="summary")
        block, number, entry, structure = item
        if not _is_number(block) or not _is_number(number) or not _is_text(entry) or not _is_text(structure):
            raise RefusedError("must have lists of block, number, id and digest", where="summary")
        found[block] = Extent(number, entry, structure)
    return AuthorSummary(found, fork)  # type: ignore[arg-type]


def _is_number(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INTEGER_MAX


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and len(value) <= _ID_CHARACTERS
