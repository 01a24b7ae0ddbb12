"""A node that runs jobs: real store, real compiler, real workers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.jobs.jobs_node import Node, open_node


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    """One compile process for all tests."""
    with Compiler(tmp_path_factory.mktemp("compiled"), b"k" * 32) as made:
        yield made


@pytest.fixture
async def node(tmp_path: Path, compiler: Compiler) -> AsyncIterator[Node]:
    """A node with one worker, in a directory of its own."""
    async with open_node(tmp_path / "state", compiler) as made:
        yield made
