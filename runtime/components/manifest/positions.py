"""Where the keys of a TOML document stand. `tomllib` tells that of syntax errors only.

One pass over the text, linear in its length. The text is taken for TOML; where it is none, the pass ends there.
"""

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress
from typing import Final

from runtime.components.manifest.faults import KeyPath

__all__ = ["Positions", "scan"]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_QUOTED: Final = r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
_KEY: Final = re.compile(rf"[A-Za-z0-9_-]+|{_QUOTED}")
_STRING: Final = re.compile(rf'"""(?:\\.|[^\\])*?"{{3,5}}|\'\'\'.*?\'{{3,5}}|{_QUOTED}', re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}#\n\"']+")


class _EndedError(Exception):
    """The text goes on as nothing that is known here, or too deeply."""


class Positions:
    """The places that a scan found.

    Attributes:
        lines: the line of each path, from 1; of a table, where it is named first.
        twice: the first path that is given a second time, with the lines of both; None when none is.
        too_deep: the line where the nesting goes beyond the limit of the scan; None where it does not.
    """

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.twice: tuple[KeyPath, int, int] | None = None
        self.too_deep: int | None = None

    def line(self, path: KeyPath) -> int:
        """The line of a path, or of the nearest table that holds it; 1 when nothing does."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def scan(text: str, depth: int) -> Positions:
    """Finds where the keys of a document stand.

    Args:
        text: TOML.
        depth: keys and lists inside one another; beyond it the scan ends.

    Returns:
        What was found until the end, or until the text was no TOML any more.
    """
    scanner = _Scanner(text, depth)
    with suppress(_EndedError):
        scanner.run()
    return scanner.found


class _Scanner:
    def __init__(self, text: str, depth: int) -> None:
        self.found = Positions()
        self._text = text
        self._depth = depth
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._table: KeyPath = ()
        self._given: dict[KeyPath, int] = {}
        self._lists: dict[KeyPath, int] = {}

    def run(self) -> None:
        """Statement by statement."""
        self._take(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                self._header()
            else:
                self._pair(self._table)
            self._take(_BLANK)

    def _header(self) -> None:
        line = self._line()
        listed = self._text.startswith("[[", self._at)
        self._at += 2 if listed else 1
        keys = self._keys()
        self._expect("]]" if listed else "]")
        path: KeyPath = ()
        for place, key in enumerate(keys, 1):
            path += (key,)
            self._deep(len(path), line)
            self.found.lines.setdefault(path, line)
            if place == len(keys) and listed:
                self._lists[path] = self._lists.get(path, -1) + 1
            if path in self._lists:
                path += (self._lists[path],)
                self.found.lines.setdefault(path, line)
        self._note(path, line)
        self._table = path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path += (key,)
            self._deep(len(path), line)
            self.found.lines.setdefault(path, line)
        self._expect("=")
        self._note(path, line)
        self._take(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._text.startswith("[", self._at):
            self._list(path)
        elif self._text.startswith("{", self._at):
            self._inline(path)
        elif not (self._take(_STRING) or self._take(_SCALAR)):
            raise _EndedError

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._take(_BLANK)
            if self._text.startswith("]", self._at):
                break
            inner = (*path, index)
            line = self._line()
            self._deep(len(inner), line)
            self.found.lines[inner] = line
            self._value(inner)
            index += 1
            self._take(_BLANK)
            if not self._text.startswith(",", self._at):
                break
            self._at += 1
        self._expect("]")

    def _inline(self, path: KeyPath) -> None:
        self._at += 1
        self._take(_BLANK)
        while not self._text.startswith("}", self._at):
            self._pair(path)
            self._take(_BLANK)
            if not self._text.startswith(",", self._at):
                break
            self._at += 1
            self._take(_BLANK)
        self._expect("}")

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._take(_SPACE)
            raw = self._take(_KEY)
            if not raw:
                raise _EndedError
            keys.append(_plain(raw))
            self._deep(len(keys), self._line())
            self._take(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _note(self, path: KeyPath, line: int) -> None:
        if path in self._given:
            self.found.twice = self.found.twice or (path, line, self._given[path])
        self._given.setdefault(path, line)

    def _deep(self, depth: int, line: int) -> None:
        if depth > self._depth:
            self.found.too_deep = line
            raise _EndedError

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _expect(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise _EndedError
        self._at += len(text)

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)


def _plain(raw: str) -> str:
    """A key without its quotes."""
    if raw[0] not in "\"'":
        return raw
    try:
        return next(iter(tomllib.loads(f"{raw} = 0")))
    except tomllib.TOMLDecodeError:
        raise _EndedError from None
