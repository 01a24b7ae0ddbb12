"""What a guest says that breaks every rule of values and handles ends that guest, and nothing else."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from runtime.events import CoreError
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.guest_values import RESULT
from tests.runtime.components.puppet import Puppet, RefusedError, TrappedError
from tests.runtime.components.puppets_here import NEVER, puppet

FILES = """[[mounts]]
guest = "/data"
source = "private"
[permissions.filesystem]
read = ["/data/**"]
write = ["/data/**"]
[permissions.storage]
namespaces = [{ name = "puppet:notes", actions = ["read", "write"] }]
[limits]
call_timeout = "2m"
"""
BIG = FILES + 'memory = "256MiB"\n'
WRITE = ("read-write", True, False, False, True, (0o600,))
HUGE = 100_000_000


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def trapped(guest: Puppet, label: str, values: Sequence[int], memory: bytes = b"") -> str:
    with pytest.raises(TrappedError) as caught:
        await guest.raw(label, values, memory)
    return str(caught.value.kind)


async def neighbours_are_well(here: Node) -> bool:
    """One that has counted goes on counting, and no fault of the host was told of."""
    counted = await here.told("neighbour/doer", "count")
    assert not here.heard(CoreError)
    return counted != {"ok": "MQ=="}  # it would begin at 1 after a restart


async def settled(here: Node) -> None:
    await here.running('[limits]\ncall_timeout = "2m"\n', namespace="neighbour")
    await here.told("neighbour/doer", "count")


async def test_pointers_lengths_and_cases_that_are_none(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, FILES + NEVER)
    await settled(here)
    own = await guest.arena() + RESULT
    result, end = await guest.arena(), 0xFFFF_FFFF
    wild: dict[str, list[int]] = {
        "a text beyond the memory": [end - 8, 4, own, 1, own, 1, result],
        "a length of 2^32 - 1": [own, end, own, 1, own, 1, result],
        "both at their most": [end, end, own, 1, own, 1, result],
        "a value of 2^31 bytes": [own, 1, own, 1, own, 1 << 31, result],
        "a result beyond the memory": [own, 1, own, 1, own, 1, end],
        "a result that is not aligned": [own, 1, own, 1, own, 1, result + 1],
        "a text that is no UTF-8": [own + 8, 2, own, 1, own, 1, result],
    }
    for what, values in wild.items():
        kind = await trapped(guest, "storage.set", values, b"aaaaaaaa\xff\xfe")
        assert kind in {"trap POINTER", "trap TEXT"}, what
    for mode in (4, 255, 1 << 31):
        assert await trapped(guest, "filesystem.open", [own, 1, mode, 0, 0, 0, 0, 0, result], b"/a") == "trap VALUE"
    for tag in (2, 77, end):
        assert await trapped(guest, "metadata.list-directory", [own, 1, tag, 0, 0, result], b"/a") == "trap VALUE"
    for case in (2, end):
        values = [case, *[0] * 10, 1, result]
        assert await trapped(guest, "connection.reverse-lookup", values) == "trap VALUE"
    # A list of texts whose pointers are wild, one level down.
    assert await trapped(guest, "metadata.all-exist", [own, 1, result], b"\xff" * 8) == "trap POINTER"
    assert await trapped(guest, "metadata.all-exist", [own, 1 << 29, result]) == "trap POINTER"
    assert await neighbours_are_well(here)


async def test_handles_are_neither_guessed_nor_used_after_their_end(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, FILES + NEVER)
    await settled(here)
    for number in (0, 1, 2, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1):
        for label in ("filesystem.file.tell", "lifecycle.child.is-running", "socket.socket.close-socket"):
            assert await trapped(guest, label, [number, await guest.arena()]) == "trap HANDLE"
    file = await guest("filesystem.open", "/data/a", WRITE)
    assert await trapped(guest, "lifecycle.child.is-running", [file, await guest.arena()]) == "trap HANDLE"
    file = await guest("filesystem.open", "/data/a", WRITE)
    await guest("file.close", file)
    for name, *more in [("file.close",), ("file.tell",), ("file.write", b"x"), ("file.read", 1)]:
        with pytest.raises(RefusedError) as caught:
            await guest(name, file, *more)
        assert caught.value.case == "closed"
    await guest.drop("filesystem.file", file)
    assert await trapped(guest, "filesystem.file.tell", [file, await guest.arena()]) == "trap HANDLE"
    file = await guest("filesystem.open", "/data/a", WRITE)
    await guest.drop("filesystem.file", file)
    assert await trapped(guest, "drop filesystem.file", [file]) == "trap HANDLE"
    assert await guest("file.tell", await guest("filesystem.open", "/data/a", WRITE)) == 0
    assert await neighbours_are_well(here)


async def test_numbers_at_their_most_are_answered(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, FILES + NEVER)
    file = await guest("filesystem.open", "/data/a", WRITE)
    least, words = -(1 << 63), (1 << 32) - 1
    refused: list[tuple[object, ...]] = [
        ("file.seek", file, least, "end"),
        ("file.set-length", file, (1 << 64) - 1),
        ("file.write-at", file, (1 << 64) - 1, b"x"),
        ("file.read-at", file, (1 << 64) - 1, 1),
        ("random-bytes", words),
        ("set-times", "/data/a", (0, words), None),
        ("set-permissions", "/data/a", (words,)),
        ("signals.signal-name", words),
        ("send-request", ("x", "x", "1", words), "", b"", (1 << 64) - 1),
        ("cancel-request", (1 << 64) - 1),
    ]
    went = []
    for name, *values in refused:
        with contextlib.suppress(RefusedError):
            went.append((name, await guest(str(name), *values)))
    assert went == []
    assert (await guest("file.read", file, (1 << 32) - 1)) == (b"", True)
    assert await guest("file.tell", file) == 0


@pytest.mark.parametrize("label", ["host-services.log", "storage.get", "storage.set", "filesystem.file.write"])
async def test_a_hundred_megabytes_come_to_nothing(here: Node, tmp_path: Path, label: str) -> None:
    guest = await puppet(here, tmp_path, BIG + NEVER)
    await settled(here)
    await guest.grow(HUGE // 65_536 + 16)
    own, result = await guest.arena() + RESULT, await guest.arena()
    file = await guest("filesystem.open", "/data/a", WRITE)
    values = {
        "host-services.log": [2, own, HUGE, 0, 0, 0],
        "storage.get": [own, HUGE, own, HUGE, result],
        "storage.set": [own, 12, own + 16, 1, own, HUGE, result],
        "filesystem.file.write": [file, own, HUGE, result],
    }[label]
    with contextlib.suppress(TrappedError):
        _, _, said = await guest.raw(label, values, b"puppet:notes\0\0\0\0k")
        assert label == "host-services.log" or said[0] == 1  # an error
    assert await guest("storage.exists", "puppet:notes", "k") is False
    assert await guest("filesystem.exists", "/data/a") is True
    assert await neighbours_are_well(here)
