r"""Patterns over the characters of one text: `*` any run, `?` one code point, `\` quotes the next character.

Matching walks all states of the pattern at once, one bit each, so that its time is the length of the text times the
length of the pattern in machine words, whatever the pattern.
"""

from collections.abc import Iterator
from typing import Final

from runtime.components.permissions.errors import PatternError

__all__ = ["Glob", "checked_text", "quoted"]

_RESERVED: Final = frozenset("[]{}")


def quoted(text: str) -> str:
    """The pattern that fits one text only."""
    return "".join(f"\\{char}" if char in "*?[]{}\\" else char for char in text)


def checked_text(text: str, limit: int) -> str:
    """A pattern that can be one at all.

    Args:
        text: anything.
        limit: bytes of UTF-8.

    Raises:
        PatternError: not UTF-8, NUL, empty or too long.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PatternError("not UTF-8") from None
    if "\0" in text:
        raise PatternError("NUL is not allowed in a pattern")
    if not text:
        raise PatternError("an empty pattern fits nothing")
    if size > limit:
        raise PatternError(f"longer than {limit} bytes")
    return text


class Glob:
    """One compiled pattern.

    Args:
        text: the pattern; `**` is refused, since it would mean nothing that `*` does not.

    Raises:
        PatternError: an unquoted `[`, `]`, `{` or `}`, a `**`, or a final backslash.
    """

    __slots__ = ("_accepts", "_any", "_end", "_literal", "_loops")

    def __init__(self, text: str) -> None:
        self._accepts: dict[str, int] = {}
        self._any = self._loops = 0
        literal: list[str] = []
        place = 0
        chars = iter(text)
        for char in chars:
            if char == "*":
                if self._loops >> place & 1:
                    raise PatternError("** must be a whole segment")
                self._loops |= 1 << place
                continue
            if char == "?":
                self._any |= 1 << place
            else:
                literal.append(_unquoted(char, chars))
                self._accepts[literal[-1]] = self._accepts.get(literal[-1], 0) | 1 << place
            place += 1
        self._accepts = {char: states | self._any for char, states in self._accepts.items()}
        self._end = 1 << place
        self._literal = None if self._any or self._loops else "".join(literal)

    @property
    def literal(self) -> str | None:
        """The only text that fits; None when several do."""
        return self._literal

    @property
    def fits_all(self) -> bool:
        """Whether every text fits."""
        return self._end == 1 and self._loops == 1

    def matches(self, text: str) -> bool:
        """Whether a text fits the pattern, from its beginning to its end."""
        if self._literal is not None:
            return text == self._literal
        accepts, one, loops = self._accepts, self._any, self._loops
        states = 1
        for char in text:
            states = (states & accepts.get(char, one)) << 1 | states & loops
            if not states:
                return False
        return bool(states & self._end)


def _unquoted(char: str, rest: Iterator[str]) -> str:
    if char in _RESERVED:
        raise PatternError(f"{char} is reserved: write \\{char}")
    if char != "\\":
        return char
    if (following := next(rest, None)) is None:
        raise PatternError("a \\ at the end quotes nothing")
    return following
