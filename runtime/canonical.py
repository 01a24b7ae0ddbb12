"""Canonical JSON (CJ), signed times, and strict reading of JSON that others wrote.

CJ is what gets signed and hashed: keys sorted by their UTF-8 bytes at every level, no whitespace, UTF-8 unescaped,
integers only. Two programs that hold the same value write the same bytes. Loads nothing but the standard library.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from runtime.errors import RefusedError

__all__ = ["INTEGER_MAX", "CanonicalError", "Json", "decode", "encode", "parse_timestamp", "timestamp"]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A JSON value."""

INTEGER_MAX = 2**63 - 1
"""The largest integer, of either sign, that every language's verifier can hold."""

_DEPTH_MAX = 64
_SAFE_DIGITS = len(str(INTEGER_MAX))
"""What is written in fewer characters is within the bounds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_10000_MS = 253_402_300_800_000
_SIGNED_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?Z", re.ASCII
)


_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class CanonicalError(RefusedError):
    """A value that has no canonical form, or text that is not the JSON that was asked for."""


def encode(value: Json) -> bytes:
    """The canonical bytes of a value.

    Args:
        value: null, booleans, integers within ±(2^63 - 1), text without lone surrogates, and sequences and mappings
            of these, at most 64 deep.

    Raises:
        CanonicalError: the value contains anything else; the message names the place.
    """
    return _WRITER.encode(value if _is_canonical(value, 0) else _plain(value, "$", 0)).encode()


def _is_canonical(value: object, depth: int) -> bool:
    """Whether a value is made of what `json` writes as it should be, so that it needs no copy; most are."""
    if depth >= _DEPTH_MAX:
        return False
    if type(value) is list:
        return _are_canonical(value, depth + 1)
    if type(value) is dict:
        for key in value:  # loops, since every message and every receipt comes by: `all` takes twice as long
            if type(key) is not str or not key.isascii():
                return False
        return _are_canonical(value.values(), depth + 1)
    return False


def _are_canonical(items: Iterable[object], depth: int) -> bool:
    for item in items:
        if type(item) is str:
            fits = item.isascii()
        elif type(item) is int:
            fits = -INTEGER_MAX <= item <= INTEGER_MAX
        else:
            fits = item is None or type(item) is bool or _is_canonical(item, depth)
        if not fits:
            return False
    return True


def _plain(value: object, path: str, depth: int) -> object:
    """The value in types that `json` writes alike everywhere; code point order of keys is their UTF-8 order."""
    if depth > _DEPTH_MAX:
        raise CanonicalError(f"nested deeper than {_DEPTH_MAX}", where=path[:80])
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise CanonicalError("an integer beyond 63 bits", where=path)
        return int(value)
    if isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise CanonicalError(f"a key of type {type(key).__name__}", where=path)
            name = _text(key, path)
            plain[name] = (
                item
                if depth < _DEPTH_MAX and _is_plain(item)
                else _plain(item, f"{path}.{ascii(key)[1:-1][:40]}", depth + 1)
            )
        return plain
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [
            item if depth < _DEPTH_MAX and _is_plain(item) else _plain(item, f"{path}[{index}]", depth + 1)
            for index, item in enumerate(value)
        ]
    raise CanonicalError(f"a value of type {type(value).__name__}", where=path)


def _is_plain(value: object) -> bool:
    """Whether a value is one of those that signed documents are full of: they need no path and no copy."""
    if type(value) is str:
        return value.isascii()
    if type(value) is int:
        return -INTEGER_MAX <= value <= INTEGER_MAX
    return value is None or type(value) is bool


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise CanonicalError("text with a lone surrogate", where=path) from None
    return str(value)


def decode(raw: bytes, *, limit: int, floats: bool = False) -> Json:
    """Reads JSON strictly: what is accepted means the same to every reader.

    Args:
        raw: the text, UTF-8 without a byte order mark.
        limit: bytes that are read at most.
        floats: whether finite fractions are accepted.

    Raises:
        CanonicalError: too long, not UTF-8, not JSON, a duplicate key, NaN or infinity, a fraction (unless `floats`),
            an integer beyond ±(2^63 - 1), a lone surrogate, or nested deeper than 64.
    """
    if len(raw) > limit:
        raise CanonicalError(f"larger than {limit} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise CanonicalError(f"not UTF-8 at byte {error.start}") from None
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_finite if floats else _no_fraction,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: line {error.lineno} column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise CanonicalError(f"nested deeper than {_DEPTH_MAX}") from None
    escapes = "\\u" in text
    if escapes or text.count("{") + text.count("[") > _DEPTH_MAX:  # else nothing could be wrong
        _check(value, 0, escapes=escapes)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise CanonicalError(f"the key {json.dumps(key[:60])} occurs twice")
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    if len(digits) < _SAFE_DIGITS:
        return int(digits)
    value = int(digits) if len(digits) <= len(str(-INTEGER_MAX)) else INTEGER_MAX + 1
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise CanonicalError("an integer beyond 63 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise CanonicalError("a number too large")
    return value


def _no_fraction(digits: str) -> float:
    raise CanonicalError(f"the number {digits[:40]} is not an integer")


def _no_constant(name: str) -> float:
    raise CanonicalError(f"{name} is not JSON")


def _check(value: object, depth: int, *, escapes: bool) -> None:
    """Depth; and lone surrogates, which only an escape can bring in."""
    if depth > _DEPTH_MAX:
        raise CanonicalError(f"nested deeper than {_DEPTH_MAX}")
    if isinstance(value, dict):
        for key, item in value.items():
            if escapes:
                _text(key, "a key")
            if not isinstance(item, int) or depth == _DEPTH_MAX:
                _check(item, depth + 1, escapes=escapes)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, int) or depth == _DEPTH_MAX:
                _check(item, depth + 1, escapes=escapes)
    elif escapes and isinstance(value, str):
        _text(value, "a text")


def timestamp(ms: int) -> str:
    """A time as it is signed: UTC with `Z`, no fraction when the milliseconds are 0, else exactly three digits.

    Args:
        ms: milliseconds since the Unix epoch, from 1970 to 9999.

    Raises:
        CanonicalError: outside these years.
    """
    if not 0 <= ms < _YEAR_10000_MS:
        raise CanonicalError("a time outside the years 1970 to 9999")
    seconds, fraction = divmod(ms, 1000)
    moment = _second(seconds)
    return f"{moment}.{fraction:03d}Z" if fraction else f"{moment}Z"


@functools.lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def parse_timestamp(text: str) -> int:
    """Reads a signed time; only the form that `timestamp` writes is accepted, so that writing it again is the identity.

    Returns:
        Milliseconds since the Unix epoch.

    Raises:
        CanonicalError: any other form, or a day or hour that does not exist.
    """
    match = _SIGNED_TIME.fullmatch(text)
    if match is None or match[7] == "000":
        raise CanonicalError("not a time of the form 2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z")
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise CanonicalError(f"not a time: {error}") from None
    ms = (moment - _EPOCH) // timedelta(milliseconds=1) + int(match[7] or 0)
    if ms < 0:
        raise CanonicalError("a time outside the years 1970 to 9999")
    return ms
