"""A node that is killed while it installs, upgrades or takes away: all of it happened, or nothing; nothing is left."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.install_runner import DONE, FIRST, SECRET, STEPS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled code, for all nodes of this module."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def compiler(cache: Path) -> Iterator[Compiler]:
    with Compiler(cache, SECRET) as made:
        yield made


def files(place: Path) -> list[str]:
    """What lies in folders of components: whether kept or temporary."""
    return [path.parent.parent.name for path in (place / "state/components").rglob("file")]


def rows(here: Node) -> tuple[list[str], int]:
    """What is installed, and how many blobs are held for it."""
    installed = here.store.read_now(lambda db: db.execute("SELECT component FROM components").fetchall())
    held = here.store.read_now(
        lambda db: db.execute("SELECT count(*) FROM job_blobs WHERE job LIKE 'component:%'").fetchone()
    )
    return [name for (name,) in installed], int(held[0])


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def killed(place: Path, cache: Path, change: str, step: str) -> None:
    """Has a process of its own make a change and die at a step, and waits for the end of its workers."""
    command = [sys.executable, "-m", "tests.runtime.components.install_runner", str(place), str(cache), change, step]
    died = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=120, check=False)
    assert died.returncode == -signal.SIGKILL
    left = place / "pids"
    for pid in left.read_text().split() if left.exists() else ():
        while alive(int(pid)):
            await asyncio.to_thread(os.sched_yield)


@pytest.mark.parametrize("step", STEPS["install"])
async def test_an_installation_is_whole_or_none(tmp_path: Path, cache: Path, compiler: Compiler, step: str) -> None:
    await killed(tmp_path, cache, "install", step)
    async with node(tmp_path, lambda: compiler) as here:
        assert rows(here) == ((["local/doer"], 1) if step == DONE else ([], 0))
        await here.install(FIRST, upgrade=step == DONE)
        assert await here.told("doer", "echo") == {"ok": ""}
        await here.components.stop("doer")
        await here.components.uninstall("doer")
        assert (rows(here), files(tmp_path)) == (([], 0), [])


@pytest.mark.parametrize("step", STEPS["upgrade"])
async def test_after_an_upgrade_one_of_the_two_runs(tmp_path: Path, cache: Path, compiler: Compiler, step: str) -> None:
    await killed(tmp_path, cache, "upgrade", step)
    async with node(tmp_path, lambda: compiler) as here:
        await here.runs("doer")
        assert rows(here) == (["local/doer"], 1)
        timeout = here.components.unit("doer").installed.manifest.limits.call_timeout
        assert (timeout == 7_000) == (step == DONE)
        assert await here.told("doer", "echo") == {"ok": ""}
        assert files(tmp_path) == ["private"]  # what was temporary is not there for the next


@pytest.mark.parametrize("step", STEPS["uninstall"])
async def test_what_is_taken_away_is_whole_or_gone(tmp_path: Path, cache: Path, compiler: Compiler, step: str) -> None:
    await killed(tmp_path, cache, "uninstall", step)
    async with node(tmp_path, lambda: compiler) as here:
        gone = step == DONE
        assert rows(here) == (([], 0) if gone else (["local/doer"], 1))
        assert ("private" in files(tmp_path)) == (not gone)


async def test_without_a_node_that_tidies_the_next_of_that_name_begins_with_nothing(
    tmp_path: Path, cache: Path, compiler: Compiler
) -> None:
    await killed(tmp_path, cache, "uninstall", "true")
    async with node(tmp_path, lambda: compiler, start=False) as here:
        assert "private" in files(tmp_path)
        await here.install(FIRST)
        assert files(tmp_path) == []
