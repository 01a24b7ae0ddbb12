"""Workers that the kernel kills because they took too much memory: who begins anew, and whose fault it was."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.component_events import ComponentGivenUp, ComponentRestarting
from runtime.components.unit import Unit
from runtime.sandbox.compile import Compiler
from tests.memory_bound import memory_bound
from tests.runtime.components.components_here import Node, node

LIMITS = '[limits]\ncall_timeout = "2m"\n'
ONCE = "[supervision]\nmax_restarts = 0\n"
"""A single failure that counts gives it up."""
BOUND = 24 << 20
MUCH = b"2000000"
"""Bytes of a list that a guest gives back: each takes 32 in the worker for a while, and all 64 MB."""


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def killed_for_memory(here: Node, glutton: Unit) -> None:
    """Has a component take more than its worker may have, until the kernel ends the worker."""
    assert glutton.running is not None
    lost = glutton.running.lost
    with memory_bound(glutton.running.process_id, BOUND) as bound:
        feast = asyncio.ensure_future(here.told(glutton.name, "large" if bound.by_the_kernel else "spin", MUCH))
        await asyncio.sleep(0)
        bound.was_exceeded()
        async with asyncio.timeout(120):
            found = await asyncio.shield(lost)
        assert "was ended by SIGKILL" in found.why
        assert bound.kills() == 1
        await feast


async def test_those_that_shared_it_begin_anew_and_no_failure_is_counted(here: Node) -> None:
    glutton, innocent = [await here.running(LIMITS + ONCE, namespace=name) for name in "ab"]
    apart = await here.running(f'{LIMITS}memory = "128MiB"\n{ONCE}', namespace="c")
    for name in ("b/doer", "c/doer"):
        assert await here.told(name, "count") == {"ok": "MQ=="}
    assert glutton.running is not None
    assert innocent.running is not None
    assert apart.running is not None
    assert glutton.running.process_id == innocent.running.process_id != apart.running.process_id
    await killed_for_memory(here, glutton)
    told = await here.until_heard(ComponentRestarting, 2)
    assert {one.component for one in told} == {"a/doer", "b/doer"}
    assert all(one.reason.startswith("worker-lost: ") and one.delay_ms == 0 for one in told)
    for unit in (glutton, innocent):
        await here.runs(unit.name)
        assert unit.restarts == 1
    assert await here.told("b/doer", "count") == {"ok": "MQ=="}
    assert await here.told("c/doer", "count") == {"ok": "Mg=="}  # in a worker of its own: nothing befell it
    assert here.heard(ComponentGivenUp) == []


async def test_one_that_had_it_alone_is_the_one_to_blame(here: Node) -> None:
    glutton = await here.running(f'{LIMITS}memory = "128MiB"\n{ONCE}')
    await killed_for_memory(here, glutton)
    [told] = await here.until_heard(ComponentGivenUp)
    assert told.reasons[0].startswith("worker-lost: the worker was ended by SIGKILL")
    await glutton.until(lambda life: life.state == "given-up")
    await here.components.start("doer")
    assert await here.told("doer", "count") == {"ok": "MQ=="}
