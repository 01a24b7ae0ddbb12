"""Summaries as they travel."""

from typing import Any

import pytest

from runtime.errors import RefusedError
from runtime.rooms.summary import AuthorSummary, Extent, digest_of, parse_summary, summary_to_json


def test_a_summary_travels() -> None:
    summary = {
        "B" * 43: AuthorSummary({2: Extent(5, "", digest_of(["ab"])), 0: Extent(7, "cd" * 16, "")}, fork=9),
        "A" * 43: AuthorSummary(),
    }
    document = summary_to_json(summary)
    assert list(document) == ["A" * 43, "B" * 43]
    assert document["B" * 43]["blocks"][0] == [0, 7, "cd" * 16, ""]  # type: ignore[index, call-overload]
    assert parse_summary(document) == summary


def test_digests_stand_for_entries_in_their_order() -> None:
    assert digest_of([]) == ""
    assert len({digest_of(ids) for ids in (["a" * 32, "b" * 32], ["b" * 32, "a" * 32], ["a" * 32])}) == 3


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"A": None},
        {"A": {"blocks": None, "fork": None}},
        {"A": {"blocks": [[1, 2, "x"]], "fork": None}},
        {"A": {"blocks": [[1, True, "x", ""]], "fork": None}},
        {"A": {"blocks": [[1, 2, "x" * 33, ""]], "fork": None}},
        {"A": {"blocks": [[1, 2, 3, ""]], "fork": None}},
        {"A": {"blocks": [], "fork": "1"}},
        {"A": {"blocks": [[n, 1, "", ""] for n in range(257)], "fork": None}},
        {str(n): {"blocks": [], "fork": None} for n in range(129)},
    ],
)
def test_what_is_none_is_refused(value: Any) -> None:
    with pytest.raises(RefusedError, match="summary"):
        parse_summary(value)
