"""Why a change was not admitted: in full for sealed logs and live screens, without content for the journal."""

from typing import Final, Self

from runtime.sanitise import clean

__all__ = ["Reason"]

_SAID_CHARACTERS: Final = 128
_CHARACTERS: Final = 200
_GAP: Final = "…"


class Reason(str):
    """One harmless line; its text has everything in it.

    Args:
        words: ours, with a `{}` for each text that somebody else chose.
        said: these texts, not made harmless yet.
    """

    __slots__ = ("plain",)

    plain: str
    """The same line with a gap for each text that somebody else chose."""

    def __new__(cls, words: str, *said: object) -> Self:
        """Fills in what was said."""
        shown = (clean(str(one), _SAID_CHARACTERS) for one in said)
        made = super().__new__(cls, clean(words.format(*shown) if said else words, _CHARACTERS))
        made.plain = words.format(*[_GAP] * len(said)) if said else words
        return made
