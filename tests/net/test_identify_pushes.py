"""Who is connected hears what changed of a node: once for all changes of a moment, and not what stayed the same."""

import asyncio
from dataclasses import replace

import pytest

from net.errors import StreamResetError
from net.host_events import Connected, Identified, PeerFault
from net.identify import IDENTIFY_PUSH, Identify, encode_identify, push
from net.multiaddr import Multiaddr
from net.stream import Connection, Stream
from net.varint import encode_varint
from tests.net.nodes import ANY_PORT, PATIENT, Node, hosts, until

PROMPT = replace(PATIENT, push_settle_s=0.0, push_apart_s=0.0, pushes_rate=1e9, pushes_burst=1000)


async def serves(_connection: Connection, _stream: Stream) -> None:
    """Whatever it is."""


async def connected(alice: Node, bob: Node) -> Connection:
    """Alice has dialled Bob; both know it."""
    connection = await alice.host.connect(bob.peer, [await bob.host.listen(ANY_PORT)])
    await bob.tells(Connected)
    return connection


def protocols(event: Identified) -> set[str]:
    return set(event.said.protocols)


async def test_one_more_address_and_one_more_protocol_are_told() -> None:
    async with hosts(2, PROMPT) as (alice, bob):
        await connected(alice, bob)
        place = await bob.host.listen(ANY_PORT)
        heard = await alice.tells(Identified, lambda event: place.without_peer() in event.said.listening)
        assert heard.said.peer == bob.peer
        assert heard.said.observed is not None
        bob.host.serve("/new/1.0.0", serves)
        await alice.tells(Identified, lambda event: "/new/1.0.0" in protocols(event))
        alice.host.serve("/mine/1.0.0", serves)  # the one who dialled is heard too
        await bob.tells(Identified, lambda event: "/mine/1.0.0" in protocols(event))


async def test_what_is_no_longer_listed_is_served_all_the_same() -> None:
    async with hosts(2, PROMPT) as (alice, bob):
        open_now = True
        bob.host.serve("/jobs/1.0.0", serves, listed=lambda: open_now)
        connection = await connected(alice, bob)
        assert "/jobs/1.0.0" in bob.host.describe().protocols
        open_now = False
        bob.host.tell_changes()
        await alice.tells(Identified, lambda event: "/jobs/1.0.0" not in protocols(event))
        stream = await connection.open("/jobs/1.0.0")
        stream.reset()


async def test_changes_of_a_moment_are_told_together_and_none_is_not_told() -> None:
    async with hosts(2, replace(PROMPT, push_settle_s=0.05)) as (alice, bob):
        await connected(alice, bob)
        for number in range(5):
            bob.host.serve(f"/new/{number}", serves)
        bob.host.tell_changes()
        await alice.tells(Identified, lambda event: "/new/4" in protocols(event))
        bob.host.tell_changes()
        bob.host.tell_changes()
        bob.host.serve("/last", serves)
        await alice.tells(Identified, lambda event: "/last" in protocols(event))
        assert len(alice.told(Identified)) == 2


async def test_after_one_telling_the_next_waits() -> None:
    async with hosts(2, replace(PROMPT, push_apart_s=3600)) as (alice, bob):
        await connected(alice, bob)
        bob.host.serve("/first", serves)
        await alice.tells(Identified)
        bob.host.serve("/second", serves)
        timer = bob.host._pushes._timer
        assert timer is not None
        assert timer.when() - asyncio.get_running_loop().time() > 3000


async def test_who_does_not_listen_to_that_is_left_in_peace() -> None:
    async with hosts(2, PROMPT) as (alice, bob):
        connection = await connected(alice, bob)
        del alice.host._protocols._served[IDENTIFY_PUSH]
        bob.host.serve("/new", serves)
        bob.host.serve("/newer", serves)
        await until(lambda: bob.host._pushes._timer is None and not _telling(bob))
        assert not connection.closed
        assert bob.told(PeerFault) == []
        assert alice.told(Identified) == []


def _telling(node: Node) -> bool:
    return any("_tell_all" in str(task.get_coro()) for task in node.host._tasks)


async def test_who_pushes_too_often_is_counted_against_and_not_heard() -> None:
    async with hosts(2, replace(PROMPT, pushes_rate=1e-9, pushes_burst=3)) as (alice, bob):
        connection = await connected(alice, bob)
        for number in range(3):
            await push(connection, Identify(peer=alice.peer, agent_version=f"v{number}"), PROMPT)
        with pytest.raises(StreamResetError):
            await push(connection, Identify(peer=alice.peer, agent_version="v3"), PROMPT)
        fault = await bob.tells(PeerFault)
        assert (fault.rule, fault.score, fault.peer) == ("identify-push", 10, str(alice.peer))
        assert [event.said.agent_version for event in bob.told(Identified)] == ["v0", "v1", "v2"]
        assert not connection.closed


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (encode_varint(20_000), "oversized-message"),
        (encode_varint(5) + b"\xff\xff\xff\xff\xff", "identify"),
    ],
)
async def test_what_is_pushed_is_held_to_the_rules_of_identify(raw: bytes, rule: str) -> None:
    async with hosts(2, PROMPT) as (alice, bob):
        connection = await connected(alice, bob)
        stream = await connection.open(IDENTIFY_PUSH)
        await stream.write(raw)
        assert (await bob.tells(PeerFault)).rule == rule
        assert bob.told(Identified) == []


async def test_nobody_speaks_for_somebody_else() -> None:
    async with hosts(3, PROMPT) as (alice, bob, carol):
        connection = await connected(alice, bob)
        stream = await connection.open(IDENTIFY_PUSH)
        words = encode_identify(Identify(peer=carol.peer, listening=(Multiaddr.parse("/ip4/192.0.2.1/tcp/1"),)))
        await stream.write(encode_varint(len(words)) + words)
        fault = await bob.tells(PeerFault)
        assert (fault.rule, fault.score) == ("identify", 20)
        assert bob.told(Identified) == []


async def test_a_host_that_closes_tells_nothing_more() -> None:
    async with hosts(2, replace(PROMPT, push_settle_s=3600)) as (alice, bob):
        await connected(alice, bob)
        bob.host.serve("/new", serves)
        await bob.host.aclose()
        timer = bob.host._pushes._timer
        assert timer is not None
        assert timer.cancelled()
