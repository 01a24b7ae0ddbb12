from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from runtime.canonical import Json
from runtime.shapes import ShapeError, from_wire, read_fields, to_wire


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    colour: Colour
    ratio: float
    inner: Inner | None
    many: tuple[Inner, ...] = ()
    names: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    free: Json = None
    quoted: "str | None" = None
    hidden: int = field(default=0, metadata={"wire": False})


FULL = Outer(
    colour=Colour.BLUE,
    ratio=1.5,
    inner=Inner(1),
    many=(Inner(2), Inner(3)),
    names={"a": (1, 2)},
    free={"x": [1, None]},
    quoted="q",
    hidden=9,
)
WIRE: dict[str, Any] = {
    "colour": "blue",
    "ratio": 1.5,
    "inner": {"n": 1},
    "many": [{"n": 2}, {"n": 3}],
    "names": {"a": [1, 2]},
    "free": {"x": [1, None]},
    "quoted": "q",
}


def test_both_ways() -> None:
    assert to_wire(FULL) == WIRE
    assert to_wire(from_wire(Outer, WIRE)) == WIRE
    assert from_wire(Outer, {"colour": "red", "ratio": 1, "inner": None}) == Outer(
        colour=Colour.RED, ratio=1, inner=None
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"colour": "green"}, "$.colour: one of red, blue is wanted"),
        ({"colour": 1}, "$.colour: one of red, blue is wanted"),
        ({"ratio": "1"}, "$.ratio: a number is wanted, not text"),
        ({"ratio": True}, "$.ratio: a number is wanted, not a boolean"),
        ({"inner": {"n": 1.5}}, "$.inner.n: an integer is wanted, not a fraction"),
        ({"inner": []}, "$.inner: another shape or null is wanted, not a list"),
        ({"inner": {"n": 1, "m": 2}}, "$.inner.m: is not known"),
        ({"many": [{"n": 1}, {}]}, "$.many[1].n: is missing"),
        ({"many": {}}, "$.many: a list is wanted, not an object"),
        ({"names": []}, "$.names: an object is wanted, not a list"),
        ({"names": {"\x1b": [None]}}, "$.names.\\x1b[0]: an integer is wanted, not null"),
        ({"quoted": 1}, "$.quoted: text or null is wanted, not an integer"),
        ({"hidden": 1}, "$.hidden: is not known"),
    ],
)
def test_another_shape_is_refused_by_place(change: dict[str, Any], line: str) -> None:
    with pytest.raises(ShapeError) as caught:
        from_wire(Outer, WIRE | change)
    assert str(caught.value) == line


def test_readers_may_pass_over_what_they_do_not_know() -> None:
    assert read_fields(Inner, {"n": 1, "later": 2}, "$") == Inner(1)


@pytest.mark.parametrize("annotation", [bytes, set[int], tuple[int, str], Mapping[int, str]])
def test_a_field_without_a_wire_form_is_a_mistake_in_the_program(annotation: Any) -> None:
    cls = dataclass(type("Odd", (), {"__annotations__": {"x": annotation}}))
    with pytest.raises(TypeError, match="no wire form"):
        from_wire(cls, {"x": 1})
