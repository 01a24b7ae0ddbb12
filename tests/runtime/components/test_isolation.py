"""Components do not see one another, and what ends one of them leaves the others as they are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.puppet import RefusedError, TrappedError
from tests.runtime.components.puppets_here import NEVER, puppet

ALIKE = f"""[[mounts]]
guest = "/data"
source = "private"
[[mounts]]
guest = "/temp"
source = "temp"
[permissions.filesystem]
read = ["/**"]
write = ["/**"]
list = ["/**"]
[permissions.storage]
namespaces = [{{ name = "puppet:notes", actions = ["read", "write", "delete"] }}]
[permissions.messaging]
send = ["a/*"]
request = ["a/*"]
receive = ["a/*", "b/*"]
[limits]
call_timeout = "2m"
{NEVER}"""
WRITE = ("read-write", True, False, False, True, (0o600,))


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def test_what_one_keeps_another_of_the_same_name_does_not_find(here: Node, tmp_path: Path) -> None:
    one = await puppet(here, tmp_path, ALIKE, namespace="a")
    other = await puppet(here, tmp_path, ALIKE, namespace="b")
    await one("storage.set", "puppet:notes", "key", b"mine")
    await one("write-file-atomic", "/data/file", b"mine")
    await one("write-file-atomic", "/temp/file", b"mine")
    assert await other("storage.get", "puppet:notes", "key") is None
    assert (await other("list-keys", "puppet:notes", None, None))[0] == []
    assert (await other("storage.usage", "puppet:notes"))[2] == 0
    assert await other("storage.delete", "puppet:notes", "key") is False
    for path in ("/data/file", "/temp/file", "/data/../../a/file"):
        with pytest.raises(RefusedError):
            await other("read-file", path)
    assert (await other("list-directory", "/data", None))[1] == []
    assert await one("storage.get", "puppet:notes", "key") == b"mine"


async def test_messages_and_callbacks_go_to_whom_they_are_for(here: Node, tmp_path: Path) -> None:
    one = await puppet(here, tmp_path, ALIKE, namespace="a")
    other = await puppet(here, tmp_path, ALIKE, namespace="b")
    request = await one("send-request", ("a", "puppet", "1.0.0", 0), "text/plain", b"hello", 60_000)
    for number in (request, request + 1, 0, (1 << 64) - 1):
        with pytest.raises(RefusedError):
            await other("cancel-request", number)
    with pytest.raises(RefusedError):
        await other("send-message", ("b", "puppet", "1.0.0", 0), "text/plain", b"to itself")
    heard: set[str] = set()
    async with asyncio.timeout(60):
        while not {"message:hello", "callback:hello"} <= heard:
            heard |= set(await one.heard())
    assert set(await other.heard()) <= {"init", "metadata", "health"}


async def test_a_handle_of_one_is_none_of_another(here: Node, tmp_path: Path) -> None:
    one = await puppet(here, tmp_path, ALIKE, namespace="a")
    other = await puppet(here, tmp_path, ALIKE, namespace="b")
    file = await one("filesystem.open", "/data/file", WRITE)
    with pytest.raises(TrappedError) as caught:
        await other("file.write", file, b"x")
    assert caught.value.kind == "trap HANDLE"
    assert await one("file.tell", file) == 0


@pytest.mark.parametrize(
    ("crash", "ends"), [("trap", "trap"), ("dig", "trap"), ("memory-bomb", "deadline"), ("spin", "deadline")]
)
async def test_a_crash_leaves_those_in_its_worker_as_they_are(here: Node, crash: str, ends: str) -> None:
    deadline = "200ms" if ends == "deadline" else "2m"
    faulty = await here.running(f'{NEVER}[limits]\ncall_timeout = "{deadline}"\n', namespace="a")
    well = await here.running('[limits]\ncall_timeout = "2m"\n', namespace="b")
    assert faulty.running is not None
    assert well.running is not None
    assert faulty.running.process_id == well.running.process_id
    before = well.running.process_id
    for number in range(1, 4):
        assert await here.told("a/doer", crash) == ends
        assert await here.told("b/doer", "count") == {"ok": {1: "MQ==", 2: "Mg==", 3: "Mw=="}[number]}
    assert well.running.process_id == before
    assert (faulty.life.state, well.life.state) == ("failed", "running")


async def test_who_fell_holds_nothing_and_begins_anew(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, ALIKE)
    await guest("write-file-atomic", "/temp/file", b"x")
    await guest("write-file-atomic", "/data/file", b"x")
    file = await guest("filesystem.open", "/data/file", WRITE)
    with pytest.raises(TrappedError):
        await guest.raw("drop filesystem.file", [file + 1], b"")
    await here.components.unit("puppet").until(lambda life: life.state == "failed")
    assert (await guest("filesystem.quota"))[2] == 0  # it was started anew
    assert (await guest("list-directory", "/temp", None))[1] == []
    assert await guest("read-file", "/data/file") == b"x"
    with pytest.raises(TrappedError):
        await guest("file.tell", file)
