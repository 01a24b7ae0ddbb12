"""Supervision as it is carried out: real components that fall, and operators that come between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from runtime.component_events import ComponentGivenUp, ComponentRestarting, ComponentState
from runtime.components.lifecycle import LifecycleError
from runtime.components.supervision import Group, Rules, Strategy
from runtime.components.supervisor import at_rest
from runtime.components.unit import Unit
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node

MEMBERS = ("a/doer", "b/doer", "c/doer")
AGAIN = Rules(backoff_initial_s=0.01, backoff_max_s=0.01)
LATER = Rules(backoff_initial_s=3600.0, backoff_max_s=3600.0)

Grouped = Callable[[Strategy, Rules], AbstractAsyncContextManager[tuple[Node, list[Unit]]]]


@pytest.fixture
def grouped(tmp_path: Path, component_compiler: Compiler) -> Grouped:
    @asynccontextmanager
    async def made(strategy: Strategy, rules: Rules) -> AsyncIterator[tuple[Node, list[Unit]]]:
        groups = {"trio": Group(MEMBERS, strategy, rules)}
        async with node(tmp_path, lambda: component_compiler, groups=groups) as here:
            yield here, [await here.running(namespace=name) for name in "abc"]

    return made


def states(here: Node, since: int) -> list[tuple[str, str]]:
    """Who stopped, failed and ran again, in order."""
    told = here.heard(ComponentState)[since:]
    return [(one.component[0], one.state) for one in told if one.state in {"stopping", "failed", "running"}]


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("one-for-one", [("b", "failed"), ("b", "running")]),
        (
            "rest-for-one",
            [("b", "failed"), ("c", "stopping"), ("b", "running"), ("c", "running")],
        ),
        (
            "one-for-all",
            [
                ("b", "failed"),
                ("c", "stopping"),
                ("a", "stopping"),
                ("a", "running"),
                ("b", "running"),
                ("c", "running"),
            ],
        ),
    ],
)
async def test_a_strategy_says_who_moves_and_in_which_order(
    grouped: Grouped, strategy: Strategy, order: list[tuple[str, str]]
) -> None:
    async with grouped(strategy, AGAIN) as (here, _):
        since = len(here.heard(ComponentState))
        await here.told("b/doer", "trap")
        more = since
        while len(states(here, since)) < len(order):
            await here.until_heard(ComponentState, more := more + 1)
        found = states(here, since)
        stops = [one for one in found if one[1] == "stopping"]
        assert found[0] == ("b", "failed")
        assert sorted(stops) == sorted(one for one in order if one[1] == "stopping")  # they stop at the same time
        assert [one for one in found if one[1] == "running"] == [one for one in order if one[1] == "running"]


async def test_a_group_that_falls_too_often_is_given_up_as_a_whole(grouped: Grouped) -> None:
    async with grouped("one-for-one", Rules(max_restarts=0)) as (here, units):
        await here.told("b/doer", "trap")
        [told] = await here.until_heard(ComponentGivenUp)
        assert (told.component, told.group) == ("b/doer", "trio")
        await asyncio.gather(*(unit.until(at_rest) for unit in units))
        assert [unit.life.state for unit in units] == ["stopped", "given-up", "stopped"]
    async with grouped_again(here) as second:
        assert [unit.life.state for unit in second.components.units()] == ["installed", "given-up", "installed"]


@asynccontextmanager
async def grouped_again(here: Node) -> AsyncIterator[Node]:
    """The same directory, by the next start of the program."""
    with Compiler(None) as compiler:
        async with node(here.state.path.parent, lambda: compiler) as second:
            yield second


async def test_whom_an_operator_stops_while_it_waits_for_its_group_stays_stopped(grouped: Grouped) -> None:
    async with grouped("one-for-all", LATER) as (here, units):
        await here.told("b/doer", "trap")
        await here.until_heard(ComponentRestarting)
        await units[2].until(at_rest)
        assert (await here.components.stop("c/doer")).state == "stopped"
        with pytest.raises(LifecycleError):
            await here.components.stop("c/doer")  # nothing would start it any more
        assert (await here.components.stop("b/doer")).state == "stopped"


async def test_whom_an_operator_starts_does_not_keep_the_others_waiting(grouped: Grouped) -> None:
    async with grouped("one-for-all", Rules(backoff_initial_s=0.3, backoff_max_s=0.3)) as (here, units):
        await here.told("b/doer", "trap")
        await here.until_heard(ComponentRestarting)
        assert (await here.components.start("b/doer")).state == "running"
        for unit in units:
            await here.runs(unit.name)


async def test_a_stop_by_an_operator_beats_the_restart_that_was_to_come(
    tmp_path: Path, component_compiler: Compiler
) -> None:
    async with node(tmp_path, lambda: component_compiler) as here:
        unit = await here.running('[supervision]\nbackoff_initial = "60s"\nbackoff_max = "60s"\n')
        await here.told("doer", "trap")
        await here.until_heard(ComponentRestarting)
        assert (await here.components.stop("doer")).state == "stopped"
        wanted = here.store.read_now(lambda db: db.execute("SELECT wanted FROM components").fetchone()[0])
        assert (unit.life.state, wanted) == ("stopped", 0)
