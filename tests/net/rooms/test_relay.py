"""The relay over real sockets: every limit and close code of section 10."""

import asyncio
import json
from collections.abc import Callable

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from net.rooms.exchange import Limits
from net.rooms.relay import Relay
from net.rooms.wire import MESSAGE_MAX
from runtime.errors import NetworkError
from tests.net.rooms.peers import ROOM, join, place, said, share


async def test_members_of_a_room_reach_each_other() -> None:
    async with place() as relay:
        ann = await relay.member("ann")
        bob = await relay.peer()
        await bob.say(join("bob", create=False, fallbackKey="last"))

        assert await bob.hear() == {
            "type": "member_list",
            "members": [{"identityKey": "ann", "displayName": "ann", "ed25519Key": "ann-signs"}],
        }
        assert (await ann.hear())["fallbackKey"] == "last"
        await ann.say(share("ann", "bob"), said("ann"))
        assert await bob.hear() == share("ann", "bob")
        assert await bob.hear() == said("ann")
        await bob.socket.close()
        assert await ann.hear() == {"type": "member_left", "identityKey": "bob"}


async def test_a_room_that_nobody_made_is_not_found() -> None:
    async with place() as relay:
        peer = await relay.peer()
        await peer.say(join("ann", create=False))

        assert await peer.hear() == {"type": "room_not_found"}
        assert await peer.closed() == 4004


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 4002),
        ("nonsense", 4002),
        (b"\xff\xfe", 4002),
        ("[" * 50_000, 4002),
        ({"type": "hello"}, 4003),
        ({**join("ann"), "oneTimeKeys": {}}, 4003),
        ({**join("ann"), "identityKey": "k" * 65}, 4003),
        (said("ann", "c" * 65_537), 4003),
        ('"' + "x" * MESSAGE_MAX + '"', 4001),
        (said("ann", "c" * 500_000), 4001),
        ("x" * (3 << 20), 4001),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_is_no_message_ends_the_connection_with_its_code(
    message: str | bytes | dict[str, object], code: int
) -> None:
    async with place() as relay:
        ann = await relay.member("ann")
        await ann.say(message)

        assert await ann.closed() == code


async def test_a_message_of_just_the_limit_is_taken() -> None:
    async with place() as relay:
        ann, bob = await relay.member("ann"), await relay.member("bob")
        text = json.dumps(said("ann", "c" * 65_536))
        await ann.say(text + " " * (MESSAGE_MAX - len(text)))

        assert (await bob.hear())["ciphertext"] == "c" * 65_536


async def test_more_than_thirty_messages_in_a_second_end_the_connection() -> None:
    async with place(now=lambda: 5.0) as relay:
        ann, bob = await relay.member("ann"), await relay.member("bob")
        await ann.hear()
        await ann.say(*[said("ann", str(n)) for n in range(30)])  # the join was the first of the second

        assert await ann.closed() == 4029
        heard = [await bob.hear() for _ in range(29)]
        assert [message["ciphertext"] for message in heard] == [str(n) for n in range(29)]
        assert await bob.hear() == {"type": "member_left", "identityKey": "ann"}


async def test_a_new_connection_replaces_that_of_the_same_member() -> None:
    async with place() as relay:
        old = await relay.member("ann")
        new = await relay.member("ann")

        assert await old.closed() == 4005
        bob = await relay.member("bob")
        assert (await new.hear())["identityKey"] == "bob"
        assert bob.socket.closed is False


async def test_only_the_creator_purges_and_everybody_is_told() -> None:
    async with place() as relay:
        ann, bob = await relay.member("ann"), await relay.member("bob")
        await bob.say({"type": "purge", "identityKey": "ann"})
        assert await bob.hear() == {"type": "purge_unauthorized"}

        await ann.hear()
        await ann.say({"type": "purge", "identityKey": "ann"})

        for peer in (ann, bob):
            assert await peer.hear() == {"type": "room_destroyed", "reason": "manual"}
            assert await peer.closed() == 4000


async def test_a_full_room_and_a_full_server_say_so() -> None:
    async with place(Limits(per_room=1, rooms=1)) as relay:
        await relay.member("ann")
        second = await relay.peer()
        await second.say(join("bob"))
        assert await second.hear() == {"type": "room_full"}
        assert await second.closed() == 4008

        elsewhere = await relay.peer("cd" * 16)
        await elsewhere.say(join("bob"))
        assert await elsewhere.hear() == {"type": "server_full"}
        assert await elsewhere.closed() == 4009


async def test_an_address_has_ten_connections_until_one_ends() -> None:
    async with place() as relay:
        peers = [await relay.member(f"member {n}") for n in range(10)]
        with pytest.raises(WSServerHandshakeError) as caught:
            await relay.peer()
        assert caught.value.status == 429

        await peers[9].socket.close()
        while (await peers[0].hear())["type"] != "member_left":
            pass
        await _until(lambda: relay.relay.connections == 9)
        await relay.member("one more")


async def test_the_limit_of_an_address_can_be_set() -> None:
    async with place(Limits(per_address=1)) as relay:
        await relay.member("ann")
        with pytest.raises(WSServerHandshakeError):
            await relay.peer()


async def test_a_reader_that_stands_still_is_cut_and_nobody_else_waits() -> None:
    async with place(Limits(per_second=100_000, waiting=200_000)) as relay:
        ann, bob, slow = await relay.member("ann"), await relay.member("bob"), await relay.member("slow")
        await bob.hear()  # slow has come
        left = 0
        sent = 0
        while not left:  # the kernel holds some megabytes before the relay notices
            sent += 1
            assert sent < 5_000
            await ann.say(said("ann", "c" * 60_000))
            left = (await bob.hear())["type"] == "member_left"
        assert slow.socket.close_code is None  # it has not looked yet
        await ann.say(said("ann"))
        while (await bob.hear())["ciphertext"] != "sealed":
            pass


async def test_who_does_not_join_is_let_go() -> None:
    async with place(Limits(join_s=0.01)) as relay:
        peer = await relay.peer()

        assert await peer.closed() == 1008


async def test_who_does_not_answer_pings_is_gone() -> None:
    async with place(Limits(ping_s=0.05)) as relay:
        silent = await relay.session.ws_connect(f"{relay.url}/room/{ROOM}", autoping=False)
        await silent.send_str(json.dumps(join("silent")))
        kinds = [(await silent.receive()).type]
        while kinds[-1] in {WSMsgType.TEXT, WSMsgType.PING}:
            kinds.append((await silent.receive()).type)

        assert WSMsgType.PING in kinds
        await _until(lambda: relay.relay.rooms == 0)


async def test_a_relay_that_ends_tells_everybody() -> None:
    relay = Relay()
    host, port = await relay.start("127.0.0.1", 0)
    async with ClientSession() as session, session.ws_connect(f"http://{host}:{port}/room/{ROOM}") as socket:
        await socket.send_str(json.dumps(join("ann")))
        assert (await socket.receive()).type is WSMsgType.TEXT
        closing = asyncio.create_task(relay.close())

        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1001
        await closing
    assert (relay.rooms, relay.connections) == (0, 0)


async def test_a_port_that_is_taken_is_said() -> None:
    async with place() as relay:
        port = int(relay.url.rpartition(":")[2])

        with pytest.raises(NetworkError, match=rf"127\.0\.0\.1:{port}: cannot be listened on"):
            await Relay().start("127.0.0.1", port)


async def test_a_path_that_names_no_room_is_none() -> None:
    async with place() as relay:
        for path in ("/room/xyz", "/room/" + "AB" * 16, "/room/", f"/room/{ROOM}/more"):
            with pytest.raises(WSServerHandshakeError) as caught:
                await relay.session.ws_connect(relay.url + path)
            assert caught.value.status == 404
        async with relay.session.get(relay.url) as answer:
            assert await answer.text() == "orlop relay\n"


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - a condition of the server's, which has no event for tests
        await asyncio.sleep(0)
