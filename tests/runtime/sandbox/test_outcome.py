import pytest

from runtime.sandbox.outcome import Outcome, likely_cause, near_memory_limit

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("trap", trap="UNREACHABLE"), "abort"),
        (Outcome("trap", trap="MEMORY_OUT_OF_BOUNDS"), "bad pointer"),
        (Outcome("trap", trap="INTEGER_DIVISION_BY_ZERO"), "division by zero"),
        (Outcome("trap", trap="SOMETHING_NEW"), "fault in the guest"),
        (Outcome("stack", trap="STACK_OVERFLOW"), "recursion"),
        (Outcome("deadline", trap="INTERRUPT"), "deadline"),
        (Outcome("fuel", trap="OUT_OF_FUEL"), "fuel budget"),
        (Outcome("memory", trap="UNREACHABLE"), "memory limit"),
        (Outcome("host"), "host"),
    ],
)
def test_the_cause_is_said_in_words(outcome: Outcome, words: str) -> None:
    assert words in likely_cause(outcome)


@pytest.mark.parametrize("outcome", [Outcome("returned"), Outcome("exit", exit_code=3)])
def test_a_guest_that_ended_by_itself_has_no_cause(outcome: Outcome) -> None:
    assert likely_cause(outcome) == ""


def test_ok_is_a_return_or_exit_zero() -> None:
    assert Outcome("returned").ok
    assert Outcome("exit", exit_code=0).ok
    assert not Outcome("exit", exit_code=1).ok
    assert not Outcome("exit", exit_code=None).ok
    assert not Outcome("trap").ok


@pytest.mark.parametrize(
    ("initial", "peak", "limit", "near"),
    [
        (MIB, 64 * MIB, 64 * MIB, True),
        (MIB, 60 * MIB, 64 * MIB, True),  # within 4 MiB
        (MIB, 60 * MIB - 1, 64 * MIB, False),
        (MIB, 240 * MIB, 256 * MIB, True),  # within a sixteenth
        (MIB, 240 * MIB - 1, 256 * MIB, False),
        (MIB, 6 * MIB, 8 * MIB, True),  # but at most a quarter
        (MIB, 6 * MIB - 1, 8 * MIB, False),
        (8 * MIB, 8 * MIB, 8 * MIB, False),  # it never grew
    ],
)
def test_near_the_memory_limit(initial: int, peak: int, limit: int, near: bool) -> None:
    assert near_memory_limit(initial=initial, peak=peak, limit=limit) is near
