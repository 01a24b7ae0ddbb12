"""`dht_street.py FIRST COUNT`: so many nodes of the DHT in one process, each on an address of its own.

Told by lines of JSON on stdin what to do, `{"publish": KEY}` or `{"find": KEY}`, it answers each on stdout.
"""

import asyncio
import json
import sys

from net.dht.contact import Contact
from net.limits import NetLimits
from net.peer_id import PeerId
from runtime.identity import Identity
from tests.net.dht.machines import Machine

PORT = 4001
ASK = 2
LIMITS = NetLimits(dht_wait_least_s=1.0, dht_wait_most_s=3.0, dht_lookup_s=60.0)
"""A loaded machine takes its time."""


def identity(number: int) -> Identity:
    """Whose the node of that number is."""
    return Identity(number.to_bytes(32))


def ip(number: int) -> str:
    """Where it is."""
    return f"127.10.0.{number}"


async def node(number: int) -> Machine:
    """One that knows the first one, and the one before it."""
    known = [Contact(identity(one).public, (ip(one), PORT)) for one in {1, number - 1} if 0 < one < number]
    return await Machine(identity(number), limits=LIMITS).open(ip(number), PORT, known)


async def answer(nodes: list[Machine], asked: dict[str, str]) -> object:
    """Publishes by all, or asks by the first few, one after the other."""
    if "publish" in asked:
        return await asyncio.gather(*(one.dht.publish("provider", asked["publish"], {}) for one in nodes))
    found = [await one.dht.find(asked["find"]) for one in nodes[:ASK]]
    return [[str(PeerId(record.peer)) for record in records] for records in found]


async def main(first: int, count: int) -> None:
    """Serves until stdin ends."""
    nodes = [await node(first + number) for number in range(count)]
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await answer(nodes, json.loads(line))), flush=True)
    for one in nodes:
        await one.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
