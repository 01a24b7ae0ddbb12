"""Reading a Component.toml: from the bytes of the file to a manifest, or to the lines that say what is wrong."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from runtime.canonical import INTEGER_MAX, Json
from runtime.components.manifest.faults import FILE_NAME, Fault, KeyPath, ManifestError, spoken
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.old_schemas import old_faults
from runtime.components.manifest.positions import Positions, scan
from runtime.components.manifest.readers import Place
from runtime.components.manifest.schema import read_document
from runtime.sanitise import clean

__all__ = ["BYTES_MAX", "fault_at", "parse", "placed", "places", "read_manifest", "rule_lines"]

BYTES_MAX: Final = 64 * 2**10
_DEPTH: Final = 8
_SCAN: Final = _DEPTH + 1
"""Containers, and what stands in the innermost."""
_MANY_DOTS: Final = 40
"""In a line that may hold a key of so many parts that `tomllib` needs minutes for it (64 KiB of them: 33 s)."""
_WHERE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_manifest(raw: bytes, name: str = FILE_NAME) -> Manifest:
    """Reads and checks a manifest. Nothing beside the text is looked at.

    Args:
        raw: the file.
        name: of the file, for messages.

    Returns:
        The manifest.

    Raises:
        ManifestError: a line for every fault.
    """
    document, text = parse(raw, name)
    faults = _beyond(document) or old_faults(document)
    manifest = None if faults else read_document(document, Place((), faults))
    if manifest is None:
        raise ManifestError(placed(faults, text), name)
    return replace(manifest, document=document, source=text, name=name)


def parse(raw: bytes, name: str = FILE_NAME) -> tuple[dict[str, Json], str]:
    """The document of a file as TOML has it, and its text.

    Raises:
        ManifestError: too large, not UTF-8, or not TOML.
    """
    if len(raw) > BYTES_MAX:
        raise _unreadable(1, f"the file has more than {BYTES_MAX // 2**10}KiB", name)
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _unreadable(1, "the file begins with a byte order mark; write UTF-8 without one", name)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(raw[: error.start].count(b"\n") + 1, "not UTF-8", name) from None
    dotted = any(line.count(".") >= _MANY_DOTS for line in text.split("\n"))
    if dotted and (line := scan(text, _SCAN).too_deep):
        raise _unreadable(line, f"nested deeper than {_DEPTH}", name)
    try:
        return tomllib.loads(text), text
    except RecursionError:
        raise _unreadable(scan(text, _SCAN).too_deep or 1, f"nested deeper than {_DEPTH}", name) from None
    except ValueError as error:
        raise ManifestError([_syntax(text, str(error))], name) from None


def rule_lines(manifest: Manifest) -> Mapping[str, int]:
    """The lines of all permissions, by the ids of rules and by groups, for `Policy.lines`."""
    lines = places(manifest).lines
    rules = ((path, line) for path, line in lines.items() if path[0] == "permissions")
    return {spoken(path): line for path, line in rules if not any(isinstance(part, int) for part in path[:-1])}


def places(manifest: Manifest) -> Positions:
    """Where everything in the file stands."""
    return scan(manifest.source, _SCAN)


def fault_at(manifest: Manifest, path: KeyPath, reason: str) -> ManifestError:
    """The error for something that was found beside the file: its hash, its imports, its metadata."""
    return ManifestError(placed([Fault(path, reason)], manifest.source), manifest.name)


def _unreadable(line: int, why: str, name: str) -> ManifestError:
    return ManifestError([Fault((), why, line, syntax=True)], name)


def _syntax(text: str, why: str) -> Fault:
    found = scan(text, _SCAN)
    if found.twice and _about_twice(why):
        path, line, first = found.twice
        return Fault(path, f"given twice (first in line {first})", line)
    match = _WHERE.search(why)
    plain = clean(why[: match.start()] if match else why, 200)
    if match is None:
        plain = "a number with too many digits" if "digits" in why else plain
        return Fault((), f"not TOML: {plain}", _line_of_long_number(text), syntax=True)
    if match[1] is None:
        return Fault((), f"not TOML: {plain} (at the end)", max(text.rstrip("\n").count("\n") + 1, 1), syntax=True)
    return Fault((), f"not TOML: {plain} (column {match[2]})", int(match[1]), syntax=True)


def _about_twice(why: str) -> bool:
    return why.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate", "Cannot redefine"))


def _line_of_long_number(text: str) -> int:
    match = re.search(r"[0-9_]{4000,}", text)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _beyond(document: Mapping[str, object]) -> list[Fault]:
    """Too deep, or integers that other languages cannot hold; looked for without recursion."""
    faults = []
    waiting: list[tuple[KeyPath, object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict | list) and len(path) > _DEPTH:
            faults.append(Fault(path[: _DEPTH + 1], f"nested deeper than {_DEPTH}"))
        elif isinstance(value, dict):
            waiting += [((*path, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, index), item) for index, item in enumerate(value)]
        elif isinstance(value, int) and not -INTEGER_MAX <= value <= INTEGER_MAX:
            faults.append(Fault(path, "an integer beyond 64 bits"))
    return faults


def placed(faults: list[Fault], text: str) -> list[Fault]:
    """Faults with the lines of their keys; the text is looked through only here."""
    found = scan(text, _SCAN + 1)
    return [replace(fault, line=found.line(fault.path)) for fault in faults]
