"""A core for agents: a real store, vault, compiler and lanes; time stands still until a test moves it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir
from runtime.store import Store
from runtime.vault import Vault
from tests.runtime.agents.world import World


@pytest.fixture(scope="session")
def compiler() -> Iterator[Compiler]:
    """One compile process for all tests."""
    with Compiler(None) as made:
        yield made


@pytest.fixture
async def world(tmp_path: Path, compiler: Compiler) -> AsyncIterator[World]:
    """An executor with one room, and everything around it."""
    clock = ManualClock()
    state = StateDir(tmp_path)
    store = Store.open(state.database, clock, owner=True)
    made = World(state, store, clock, Vault(Vault.new_key()), compiler)
    await made.start()
    yield made
    await made.stop()
    await asyncio.to_thread(store.close)
