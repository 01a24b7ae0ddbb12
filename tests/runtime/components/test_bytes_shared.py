"""The bytes in a component's own folders are one account: of calls that run at a time, and of two versions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.components.installer import Install
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, author, node
from tests.runtime.components.puppet import PUPPET, RefusedError
from tests.runtime.components.puppets_here import FULL, puppet

KEEPS = (
    '[limits]\nfilesystem = "100B"\n[permissions.filesystem]\nread = ["/**"]\nwrite = ["/**"]\n'
    '[[mounts]]\nguest = "/data"\nsource = "private"\n[[mounts]]\nguest = "/tmp"\nsource = "temp"\n'
)


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def test_calls_at_a_time_keep_no_more_together_than_one(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, "stateful = false\n" + KEEPS)
    await guest.arena()
    paths = ["/data/a", "/tmp/b", "/data/c", "/tmp/d"]
    came = await asyncio.gather(
        *(guest("write-file-atomic", path, bytes(60)) for path in paths), return_exceptions=True
    )
    refused = [answer.case for answer in came if isinstance(answer, RefusedError)]
    assert (came.count(None), refused) == (1, ["quota-exceeded"] * 3)
    kept = [path for path in (tmp_path / "state/components").rglob("*") if path.is_file()]
    assert [path.stat().st_size for path in kept] == [60]


async def test_two_versions_have_one_account_as_long_as_one_of_them_is_there(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, KEEPS)
    await guest("write-file-atomic", "/data/a", bytes(60))
    made = author(tmp_path / "next", FULL + KEEPS, wasm=PUPPET, name="puppet")
    await here.components.install(Install(folder=made, upgrade=True))
    with pytest.raises(RefusedError) as full:
        await guest("write-file-atomic", "/data/b", bytes(41))
    assert full.value.case == "quota-exceeded"
    await guest("write-file-atomic", "/data/b", bytes(40))
