"""Leases of addresses, asked for again; time is the only thing that is made up."""

from dataclasses import replace
from ipaddress import IPv4Interface

from boot.errors import BootUnavailableError
from boot.modes import Rules, narrowed
from boot.stage1.lease import Lease
from boot.stage1.network import System
from boot.stage2.renewal import keep_lease

LEASE = Lease("eth0", IPv4Interface("10.0.2.15/24"), seconds=3600)
NONE = BootUnavailableError("nobody offers an address", where="DHCP on eth0")


class Over(Exception):  # noqa: N818 - no error, but the end of a test
    """All answers were given."""


class Answers(System):
    """A server that gives these, one after another."""

    answers: list[Lease | BootUnavailableError]
    applied: list[Lease]

    def ask(self, name: str) -> Lease:
        """The next."""
        assert name == "eth0"
        answer = self.answers.pop(0)
        if isinstance(answer, BootUnavailableError):
            raise answer
        return answer

    def apply(self, lease: Lease, rules: Rules) -> None:
        """Only kept in mind."""
        assert not rules.routes
        self.applied.append(lease)


def kept(lease: Lease, *answers: Lease | BootUnavailableError) -> tuple[list[float], list[str], list[Lease]]:
    """The pauses, what was said and what was applied until all answers were given."""
    pauses: list[float] = []
    said: list[str] = []
    links = Answers()
    object.__setattr__(links, "answers", list(answers))
    object.__setattr__(links, "applied", [])

    def sleep(seconds: float) -> None:
        if not links.answers:
            raise Over
        pauses.append(seconds)

    try:
        assert keep_lease(lease, narrowed("local"), links, said.append, sleep) == 0
    except Over:
        assert lease.seconds
    return pauses, said, links.applied


def test_a_lease_is_asked_for_again_at_half_of_its_time() -> None:
    longer = replace(LEASE, seconds=7200)
    assert kept(LEASE, longer, LEASE) == ([1800, 3600], [], [longer, LEASE])


def test_another_address_is_taken_and_said() -> None:
    other = replace(LEASE, address=IPv4Interface("10.0.2.16/24"))
    _, said, applied = kept(LEASE, other)
    assert (said, applied) == (["address 10.0.2.16/24 via eth0, and no longer 10.0.2.15/24"], [other])


def test_a_server_that_is_gone_is_asked_sooner_and_sooner_and_what_is_lost_is_said() -> None:
    pauses, said, applied = kept(replace(LEASE, seconds=160), NONE, NONE, NONE, NONE, LEASE)
    assert pauses == [80, 40, 30, 30, 30]
    assert [line.partition(":")[0].partition("24 ")[2] for line in said] == [
        "is not renewed, 80 s are left",
        "is not renewed, 40 s are left",
        "is not renewed, 10 s are left",
        "is lost",
    ]
    assert applied == [LEASE]


def test_no_server_has_a_machine_ask_all_the_time() -> None:
    assert kept(replace(LEASE, seconds=1), LEASE)[0] == [30]


def test_a_lease_that_says_nothing_of_its_time_is_kept_as_it_is() -> None:
    assert kept(replace(LEASE, seconds=0)) == ([], [], [])
