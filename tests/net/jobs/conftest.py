"""Two nodes that can run jobs: real stores, a real compiler, real workers; between them a connection in memory."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.sandbox.compile import Compiler
from tests.net.jobs.job_peers import Peers, open_peers


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    """One compile process for all tests."""
    with Compiler(tmp_path_factory.mktemp("compiled"), b"k" * 32) as made:
        yield made


@pytest.fixture
async def peers(tmp_path: Path, compiler: Compiler) -> AsyncIterator[Peers]:
    """A requester and a worker who lets it in."""
    async with open_peers(tmp_path, compiler) as made:
        yield made
