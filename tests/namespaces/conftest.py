"""Networks for the tests of this folder, and the nodes on them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.running import Running
from tests.namespaces.network import Host, Network, network

Begins = Callable[..., Running]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One network for all tests of a module."""
    with network(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture
def own_net(tmp_path: Path) -> Iterator[Network]:
    """A network for one test."""
    with network(tmp_path) as made:
        yield made


@pytest.fixture
def begins() -> Iterator[Callable[..., Running]]:
    """Begins nodes that listen, `begins(host, *places)`, and ends them after the test."""
    nodes: list[Running] = []

    def begin(host: Host, *places: str) -> Running:
        nodes.append(host.listening(*places))
        return nodes[-1]

    yield begin
    for node in nodes:
        node.close()
