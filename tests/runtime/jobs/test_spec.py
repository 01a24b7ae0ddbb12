"""Requests: what a guest cannot be given is refused when one is made."""

import pytest

from runtime.errors import UsageError
from runtime.jobs.spec import DirGrant, JobRequest


@pytest.mark.parametrize(
    "bad",
    [
        {"args": ("a\0b",)},
        {"args": ("\udcff",)},
        {"args": ("\u2028",)},
        {"env": ("=x",)},
        {"env": ("novalue",)},
        {"env": ("A=\0",)},
        {"dirs": (DirGrant("/a"), DirGrant("/a", True))},
        {"dirs": tuple(DirGrant(f"/{n}") for n in range(17))},
    ],
)
def test_text_that_a_guest_cannot_get_is_a_usage_error(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        JobRequest(name="x", **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", "in", "/a/../b", "/a:b", "/\x1b[2J", "/\0", "/\udcff"])
def test_guest_paths_are_absolute_and_plain(path: str) -> None:
    with pytest.raises(UsageError):
        DirGrant(path)


def test_a_name_with_escapes_is_harmless_in_argv() -> None:
    assert JobRequest(name="\x1b[2Jx\udcff").argv == ("\\x1b[2Jx\\udcff",)
    assert JobRequest(name="").argv == ("job",)
