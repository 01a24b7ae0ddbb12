import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UsageError
from runtime.quantities import (
    format_duration_ms,
    format_size,
    parse_count,
    parse_duration_ms,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("65536", 65_536),
        ("128MiB", 134_217_728),
        ("1GB", 1_000_000_000),
        ("1.5KiB", 1536),
        ("99TiB", 99 * 2**40),
        ("7B", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "ms"),
    [("250ms", 250), ("30s", 30_000), ("1.5h", 5_400_000), ("2d", 172_800_000), ("0s", 0), ("10m", 600_000)],
)
def test_durations(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("1_000_000", 1_000_000), ("9223372036854775807", 2**63 - 1)])
def test_counts(text: str, count: int) -> None:
    assert parse_count(text) == count


BAD = [
    "",
    "abc",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1e3",
    "0x10",
    "1.",
    ".5",
    "\uff11",
    "1;2",
    "\x1b[31m",
    "1\n",
    "9" * 400,
    "nan",
]


@pytest.mark.parametrize("text", [*BAD, "1.5", "128mib", "12XB", "1KiBB", "99999999TiB", "0.3B"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text, what="--memory")
    assert str(caught.value).startswith("--memory: `")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", [*BAD, "0", "30", "30S", "1h30m", "400d", "0.0001s", "1w"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration_ms(text)


@pytest.mark.parametrize("text", [*BAD, "1.0", "_1", "1_", "1__0", "9223372036854775808"])
def test_no_counts(text: str) -> None:
    with pytest.raises(UsageError):
        parse_count(text)


def test_bounds_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse_size("99TiB", minimum=65_536, maximum=4 * 2**30, what="--memory")
    assert str(caught.value) == "--memory: `99TiB` is too large; allowed are 64KiB to 4GiB"
    with pytest.raises(UsageError) as caught:
        parse_duration_ms("0s", minimum=1, maximum=3_600_000, what="--timeout")
    assert str(caught.value) == "--timeout: `0s` is too small; allowed are 1ms to 1h"
    with pytest.raises(UsageError, match="allowed are 1 to 64"):
        parse_count("0", minimum=1, maximum=64)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1536, "1.5KiB"), (2**20 - 1, "1MiB"), (2**53, "8192TiB")],
)
def test_sizes_shown(size: int, shown: str) -> None:
    assert format_size(size) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1540, "1.5s"),
        (59_999, "59.9s"),
        (60_000, "1m"),
        (125_400, "2m05s"),
        (12_000_000, "3h20m"),
        (349_200_000, "4d01h"),
        (86_400_000, "1d"),
    ],
)
def test_durations_shown(ms: int, shown: str) -> None:
    assert format_duration_ms(ms) == shown


@given(st.integers(0, 2**53))
def test_a_size_shown_is_read_as_about_the_same(size: int) -> None:
    assert abs(parse_size(format_size(size), maximum=2**54) - size) <= max(1, size * 0.06)


@given(st.text(max_size=12), st.sampled_from([parse_size, parse_duration_ms, parse_count]))
def test_any_text_is_read_or_refused_in_one_line(text: str, parse: Callable[..., int]) -> None:
    with contextlib.suppress(UsageError):
        assert parse(text, minimum=2) >= 2
    with pytest.raises(UsageError) as caught:
        parse(text, minimum=2, maximum=1)
    assert str(caught.value).isprintable()
