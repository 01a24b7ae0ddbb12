"""The filter language: every form it has, what it refuses, and that no text makes it fail otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.filter import FieldSpec, Filter, FilterError, Value, parse_filter

FIELDS = (
    FieldSpec(name="agent"),
    FieldSpec(name="state"),
    FieldSpec(name="mem", unit="bytes"),
    FieldSpec(name="p95", unit="us"),
    FieldSpec(name="wall", unit="ms"),
    FieldSpec(name="drop"),
)
CELLS = ("Balance", "tripped", "96 MiB", "1.5ms", "2.0s", "3")
VALUES: tuple[Value, ...] = ("balance", "tripped", 96 * 2**20, 1500, 2000, 3)
TEXT = "\x1f".join(CELLS).lower()


def passes(expression: str, values: tuple[Value, ...] = VALUES) -> bool:
    return parse_filter(expression, FIELDS).matches(TEXT, CELLS, values)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "   ",
        "bal",
        "BAL trip",
        "!north",
        "state:trip",
        "!state:active",
        "mem>64MiB",
        "mem>=96MiB",
        "mem<1g",
        "p95>1.4ms",
        "p95<=1500",
        "p95<1s",
        "wall>1.5s",
        "wall=2s",
        "wall=2000",
        "drop=3",
        "drop>2",
        "drop<1k",
        "state=tripped",
        "re:^bal",
        "re:tripped|active",
        "agent:re:^balance$",
        '"96 mib"',
        'mem:"96 mib"',
        "!re:north",
    ],
)
def test_what_lets_the_row_pass(expression: str) -> None:
    assert passes(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "north",
        "!bal",
        "bal north",
        "state:active",
        "mem>96MiB",
        "p95>2ms",
        "wall<1s",
        "drop>3",
        "re:^trip",
        "state=trip",
    ],
)
def test_what_hides_the_row(expression: str) -> None:
    assert not passes(expression)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("re:[", "bad regular expression"),
        ("re:(a+)+$", "repetition inside a repetition"),
        ("re:" + "a" * 201, "longer than"),
        ("re:a{99999999999}", "bad regular expression"),
        ('"open', "quote is open"),
        ("size>5", "no column `size`"),
        ("drop>many", "not a number"),
        ("drop>5ms", "not a number"),
        ("mem>5ms", "not a number"),
    ],
)
def test_what_is_refused_in_words(expression: str, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        parse_filter(expression, FIELDS)


def test_a_word_with_a_colon_that_names_no_column_is_a_word() -> None:
    row = ("sha256:ab", "x", "", "", "", "")
    found = parse_filter("sha256:ab", FIELDS)
    assert found.matches("\x1f".join(row), row, (None,) * 6)


def test_a_value_that_is_not_known_compares_with_nothing() -> None:
    unknown = ("balance", "tripped", None, None, None, None)
    assert not passes("mem>0", unknown)
    assert not passes("mem<=0", unknown)
    assert passes("!mem>0", unknown)


@given(st.text(max_size=60))
def test_any_text_gives_a_filter_or_a_filter_error(expression: str) -> None:
    try:
        found = parse_filter(expression, FIELDS)
    except FilterError:
        return
    assert isinstance(found, Filter)
    found.matches(TEXT, CELLS, VALUES)


@given(
    st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=4),
    st.from_regex(r"[a-z ]{0,30}", fullmatch=True),
)
def test_words_are_and_and_not_is_their_reverse(words: list[str], text: str) -> None:
    cells = (text, "", "", "", "", "")
    found = parse_filter(" ".join(words), FIELDS)
    assert found.matches(text, cells, VALUES) == all(word in text for word in words)
    one = parse_filter("!" + words[0], FIELDS)
    assert one.matches(text, cells, VALUES) == (words[0] not in text)
