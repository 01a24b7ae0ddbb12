"""Names, ids and beginnings of ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import AmbiguousError, NotFoundError
from runtime.rooms.naming import find

THINGS = [("abcd1", "one"), ("abcd2", "two"), ("abce3", "abcd"), ("x", "same"), ("y", "same")]


@pytest.mark.parametrize(("reference", "found"), [("abcd1", "abcd1"), ("abce", "abce3"), ("two", "abcd2"), ("x", "x")])
def test_what_is_unique_is_found(reference: str, found: str) -> None:
    assert find(reference, THINGS, kind="thing") == found


@pytest.mark.parametrize("reference", ["abc", "", "nothing", "abcd12"])
def test_what_fits_nothing_is_unknown(reference: str) -> None:
    with pytest.raises(NotFoundError, match="no such thing"):
        find(reference, THINGS, kind="thing")


@pytest.mark.parametrize(("reference", "all_of"), [("abcd", ["abcd1", "abcd2", "abce3"]), ("same", ["x", "y"])])
def test_what_fits_several_names_them(reference: str, all_of: list[str]) -> None:
    with pytest.raises(AmbiguousError) as error:
        find(reference, THINGS, kind="thing")
    assert all(one in error.value.why for one in all_of)


def test_a_crowd_is_counted() -> None:
    with pytest.raises(AmbiguousError, match="and 2 more"):
        find("name", [(str(n), "name") for n in range(10)], kind="thing")


@given(st.text(max_size=10), st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=5))
def test_the_answer_is_a_thing_that_fits(reference: str, things: list[tuple[str, str]]) -> None:
    try:
        found = find(reference, things, kind="thing")
    except (AmbiguousError, NotFoundError):
        return
    assert found.startswith(reference) or reference in [name for identity, name in things if identity == found]
