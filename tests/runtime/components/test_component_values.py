"""Values of every type of the WIT come through a real component as they went in, and no number is cut on the way."""

import ctypes
import importlib
from typing import get_args

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.components import lift, lower
from runtime.components.bindings import core_types
from runtime.components.engine_library import VALUE_BYTES
from runtime.components.errors import MismatchError, ValueRefusedError
from runtime.components.values import Names
from runtime.components.wit import Alias, Named, TupleOf
from tests.runtime.components.echo import Frame, Mirror, echo, named_types, strategy, wit
from tools import wit_writer

QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def exports() -> dict[str, object]:
    return echo().linked(Mirror(), Frame(), wasmtime.Store())


@pytest.mark.parametrize("kind", named_types(), ids=lambda kind: f"{kind.package[6:]}/{kind.name}")
@QUICK
@given(data=st.data())
def test_a_value_of_any_type_comes_back_through_a_real_component(
    exports: dict[str, object], kind: Named, data: st.DataObject
) -> None:
    value = data.draw(strategy(kind))
    back = echo().call(exports, kind, value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("kind", named_types(), ids=lambda kind: f"{kind.package[6:]}/{kind.name}")
@QUICK
@given(data=st.data())
def test_what_is_written_for_the_engine_is_read_back_the_same(kind: Named, data: st.DataObject) -> None:
    shape = wit().definition(kind).shape
    if isinstance(shape, Alias) and not isinstance(wit().resolved(kind), TupleOf):
        return  # has no conversion of its own
    module = importlib.import_module(
        f"runtime.components.bindings.{wit_writer.module_of(kind.package, kind.interface)}"
    )
    value = data.draw(strategy(kind))
    place = ctypes.create_string_buffer(VALUE_BYTES)
    at = ctypes.addressof(place)
    getattr(module, f"lower_{wit_writer.snake(kind.name)}")(at, value)
    try:
        assert getattr(module, f"lift_{wit_writer.snake(kind.name)}")(lift.value_at(at)) == value
    finally:
        lower.discard(at)


NUMBERS = {f"{sign}{bits}": bits for sign in "us" for bits in (8, 16, 32, 64)}


@pytest.mark.parametrize("name", NUMBERS)
@given(number=st.integers(-(2**70), 2**70))
def test_a_number_is_written_whole_or_refused(name: str, number: int) -> None:
    bits = NUMBERS[name]
    low, high = (0, 2**bits - 1) if name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for value in (number, low, high, low - 1, high + 1):
        place = ctypes.create_string_buffer(VALUE_BYTES)
        at = ctypes.addressof(place)
        if low <= value <= high:
            getattr(lower, f"lower_{name}")(at, value)
            assert getattr(lift, f"lift_{name}")(lift.value_at(at)) == value
        else:
            with pytest.raises(ValueRefusedError, match=name):
                getattr(lower, f"lower_{name}")(at, value)
            assert place.raw == bytes(VALUE_BYTES)


def test_a_host_that_answers_with_a_number_out_of_range_is_a_fault_and_nothing_is_cut() -> None:
    kind = Named("orlop:core", "types", "timestamp")
    frame = Frame()

    class Wrong:
        def __getattr__(self, _name: str) -> object:
            return lambda _value: core_types.Timestamp(0, 2**32)

    exports = echo().linked(Wrong(), frame, wasmtime.Store())
    with pytest.raises(wasmtime.WasmtimeError, match="internal"):  # the WIT gives this function no error to answer with
        exports["echo-core-types"].echo_timestamp(core_types.Timestamp(1, 2))  # type: ignore[attr-defined]
    assert "4294967296 is no u32" in frame.faults[0]
    assert kind in named_types()


def test_an_argument_out_of_range_never_gets_to_the_guest(exports: dict[str, object]) -> None:
    echo_duration = exports["echo-core-types"].echo_duration_ms  # type: ignore[attr-defined]
    for number in (-1, 2**64):
        with pytest.raises(ValueRefusedError, match="is no u64"):
            echo_duration(number)
    assert echo_duration(2**64 - 1) == 2**64 - 1  # the instance lives


def test_half_a_surrogate_pair_is_refused(exports: dict[str, object]) -> None:
    with pytest.raises(ValueRefusedError, match="surrogate"):
        exports["echo-ext-filesystem-types"].echo_path("a\ud800")  # type: ignore[attr-defined]


def test_a_name_that_an_enum_does_not_have_is_refused_before_the_engine_sees_it(exports: dict[str, object]) -> None:
    with pytest.raises(ValueRefusedError, match="none of trace"):
        exports["echo-core-types"].echo_log_level("loud")  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 65536, 1 << 20])
def test_bytes_of_any_length_come_through(exports: dict[str, object], size: int) -> None:
    data = bytes(index * 7 & 255 for index in range(size))
    assert exports["echo-core-types"].echo_payload(data) == data  # type: ignore[attr-defined]


def test_a_value_that_was_refused_half_written_is_freed_whole() -> None:
    limits = core_types.ResourceLimits(1, 2, 3, None, 2**40)
    place = ctypes.create_string_buffer(VALUE_BYTES)
    at = ctypes.addressof(place)
    with pytest.raises(ValueRefusedError):
        core_types.lower_resource_limits(at, limits)
    lower.discard(at)
    assert place.raw == bytes(VALUE_BYTES)


@pytest.mark.parametrize(
    "read",
    [
        *(getattr(lift, f"lift_{name}") for name in NUMBERS),
        lift.lift_bool,
        lift.lift_string,
        lift.lift_bytes,
        lambda value: lift.lift_list(value, lift.lift_u8),
        lambda value: lift.lift_tuple(value, 2),
        lambda value: lift.lift_record(value, 2),
        lambda value: lift.lift_option(value, lift.lift_u8),
        lambda value: lift.lift_result(value, lift.lift_unit, lift.lift_unit),
        lambda value: lift.lift_variant(value, {}),
        lambda value: lift.lift_enum(value, Names.of("a")),
        lambda value: lift.lift_flags(value, Names.of("a")),
        lambda value: lift.lift_handle(0, value),
    ],
)
def test_a_value_of_another_kind_is_refused_before_it_is_followed(read: object) -> None:
    wrong = (9, 0xDEAD, 0xDEAD, 0xDEAD)  # a float, which our WIT has nowhere
    with pytest.raises(MismatchError, match="f32"):
        read(wrong)  # type: ignore[operator]


def test_every_enum_is_a_literal_of_the_names_in_the_wit() -> None:
    assert get_args(core_types.LogLevel) == ("trace", "debug", "info", "warn", "error")
