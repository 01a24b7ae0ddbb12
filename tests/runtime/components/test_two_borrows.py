"""Two borrowed handles in one call are a fault of the engine: the guest that provokes it is all that ends.

No function of ours has two. A guest may say otherwise of a function of ours, since the engine does not compare the
types of imported functions when it links.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.component_events import ComponentRestarting
from runtime.events import CoreError
from runtime.sandbox.compile import Compiler
from runtime.sandbox.componentcheck import _sections
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.echo import ROOT, tool
from tests.runtime.components.puppet import PUPPET, TrappedError
from tests.runtime.components.puppets_here import NEVER, puppet

FILES = """[[mounts]]
guest = "/data"
source = "private"
[permissions.filesystem]
read = ["/data/**"]
write = ["/data/**"]
[limits]
call_timeout = "2m"
[supervision]
backoff_initial = 10
"""
WRITE = ("read-write", True, False, False, True, (0o600,))
OURS = "read-file: func(path: path)"
THEIRS = "read-file: func(one: borrow<file>, other: borrow<file>)"
"""Takes the same core values, for a text is two of them."""


@pytest.fixture(scope="module")
def two_borrows(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The guest on strings, for whose world one function takes two borrows."""
    place = tmp_path_factory.mktemp("wit")
    shutil.copytree(ROOT / "assets/wit", place / "wit")
    changed = place / "wit/deps/ext-filesystem/filesystem.wit"
    text = changed.read_text()
    assert OURS in text
    changed.write_text(text.replace(OURS, THEIRS))
    modules = [PUPPET[begin:end] for kind, _, begin, end in _sections(PUPPET, 8, len(PUPPET)) if kind == 1]
    (place / "core.wasm").write_bytes(max(modules, key=len))
    made = str(place / "embedded.wasm")
    tool("component", "embed", str(place / "wit"), "-w", "orlop:worlds/full", str(place / "core.wasm"), "-o", made)
    return tool("component", "new", made)


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def test_it_costs_the_guest_alone_which_begins_anew(here: Node, tmp_path: Path, two_borrows: bytes) -> None:
    neighbours = [await here.running('[limits]\ncall_timeout = "2m"\n', namespace=name) for name in "ab"]
    await here.told("a/doer", "count")
    guest = await puppet(here, tmp_path, FILES, namespace="guilty", wasm=two_borrows)
    one, other = await guest("filesystem.open", "/data/a", WRITE), await guest("filesystem.open", "/data/b", WRITE)
    with pytest.raises(TrappedError) as caught:
        await guest.raw("filesystem.read-file", [one, other, await guest.arena()], b"")
    assert caught.value.kind == "trap ENGINE"
    [told] = await here.until_heard(ComponentRestarting)
    assert (told.component, told.members) == ("guilty/puppet", ("guilty/puppet",))
    assert told.reason.startswith("trap: a fault of the engine: ")
    await here.runs("guilty/puppet")
    assert await guest("filesystem.exists", "/data/a") is True
    assert (await guest("filesystem.quota"))[2] == 0  # handles of before
    with pytest.raises(TrappedError, match="HANDLE"):
        await guest("file.tell", one)
    assert [neighbour.restarts for neighbour in neighbours] == [0, 0]
    assert await asyncio.gather(*(here.told(name, "count") for name in ("a/doer", "b/doer"))) == [
        {"ok": "Mg=="},
        {"ok": "MQ=="},
    ]
    assert not here.heard(CoreError)


async def test_who_has_no_permission_gets_no_handle_to_provoke_it_with(
    here: Node, tmp_path: Path, two_borrows: bytes
) -> None:
    neighbour = await here.running('[limits]\ncall_timeout = "2m"\n', namespace="a")
    guest = await puppet(
        here, tmp_path, '[limits]\ncall_timeout = "2m"\n' + NEVER, namespace="guilty", wasm=two_borrows
    )
    unit = here.components.unit("guilty/puppet")
    assert unit.running is not None
    assert neighbour.running is not None
    assert unit.running.process_id == neighbour.running.process_id
    with pytest.raises(TrappedError, match="HANDLE"):
        await guest.raw("filesystem.read-file", [1, 2, 1024], b"")
    assert await here.told("a/doer", "count") == {"ok": "MQ=="}
    assert (unit.life.state, neighbour.life.state) == ("failed", "running")
