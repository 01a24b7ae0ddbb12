"""Installing and taking away: all of it or nothing, whatever fails and whoever gives up on the way."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runtime.blobs import Blobs
from runtime.component_events import ComponentInstalled
from runtime.components.installer import Install
from runtime.errors import OrlopError, UnavailableError, UsageError
from runtime.sandbox.compile import Compiler
from runtime.store import Store
from tests.runtime.components.components_here import Node, author, node

STORES = '[permissions.storage]\nnamespaces = [{ name = "doer:notes", actions = ["read", "write"] }]\n'


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


def rows(here: Node) -> list[tuple[str, str, int]]:
    return here.store.read_now(
        lambda db: db.execute("SELECT component, version, wanted FROM components ORDER BY component").fetchall()
    )


def references(here: Node) -> int:
    sql = "SELECT count(*) FROM job_blobs WHERE job LIKE 'component:%'"
    return int(here.store.read_now(lambda db: db.execute(sql).fetchone()[0]))


async def refused(work: "asyncio.Future[object]") -> OrlopError:
    with pytest.raises(OrlopError) as caught:
        await work
    return caught.value


async def until_set(entered: asyncio.Event, task: "asyncio.Future[object]") -> None:
    """Waits until a task has come so far; where it ended before, that is what the test says."""
    waits = asyncio.ensure_future(entered.wait())
    await asyncio.wait([waits, task], return_when=asyncio.FIRST_COMPLETED)
    assert waits.done() or not task.done(), task
    await waits


def fail(*_: object, **__: object) -> object:
    raise UnavailableError("the disk is full")


Spoil = Callable[[pytest.MonkeyPatch], None]

STEPS: dict[str, Spoil] = {
    "the bytes are not kept": lambda spoil: spoil.setattr(Blobs, "put", fail),
    "they do not compile": lambda spoil: spoil.setattr(Compiler, "compile", fail),
    "the transaction fails": lambda spoil: spoil.setattr("runtime.components.installer.save", fail),
    "the last word of it fails": lambda spoil: spoil.setattr("runtime.components.installer.ComponentInstalled", fail),
}


@pytest.mark.parametrize("step", STEPS)
async def test_whatever_fails_nothing_is_half_installed_and_the_next_try_works(here: Node, step: str) -> None:
    tasks = asyncio.all_tasks()
    with pytest.MonkeyPatch.context() as spoil:
        STEPS[step](spoil)
        failed = await refused(asyncio.ensure_future(here.install(STORES)))
        assert "the disk is full" in str(failed)
    assert (rows(here), references(here), here.components.units()) == ([], 0, [])
    assert asyncio.all_tasks() == tasks
    assert (await here.install(STORES)).name == "local/doer"
    assert len(here.heard(ComponentInstalled)) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_an_upgrade_that_fails_leaves_the_one_that_runs(here: Node, step: str) -> None:
    before = await here.running()
    assert await here.told("doer", "count") == {"ok": "MQ=="}
    tasks = asyncio.all_tasks()
    with pytest.MonkeyPatch.context() as spoil:
        STEPS[step](spoil)
        await refused(asyncio.ensure_future(here.install(STORES, upgrade=True)))
    assert here.components.unit("doer") is before
    assert await here.told("doer", "count") == {"ok": "Mg=="}
    assert len(asyncio.all_tasks()) <= len(tasks)
    await here.install(STORES, upgrade=True)
    assert here.components.unit("doer").life.state == "running"
    assert await here.told("doer", "count") == {"ok": "MQ=="}


async def test_whoever_gives_up_before_it_is_true_leaves_nothing(here: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def held(*_: object) -> None:
        entered.set()
        await go_on.wait()

    with pytest.MonkeyPatch.context() as spoil:
        spoil.setattr("runtime.components.house.Code.__call__", held)
        task = asyncio.ensure_future(here.install())
        await until_set(entered, task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (rows(here), here.components.units()) == ([], [])
    await here.install()


async def test_whoever_gives_up_when_it_is_true_has_it_whole(here: Node) -> None:
    entered = asyncio.Event()
    write, loop = Store.write, asyncio.get_running_loop()

    def seen(store: Store, work: object, **more: object) -> object:
        loop.call_soon(entered.set)
        return write(store, work, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as spoil:
        spoil.setattr(Store, "write", seen)
        task = asyncio.ensure_future(here.install())
        await until_set(entered, task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert rows(here) == [("local/doer", "1.0.0", 0)]
    assert [unit.name for unit in here.components.units()] == ["local/doer"]


async def test_two_at_a_time_come_one_after_another(here: Node) -> None:
    both = await asyncio.gather(here.install(), here.install(), return_exceptions=True)
    assert [type(one) for one in both].count(UsageError) == 1
    assert len(here.components.units()) == 1
    upgrades = await asyncio.gather(here.install(STORES, upgrade=True), here.install(upgrade=True))
    assert len(upgrades) == 2
    assert len(rows(here)) == 1


async def test_nothing_more_is_stored_while_room_on_the_disk_is_short(
    tmp_path: Path, component_compiler: Compiler
) -> None:
    roomy = [True]

    def need_space() -> None:
        if not roomy[0]:
            fail()

    async with node(tmp_path, lambda: component_compiler, need_space=need_space) as here:
        await here.running(STORES)
        assert await here.told("doer", "store", b"x") == {"ok": "eA=="}
        roomy[0] = False
        assert await here.told("doer", "store", b"y") == {"err": ["processing-failed", "the disk is full"]}
        roomy[0] = True
        assert await here.told("doer", "store", b"z") == {"ok": "eg=="}


async def test_taking_away_fails_whole_too(here: Node) -> None:
    await here.running(STORES)
    await here.told("doer", "store", b"kept")
    await here.components.stop("doer")
    with pytest.MonkeyPatch.context() as spoil:
        spoil.setattr("runtime.components.installer.remove", fail)
        await refused(asyncio.ensure_future(here.components.uninstall("doer")))
    assert here.components.unit("doer").life.state == "stopped"
    assert rows(here) == [("local/doer", "1.0.0", 0)]
    await here.components.start("doer")
    await here.components.stop("doer")
    assert await here.components.uninstall("doer") == "local/doer"
    assert (rows(here), references(here)) == ([], 0)


async def test_it_keeps_running_at_the_next_start_though_another_version_came(here: Node) -> None:
    await here.running()
    await here.install(upgrade=True)
    assert rows(here) == [("local/doer", "1.0.0", 1)]
    await here.components.stop("doer")
    await here.install(upgrade=True)
    assert rows(here) == [("local/doer", "1.0.0", 0)]


async def test_one_that_is_to_start_by_itself_does_at_the_next_start_until_it_is_stopped(
    tmp_path: Path, component_compiler: Compiler
) -> None:
    async with node(tmp_path, lambda: component_compiler) as first:
        await first.install("[lifecycle]\nautostart = true\n")
        assert first.components.unit("doer").life.state == "installed"
    async with node(tmp_path, lambda: component_compiler) as second:
        await second.runs("doer")
        await second.components.stop("doer")
    async with node(tmp_path, lambda: component_compiler) as third:
        assert third.components.unit("doer").life.state == "installed"


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("manifest", "schema = 99", "its manifest: "),
        ("manifest", b"\xff", "`manifest` holds bytes, not a text"),
        ("grants", "[]", "`grants` is no JSON object"),
        ("grants", '{"asked": 3}', "`grants`: "),
        ("mounts", "x", "`mounts` is no JSON object"),
        ("given_up", "{}", "`given_up` is no JSON list"),
        ("wanted", "yes", "`wanted` holds a text, not a whole number"),
    ],
)
async def test_a_damaged_row_is_named_hides_no_other_and_can_be_taken_away(
    tmp_path: Path, component_compiler: Compiler, column: str, value: object, words: str
) -> None:
    async with node(tmp_path, lambda: component_compiler) as first:
        await first.install(namespace="a")
        await first.install(namespace="b")
        state = first.state
    with sqlite3.connect(state.database) as database:
        database.execute(f"UPDATE components SET {column} = ? WHERE component = 'a/doer'", (value,))
    database.close()
    async with node(tmp_path, lambda: component_compiler) as second:
        assert [unit.name for unit in second.components.units()] == ["b/doer"]
        with pytest.raises(UnavailableError) as caught:
            second.components.unit("a/doer")
        assert words in str(caught.value)
        assert "uninstall the component" in str(caught.value)
        damaged = author(tmp_path / "a", namespace="a")
        with pytest.raises(UnavailableError):
            await second.components.install(Install(folder=damaged, upgrade=True))
        assert await second.components.uninstall("a/doer") == "a/doer"
        assert [name for name, _, _ in rows(second)] == ["b/doer"]
        await second.install(namespace="a")
