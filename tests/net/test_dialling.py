"""Which addresses are tried, in which order, and the race between them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from net.dialling import Backoff, in_order, is_dialable, race
from net.errors import UnreachableError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.identity import Identity
from tests.net.nodes import Future

LIMITS = NetLimits()
SOMEBODY = PeerId(Identity(bytes(32)).public)


def place(text: str) -> Multiaddr:
    return Multiaddr.parse(text)


def places(count: int) -> list[Multiaddr]:
    return [place(f"/ip4/203.0.113.{number + 1}/tcp/4001") for number in range(count)]


def test_tcp_before_quic_and_ipv6_first_each_once() -> None:
    told = ["/ip4/203.0.113.1/udp/1/quic-v1", "/ip4/203.0.113.1/tcp/1", "/ip6/2001:db8::1/udp/1/quic-v1",
            "/ip6/2001:db8::1/tcp/1", f"/ip4/203.0.113.1/tcp/1/p2p/{SOMEBODY}"]  # fmt: skip
    assert [str(one) for one in in_order(map(place, told), LIMITS)] == [
        "/ip6/2001:db8::1/tcp/1", "/ip4/203.0.113.1/tcp/1", "/ip6/2001:db8::1/udp/1/quic-v1",
        "/ip4/203.0.113.1/udp/1/quic-v1",
    ]  # fmt: skip


def test_no_more_than_sixteen_are_kept() -> None:
    assert in_order(places(40), LIMITS) == places(16)


HEARSAY = {
    "/ip4/93.184.216.34/tcp/1": True,
    "/ip6/2606:4700::1/tcp/1": True,
    "/ip4/192.168.7.9/tcp/1": True,  # in our network
    "/ip4/192.168.8.9/tcp/1": False,
    "/ip4/10.0.0.1/tcp/1": False,
    "/ip4/127.0.0.1/tcp/1": False,
    "/ip4/169.254.169.254/tcp/80": False,  # where clouds tell machines their secrets
    "/ip4/100.64.0.1/tcp/1": False,
    "/ip4/0.0.0.0/tcp/1": False,
    "/ip4/224.0.0.1/tcp/1": False,
    "/ip4/255.255.255.255/tcp/1": False,
    "/ip6/::1/tcp/1": False,
    "/ip6/fe80::1/tcp/1": False,
    "/ip6/fd00::1/tcp/1": False,
    "/ip6/fd00:7::1/tcp/1": True,  # in our network
    "/ip6/::ffff:10.0.0.1/tcp/1": False,
    "/ip6/::/tcp/1": False,
    "/dns/example.org/tcp/1": False,
}


@pytest.mark.parametrize("text", HEARSAY)
def test_row_33_what_others_tell_of_is_tried_only_where_it_can_be_meant(text: str) -> None:
    own = [ip_network("192.168.7.0/24"), ip_network("fd00:7::/64")]
    assert is_dialable(place(text), own) is HEARSAY[text]


def test_an_address_is_left_alone_for_a_second_doubling_to_five_minutes() -> None:
    backoff, here = Backoff(), places(1)[0]
    assert backoff.wait_s(here, 0.0) == 0.0
    waits = []
    now = 0.0
    for _ in range(11):
        backoff.failed(here, now)
        waits.append(backoff.wait_s(here, now))
        now += waits[-1]
        assert backoff.wait_s(here, now) == 0.0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    backoff.worked(here)
    backoff.failed(here, now)
    assert backoff.wait_s(here, now) == 1.0


def test_a_million_dead_addresses_cost_no_more_than_a_few_thousand() -> None:
    backoff = Backoff()
    for number in range(5000):
        backoff.failed(place(f"/ip4/198.51.100.1/tcp/{number + 1}"), 0.0)
    assert len(backoff._failed) == 4096


class Dials:
    """Places that answer when a test lets them."""

    def __init__(self) -> None:
        self.tried: list[Multiaddr] = []
        self.more = asyncio.Event()
        self.answers: dict[Multiaddr, asyncio.Future[str]] = {}

    def dial(self, there: Multiaddr) -> Awaitable[str]:
        self.tried.append(there)
        self.more.set()
        return self.answers.setdefault(there, asyncio.get_running_loop().create_future())

    async def until(self, count: int) -> None:
        while len(self.tried) < count:
            self.more.clear()
            await self.more.wait()


def coroutine(dials: Dials) -> Callable[[Multiaddr], Awaitable[str]]:
    async def dial(there: Multiaddr) -> str:
        return await dials.dial(there)

    return dial


async def test_the_next_place_is_tried_a_quarter_of_a_second_later_and_the_first_answer_wins() -> None:
    future, dials, late = Future(), Dials(), list[str]()
    racing = asyncio.create_task(race(places(3), coroutine(dials), late.append, replace(LIMITS, dial_apart_s=60)))
    await dials.until(1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(dials.tried) == 1
    future.comes(60)
    await dials.until(2)
    dials.answers[places(2)[1]].set_result("second")
    assert await racing == "second"
    assert len(dials.tried) == 2
    assert late == []
    assert dials.answers[places(1)[0]].cancelled()


async def test_a_place_that_fails_makes_room_for_the_next_at_once() -> None:
    dials = Dials()
    racing = asyncio.create_task(race(places(2), coroutine(dials), lambda _: None, replace(LIMITS, dial_apart_s=1000)))
    await dials.until(1)
    dials.answers[places(1)[0]].set_exception(UnreachableError("no"))
    await dials.until(2)
    dials.answers[places(2)[1]].set_result("second")
    assert await racing == "second"


async def test_no_more_than_eight_at_once() -> None:
    dials = Dials()
    racing = asyncio.create_task(race(places(12), coroutine(dials), lambda _: None, replace(LIMITS, dial_apart_s=0)))
    await dials.until(8)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(dials.tried) == 8
    for there in places(12):
        dials.answers.setdefault(there, asyncio.get_running_loop().create_future())
        dials.answers[there].set_exception(UnreachableError(f"no {there}"))
    result = await racing
    assert isinstance(result, list)
    assert [there for there, _ in result] == places(12)


async def test_what_answers_too_late_is_discarded() -> None:
    dials, late = Dials(), list[str]()
    racing = asyncio.create_task(race(places(2), coroutine(dials), late.append, replace(LIMITS, dial_apart_s=0)))
    await dials.until(2)
    for number, there in enumerate(places(2)):
        dials.answers[there].set_result(f"answer {number}")
    won = await racing
    assert isinstance(won, str)
    assert sorted([won, *late]) == ["answer 0", "answer 1"]


async def test_a_race_that_is_cancelled_leaves_nothing() -> None:
    before, dials = asyncio.all_tasks(), Dials()
    racing = asyncio.create_task(race(places(2), coroutine(dials), lambda _: None, replace(LIMITS, dial_apart_s=0)))
    await dials.until(2)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert asyncio.all_tasks() == before
