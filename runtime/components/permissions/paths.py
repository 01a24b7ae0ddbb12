"""Guest paths: their one normal form, and the patterns over them."""

import re
from collections.abc import Sequence
from typing import Final

from runtime.components.permissions.errors import InvalidRequestError, PatternError
from runtime.components.permissions.glob import Glob, checked_text

__all__ = ["NAME_BYTES", "PATH_BYTES", "PathPattern", "names_of", "normalise"]

PATH_BYTES: Final = 4096
"""Of a path, in UTF-8, as the guest gives it and in its normal form."""
NAME_BYTES: Final = 255
"""Of one name."""
_PATTERN_BYTES: Final = 1024
_SEGMENTS: Final = 64
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,30}){1,8}", re.ASCII)
"""Paths that are in their normal form for sure, as most are."""
_SPANS: Final = 4
"""`**` in one pattern."""


def normalise(path: str, cwd: str = "/") -> str:
    """The normal form of a guest path: absolute, without `.`, `..`, empty parts and a final `/`.

    Only the text is looked at; links are for who resolves it. Normalising twice changes nothing.

    Args:
        path: what the guest gave.
        cwd: the component's virtual working directory, absolute; a relative path begins there.

    Raises:
        InvalidRequestError: `invalid path: …`: not UTF-8, NUL, empty, too long, or it leaves the root.
    """
    if _PLAIN.fullmatch(path):
        return path
    _check(path)
    parts: list[str] = []
    for part in (path if path.startswith("/") else f"{cwd}/{path}").split("/"):
        if part == "..":
            if not parts:
                raise InvalidRequestError("invalid path: leaves the root")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    normal = "/" + "/".join(parts)
    if len(normal.encode()) > PATH_BYTES:
        raise InvalidRequestError("invalid path: too long")
    return normal


def _check(path: str) -> None:
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("invalid path: not UTF-8") from None
    if not raw:
        raise InvalidRequestError("invalid path: empty")
    if b"\0" in raw:
        raise InvalidRequestError("invalid path: NUL")
    if len(raw) > PATH_BYTES:
        raise InvalidRequestError("invalid path: too long")
    if len(raw) > NAME_BYTES and max(map(len, raw.split(b"/"))) > NAME_BYTES:
        raise InvalidRequestError("invalid path: name too long")


class PathPattern:
    """One compiled pattern over absolute paths: a `Glob` for each segment, or `**` for any number of segments.

    Args:
        text: the pattern.

    Raises:
        PatternError: it is none.
    """

    __slots__ = ("_end", "_loops", "_segments")

    def __init__(self, text: str) -> None:
        self._segments: list[Glob] = []
        self._loops = 0
        for segment in _segments(text):
            if segment == "**":
                self._loops |= 1 << len(self._segments)
            elif segment in {".", ".."}:
                raise PatternError(f'"{segment}" is not allowed in a pattern')
            else:
                glob = Glob(segment)
                if glob.literal in {".", ".."}:
                    raise PatternError(f'"{glob.literal}" is not allowed in a pattern')
                self._segments.append(glob)
        self._end = 1 << len(self._segments)

    @property
    def fits_all(self) -> bool:
        """Whether every path fits."""
        return self._end == 1 and self._loops == 1

    def matches(self, path: str) -> bool:
        """Whether a path in its normal form fits the pattern."""
        return self.fits(names_of(path))

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a path, given as its names, fits the pattern.

        The states that are alive, one bit for each segment of the pattern, go along the path once.
        """
        states = 1
        for name in names:
            following = states & self._loops
            for place, glob in enumerate(self._segments):
                if states >> place & 1 and glob.matches(name):
                    following |= 2 << place
            if not following:
                return False
            states = following
        return bool(states & self._end)


def names_of(path: str) -> Sequence[str]:
    """The names of a path in its normal form; none for the root."""
    return path[1:].split("/") if path != "/" else ()


def _segments(text: str) -> list[str]:
    checked_text(text, _PATTERN_BYTES)
    if not text.startswith("/"):
        raise PatternError("pattern must start with /")
    if text == "/":
        return []
    segments = text[1:].split("/")
    if not segments[-1]:
        raise PatternError("a / at the end is not allowed in a pattern")
    if "" in segments:
        raise PatternError("an empty segment is not allowed in a pattern")
    if len(segments) > _SEGMENTS:
        raise PatternError(f"more than {_SEGMENTS} segments")
    if segments.count("**") > _SPANS:
        raise PatternError(f"more than {_SPANS} times **")
    return segments
