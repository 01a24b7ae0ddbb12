"""Faults as events: the first at once, the others with a count."""

from net.errors import PeerFaultError
from net.fault_log import FaultLog
from net.host_events import HostEvent, PeerFault
from net.limits import NetLimits
from net.sources import Sources

SOURCES = Sources(NetLimits())


def logged(faults: list[tuple[float, str, str, str]]) -> list[tuple[str, str, int]]:
    """What is told of faults, each a time, a peer, a host and a rule: peer or remote, rule and count."""
    events: list[HostEvent] = []
    log = FaultLog(events.append, SOURCES)
    for now, peer, host, rule in faults:
        fault = PeerFaultError("did it", rule=rule, score=1)
        log.add(fault, peer=peer, remote=f"/ip4/{host}/tcp/1", host=host, now=now)
    told = [event for event in events if isinstance(event, PeerFault)]
    assert len(told) == len(events)
    return [(event.peer or event.remote, event.rule, event.count) for event in told]


def test_the_same_peer_and_rule_once_in_ten_seconds() -> None:
    faults = [(0.0, "p", "h", "a"), (1.0, "p", "h", "a"), (9.9, "p", "other", "a"), (10.0, "p", "h", "a")]
    assert logged(faults) == [("p", "a", 1), ("p", "a", 3)]


def test_other_peers_and_other_rules_are_told_of_for_themselves() -> None:
    assert logged([(0.0, "p", "h", "a"), (0.0, "q", "h", "a"), (0.0, "p", "h", "b")]) == [
        ("p", "a", 1), ("q", "a", 1), ("p", "b", 1),
    ]  # fmt: skip


def test_who_has_proven_no_key_is_known_by_prefix() -> None:
    faults = [(0.0, "", "203.0.113.1", "a"), (1.0, "", "203.0.113.1", "a"), (1.0, "", "203.0.113.2", "a")]
    assert logged(faults) == [("/ip4/203.0.113.1/tcp/1", "a", 1), ("/ip4/203.0.113.2/tcp/1", "a", 1)]


def test_what_a_peer_made_us_say_is_harmless() -> None:
    events: list[HostEvent] = []
    fault = PeerFaultError("said \x1b[2J", rule="a", score=1)
    FaultLog(events.append, SOURCES).add(fault, peer="p", remote="r", host="h", now=0.0)
    assert events == [PeerFault(peer="p", remote="r", rule="a", reason="said \\x1b[2J", score=1, count=1)]


def test_a_million_strangers_cost_no_more_than_a_thousand() -> None:
    log = FaultLog(lambda _: None, SOURCES)
    for number in range(3000):
        fault = PeerFaultError("did it", rule="a", score=1)
        log.add(fault, peer=str(number), remote="r", host="h", now=0.0)
    assert len(log._told) == 1024
