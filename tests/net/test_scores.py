"""Scores of trouble: they add up, halve every ten minutes, and ban at a hundred."""

from dataclasses import replace
from ipaddress import ip_network

from net.limits import NetLimits
from net.scores import Scores
from net.sources import Sources

LIMITS = NetLimits()
HOUR = 3600.0


def bans(scores: Scores, points: int, now: float = 0.0, *, peer: str = "", host: str = "") -> list[tuple[str, str]]:
    return [(ban.kind, ban.subject) for ban in scores.add(points, "lied", now, peer=peer, host=host)]


def test_a_hundred_points_are_a_ban_of_an_hour_of_the_peer_and_of_its_prefix() -> None:
    scores = Scores(LIMITS)
    assert bans(scores, 99, peer="p", host="203.0.113.1") == []
    assert bans(scores, 1, peer="p", host="203.0.113.1") == [("peer", "p"), ("prefix", "203.0.113.1")]
    found = scores.ban_of(0.0, peer="p")
    assert found is not None
    assert (found.reason, found.until) == ("lied", HOUR)
    assert scores.ban_of(HOUR - 1, host="203.0.113.1") is not None
    assert scores.ban_of(HOUR, peer="p", host="203.0.113.1") is None
    assert scores.ban_of(0.0, peer="q", host="203.0.113.2") is None


def test_points_halve_every_ten_minutes() -> None:
    scores = Scores(LIMITS)
    scores.add(80, "lied", 0.0, peer="p")
    assert scores.score("peer", "p", 600.0) == 40.0
    assert bans(scores, 59, 600.0, peer="p") == []
    assert scores.score("peer", "p", 600.0) == 99.0
    assert bans(scores, 1, 600.0, peer="p") == [("peer", "p")]


def test_time_that_falls_adds_nothing() -> None:
    scores = Scores(LIMITS)
    scores.add(80, "lied", 600.0, peer="p")
    assert scores.score("peer", "p", 0.0) == 80.0


def test_after_a_ban_a_peer_begins_anew() -> None:
    scores = Scores(LIMITS)
    scores.add(150, "lied", 0.0, peer="p")
    assert scores.score("peer", "p", 0.0) == 0.0


def test_nothing_is_counted_for_what_costs_nothing() -> None:
    scores = Scores(LIMITS)
    assert bans(scores, 0, peer="p", host="203.0.113.1") == []
    assert scores.score("peer", "p", 0.0) == 0.0


def test_an_operator_forgives() -> None:
    scores = Scores(LIMITS)
    scores.add(150, "lied", 0.0, peer="p")
    scores.add(50, "lied", 0.0, peer="p")
    scores.forgive("p")
    assert scores.ban_of(0.0, peer="p") is None
    assert scores.score("peer", "p", 0.0) == 0.0


def test_row_34_ipv6_is_counted_by_64_and_banned_by_48_after_four() -> None:
    scores = Scores(LIMITS)
    for part in (1, 2, 3):
        assert bans(scores, 60, host=f"2001:db8:1:{part}::1") == []
        assert bans(scores, 60, host=f"2001:db8:1:{part}::2") == [("prefix", f"2001:db8:1:{part}::/64")]
    assert scores.ban_of(0.0, host="2001:db8:1:99::1") is None
    assert bans(scores, 100, host="2001:db8:1:4::1") == [
        ("prefix", "2001:db8:1:4::/64"), ("prefix", "2001:db8:1::/48"),
    ]  # fmt: skip
    assert scores.ban_of(0.0, host="2001:db8:1:99::1") is not None
    assert scores.ban_of(0.0, host="2001:db8:2::1") is None


def test_the_loopback_is_shared_by_all_users_of_the_machine_and_never_banned() -> None:
    scores = Scores(LIMITS)
    assert bans(scores, 1000, peer="p", host="127.0.0.1") == [("peer", "p")]
    assert bans(scores, 1000, host="::1") == []
    strict = Scores(replace(LIMITS, spare_loopback=False))
    assert bans(strict, 1000, host="127.0.0.1") == [("prefix", "127.0.0.1")]


def test_a_million_peers_cost_no_more_than_a_few_thousand() -> None:
    scores = Scores(LIMITS)
    for number in range(20_000):
        scores.add(1 if number % 2 else 100, "lied", float(number), peer=str(number))
    assert len(scores._scores) <= 8192
    assert len(scores._bans) <= 8192
    assert scores.ban_of(19_999.0, peer="19998") is not None


def test_a_neighbour_is_banned_alone_and_takes_nobody_of_his_network_along() -> None:
    scores = Scores(LIMITS, Sources(LIMITS, lambda: [ip_network("2001:db8::/64")]))
    for number in range(1, 6):
        assert bans(scores, 100, host=f"2001:db8::{number}") == [("prefix", f"2001:db8::{number}")]
    assert scores.ban_of(0.0, host="2001:db8::5") is not None
    assert scores.ban_of(0.0, host="2001:db8::6") is None
    assert scores.ban_of(0.0, host="2001:db8:0:1::6") is None
