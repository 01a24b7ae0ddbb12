"""Which server is asked next."""

from boot.fetch.pace import Patience
from boot.fetch.providers import Choice, Providers

PATIENCE = Patience(rounds=3, back_off_s=2.0, back_off_most_s=5.0)


def test_servers_are_asked_in_their_order_each_once() -> None:
    servers = Providers(["a", "b", "a"], PATIENCE)
    assert servers.choose(0.0) == Choice("a", 0.0)
    servers.failed("a", 0.0)
    assert servers.choose(0.0) == Choice("b", 0.0)


def test_one_that_failed_is_asked_later_and_later_and_then_no_more() -> None:
    servers = Providers(["a"], PATIENCE)
    waits = []
    while (choice := servers.choose(10.0)) is not None:
        waits.append(choice.wait_s)
        servers.failed("a", 10.0)
    assert waits == [0.0, 2.0, 4.0]


def test_no_wait_is_longer_than_the_longest() -> None:
    assert PATIENCE.pause_s(1000) == 5.0


def test_one_that_lied_is_never_asked_again() -> None:
    servers = Providers(["a", "b"], PATIENCE)
    servers.lied("a")
    servers.failed("b", 0.0)
    assert servers.choose(1.0) == Choice("b", 1.0)
    servers.lied("b")
    assert servers.choose(99.0) is None
