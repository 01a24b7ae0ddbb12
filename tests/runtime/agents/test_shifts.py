"""The shifts of many agents at one member: what is said of them, when, and how often."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from runtime.agents.keys import AgentKey
from runtime.agents.lease import RENEW_S, SETTLE_S, Lease
from runtime.agents.shifts import Shifts

ROOM, OTHER_ROOM = "ab" * 16, "cd" * 16
AGENTS = 300


class Desk:
    """One member's shifts, in virtual time; what is said is noted with the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[tuple[float, Lease]] = []
        self.messages = 0
        self.shifts = Shifts("me", lambda _: None)
        self.shifts.send = self._send

    def _send(self, leases: Sequence[Lease]) -> None:
        assert leases
        self.messages += 1
        self.said.extend((self.now, lease) for lease in leases)

    def run(self, seconds: float) -> None:
        """Looks at the clock whenever the shifts ask for it."""
        end = self.now + seconds
        while (due := self.shifts.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.shifts.tick(self.now)
        self.now = end


def test_renewals_of_hundreds_of_agents_that_began_at_any_time_fall_together() -> None:
    desk, chance = Desk(), Random(4)
    desk.shifts.attend(ROOM, ["me", "other"], [], 0.0)
    for number in range(AGENTS):
        desk.run(chance.uniform(0, 0.2))
        desk.shifts.stand(AgentKey(ROOM, f"agent-{number}"), "11" * 32, desk.now)
    desk.run(SETTLE_S + 2 * RENEW_S)
    desk.said.clear()
    desk.messages = 0
    desk.run(6 * RENEW_S)
    assert desk.messages <= 2 * 7
    for number in range(AGENTS):
        mine = [at for at, lease in desk.said if lease.agent == f"agent-{number}"]
        assert len(mine) >= 6
        assert all(later - earlier <= RENEW_S + 1e-6 for earlier, later in pairwise(mine))


def test_what_is_said_in_one_room_brings_nothing_forward_in_another() -> None:
    desk = Desk()
    for room in (ROOM, OTHER_ROOM):
        desk.shifts.attend(room, ["other"], [], 0.0)
    desk.shifts.stand(AgentKey(ROOM, "one"), "11" * 32, 0.0)
    desk.now = 3.0
    desk.shifts.stand(AgentKey(OTHER_ROOM, "two"), "11" * 32, 3.0)
    desk.said.clear()
    desk.now = RENEW_S
    desk.shifts.tick(desk.now)
    assert [lease.agent for _, lease in desk.said] == ["one"]


def test_a_renewal_that_is_not_due_for_long_is_not_brought_forward() -> None:
    desk = Desk()
    desk.shifts.attend(ROOM, ["other"], [], 0.0)
    desk.shifts.stand(AgentKey(ROOM, "one"), "11" * 32, 0.0)
    for at, name in ((4.0, "soon"), (6.0, "later")):
        desk.now = at
        desk.shifts.stand(AgentKey(ROOM, name), "11" * 32, at)
    desk.said.clear()
    desk.now = RENEW_S
    desk.shifts.tick(desk.now)
    assert sorted(lease.agent for _, lease in desk.said) == ["one", "soon"]


def test_all_agents_of_a_room_are_spoken_of_at_once_when_others_come() -> None:
    desk = Desk()
    live = [(AgentKey(ROOM, f"agent-{number}"), "11" * 32) for number in range(AGENTS)]
    desk.shifts.attend(ROOM, ["other"], live, 0.0)
    assert (desk.messages, len(desk.said)) == (1, AGENTS)
    assert all(desk.shifts.may_run(key) for key, _ in live)


def test_nobody_is_told_where_nobody_is() -> None:
    desk = Desk()
    desk.shifts.attend(ROOM, ["me"], [(AgentKey(ROOM, "one"), "11" * 32)], 0.0)
    desk.shifts.stand(AgentKey(ROOM, "two"), "11" * 32, 0.0)
    desk.run(60)
    assert desk.said == []
    assert desk.shifts.may_run(AgentKey(ROOM, "one"))
