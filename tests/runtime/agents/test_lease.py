"""Which member runs an agent: whatever the network does, one of them in the end, and no two that know of each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.keys import AgentKey
from runtime.agents.lease import MAX_TERM, RENEW_S, SETTLE_S, SILENT_S, Candidacy, Lease

KEY = AgentKey("ab" * 16, "guest")
ONE, OTHER = "11" * 32, "22" * 32
NAMES = "abcde"


def says(runner: str, term: int, module_hash: str = ONE) -> Lease:
    return Lease(room=KEY.room, agent=KEY.agent, hash=module_hash, runner=runner, term=term)


def candidate(me: str, others: str, now: float = 0.0, *, running: bool = False, module_hash: str = ONE) -> Candidacy:
    return Candidacy(KEY, me, module_hash, others, now, running=running)


# --- one member -----------------------------------------------------------------------------------------------------


def test_who_ran_it_before_others_came_goes_on_and_says_so() -> None:
    a = candidate("a", "b", running=True)
    assert a.tick(0.0) == [says("a", 1)]
    assert a.mine


def test_a_new_candidate_listens_before_it_takes_over() -> None:
    b = candidate("b", "a")
    assert b.tick(0.0) == [says("b", 0)]
    assert b.next_due(0.0) == RENEW_S
    b.tick(SETTLE_S - 0.1)
    assert not b.mine
    assert b.tick(SETTLE_S) == [says("b", 1)]
    assert b.mine


def test_a_new_candidate_that_hears_a_renewal_stands_by() -> None:
    b = candidate("b", "a")
    b.hear(says("a", 4), RENEW_S)
    b.tick(SETTLE_S)
    assert (b.holder, b.term, b.mine) == ("a", 4, False)


def test_a_lease_is_renewed_every_ten_seconds() -> None:
    a = candidate("a", "b", running=True)
    sent = [at for at in range(61) if a.tick(float(at))]
    assert sent == [0, 10, 20, 30, 40, 50, 60]


def test_a_holder_with_nobody_there_is_not_asked_at_once_again_and_again() -> None:
    one = candidate("a", "b", running=True)
    one.attend("", 1.0)
    for now in (1.0, 100.0, 1000.0):
        assert one.tick(now) == []
        assert one.next_due(now) > now
    one.attend("b", 1001.0)
    assert one.next_due(1001.0) <= 1001.0 + RENEW_S


def test_the_holder_answers_a_candidate_that_it_did_not_know() -> None:
    a = candidate("a", "bc", running=True)
    a.tick(0.0)
    assert a.hear(says("b", 0), 4.0) == [says("a", 1)]
    assert a.hear(says("b", 0), 5.0) == []
    assert a.hear(says("c", 0), 4.5) == []
    assert a.next_due(4.5) == 5.0


def test_a_higher_term_wins_and_the_loser_yields_at_once() -> None:
    a = candidate("a", "b", running=True)
    a.hear(says("b", 2), 5.0)
    assert (a.holder, a.mine) == ("b", False)


def test_of_equal_terms_the_lower_key_wins() -> None:
    a, b = candidate("a", "b", running=True), candidate("b", "a", running=True)
    a.hear(says("b", 1), 5.0)
    b.hear(says("a", 1), 5.0)
    assert (a.mine, b.mine) == (True, False)


def test_a_silent_holder_is_followed_after_half_a_minute_by_one_term_more() -> None:
    b = candidate("b", "a")
    b.hear(says("a", 7), 20.0)
    b.tick(20.0 + SILENT_S - 0.1)
    assert not b.mine
    assert b.next_due(49.0) <= 20.0 + SILENT_S
    assert says("b", 8) in b.tick(20.0 + SILENT_S)


def test_a_holder_that_leaves_is_followed_at_once_by_the_lowest_key() -> None:
    b, c = candidate("b", "ac"), candidate("c", "ab")
    for one, other in ((b, "c"), (c, "b")):
        one.hear(says("a", 3), 13.0)
        one.hear(says(other, 0), 13.0)
    assert says("b", 4) in b.attend("c", 14.0)
    c.attend("b", 14.0)
    assert (b.mine, c.mine) == (True, False)


def test_who_has_the_holders_module_comes_before_a_lower_key_with_another() -> None:
    b, c = candidate("b", "ac", module_hash=OTHER), candidate("c", "ab")
    for one, other in ((b, says("c", 0)), (c, says("b", 0, OTHER))):
        one.hear(says("a", 3), 13.0)
        one.hear(other, 13.0)
    b.attend("c", 14.0)
    c.attend("b", 14.0)
    assert (b.mine, c.mine) == (False, True)


def test_a_candidate_whose_turn_passes_unused_is_passed_over() -> None:
    c = candidate("c", "ab")
    c.hear(says("a", 3), 13.0)
    c.hear(says("b", 0), 13.0)
    c.attend("b", 14.0)
    c.tick(18.9)
    assert not c.mine
    c.tick(19.0)
    assert c.mine


def test_who_gives_the_lease_back_is_followed_at_once() -> None:
    a, b = candidate("a", "b", running=True), candidate("b", "a")
    b.hear(says("a", 1), 13.0)
    (goodbye,) = a.withdraw()
    assert says("b", 2) in b.hear(goodbye, 14.0)


def test_a_holder_that_was_started_anew_is_followed() -> None:
    b = candidate("b", "a")
    b.hear(says("a", 5), 13.0)
    b.hear(says("a", 0), 14.0)
    assert b.holder == ""
    b.tick(19.0)
    assert (b.mine, b.term) == (True, 6)


def test_nobody_speaks_for_somebody_who_is_not_there_or_for_this_member() -> None:
    a = candidate("a", "b", running=True)
    a.hear(says("z", 9), 1.0)
    a.hear(says("a", 9), 1.0)
    assert (a.mine, a.term) == (True, 1)


def test_a_term_beyond_all_bounds_says_nothing_and_the_highest_can_be_followed() -> None:
    b = candidate("b", "ac")
    b.hear(says("a", MAX_TERM + 1), 13.0)
    b.hear(says("c", -1), 13.0)
    assert b.holder != "a"
    b = candidate("b", "a")
    b.hear(says("a", MAX_TERM), 13.0)
    b.attend("", 14.0)
    assert (b.mine, b.term) == (True, MAX_TERM)


# --- many members ---------------------------------------------------------------------------------------------------


@dataclass
class Network:
    """Up to five members and what lies between them; each is a `Candidacy` while the agent is active there."""

    chance: Random
    count: int
    now: float = 0.0
    nodes: dict[str, Candidacy] = field(default_factory=dict)
    there: dict[str, set[str]] = field(default_factory=dict)
    """By member, the others that it sees."""
    wire: list[tuple[float, str, Lease]] = field(default_factory=list)
    heard: set[tuple[str, str, int, int]] = field(default_factory=set)
    """Who heard whose claim of which term, since both were started: (by, from, term, how often the hearer started)."""
    starts: dict[str, int] = field(default_factory=dict)
    whole: bool = False

    def __post_init__(self) -> None:
        self.there = {name: set() for name in NAMES[: self.count]}

    def send(self, leases: list[Lease]) -> None:
        for lease in leases:
            for to in self.there:
                if to == lease.runner:
                    continue
                if self.whole:
                    self.wire.append((self.now, to, lease))
                    continue
                for _ in range(self.chance.choice((0, 1, 1, 1, 2))):
                    self.wire.append((self.now + self.chance.choice((0.0, 0.1, 3.0, 40.0)), to, lease))

    def pump(self) -> None:
        """Delivers what has arrived, in any order, and lets everybody look at the clock."""
        while True:
            here = [one for one in self.wire if one[0] <= self.now]
            if not here:
                break
            one = self.chance.choice(here)
            self.wire.remove(one)
            _, to, lease = one
            node = self.nodes.get(to)
            if node is not None and lease.runner in self.there[to]:
                if lease.hash and lease.term:
                    self.heard.add((to, lease.runner, lease.term, self.starts[to]))
                self.send(node.hear(lease, self.now))
                self.check()
        for node in list(self.nodes.values()):
            self.send(node.tick(self.now))

    def see(self, name: str, others: set[str]) -> None:
        self.there[name] = others - {name}
        if name in self.nodes:
            self.send(self.nodes[name].attend(self.there[name], self.now))

    def start(self, name: str, module_hash: str) -> None:
        if name in self.nodes:
            self.send(self.nodes.pop(name).withdraw())
        self.starts[name] = self.starts.get(name, 0) + 1
        self.nodes[name] = Candidacy(KEY, name, module_hash, self.there[name], self.now, running=not self.there[name])

    def stop(self, name: str, *, crash: bool) -> None:
        node = self.nodes.pop(name, None)
        if node is not None and not crash:
            self.send(node.withdraw())

    def run(self, seconds: float, step: float = 0.5) -> Iterator[None]:
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.pump()
            yield

    def check(self) -> None:
        """No two run with the same term after they heard each other say so."""
        running = [(name, node.term) for name, node in self.nodes.items() if node.mine]
        for name, term in running:
            for other, theirs in running:
                if name < other and term == theirs:
                    one = (name, other, term, self.starts[name]) in self.heard
                    two = (other, name, term, self.starts[other]) in self.heard
                    assert not (one and two), (name, other, term)

    def heal(self) -> None:
        """From here on everybody sees everybody, and everything arrives at once, what was on its way first."""
        self.whole = True
        self.wire = [(self.now, to, lease) for _, to, lease in self.wire]
        for name in self.there:
            self.see(name, set(self.there))

    @property
    def runners(self) -> list[str]:
        return [name for name, node in self.nodes.items() if node.mine]


ACTS = st.tuples(
    st.sampled_from(("wait", "see", "start", "stop", "crash")),
    st.integers(0, 4),
    st.integers(0, 31),
    st.integers(1, 80),
)


@given(st.integers(2, 5), st.lists(ACTS, max_size=30), st.randoms(use_true_random=False))
def test_w4_one_runs_once_the_network_is_whole_and_no_two_that_heard_each_other(
    count: int, acts: list[tuple[str, int, int, int]], chance: Random
) -> None:
    net = Network(chance, count)
    for act, who, some, amount in acts:
        name = NAMES[who % count]
        match act:
            case "wait":
                for _ in net.run(amount / 2):
                    net.check()
            case "see":
                net.see(name, {other for place, other in enumerate(net.there) if some >> place & 1})
            case "start":
                net.start(name, OTHER if some % 4 == 0 else ONE)
            case _:
                net.stop(name, crash=act == "crash")
        net.pump()
        net.check()
    net.heal()
    for _ in net.run(SILENT_S + SETTLE_S + 5 * count):
        net.check()
    expected = 1 if net.nodes else 0
    for _ in net.run(30):
        assert len(net.runners) == expected
    assert {node.holder for node in net.nodes.values()} <= set(net.runners)


@given(st.integers(2, 5), st.integers(0, 3), st.booleans(), st.randoms(use_true_random=False))
def test_w4_the_lease_moves_within_the_limit_when_its_runner_leaves(
    count: int, times: int, crashes: bool, chance: Random
) -> None:
    net = Network(chance, count, whole=True)
    for name in net.there:
        net.there[name] = set(net.there) - {name}
    for name in net.there:
        net.start(name, ONE)
    for _ in net.run(SETTLE_S + 5 * count + 15):
        pass
    for _ in range(min(times, count - 1)):
        (runner,) = net.runners
        net.stop(runner, crash=crashes)
        if crashes and chance.random() < 0.5:  # the room says that it left; else it is only silent
            for name in net.there:
                net.see(name, net.there[name] - {runner})
        taken = [net.now for _ in net.run(SILENT_S + 5.5) if net.runners]
        assert taken
        assert len(net.runners) == 1


def test_w4_a_late_message_of_a_holder_that_gave_up_is_set_right_by_its_next_one() -> None:
    b = candidate("b", "a")
    b.hear(says("a", 5), 13.0)
    b.hear(says("a", 0), 14.0)
    b.tick(19.0)
    assert (b.mine, b.term) == (True, 6)
    b.hear(replace(says("a", 5)), 20.0)
    assert b.mine
