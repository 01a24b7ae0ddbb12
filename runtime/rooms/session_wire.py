"""What members of ours say to one another inside the encryption (`orlop`), as JSON: written here, read strictly.

`hello` shows who one is and what one holds, `summary` asks one member for what is missing, `entries` brings it, `heads`
says briefly what one has, `lease` and `bye` are what they say.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.rooms.cards import Card, card_from_json
from runtime.rooms.entries import SignedEntry, entry_from_json
from runtime.rooms.summary import Summary, parse_summary, summary_to_json

__all__ = [
    "PIECE_BYTES",
    "Hello",
    "MessageError",
    "Piece",
    "digest_of",
    "entries_json",
    "pieces_of",
    "read_digest",
    "read_hello",
    "read_piece",
    "read_summary",
    "summary_json",
]

PIECE_BYTES: Final = 32_768
"""Bytes of entries in one message; more only for an entry that is larger by itself."""

_VERSION: Final = 1
_PIECE_ENTRIES: Final = 512
_AUTHORS: Final = 128
_ID_CHARACTERS: Final = 32
_TEXT_CHARACTERS: Final = 200


class MessageError(RefusedError):
    """What a member said is not in the form of the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who one is to another member, and what one holds of it.

    Attributes:
        card: one's own.
        proof: that one knows the secret of the invitation; empty when one does not.
        have: id of the other's sender session that one holds; empty for none.
        mark: id of that one-time key of one's own that stays unused: keys published with it are no new beginning.
        refused: why nothing is shared with the other; empty when it is.
        new: whether one has nothing of the room yet.
        creator: the creator's card, for somebody who is new.
    """

    card: Card
    proof: str = ""
    have: str = ""
    mark: str = ""
    refused: str = ""
    new: bool = False
    creator: Card | None = None

    def to_json(self) -> dict[str, Json]:
        """The message."""
        fields: dict[str, Json] = {
            "v": _VERSION,
            "t": "hello",
            "card": self.card.to_json(),
            "proof": self.proof,
            "have": self.have,
            "mark": self.mark,
            "refused": self.refused,
            "new": self.new,
        }
        return fields if self.creator is None else fields | {"creator": self.creator.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some entries.

    Attributes:
        entries: in an order in which they can be taken.
        last: whether it is the last that answers a summary; then `more` says whether to ask again.
        more: whether there are more than were sent.
    """

    entries: tuple[SignedEntry, ...]
    last: bool = False
    more: bool = False


def read_hello(said: Mapping[str, Json]) -> Hello:
    """Reads a hello; the signatures of its cards are verified.

    Raises:
        MessageError: not in the form of the protocol.
        CardError: not a card, or one whose signatures do not fit.
    """
    creator = said.get("creator")
    return Hello(
        card=card_from_json(said.get("card")),
        proof=_text(said, "proof"),
        have=_text(said, "have"),
        mark=_text(said, "mark"),
        refused=_text(said, "refused"),
        new=said.get("new") is True,
        creator=None if creator is None else card_from_json(creator),
    )


def entries_json(entries: Sequence[SignedEntry], *, last: bool = False, more: bool = False) -> dict[str, Json]:
    """A message that brings entries."""
    return {"v": _VERSION, "t": "entries", "entries": [one.to_json() for one in entries], "last": last, "more": more}


def read_piece(said: Mapping[str, Json], room: str) -> Piece:
    """Reads a message that brings entries; their signatures are for the log to verify.

    Raises:
        MessageError: not in the form of the protocol.
    """
    entries, last, more = said.get("entries"), said.get("last"), said.get("more")
    if not isinstance(entries, Sequence) or isinstance(entries, str) or len(entries) > _PIECE_ENTRIES:
        raise MessageError("the entries are not in the protocol's form")
    try:
        read = tuple(entry_from_json(one, room) for one in entries)
    except RefusedError as error:
        raise MessageError(f"one of the entries is none: {error}") from error
    return Piece(entries=read, last=last is True, more=more is True)


def pieces_of(entries: Iterable[SignedEntry], *, most: int) -> tuple[list[list[SignedEntry]], bool]:
    """Cuts entries into pieces that fit into a message.

    Args:
        entries: in order.
        most: pieces.

    Returns:
        The pieces, at least one, and whether entries are left over.
    """
    pieces: list[list[SignedEntry]] = [[]]
    size = 0
    for entry in entries:
        length = len(entry.message()) + 2 * len(entry.signature) + len('"sig":"",') + 1
        if pieces[-1] and (size + length > PIECE_BYTES or len(pieces[-1]) == _PIECE_ENTRIES):
            if len(pieces) == most:
                return pieces, True
            pieces.append([])
            size = 0
        pieces[-1].append(entry)
        size += length
    return pieces, False


def summary_json(summary: Summary, *, most_bytes: int = PIECE_BYTES) -> list[dict[str, Json]]:
    """Messages that ask for what is missing: each covers the authors from `from` up to, without, `to`.

    Args:
        summary: what one has.
        most_bytes: of one message's heads.
    """
    cuts: list[tuple[str, dict[str, Json]]] = [("", {})]
    size = 0
    for author, heads in summary_to_json(summary).items():
        length = len(encode({author: heads}))
        if cuts[-1][1] and (size + length > most_bytes or len(cuts[-1][1]) == _AUTHORS):
            cuts.append((author, {}))
            size = 0
        cuts[-1][1][author] = heads
        size += length
    ends = [*(start for start, _ in cuts[1:]), ""]
    return [
        {"v": _VERSION, "t": "summary", "from": start, "to": end, "heads": heads, "end": not end}
        for (start, heads), end in zip(cuts, ends, strict=True)
    ]


def read_summary(said: Mapping[str, Json], own: Summary) -> Summary:
    """Reads what another member has; of authors that the message does not cover, it has what we have.

    Args:
        said: the message.
        own: what we have.

    Raises:
        RefusedError: not in the form of the protocol.
    """
    start, end = _text(said, "from"), _text(said, "to")
    outside = {author: heads for author, heads in own.items() if author < start or (end and author >= end)}
    return outside | parse_summary(said.get("heads"))


def digest_of(summary: Summary) -> str:
    """32 hexadecimal characters that are the same for members who have the same entries."""
    return hashlib.sha256(encode(summary_to_json(summary))).hexdigest()[:_ID_CHARACTERS]


def read_digest(said: Mapping[str, Json]) -> str:
    """The digest in a message `heads`.

    Raises:
        MessageError: not in the form of the protocol.
    """
    return _text(said, "digest")


def _text(said: Mapping[str, Json], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or len(value) > _TEXT_CHARACTERS:
        raise MessageError(f"its `{name}` is not a text")
    return value
