"""Why a change was not admitted, in full and for the journal."""

from runtime.rooms.reasons import Reason


def test_the_text_has_everything_and_the_journal_s_form_has_gaps() -> None:
    reason = Reason("the parent {} of {} is gone", "p1", "t1")
    assert reason == "the parent p1 of t1 is gone"
    assert reason.plain == "the parent … of … is gone"


def test_words_alone_are_the_same_in_both() -> None:
    reason = Reason("status must be one of {a, b}")
    assert reason == reason.plain == "status must be one of {a, b}"


def test_what_was_said_is_harmless_and_bounded_and_no_format() -> None:
    reason = Reason("unknown: {}", "\x1b[2J{0}" + "x" * 5000)
    assert reason.startswith("unknown: \\x1b[2J{0}xxx")
    assert reason.isprintable()
    assert len(reason) <= 200
    assert reason.plain == "unknown: …"
