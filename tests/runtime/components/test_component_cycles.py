"""Components that come and go leave nothing behind: no descriptor, no process, no file, no memory.

Few cycles run with the other tests; `make test-cycles` runs a thousand, or two hundred beside all the other suites.
"""

import asyncio
import gc
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.puppets_here import puppet

RULES = """[[mounts]]
guest = "/data"
source = "private"
[[mounts]]
guest = "/temp"
source = "temp"
[permissions.filesystem]
write = ["/**"]
[permissions.storage]
namespaces = [{ name = "puppet:notes", actions = ["read", "write"] }]
[permissions.process]
spawn = [{ command = "SHELL", args = ["**"] }]
[limits]
call_timeout = "2m"
""".replace("SHELL", os.path.realpath("/bin/sh"))
WRITE = ("write", True, False, False, True, (0o600,))
WAITS = (os.path.realpath("/bin/sh"), ["-c", "sleep 1000"], [], [], None, "none", "pipe", "pipe", None, None)
MANY = 200 if os.environ.get("CI") else 1000
MEMORY = 24 << 20
"""Bytes that this process and the zygote may grow by, whatever the number of cycles: allocators keep what they had."""


@dataclass(frozen=True)
class Held:
    """What a node holds."""

    descriptors: int
    processes: int
    files: str
    memory: int


def resident(process: psutil.Process) -> int:
    """Bytes; none of a process that has just gone."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def held(here: Node) -> Held:
    """What is there now."""
    gc.collect()
    own = psutil.Process()
    children = own.children(recursive=True)
    files = sorted(str(path) for path in here.state.components.rglob("*"))
    memory = sum(resident(one) for one in (own, *children))
    named = hashlib.sha256("\n".join(files).encode()).hexdigest() if files else ""
    return Held(sum(1 for _ in Path("/proc/self/fd").iterdir()), len(children), named, memory)


async def cycle(here: Node, place: Path) -> None:
    """One comes, does something of everything, and goes."""
    guest = await puppet(here, place, RULES)
    await guest("storage.set", "puppet:notes", "key", b"value")
    for path in ("/data/file", "/temp/file"):
        await guest("file.write", await guest("filesystem.open", path, WRITE), b"x")
    await guest("lifecycle.spawn", WAITS)
    await here.components.stop("puppet")
    await here.components.uninstall("puppet")


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def settled(here: Node) -> Held:
    """What is there once all workers have ended, which nobody waits for."""
    own = psutil.Process()
    async with asyncio.timeout(60):
        while set(await asyncio.to_thread(own.children, recursive=True)) - set(own.children()):
            pass  # children of the zygote are workers
    return held(here)


async def nothing_is_left(here: Node, place: Path, cycles: int) -> None:
    for _ in range(5):  # what is made once is there now
        await cycle(here, place)
    here.happened.clear()
    before = await settled(here)
    for _ in range(cycles):
        await cycle(here, place)
        here.happened.clear()
    after = await settled(here)
    async with asyncio.timeout(60):
        # The core hears of the last end a moment after it.
        while after.descriptors > before.descriptors or after.processes > before.processes:
            after = await settled(here)
    assert after.files == before.files
    assert after.memory - before.memory < MEMORY


async def test_a_few_cycles_leave_nothing(here: Node, tmp_path: Path) -> None:
    await nothing_is_left(here, tmp_path, 20)


@pytest.mark.cycles
@pytest.mark.timeout(1500)
async def test_many_cycles_leave_nothing(here: Node, tmp_path: Path) -> None:
    await nothing_is_left(here, tmp_path, MANY)
