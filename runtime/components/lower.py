"""Writes values of the host where the engine reads them.

Each function writes one value at an address, where a value without heap memory (`false`) must lie. A compound value is
written from the outside in, so that what lies there is whole at any moment: when a part is refused, `discard` frees
all that was written. Numbers are compared with the range of their type, because the engine cuts them in silence.
"""

import ctypes
import functools
import struct
from collections.abc import Callable, Sequence
from ctypes import c_size_t, memmove, string_at
from typing import Final, TypeVar

from runtime.components.engine_library import ENTRY_BYTES, KINDS, VALUE_BYTES, library
from runtime.components.errors import ValueRefusedError
from runtime.components.values import Err, Names, Ok

__all__ = [
    "Lower",
    "discard",
    "lower_bool",
    "lower_bytes",
    "lower_enum",
    "lower_flags",
    "lower_list",
    "lower_none",
    "lower_option",
    "lower_own",
    "lower_record",
    "lower_result",
    "lower_s8",
    "lower_s16",
    "lower_s32",
    "lower_s64",
    "lower_some",
    "lower_string",
    "lower_tuple",
    "lower_u8",
    "lower_u16",
    "lower_u32",
    "lower_u64",
    "lower_unit",
    "lower_variant",
]

T = TypeVar("T")
E = TypeVar("E")
S = TypeVar("S", bound=str)

Lower = Callable[[int, T], None]

_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}
_BOOL, _STRING, _LIST, _RECORD = (_NUMBERS[kind] for kind in ("BOOL", "STRING", "LIST", "RECORD"))
_TUPLE, _VARIANT, _ENUM, _OPTION = (_NUMBERS[kind] for kind in ("TUPLE", "VARIANT", "ENUM", "OPTION"))
_RESULT, _FLAGS, _RESOURCE = (_NUMBERS[kind] for kind in ("RESULT", "FLAGS", "RESOURCE"))

_HEAD: Final = struct.Struct("<B7x")
_WORD: Final = struct.Struct("<B7xQ")
_SIGNED_WORD: Final = struct.Struct("<B7xq")
_ANSWER: Final = struct.Struct("<B7xB7xQ")
_KIND: Final = tuple(_HEAD.pack(kind) for kind in range(len(KINDS)))
_FALSE: Final = ctypes.create_string_buffer(VALUE_BYTES)
_FALSE_AT: Final = ctypes.addressof(_FALSE)
_WRITABLE: Final = 0x200
_U8_KIND: Final = bytes([_NUMBERS["U8"]])

_memory = ctypes.pythonapi.PyMemoryView_FromMemory
_memory.restype, _memory.argtypes = ctypes.py_object, (c_size_t, ctypes.c_ssize_t, ctypes.c_int)


def discard(at: int) -> None:
    """Frees what a value owns and leaves `false` there."""
    library().delete(at)
    memmove(at, _FALSE_AT, VALUE_BYTES)


def lower_bool(at: int, value: bool) -> None:
    """A bool."""
    memmove(at, _WORD.pack(_BOOL, 1 if value else 0), _WORD.size)


def _unsigned(name: str) -> Lower[int]:
    kind, largest = _NUMBERS[name], (1 << int(name[1:])) - 1

    def lower(at: int, value: int) -> None:
        if not 0 <= value <= largest:
            raise ValueRefusedError(f"{value} is no {name.lower()}: it is 0 to {largest}")
        memmove(at, _WORD.pack(kind, value), 16)

    return lower


def _signed(name: str) -> Lower[int]:
    kind, largest = _NUMBERS[name], (1 << (int(name[1:]) - 1)) - 1

    def lower(at: int, value: int) -> None:
        if not -largest - 1 <= value <= largest:
            raise ValueRefusedError(f"{value} is no {name.lower()}: it is {-largest - 1} to {largest}")
        memmove(at, _SIGNED_WORD.pack(kind, value), 16)

    return lower


lower_u8, lower_u16, lower_u32, lower_u64 = (_unsigned(name) for name in ("U8", "U16", "U32", "U64"))
lower_s8, lower_s16, lower_s32, lower_s64 = (_signed(name) for name in ("S8", "S16", "S32", "S64"))


def lower_string(at: int, value: str) -> None:
    """A string."""
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        raise ValueRefusedError("a text holds half a surrogate pair, which no string in WIT can") from error
    library().new_bytes(at + 8, len(data), data)
    memmove(at, _KIND[_STRING], 8)


def lower_bytes(at: int, value: bytes) -> None:
    """A list<u8>: the bytes go to every 32nd place of a list of the engine."""
    count = len(value)
    library().new_list(at + 8, count)
    memmove(at, _KIND[_LIST], 8)
    if count:
        elements = _memory(_word(at + 16), VALUE_BYTES * count, _WRITABLE)
        elements[0::VALUE_BYTES] = _U8_KIND * count
        elements[8::VALUE_BYTES] = value


def lower_list(at: int, values: Sequence[T], element: Lower[T]) -> None:
    """A list of anything else."""
    library().new_list(at + 8, len(values))
    memmove(at, _KIND[_LIST], 8)
    if values:
        data = _word(at + 16)
        for index, value in enumerate(values):
            element(data + VALUE_BYTES * index, value)


def lower_tuple(at: int, count: int) -> int:
    """A tuple of `false`; returns where its first element lies."""
    library().new_tuple(at + 8, count)
    memmove(at, _KIND[_TUPLE], 8)
    return _word(at + 16)


def lower_record(at: int, names: tuple[bytes, ...]) -> int:
    """A record of `false`; returns where its first value lies, `ENTRY_BYTES` before the next."""
    library().copy_record(at + 8, _record(names))
    memmove(at, _KIND[_RECORD], 8)
    return _word(at + 16) + 16


def lower_none(at: int) -> None:
    """An option without a value."""
    memmove(at, _WORD.pack(_OPTION, 0), 16)


def lower_some(at: int) -> int:
    """An option with a value; returns where that goes."""
    box: int = library().new_box(_FALSE_AT)
    memmove(at, _WORD.pack(_OPTION, box), 16)
    return box


def lower_option(at: int, value: T | None, some: Lower[T]) -> None:
    """An option."""
    if value is None:
        lower_none(at)
    else:
        some(lower_some(at), value)


def lower_unit(_at: int, _value: None) -> None:
    """The `_` of a result: nothing is written, because there is no payload."""


def lower_result(at: int, value: Ok[T] | Err[E], success: Lower[T], failure: Lower[E]) -> None:
    """A result."""
    if isinstance(value, Ok):
        if success is lower_unit:
            memmove(at, _ANSWER.pack(_RESULT, 1, 0), _ANSWER.size)
            return
        box: int = library().new_box(_FALSE_AT)
        memmove(at, _ANSWER.pack(_RESULT, 1, box), _ANSWER.size)
        success(box, value.value)
    else:
        box = library().new_box(_FALSE_AT)
        memmove(at, _ANSWER.pack(_RESULT, 0, box), _ANSWER.size)
        failure(box, value.error)


def lower_variant(at: int, case: bytes, *, payload: bool) -> int:
    """A variant; returns where its payload lies, 0 for a case without one."""
    library().new_bytes(at + 8, len(case), case)
    box: int = library().new_box(_FALSE_AT) if payload else 0
    memmove(at + 24, box.to_bytes(8, "little"), 8)
    memmove(at, _KIND[_VARIANT], 8)
    return box


def lower_enum(at: int, value: S, names: Names[S]) -> None:
    """An enum."""
    name = _name(value, names)
    library().new_bytes(at + 8, len(name), name)
    memmove(at, _KIND[_ENUM], 8)


def lower_flags(at: int, values: frozenset[S], names: Names[S]) -> None:
    """Flags."""
    encoded = sorted(_name(value, names) for value in values)
    library().new_flags(at + 8, len(values))
    memmove(at, _KIND[_FLAGS], 8)
    if values:
        data = _word(at + 16)
        for index, name in enumerate(encoded):
            library().new_bytes(data + 16 * index, len(name), name)


def lower_own(context: int, at: int, number: int, resource_type: int) -> None:
    """A handle for the guest, of something that the host has under a number.

    Args:
        context: the store's.
        at: where.
        number: of 32 bits.
        resource_type: the number that the resource was defined with.
    """
    if not 0 <= number < 1 << 32:
        raise ValueRefusedError(f"{number} is no number of a handle")
    engine = library()
    handle = c_size_t()
    host: int = engine.new_host_handle(True, number, resource_type)
    error = engine.host_to_handle(context, host, ctypes.addressof(handle))
    engine.delete_host_handle(host)
    if error:
        engine.delete_error(error)
        raise ValueRefusedError("the engine has no room for another handle")
    memmove(at, _WORD.pack(_RESOURCE, handle.value), 16)


def _name(value: S, names: Names[S]) -> bytes:
    name = names.by_name.get(value)
    if name is None:
        raise ValueRefusedError(f"{value!r} is none of {', '.join(names.by_name)}")
    return name


def _word(address: int) -> int:
    return int.from_bytes(string_at(address, 8), "little")


@functools.cache
def _record(names: tuple[bytes, ...]) -> int:
    """A record with these names, from which others are copied; it stays for as long as the process."""
    shape = ctypes.create_string_buffer(16)
    _SHAPES.append(shape)
    at = ctypes.addressof(shape)
    engine = library()
    engine.new_record(at, len(names))
    first = _word(at + 8)
    for index, name in enumerate(names):
        engine.new_bytes(first + ENTRY_BYTES * index, len(name), name)
    return at


_SHAPES: Final[list[object]] = []
