"""The terms of jobs: the figures that the protocol's page promises, and those of both sides that must fit together."""

from net.jobs.frames import DATA_MAX, MESSAGE_MAX, RESULT_MAX
from net.jobs.terms import RequesterTerms, WorkerTerms

KIB, MIB = 1024, 1024 * 1024
OURS, THEIRS = RequesterTerms(), WorkerTerms()


def test_sizes() -> None:
    assert (MESSAGE_MAX, RESULT_MAX, DATA_MAX) == (64 * KIB, 256 * KIB, 64 * KIB)
    assert (THEIRS.module_bytes, THEIRS.stdin_bytes) == (16 * MIB, 64 * MIB)


def test_times() -> None:
    assert (OURS.offer_s, OURS.skew_s, THEIRS.skew_s) == (60, 120, 120)
    assert (THEIRS.first_s, THEIRS.lease_s, THEIRS.unasked_s) == (10, 10, 10)
    assert (THEIRS.heartbeat_s, OURS.start_s) == (10, 10)
    assert (OURS.cancel_heard_s, OURS.cancel_s) == (1.5, 10)


def test_both_sides_fit_together() -> None:
    assert OURS.silence_s == 3 * THEIRS.heartbeat_s
    assert OURS.resume_s == THEIRS.keep_s
    assert OURS.offer_s + OURS.skew_s <= THEIRS.life_s
