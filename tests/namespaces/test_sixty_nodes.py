"""Sixty nodes of the DHT over real UDP; a third of them is killed, and what was published is found."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from net.dht.record import content_key
from net.peer_id import PeerId
from tests.cli.program import ROOT, environment
from tests.cli.running import SECONDS
from tests.namespaces.dht_street import ASK, identity
from tests.namespaces.network import Host, Network

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]

STREETS, EACH = 10, 6
DEAD = (2, 5, 8)
PUBLISH = (1, 5, 9)
"""Of them one dies: what it published is still there, and is not asked for."""
KEY = content_key("5" * 64)


class Street:
    """One process of some nodes."""

    def __init__(self, host: Host, number: int) -> None:
        self.numbers = range(1 + number * EACH, 1 + (number + 1) * EACH)
        command = [sys.executable, "-W", "error", "-m", "tests.namespaces.dht_street", str(self.numbers[0]), str(EACH)]
        self.process = subprocess.Popen(
            [*host.within, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment(host.home),
        )

    @property
    def peers(self) -> set[str]:
        return {str(PeerId(identity(number).public)) for number in self.numbers}

    def tell(self, **asked: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextmanager
def town(host: Host) -> Iterator[list[Street]]:
    """All streets, ready; the first one stands before the others come."""
    host.home.mkdir()
    streets: list[Street] = []
    try:
        for number in range(STREETS):
            streets.append(Street(host, number))
            if number == 0:
                assert streets[0].hear() == "ready"
        assert [street.hear() for street in streets[1:]] == ["ready"] * (STREETS - 1)
        yield streets
    finally:
        for street in streets:
            street.process.kill()
            street.process.communicate(timeout=SECONDS)


def test_with_30_percent_killed_95_percent_of_the_live_providers_are_found(own_net: Network) -> None:
    with town(own_net.lonely("town")) as streets:
        for number in PUBLISH:
            streets[number].tell(publish=KEY)
        taken = [many for number in PUBLISH for many in streets[number].hear()]
        assert min(taken) >= 10
        for number in DEAD:
            streets[number].process.kill()
            streets[number].process.wait(SECONDS)
        living = [street for number, street in enumerate(streets) if number not in DEAD]
        for street in living:
            street.tell(find=KEY)
        live = set().union(*(streets[number].peers for number in PUBLISH if number not in DEAD))
        found = [len(live & set(peers)) for street in living for peers in street.hear()]
    assert len(found) == ASK * len(living)
    assert sum(found) / (len(found) * len(live)) >= 0.95
