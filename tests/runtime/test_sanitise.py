import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sanitise import clean, clean_multiline

# Every code point, lone surrogates too, with the dangerous ones often.
NASTY = st.text(
    st.characters(codec=None)
    | st.sampled_from("\x1b\x9b\x00\x7f\u202e\u2066\u200b\u200d\ufeff\U000e0041\ud800\n\r\t\u0301\ufe0f\U0001f469")
)


@given(NASTY, st.integers(1, 40))
def test_what_comes_out_is_harmless_short_and_stable(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert clean(shown, limit) == shown
    for char in shown:
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    shown.encode()


@given(NASTY, st.integers(1, 40))
def test_several_lines_are_harmless_too(text: str, limit: int) -> None:
    shown = clean_multiline(text, limit)
    assert len(shown) <= limit
    assert all(clean(line, limit) == line for line in shown.split("\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, é, 日本, 🚀", "plain text, é, 日本, 🚀"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\nc\rd\te", "a⏎b⏎c\\rd\\te"),
        ("abc\u202edef", "abc\\u202edef"),
        ("a\u200bb\u2060c\ufeffd", "a\\u200bb\\u2060c\\ufeffd"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud83d", "\\ud83d"),
        ("a\u2028b", "a\\u2028b"),
        ("e\u0301", "e\u0301"),
        ("\u0301", "\\u0301"),
        ("👩\u200d👩\u200d👧 x", "👩 x"),
        ("👩🏽\u200d🚀\ufe0f🏽!", "👩🏽!"),
        ("a\u200db", "a\\u200db"),
        ("❤\ufe0f", "❤"),
        ("1\ufe0f", "1\\ufe0f"),
        ("\u3164", "\\u3164"),
        ("", ""),
    ],
)
def test_each_kind(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_long_text_ends_in_an_ellipsis() -> None:
    assert clean("x" * 500) == "x" * 500
    assert clean("x" * 501) == "x" * 499 + "…"
    assert clean("\x00" * 10, 9) == "\\x00\\x00…"
    assert clean("x" * 100_000_000, 5) == "xxxx…"


def test_heaps_of_marks_are_cut_down() -> None:
    assert clean("z" + "\u0300" * 5) == "z" + "\u0300" * 3 + "\\u0300" * 2


def test_lines_are_kept_where_they_are_wanted() -> None:
    assert clean_multiline("a\tb\r\nc\x1b\n") == "a       b\nc\\x1b\n"
    assert clean_multiline("line\n" * 9, 7) == "line\nl…"
