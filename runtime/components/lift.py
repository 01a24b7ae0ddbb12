"""Reads component values that the engine hands to the host.

A value is 32 bytes of the engine's memory, read at once into four numbers; lifting follows its pointers and copies what
they point to. Each value's kind is compared with the one that our WIT gives it, so a guest that was built with another
WIT cannot make us follow a number as a pointer.
"""

import struct
from collections.abc import Callable, Mapping
from ctypes import addressof, c_size_t, string_at
from typing import Final, TypeVar

from runtime.components.engine_library import ENTRY_BYTES, KINDS, VALUE_BYTES, library
from runtime.components.errors import MismatchError
from runtime.components.values import Err, Names, Ok

__all__ = [
    "Value",
    "lift_bool",
    "lift_bytes",
    "lift_enum",
    "lift_flags",
    "lift_handle",
    "lift_list",
    "lift_option",
    "lift_record",
    "lift_result",
    "lift_s8",
    "lift_s16",
    "lift_s32",
    "lift_s64",
    "lift_string",
    "lift_tuple",
    "lift_u8",
    "lift_u16",
    "lift_u32",
    "lift_u64",
    "lift_unit",
    "lift_variant",
    "value_at",
    "values_at",
]

T = TypeVar("T")
E = TypeVar("E")
S = TypeVar("S", bound=str)

Value = tuple[int, int, int, int]
"""Kind, and the three words of the union."""

_VALUE: Final = struct.Struct("<B7xQQQ")
_ENTRY: Final = struct.Struct("<16xB7xQQQ")
_NAME: Final = struct.Struct("<QQ")

_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}
_BOOL, _STRING, _LIST, _RECORD = (_NUMBERS[kind] for kind in ("BOOL", "STRING", "LIST", "RECORD"))
_TUPLE, _VARIANT, _ENUM, _OPTION = (_NUMBERS[kind] for kind in ("TUPLE", "VARIANT", "ENUM", "OPTION"))
_RESULT, _FLAGS, _RESOURCE = (_NUMBERS[kind] for kind in ("RESULT", "FLAGS", "RESOURCE"))
_U8: Final = _NUMBERS["U8"]


def value_at(address: int) -> Value:
    """The value at an address."""
    kind, first, second, third = _VALUE.unpack(string_at(address, VALUE_BYTES))
    return kind, first, second, third


def values_at(address: int, count: int) -> list[Value]:
    """As many values that lie one after the other."""
    return list(_VALUE.iter_unpack(string_at(address, VALUE_BYTES * count))) if count else []


def _mismatch(value: Value, wanted: int) -> MismatchError:
    found = KINDS[value[0]] if value[0] < len(KINDS) else str(value[0])
    return MismatchError(f"the component gave a value of the kind {found.lower()}, not {KINDS[wanted].lower()}")


def lift_bool(value: Value) -> bool:
    """A bool."""
    if value[0] != _BOOL:
        raise _mismatch(value, _BOOL)
    return value[1] & 0xFF != 0


def _unsigned(name: str) -> Callable[[Value], int]:
    kind, mask = _NUMBERS[name], (1 << int(name[1:])) - 1

    def lift(value: Value) -> int:
        if value[0] != kind:
            raise _mismatch(value, kind)
        return value[1] & mask

    return lift


def _signed(name: str) -> Callable[[Value], int]:
    kind, bits = _NUMBERS[name], int(name[1:])
    mask, sign = (1 << bits) - 1, 1 << (bits - 1)

    def lift(value: Value) -> int:
        if value[0] != kind:
            raise _mismatch(value, kind)
        return ((value[1] & mask) ^ sign) - sign

    return lift


lift_u8, lift_u16, lift_u32, lift_u64 = (_unsigned(name) for name in ("U8", "U16", "U32", "U64"))
lift_s8, lift_s16, lift_s32, lift_s64 = (_signed(name) for name in ("S8", "S16", "S32", "S64"))


def lift_string(value: Value) -> str:
    """A string; the engine has checked that it is UTF-8."""
    if value[0] != _STRING:
        raise _mismatch(value, _STRING)
    return string_at(value[2], value[1]).decode() if value[1] else ""


def lift_bytes(value: Value) -> bytes:
    """A list<u8>: every 32nd byte of what the engine makes of it."""
    if value[0] != _LIST:
        raise _mismatch(value, _LIST)
    count, data = value[1], value[2]
    if not count:
        return b""
    if (first := value_at(data))[0] != _U8:  # the elements of a list are of one kind
        raise _mismatch(first, _U8)
    return string_at(data, VALUE_BYTES * count)[8::VALUE_BYTES]


def lift_list(value: Value, element: Callable[[Value], T]) -> tuple[T, ...]:
    """A list of anything else."""
    if value[0] != _LIST:
        raise _mismatch(value, _LIST)
    return tuple([element(item) for item in values_at(value[2], value[1])])


def lift_tuple(value: Value, count: int) -> list[Value]:
    """The elements of a tuple."""
    if value[0] != _TUPLE:
        raise _mismatch(value, _TUPLE)
    if value[1] != count:
        raise MismatchError(f"the component gave a tuple of {value[1]} elements, not {count}")
    return values_at(value[2], count)


def lift_record(value: Value, count: int) -> list[Value]:
    """The fields of a record, in the order of the WIT."""
    if value[0] != _RECORD:
        raise _mismatch(value, _RECORD)
    if value[1] != count:
        raise MismatchError(f"the component gave a record of {value[1]} fields, not {count}")
    return list(_ENTRY.iter_unpack(string_at(value[2], ENTRY_BYTES * count)))


def lift_option(value: Value, some: Callable[[Value], T]) -> T | None:
    """An option."""
    if value[0] != _OPTION:
        raise _mismatch(value, _OPTION)
    return some(value_at(value[1])) if value[1] else None


def lift_unit(_value: Value) -> None:
    """The `_` of a result."""


def lift_result(value: Value, success: Callable[[Value], T], failure: Callable[[Value], E]) -> Ok[T] | Err[E]:
    """A result."""
    if value[0] != _RESULT:
        raise _mismatch(value, _RESULT)
    payload = value_at(value[2]) if value[2] else (_BOOL, 0, 0, 0)
    return Ok(success(payload)) if value[1] & 0xFF else Err(failure(payload))


def lift_variant(value: Value, cases: Mapping[bytes, Callable[[Value], T]]) -> T:
    """A variant."""
    if value[0] != _VARIANT:
        raise _mismatch(value, _VARIANT)
    case = cases.get(name := string_at(value[2], value[1]))
    if case is None:
        raise MismatchError(f"the component gave a case {name!r}, which our WIT does not know")
    return case(value_at(value[3]) if value[3] else (_BOOL, 0, 0, 0))


def lift_enum(value: Value, names: Names[S]) -> S:
    """An enum."""
    if value[0] != _ENUM:
        raise _mismatch(value, _ENUM)
    return _known(string_at(value[2], value[1]), names)


def lift_flags(value: Value, names: Names[S]) -> frozenset[S]:
    """Flags."""
    if value[0] != _FLAGS:
        raise _mismatch(value, _FLAGS)
    if not value[1]:
        return frozenset()
    found = _NAME.iter_unpack(string_at(value[2], _NAME.size * value[1]))
    return frozenset(_known(string_at(data, size), names) for size, data in found)


def _known(name: bytes, names: Names[S]) -> S:
    known = names.by_bytes.get(name)
    if known is None:
        raise MismatchError(f"the component gave {name!r}, which our WIT does not know")
    return known


def lift_handle(context: int, value: Value) -> int:
    """The host's number of a handle, which is consumed: otherwise the call would fail when it returns.

    Args:
        context: the store's.
        value: an own or a borrow.
    """
    if value[0] != _RESOURCE:
        raise _mismatch(value, _RESOURCE)
    engine = library()
    handle = c_size_t()
    if error := engine.handle_to_host(context, value[1], addressof(handle)):
        engine.delete_error(error)
        raise MismatchError("the component gave a handle that is not of this host")
    number: int = engine.host_handle_number(handle.value)
    engine.delete_host_handle(handle.value)
    return number
