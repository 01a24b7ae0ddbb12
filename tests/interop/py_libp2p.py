"""A node of PyPI's libp2p, which runs on trio in a venv of its own: another implementation to speak with.

    py_libp2p.py tcp|quic serve            tells where it listens, and answers until it is ended
    py_libp2p.py tcp|quic dial MULTIADDR   speaks everything that the tests ask, and tells what came of it

It tells by one line of JSON on stdout.
"""

import hashlib
import json
import sys

import multiaddr
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID, parse_identify_response
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.utils import read_length_prefixed_protobuf

ECHO = TProtocol("/echo/1")
PLACES = {"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1"}
PIECE = 16_384
AHEAD = 64
"""Pieces on their way: this libp2p resets a stream of which it holds 2 MiB, and lets that happen."""
SIZE = 8 * 1024 * 1024


def tell(**told):
    print(json.dumps(told), flush=True)


async def echo(stream):
    while data := await stream.read(PIECE):
        await stream.write(data)
    await stream.close()


async def echoed(host, peer):
    """The SHA-256 of what comes back of 8 MiB."""
    stream = await host.new_stream(peer, [ECHO])
    found = hashlib.sha256()
    back = 0
    ahead = trio.Semaphore(AHEAD)

    async def write():
        for _ in range(SIZE // PIECE):
            await ahead.acquire()
            await stream.write(bytes(PIECE))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        while back < SIZE:
            data = await stream.read(PIECE)
            found.update(data)
            for _ in range((back + len(data)) // PIECE - back // PIECE):
                ahead.release()
            back += len(data)
    await stream.close()
    return found.hexdigest()


async def asked(host, peer):
    """The program that the other end says it is."""
    stream = await host.new_stream(peer, [ID])
    said = parse_identify_response(await read_length_prefixed_protobuf(stream, use_varint_format=True))
    await stream.close()
    return said.agent_version


async def dial(host, target):
    info = info_from_p2p_addr(multiaddr.Multiaddr(target))
    try:
        await host.connect(info)
    except Exception as error:
        tell(refused=type(error).__name__)
        return
    pings = await PingService(host).ping(info.peer_id, 3)
    agent = await asked(host, info.peer_id)
    tell(pings=len(pings), agent=agent, echoed=await echoed(host, info.peer_id))


async def main(transport, what, *target):
    pair = create_new_key_pair(hashlib.sha256(b"py-libp2p " + what.encode()).digest())
    host = new_host(key_pair=pair, enable_quic=transport == "quic")
    async with host.run(listen_addrs=[multiaddr.Multiaddr(PLACES[transport])]):
        host.set_stream_handler(ECHO, echo)
        if what == "serve":
            tell(listens=str(host.get_addrs()[0]))
            await trio.sleep_forever()
        with trio.fail_after(120):
            await dial(host, *target)


trio.run(main, *sys.argv[1:])
