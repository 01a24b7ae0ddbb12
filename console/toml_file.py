"""TOML that people write: read whole, its errors told with file and line, and the line of any of its keys."""

import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import UnavailableError, UsageError
from runtime.sanitise import clean

__all__ = ["TomlFile", "read_toml"]

_SIZE_MAX = 1 << 20
_PLACE = re.compile(r"line ([0-9]+)")
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_ASSIGNED = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file that was read."""

    path: Path
    text: str
    tables: dict[str, object]

    def line_of(self, name: str) -> int:
        """The line of a key: the last place before which all its parts were named, else that of its table, else 1."""
        wanted = name.split(".")
        table: list[str] = []
        found = 1
        for number, line in enumerate(self.text.splitlines(), 1):
            header = _HEADER.match(line)
            if header:
                table = _parts(header[1])
                if table == wanted[: len(table)]:
                    found = number
                continue
            assigned = _ASSIGNED.match(line)
            path = table + _parts(assigned[1]) if assigned else []
            if path == wanted:
                return number
            if path and path == wanted[: len(path)]:
                found = number  # an inline table
        return found

    def line_in(self, array: str, number: int, key: str = "") -> int:
        """The line of a table of an array, `[[array]]`, or of a key in it; 1 where it is written in another way.

        Args:
            array: the array's name.
            number: which of its tables, from 0.
            key: of the table; empty for the table itself.
        """
        left, found = number, 1
        for place, line in enumerate(self.text.splitlines(), 1):
            if line.strip().partition("#")[0].replace(" ", "").rstrip() == f"[[{array}]]":
                found = place if left == 0 else found
                left -= 1
            elif left < 0 and key and (assigned := _ASSIGNED.match(line)) and _parts(assigned[1])[0] == key:
                return place
            if left < -1:
                break
        return found

    def where(self, name: str) -> str:
        """File and line of a key, for an error."""
        return f"{clean(str(self.path))}:{self.line_of(name)}"


def _not_waiting(name: str, flags: int) -> int:
    """A pipe without a writer would be waited for, for ever."""
    return os.open(name, flags | os.O_NONBLOCK)


def read_toml(path: Path, *, what: str) -> TomlFile:
    """Reads a file.

    Args:
        path: the file.
        what: it is, for errors: `configuration`.

    Raises:
        UsageError: it is no TOML, no UTF-8, or larger than 1 MiB.
        UnavailableError: it cannot be read.
    """
    shown = clean(str(path))
    try:
        with open(path, "rb", opener=_not_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnavailableError("is not a regular file", what=what, where=shown)
            raw = stream.read(_SIZE_MAX + 1)
    except OSError as error:
        raise UnavailableError(error.strerror or type(error).__name__, what=what, where=shown) from error
    if len(raw) > _SIZE_MAX:
        raise UsageError("larger than 1MiB", what=what, where=shown)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError("not UTF-8", what=what, where=f"{shown}:{line}") from error
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line, why = _toml_error(str(error), text)
        raise UsageError(why, what=what, where=f"{shown}:{line}", hint="it is no TOML") from error
    except RecursionError as error:
        raise UsageError("nested too deeply", what=what, where=shown) from error


def _toml_error(message: str, text: str) -> tuple[int, str]:
    """Line and reason; tomllib says the line in words only, and `end of document` for the last."""
    why, _, place = message.rpartition(" (at ")
    match = _PLACE.match(place)
    return int(match[1]) if match else text.count("\n") + 1, clean(why or message, 120)


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
