"""Two versions of a component at a time, while one takes the place of the other: what each has, and what they share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.components.installer import Install
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, author, node
from tests.runtime.components.puppet import PUPPET, Puppet, RefusedError
from tests.runtime.components.puppets_here import FULL, puppet

FILES = (
    '[permissions.filesystem]\nread = ["/tmp/**"]\nwrite = ["/tmp/**"]\n[[mounts]]\nguest = "/tmp"\nsource = "temp"\n'
)


READ = ("read", False, False, False, True, (0o600,))


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def next_version(here: Node, place: Path, more: str) -> Puppet:
    """Takes the place of the one that runs."""
    made = author(place / "next", FULL + more, wasm=PUPPET, name="puppet")
    await here.components.install(Install(folder=made, upgrade=True))

    async def told(operation: str, given: bytes) -> object:
        ended = await here.components.execute("local/puppet", operation, given, 120_000, "test")
        return ended.value if ended.returned else f"{ended.kind} {ended.trap}".strip()

    return Puppet(told)


async def test_open_handles_are_counted_after_each_call(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, FILES)
    unit = here.components.unit("local/puppet")
    await guest("write-file-atomic", "/tmp/a", b"x")
    assert unit.handles == 0
    files = [await guest("filesystem.open", "/tmp/a", READ) for _ in range(2)]
    assert unit.handles == 2
    await guest.drop("filesystem.file", files[0])
    assert unit.handles == 1
    await here.components.stop("local/puppet")
    assert unit.handles == 0


async def test_what_is_temporary_of_one_neither_is_seen_nor_emptied_by_the_other(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, FILES)
    await guest("write-file-atomic", "/tmp/of-the-first", b"x")
    for number in range(2):
        guest = await next_version(here, tmp_path, FILES)
        with pytest.raises(RefusedError) as missing:
            await guest("read-file", "/tmp/of-the-first")
        assert missing.value.case == "not-found"
        await guest("write-file-atomic", f"/tmp/{number}", b"x")
        assert await guest("read-file", f"/tmp/{number}") == b"x"
