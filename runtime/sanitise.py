"""Text of guests, peers and files, made harmless to look at: every such text passes through here before it is shown.

Control characters, escape sequences, direction overrides, zero-width characters and tags become visible escapes; line
ends become `⏎`. What comes out cannot move a cursor, change a colour, write a clipboard or hide or reorder other text.
Every function is idempotent.
"""

import unicodedata

__all__ = ["clean", "clean_multiline"]

_ZWJ = "\u200d"
_SELECTORS = frozenset("\ufe0e\ufe0f")
_MARKS_IN_A_ROW = 3
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Characters of harmless categories that no font draws."""

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})
_EMOJI = range(0x1F000, 0x1FB00)
"""Kept even where this Python's Unicode tables are older than the character."""

_SHORT = {"\t": "\\t", "\r": "\\r", "\n": "⏎"}


def clean(text: str, limit: int = 500) -> str:
    """One harmless line.

    Args:
        text: anything, lone surrogates included.
        limit: characters that come out at most; a longer text ends in `…`. At least 1.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    # Each input character yields at least one, or belongs to a sequence that is dropped: a bounded look-ahead suffices.
    head = text[: 8 * limit + 8].replace("\r\n", "\n")
    shown = head if head.isascii() and head.isprintable() else "".join(_visible(head))
    if len(shown) > limit or len(text) > 8 * limit + 8:
        return shown[: limit - 1] + "…"
    return shown


def clean_multiline(text: str, limit: int = 65_536) -> str:
    """Harmless text that keeps its lines; tabs are expanded.

    Args:
        text: anything, lone surrogates included.
        limit: characters that come out at most; a longer text ends in `…`. At least 1.
    """
    cut = text[: limit + 1].replace("\r\n", "\n").expandtabs(8)
    shown = "\n".join(clean(line, limit) for line in cut.split("\n"))
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def _visible(text: str) -> list[str]:
    """One string for each character that is shown."""
    out: list[str] = []
    marks = 0
    joined = tail = False
    for char in text:
        if joined or (tail and (char in _SELECTORS or char == _ZWJ or _is_modifier(char))):
            # Terminals disagree about the width of a sequence joined by ZWJ: its first character stands for it.
            joined, tail = char == _ZWJ, True
            continue
        tail = False
        if " " <= char <= "~":
            marks = 0
            out.append(char)
            continue
        category = unicodedata.category(char)
        if char == _ZWJ and out and _joins(out[-1]):
            joined = True
        elif char in _SELECTORS and out and not marks and not out[-1].isascii():
            pass  # A choice between text and emoji form: invisible, and it changes the width in some terminals only.
        elif category in _MARKS and char not in _INVISIBLE and char not in _SELECTORS and not _is_supplement(char):
            marks += 1
            out.append(char if out and marks <= _MARKS_IN_A_ROW else _escape(char))
        elif char in _INVISIBLE or char in _SELECTORS or _is_supplement(char):
            out.append(_escape(char))
        elif category in _HARMFUL and ord(char) not in _EMOJI:
            marks = 0
            out.append(_SHORT.get(char) or _escape(char))
        else:
            marks = 0
            out.append(char)
    return out


def _joins(char: str) -> bool:
    """Whether ZWJ after this character is a picture's, not a trick."""
    return len(char) == 1 and unicodedata.category(char) in {"So", "Sk"}


def _is_modifier(char: str) -> bool:
    return "\U0001f3fb" <= char <= "\U0001f3ff"


def _is_supplement(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0d" or "\U000e0100" <= char <= "\U000e01ef"


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:  # noqa: PLR2004 - two hexadecimal digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - four hexadecimal digits
