"""Components as they live: real ones in real workers, from their installation to their removal."""

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from runtime.component_events import (
    ComponentDenied,
    ComponentGivenUp,
    ComponentInstalled,
    ComponentPolicy,
    ComponentRestarting,
    ComponentState,
    ComponentUninstalled,
)
from runtime.components.checkup import Checkup
from runtime.components.lifecycle import LifecycleError
from runtime.components.permissions.grants import Grants
from runtime.components.running import Called
from runtime.components.supervision import Group, Rules
from runtime.errors import FailedError, NotFoundError, OrlopError, UsageError
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node

STORES = '[permissions.storage]\nnamespaces = [{ name = "doer:notes", actions = ["read", "write"] }]\n'
SOON = "[supervision]\nbackoff_initial = 10\nbackoff_max = 10\n"


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def refused(work: Awaitable[object]) -> OrlopError:
    with pytest.raises(OrlopError) as caught:
        await work
    return caught.value


def ok(text: str) -> dict[str, str]:
    return {"ok": base64.b64encode(text.encode()).decode()}


async def test_it_is_installed_started_asked_stopped_and_taken_away(here: Node) -> None:
    installed = await here.install()
    assert (installed.name, installed.mark) == ("local/doer", "unsigned")
    unit = here.components.unit("doer")
    assert unit.life.state == "installed"
    await here.components.start("doer")
    assert (unit.life.state, unit.health.status) == ("running", "healthy")
    assert await here.told("doer", "echo", b"hello") == ok("hello")
    assert await here.told("doer", "nonsense") == {"err": ["unknown-operation", "nonsense"]}
    await here.components.stop("doer")
    await here.components.uninstall("doer")
    assert here.components.units() == []
    states = [event.state for event in here.heard(ComponentState)]
    assert states == ["verified", "loaded", "initialised", "running", "stopping", "stopped", "absent"]
    assert [type(event) for event in here.happened if "nstalled" in type(event).__name__] == [
        ComponentInstalled,
        ComponentUninstalled,
    ]


async def test_its_state_in_memory_lasts_until_it_stops(here: Node) -> None:
    await here.running()
    assert [await here.told("doer", "count") for _ in range(3)] == [ok("1"), ok("2"), ok("3")]
    await here.components.stop("doer")
    assert await here.told("doer", "count") == ok("1")  # whoever asks it starts it


async def test_one_without_state_is_fresh_at_every_call(here: Node) -> None:
    await here.running("stateful = false\n")
    assert [await here.told("doer", "count") for _ in range(2)] == [ok("1"), ok("1")]


async def test_a_faulty_one_comes_again_and_is_given_up_in_the_end(here: Node) -> None:
    unit = await here.running(SOON)
    for number in range(1, 4):
        assert await here.told("doer", "trap") == "trap"
        await here.runs(unit.name)
        assert unit.restarts == number
    await here.told("doer", "trap")
    await unit.until(lambda life: life.state == "given-up")
    [told] = await here.until_heard(ComponentGivenUp)
    assert told.reasons == ("trap: unreachable instruction executed",) * 4
    assert [event.delay_ms <= 11 for event in here.heard(ComponentRestarting)] == [True] * 3
    await here.components.start("doer")
    assert unit.restarts == 0


async def test_one_that_never_restarts_stays_failed(here: Node) -> None:
    unit = await here.running('[supervision]\nrestart = "never"\n')
    await here.told("doer", "trap")
    await unit.until(lambda life: life.state == "failed")
    assert unit.reason == "trap: unreachable instruction executed"
    assert here.heard(ComponentRestarting) == []


async def test_an_endless_one_ends_at_its_deadline_and_its_neighbour_goes_on(here: Node) -> None:
    unit = await here.running(f'[limits]\ncall_timeout = "300ms"\n{SOON}', namespace="a")
    await here.running(namespace="b")
    spinning = asyncio.ensure_future(here.told("a/doer", "spin"))
    assert await here.told("b/doer", "echo", b"still here") == ok("still here")
    assert await spinning == "deadline"
    await here.runs(unit.name)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("trap", "trap: unreachable instruction executed"),
        ("spin", "deadline: over its deadline"),
        ("fail", "init: configuration-invalid: told to fail"),
    ],
)
async def test_what_fails_in_init_does_not_come_to_run(here: Node, config: str, why: str) -> None:
    limits = '[limits]\ninit_timeout = "300ms"\n[supervision]\nrestart = "never"\n'
    await here.install(limits, first=f'config = {{ wish = "{config}" }}\n')
    failed = await refused(here.components.start("doer"))
    assert (type(failed), failed.why) == (FailedError, why)
    assert here.components.unit("doer").seat is None


async def test_what_it_stores_lasts_and_goes_with_it(here: Node) -> None:
    await here.running(STORES)
    assert await here.told("doer", "store", b"kept") == ok("kept")
    await here.components.stop("doer")
    count = here.store.read_now(lambda db: db.execute("SELECT count(*) FROM component_storage").fetchone()[0])
    assert count == 1
    await here.components.uninstall("doer")
    assert here.store.read_now(lambda db: db.execute("SELECT count(*) FROM component_storage").fetchone()[0]) == 0


async def test_a_denial_reaches_the_component_and_the_operator(here: Node) -> None:
    unit = await here.running()
    denied = await here.told("doer", "store", b"x")
    assert isinstance(denied, dict)
    assert denied["err"][0] == "processing-failed"
    assert await here.told("doer", "echo", b"alive") == ok("alive")
    [told] = await here.until_heard(ComponentDenied)
    assert (told.op, told.remedy) == ("storage.set", "--grant storage.namespaces=doer:notes:write")
    assert unit.denied == 1


async def test_permissions_change_while_it_runs(here: Node) -> None:
    unit = await here.running(STORES)
    await here.components.change("doer", lambda grants: grants.revoke("storage.namespaces[0]"))
    assert isinstance(await here.told("doer", "store", b"x"), dict)
    assert len(await here.until_heard(ComponentDenied)) == 1
    await here.components.change("doer", lambda grants: grants.grant("storage.namespaces[0]"))
    assert await here.told("doer", "store", b"x") == ok("x")
    assert unit.life.state == "running"
    told = [(event.granted, event.revoked) for event in here.heard(ComponentPolicy)]
    rule = ("permissions.storage.namespaces[0]",)
    assert told == [((), rule), (rule, ())]


async def test_a_change_that_is_none_changes_nothing(here: Node) -> None:
    await here.install(STORES)
    refusal = await refused(here.components.change("doer", lambda grants: grants.revoke("rooms.post[7]")))
    grants = here.components.unit("doer").installed.grants
    assert isinstance(refusal, UsageError)
    assert grants == Grants(asked=grants.asked)


async def test_a_worker_that_is_killed_costs_nobody_his_restarts(here: Node) -> None:
    units = [await here.running(SOON, namespace=name) for name in ("a", "b")]
    pids = {unit.running.process_id for unit in units if unit.running is not None}
    assert len(pids) == 1  # those without files, network and processes share one
    os.kill(pids.pop(), signal.SIGKILL)
    restarting = await here.until_heard(ComponentRestarting, 2)
    assert all(event.reason.startswith("worker-lost") and event.delay_ms == 0 for event in restarting)
    for unit in units:
        await here.runs(unit.name)
        assert unit.restarts == 1


async def test_a_worker_that_dies_at_the_last_step_of_a_start_is_missed_all_the_same(
    here: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Checkup.ask

    async def the_last_words(checkup: Checkup) -> Called:
        ended, running = await ask(checkup), checkup._running
        monkeypatch.setattr(Checkup, "ask", ask)
        os.kill(running.process_id, signal.SIGKILL)
        await asyncio.wait([running.lost])
        return ended

    monkeypatch.setattr(Checkup, "ask", the_last_words)
    unit = await here.running(SOON)
    [told] = await here.until_heard(ComponentRestarting)
    assert told.reason.startswith("worker-lost")
    await here.runs(unit.name)
    assert await here.told("doer", "echo", b"again") == ok("again")


async def test_suspended_it_is_asked_nothing_and_goes_on_where_it_was(here: Node) -> None:
    unit = await here.running()
    await here.told("doer", "count")
    unit.want("suspend")
    assert isinstance(await refused(here.components.execute("doer", "count", b"", 1000, "test")), UsageError)
    unit.want("resume")
    assert await here.told("doer", "count") == ok("2")


async def test_what_runs_is_not_taken_away_and_what_rests_is_not_stopped(here: Node) -> None:
    await here.running()
    assert isinstance(await refused(here.components.uninstall("doer")), LifecycleError)
    await here.components.stop("doer")
    assert isinstance(await refused(here.components.stop("doer")), LifecycleError)
    assert isinstance(await refused(here.components.start("nobody")), NotFoundError)


async def test_another_version_takes_the_place_of_one_that_runs(here: Node) -> None:
    before = await here.running(STORES)
    assert "--upgrade" in str(await refused(here.install(STORES)))
    await here.install(STORES, upgrade=True)
    after = here.components.unit("doer")
    assert after is not before
    assert (before.life.state, after.life.state, after.component.instance) == ("stopped", "running", 1)
    await here.install(STORES, upgrade=True)
    assert here.components.unit("doer").component.instance == 0


async def test_a_version_that_does_not_run_takes_nobodys_place(here: Node) -> None:
    before = await here.running()
    await here.told("doer", "count")
    failed = await refused(here.install(upgrade=True, first='config = { wish = "fail" }\n'))
    assert failed.why == "init: configuration-invalid: told to fail; 1.0.0 goes on"
    assert here.components.unit("doer") is before
    assert await here.told("doer", "count") == ok("2")


async def test_after_a_restart_of_the_node_what_ran_runs_again(tmp_path: Path, component_compiler: Compiler) -> None:
    async with node(tmp_path, lambda: component_compiler) as first:
        await first.running(namespace="a")
        await first.install(namespace="b")
    async with node(tmp_path, lambda: component_compiler) as second:
        assert [unit.name for unit in second.components.units()] == ["a/doer", "b/doer"]
        await second.runs("a/doer")
        assert second.components.unit("b/doer").life.state == "installed"


async def test_bytes_that_changed_on_the_disk_are_not_run(here: Node) -> None:
    unit = await here.running('[supervision]\nrestart = "never"\n')
    await here.components.stop("doer")
    [blob] = [path for path in here.state.blobs.rglob("*") if path.is_file() and path.name == unit.installed.hash]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    failed = await refused(here.components.start("doer"))
    assert "the stored content was changed" in failed.why


async def test_a_group_moves_together(tmp_path: Path, component_compiler: Compiler) -> None:
    members = ("a/doer", "b/doer", "c/doer")
    groups = {"trio": Group(members, "rest-for-one", Rules(backoff_initial_s=0.01))}
    async with node(tmp_path, lambda: component_compiler, groups=groups) as here:
        units = [await here.running(namespace=name) for name in "abc"]
        for name in members:
            await here.told(name, "count")
        await here.told("b/doer", "trap")
        [told] = await here.until_heard(ComponentRestarting)
        assert (told.group, told.members) == ("trio", ("b/doer", "c/doer"))
        for unit in units:
            await here.runs(unit.name)
        assert [await here.told(name, "count") for name in members] == [ok("2"), ok("1"), ok("1")]
