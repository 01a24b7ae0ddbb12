"""Names of functions from a debug build, for the words of traps. Format: WebAssembly 2.0, appendix, name section.

A debug build consists of the shipped module and custom sections behind it, so indices of functions are the same in
both: the shipped bytes run, the names only explain.
"""

from collections.abc import Iterator
from typing import Final

from runtime.errors import RefusedError
from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.sections import split_sections
from runtime.sanitise import clean

__all__ = ["function_names", "stack_text"]

_LIMIT: Final = 64 * 1024 * 1024
_FUNCTIONS: Final = 1
_NAME_CHARACTERS: Final = 80
_SHOWN: Final = 5


class _CutError(Exception):
    """The section ends early."""


def function_names(symbols: bytes, shipped: bytes) -> dict[int, str]:
    """Reads the names of functions.

    Args:
        symbols: the debug build.
        shipped: the module that is run.

    Returns:
        Harmless names by index of function; empty when the file has none.

    Raises:
        RefusedError: another module's symbols, or a damaged file.
    """
    if len(symbols) > _LIMIT or not symbols.startswith(shipped):
        raise RefusedError("the symbols are not those of the module", hint="it has to begin with the module's bytes")
    try:
        for number, _, start, end in split_sections(symbols):
            if number == 0:
                section = symbols[start:end]
                name, at = _text(section, 0)
                if name == b"name":
                    return dict(_functions(section, at))
    except (ModuleRefusedError, _CutError):
        raise RefusedError("the symbols are damaged") from None
    return {}


def stack_text(names: dict[int, str], functions: tuple[int, ...]) -> str:
    """The innermost functions of a stack.

    Args:
        names: by index.
        functions: indices, innermost first.

    Returns:
        As `deep < middle < on_tick`; a function without a name is its number. Empty without names or functions.
    """
    if not names or not functions:
        return ""
    shown = [names.get(index, f"function {index}") for index in functions[:_SHOWN]]
    return " < ".join(shown) + (" < …" if len(functions) > _SHOWN else "")


def _functions(section: bytes, at: int) -> Iterator[tuple[int, str]]:
    while at < len(section):
        kind = section[at]
        size, at = _u32(section, at + 1)
        if kind == _FUNCTIONS:
            count, place = _u32(section, at)
            for _ in range(count):
                index, place = _u32(section, place)
                name, place = _text(section, place)
                yield index, clean(name.decode(errors="replace"), _NAME_CHARACTERS)
        at += size


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = _u32(data, at)
    if at + length > len(data):
        raise _CutError
    return data[at : at + length], at + length


def _u32(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + 5, len(data))):
        value |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, place + 1
        shift += 7
    raise _CutError
