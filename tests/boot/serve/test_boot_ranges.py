"""Ranges as RFC 9110 has them, for a file of 200 bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.serve.ranges import UNSATISFIABLE, Part, part_of


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("bytes=10-50", Part(10, 50)),
        ("bytes=0-0", Part(0, 0)),
        ("bytes=190-", Part(190, 199)),
        ("bytes=190-900", Part(190, 199)),
        ("bytes=-5", Part(195, 199)),
        ("bytes=-900", Part(0, 199)),
        ("Bytes = 1-2", Part(1, 2)),
        ("bytes=200-", UNSATISFIABLE),
        ("bytes=200-300", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=0-1,5-6", None),
        ("bytes=50-10", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
        ("bytes=0-9999999999999999999999", None),
        ("", None),
    ],
)
def test_a_range_is_served_clamped_refused_or_passed_over(field: str, found: object) -> None:
    assert part_of(field, 200) == found


@given(st.text(max_size=40), st.integers(1, 2**40))
def test_a_part_is_always_inside_the_file(field: str, size: int) -> None:
    for text in (field, f"bytes={field}"):
        part = part_of(text, size)
        assert not isinstance(part, Part) or 0 <= part.first <= part.last < size
