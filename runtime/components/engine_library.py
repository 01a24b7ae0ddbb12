"""The engine's C functions that conversions of component values need, with addresses as plain integers.

wasmtime's own conversion reads every type anew through ctypes for each value of each call, 10 to 300 times the cost of
the value itself; ours knows the types, from the WIT. What is relied on beyond wasmtime's public API stands here: names
of C functions, and the layout of `wasmtime_component_val_t` (32 bytes: kind as u8, union at 8). `check` compares the
layout with wasmtime's declaration of it.

All memory that the engine frees is memory that the engine allocated.
"""

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ENTRY_BYTES", "KINDS", "VALUE_BYTES", "Library", "library"]

VALUE_BYTES: Final = 32
ENTRY_BYTES: Final = 48
"""A field of a record: its name in 16 bytes, and its value."""

_M_MMAP_THRESHOLD: Final = -3
_M_TRIM_THRESHOLD: Final = -1
_KEPT_BYTES: Final = 8 << 20

KINDS: Final = (
    *("BOOL", "S8", "U8", "S16", "U16", "S32", "U32", "S64", "U64", "F32", "F64", "CHAR", "STRING", "LIST"),
    *("RECORD", "TUPLE", "VARIANT", "ENUM", "OPTION", "RESULT", "FLAGS", "RESOURCE"),
)
"""The kinds of values, in the order of their numbers."""

_ADDRESS: Final = ctypes.c_size_t
_SIZE: Final = ctypes.c_size_t
_TEXT: Final = ctypes.c_char_p

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Library:
    """C functions by what they do; all but `call` are short, and keep the interpreter's lock.

    Attributes:
        new_bytes: (out, size, bytes) makes a string or name at `out`.
        new_list: (out, count) makes a list at `out`, each element `false`.
        new_tuple: (out, count) the same for a tuple.
        new_flags: (out, count) makes flags at `out`, each name empty.
        new_record: (out, count) makes a record at `out`, each name empty, each value `false`.
        copy_record: (out, record) makes a record at `out` like the one at `record`.
        new_box: (value) moves a value to the heap; returns where.
        delete: (value) frees all that a value owns.
        call: (function, context, arguments, count, results, count) calls an export; returns an error or 0.
        add_function: (instance, name, size, callback, number, finalizer) defines an import; returns an error or 0.
        add_resource: (instance, name, size, type, destructor, number, finalizer) the same for a resource.
        new_error: (text) makes an error, which ends the call that is running.
        handle_to_host: (context, handle, out) consumes a handle of a guest; returns an error or 0.
        host_to_handle: (context, host handle, out) the other way.
        new_host_handle: (owned, number, type) makes a host's handle; returns where.
        host_handle_number: (host handle).
        delete_host_handle: (host handle).
        delete_error: (error).
    """

    new_bytes: Call
    new_list: Call
    new_tuple: Call
    new_flags: Call
    new_record: Call
    copy_record: Call
    new_box: Call
    delete: Call
    call: Call
    add_function: Call
    add_resource: Call
    new_error: Call
    handle_to_host: Call
    host_to_handle: Call
    new_host_handle: Call
    host_handle_number: Call
    delete_host_handle: Call
    delete_error: Call


@functools.cache
def library() -> Library:
    """The functions of the engine that is installed.

    Raises:
        RuntimeError: its values are laid out in another way than ours.
    """
    from wasmtime import _bindings, _ffi

    _check(_bindings, _ffi)
    _keep_freed_memory()
    # CDLL lets other threads run meanwhile, which costs more than these functions do; only a call into a guest is long.
    short, long = ctypes.PyDLL(_ffi.dll._name), ctypes.CDLL(_ffi.dll._name)  # noqa: SLF001 - the file's path

    def of(dll: ctypes.CDLL, name: str, result: type | None, *arguments: type) -> Call:
        function: Call = getattr(dll, name)  # this object is ours alone: wasmtime loaded the library for itself
        function.restype, function.argtypes = result, arguments  # type: ignore[attr-defined]
        return function

    a, n = _ADDRESS, _SIZE
    part = "wasmtime_component_"
    return Library(
        new_bytes=of(short, "wasm_byte_vec_new", None, a, n, _TEXT),
        new_list=of(short, f"{part}vallist_new_uninit", None, a, n),
        new_tuple=of(short, f"{part}valtuple_new_uninit", None, a, n),
        new_flags=of(short, f"{part}valflags_new_uninit", None, a, n),
        new_record=of(short, f"{part}valrecord_new_uninit", None, a, n),
        copy_record=of(short, f"{part}valrecord_copy", None, a, a),
        new_box=of(short, f"{part}val_new", a, a),
        delete=of(short, f"{part}val_delete", None, a),
        call=of(long, f"{part}func_call", a, a, a, a, n, a, n),
        add_function=of(short, f"{part}linker_instance_add_func", a, a, _TEXT, n, a, a, a),
        add_resource=of(short, f"{part}linker_instance_add_resource", a, a, _TEXT, n, a, a, a, a),
        new_error=of(short, "wasmtime_error_new", a, _TEXT),
        handle_to_host=of(short, f"{part}resource_any_to_host", a, a, a, a),
        host_to_handle=of(short, f"{part}resource_host_to_any", a, a, a, a),
        new_host_handle=of(short, f"{part}resource_host_new", a, ctypes.c_bool, ctypes.c_uint32, ctypes.c_uint32),
        host_handle_number=of(short, f"{part}resource_host_rep", ctypes.c_uint32, a),
        delete_host_handle=of(short, f"{part}resource_host_delete", None, a),
        delete_error=of(short, "wasmtime_error_delete", None, a),
    )


def _keep_freed_memory() -> None:
    """Has the heap keep what a list of 64 KiB needs meanwhile, 5 MiB.

    Otherwise each such call gets it from the kernel anew, page by page, which takes as long as all the rest of it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return  # not glibc
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT_BYTES)


def _check(bindings: Any, ffi: Any) -> None:  # noqa: ANN401 - modules
    value, entry = bindings.wasmtime_component_val_t, bindings.wasmtime_component_valrecord_entry_t
    union, name = bindings.wasmtime_component_valunion_t, bindings.wasm_byte_vec_t
    result, variant = bindings.wasmtime_component_valresult_t, bindings.wasmtime_component_valvariant_t
    kinds = [getattr(ffi, f"WASMTIME_COMPONENT_{kind}").value for kind in KINDS]
    found = (
        (ctypes.sizeof(value), value.kind.offset, value.of.offset, ctypes.sizeof(union)),
        (ctypes.sizeof(entry), entry.name.offset, entry.val.offset),
        (name.size.offset, name.data.offset),
        (result.is_ok.offset, result.val.offset, variant.val.offset),
        kinds,
    )
    expected = ((VALUE_BYTES, 0, 8, 24), (ENTRY_BYTES, 0, 16), (0, 8), (0, 8, 16), list(range(len(KINDS))))
    if found != expected:
        raise RuntimeError(f"wasmtime lays out the values of components as {found}, not as {expected}")
