"""The processor time of a component is one account: of all its calls, instances and versions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import FailedError
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node

LITTLE = '[limits]\ncpu_per_minute = "100ms"\n'
STATELESS = "stateful = false\n"
MUCH = b"300000000"
"""Turns that no machine does in 100 ms."""


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    monkeypatch.setattr("runtime.components.cpu_quota._WINDOW_S", 1e6)  # no minute passes, however slow the machine is
    async with node(tmp_path, lambda: component_compiler) as made:
        await made.running(STATELESS, namespace="beside")
        yield made


async def does_not_come(here: Node, work: "asyncio.Future[Any]") -> bool:
    """Whether something has not happened while a neighbour did the same several times."""
    for _ in range(3):
        assert await here.told("beside/doer", "echo", b"") == {"ok": ""}
    return not work.done()


async def test_calls_of_a_component_without_state_wait_for_the_time_that_others_used(here: Node) -> None:
    await here.running(STATELESS + LITTLE)
    assert await here.told("local/doer", "echo") == {"ok": ""}
    assert isinstance(await here.told("local/doer", "work", MUCH), dict)
    waiting = [asyncio.ensure_future(here.told("local/doer", "echo")) for _ in range(2)]
    assert [await does_not_come(here, one) for one in waiting] == [True, True]
    await here.components.stop("local/doer")
    assert [await one for one in waiting] == ["lost", "lost"]


async def test_neither_a_start_anew_nor_another_version_has_more_time(here: Node) -> None:
    await here.running(LITTLE)
    assert isinstance(await here.told("local/doer", "work", MUCH), dict)
    upgrade = asyncio.ensure_future(here.install(LITTLE, upgrade=True))
    assert await does_not_come(here, upgrade)
    upgrade.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upgrade
    assert here.components.unit("local/doer").life.state == "running"
    await here.components.stop("local/doer")
    start = asyncio.ensure_future(here.components.start("local/doer"))
    assert await does_not_come(here, start)
    await here.components.stop("local/doer")
    with pytest.raises(FailedError, match="by the operator"):
        await start
