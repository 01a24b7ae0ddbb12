"""Nonces: one belongs to one job of one signer, for as long as its offer could be taken."""

from net.jobs.replay import Nonces


def test_the_same_offer_again_is_no_replay_but_another_job_is() -> None:
    nonces = Nonces(kept_s=10)
    assert nonces.take("me", "n", "job", 0)
    assert nonces.take("me", "n", "job", 5)
    assert not nonces.take("me", "n", "other", 9.9)


def test_it_is_forgotten_when_no_offer_of_it_can_live() -> None:
    nonces = Nonces(kept_s=10)
    nonces.take("me", "n", "job", 0)
    assert nonces.take("me", "n", "other", 10)


def test_nobody_uses_up_the_nonces_of_another() -> None:
    nonces = Nonces(kept_s=10)
    nonces.take("me", "n", "job", 0)
    assert nonces.take("you", "n", "other", 0)


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    nonces = Nonces(kept_s=10, most=2)
    for number in range(3):
        nonces.take("me", f"n{number}", "job", 0)
    assert not nonces.take("me", "n1", "other", 0)
    assert nonces.take("me", "n0", "other", 0)
