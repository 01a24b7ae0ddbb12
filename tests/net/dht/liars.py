"""Nodes that lie within the protocol: they prove their keys, and then name nobody and bring forged records."""

import hashlib
from random import Random

from net.dht.answers import Answers
from net.dht.contact import Address, Contact
from net.dht.datagram import Body, Value
from net.dht.messages import read_query
from net.dht.node import DhtNode
from net.dht.simulated import SimulatedDht


class LyingAnswers(Answers):
    """Names twenty nodes that are nearer than all others and are not there, and offers records that nobody signed."""

    def _found(self, body: Body, asker: bytes, address: Address) -> dict[str, Value]:  # noqa: ARG002
        target = read_query(body).target
        random = Random(target + self._signer.public)
        return {"n": [_nearer(target, random).packed for _ in range(20)], "m": 32}

    def _records(self, body: Body, request: bytes) -> dict[str, Value]:  # noqa: ARG002
        return {"r": [hashlib.sha512(request).digest() + b"{}"], "m": 31}


class ForgingAnswers(LyingAnswers):
    """Names whom it knows, as on real sockets nothing may be sent to made-up addresses, and forges records."""

    def _found(self, body: Body, asker: bytes, address: Address) -> dict[str, Value]:
        return {**Answers._found(self, body, asker, address), "m": 32}


class SilentAboutRecords(Answers):
    """Walks along honestly and keeps quiet about every record, which nobody can tell from having none."""

    def _records(self, body: Body, request: bytes) -> dict[str, Value]:  # noqa: ARG002
        return {"r": [], "m": 0}


def _nearer(target: bytes, random: Random) -> Contact:
    """A made-up contact whose id agrees with the target in its first bits, of the best of a few keys."""
    place = int.from_bytes(target)
    made = [
        Contact(random.randbytes(32), (f"30.{random.randrange(256)}.{random.randrange(256)}.9", 9)) for _ in range(40)
    ]
    return min(made, key=lambda contact: contact.long_id ^ place)


def make_lie(node: DhtNode, kind: type[Answers]) -> None:
    """A node gives other answers from now on; all else of it stays."""
    liar = kind.__new__(kind)
    vars(liar).update(vars(node._answers))
    node._answers = liar


def turn_liar(simulated: SimulatedDht, address: Address, kind: type[Answers] = LyingAnswers) -> None:
    """The node at an address lies from now on."""
    make_lie(simulated.nodes[address], kind)
