"""What a room is like: said by its creator's first entry, changed by the creator's later ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

from runtime.canonical import Json
from runtime.rooms.autodelete import Keep

__all__ = ["ADMISSIONS", "HISTORIES", "Admission", "History", "RoomSettings", "changed", "fits", "is_invite"]

History = Literal["all", "joined"]
Admission = Literal["invite", "open"]

HISTORIES: Final = frozenset({"all", "joined"})
ADMISSIONS: Final = frozenset({"invite", "open"})

_INVITE_HEX: Final = frozenset("0123456789abcdef")
_INVITE_CHARACTERS: Final = (0, 32)
_SWITCHES: Final = frozenset({"auto_delete", "require_signed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """A room's settings.

    Attributes:
        name: shown to people.
        history: whether a new member is given everything that was said, or what is said from then on.
        ephemeral: whether nothing of the room is kept on disk.
        admission: whether a member proves that it holds the invitation.
        invite: the invitation's secret, 32 hexadecimal characters; empty when there is none.
        auto_delete: whether the room deletes itself when all is done.
        require_signed: whether agents must be vouched for by a trusted key, whatever a member says.
        keep: the latest word of a member that the room stays.
        burned: whether the creator has ended the room for all.
    """

    name: str = ""
    history: History = "joined"
    ephemeral: bool = False
    admission: Admission = "invite"
    invite: str = ""
    auto_delete: bool = False
    require_signed: bool = False
    keep: Keep | None = None
    burned: bool = False

    def to_json(self) -> dict[str, Json]:
        """All of them, for the canonical state of a room."""
        keep: Json = None if self.keep is None else {"ts_ms": self.keep.ts_ms, "until_ms": self.keep.until_ms}
        return {
            "name": self.name,
            "history": self.history,
            "ephemeral": self.ephemeral,
            "admission": self.admission,
            "invite": self.invite,
            "auto_delete": self.auto_delete,
            "require_signed": self.require_signed,
            "keep": keep,
            "burned": self.burned,
        }


def fits(changes: Mapping[str, Json]) -> bool:
    """Whether this is what a creator may change, each value one of those that there are."""
    return bool(changes) and all(_fits(key, value) for key, value in changes.items())


def _fits(key: str, value: Json) -> bool:
    if key in _SWITCHES:
        return isinstance(value, bool)
    if key == "history":
        return value in HISTORIES
    return key == "invite" and is_invite(value)


def is_invite(value: Json) -> bool:
    """Whether a value is the secret of an invitation, or the empty text for none."""
    return isinstance(value, str) and len(value) in _INVITE_CHARACTERS and _INVITE_HEX.issuperset(value)


def changed(settings: RoomSettings, changes: Mapping[str, Json]) -> RoomSettings:
    """The settings after a change that fits."""
    return replace(settings, **cast(dict[str, str], dict(changes)))  # type: ignore[arg-type]
