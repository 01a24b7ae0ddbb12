"""Values of arguments: within the registry's bounds, the same for a face that checks and a handler that reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.registry import COMMANDS
from console.verbs.values import check_values, number, pairs
from runtime.errors import UsageError

RUN = COMMANDS["jobs run"]


def test_numbers_are_read_by_their_kind() -> None:
    args = {"memory": "1MiB", "timeout": "2s", "fuel": "1_000"}
    assert [number(RUN, args, name) for name in ("memory", "timeout", "fuel", "max_output")] == [
        1 << 20,
        2000,
        1000,
        None,
    ]
    assert number(COMMANDS["jobs list"], {}, "limit") == 1000


@pytest.mark.parametrize(
    ("name", "text"),
    [("memory", "1"), ("memory", "5GiB"), ("timeout", "0ms"), ("fuel", "0"), ("fuel", str(1 << 63)), ("fuel", "-1")],
)
def test_what_is_out_of_bounds_is_refused_with_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_values(RUN, {"module": "x", name: text})
    assert str(caught.value).startswith(f"--{name}: `{text}` is ")


def test_pairs_divide_at_the_first_sign() -> None:
    assert pairs(("A=1=2", "B="), "--env") == (("A", "1=2"), ("B", ""))


@pytest.mark.parametrize("text", ["", "A", "=1", "A=\0"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not K=V"):
        check_values(RUN, {"module": "x", "env": ["A=1", text]})


@given(st.dictionaries(st.sampled_from([arg.name for arg in RUN.args]), st.text(max_size=12)))
def test_checking_only_ever_refuses(args: dict[str, str]) -> None:
    try:
        check_values(RUN, args)
    except UsageError as error:
        assert "\x1b" not in str(error)  # noqa: PT017 - that it may be raised, not that it must
