"""A component that may touch every path it can name still sees its folders only: what it tries, from inside."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.puppet import Puppet, RefusedError
from tests.runtime.components.puppets_here import puppet

SECRET = b"nobody shall read this"
EVERYTHING = """[[mounts]]
guest = "/data"
source = "operator"
[permissions.filesystem]
read = ["/**"]
write = ["/**"]
delete = ["/**"]
list = ["/**"]
[limits]
call_timeout = "2m"
"""
READ = ("read", False, False, False, True, (0o600,))
WRITE = ("read-write", True, False, True, True, (0o600,))

OUT = [
    "/data/../secret/file", "/../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "../secret/file",
    "../../../../../../etc/passwd", "/data/./../secret/file", "/data/inner/../../secret/file",
    "/proc/self/environ", "/proc/self/root/etc/passwd", "/proc/self/cwd/secret/file", "/proc/self/fd/0", "/dev/zero",
    "/dev/mem", "/dev/stdin", "/sys/kernel", "/data/absolute", "/data/upwards", "/data/directory/file", "/data/process",
    "/data/zero", "/data/loop", "/data/inner/chain", "/data/fifo",
    "/data/\uff0e\uff0e/secret/file", "/data/\u2025/secret/file", "/data\uff0f..\uff0fsecret/file",
    "/data\u2215..\u2215secret/file", "/data/..\\secret/file", "/data/%2e%2e/secret/file", "/data/.\u200b./secret/file",
    "/data/..\0/secret/file", "/data/\0", "", "/", "~/secret/file", "/data/" + "../" * 600 + "etc/passwd",
    "/data/" + "a/" * 2100,
]  # fmt: skip
"""Ways out, and things that are no file."""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder beside the one that is given away."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_bytes(SECRET)
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    (data / "inner/file").write_bytes(b"for everybody")
    os.mkfifo(data / "fifo")
    for name, target in {
        "absolute": f"{tmp_path}/secret/file",
        "upwards": "../secret/file",
        "directory": "../secret",
        "process": "/proc/self/root/etc/passwd",
        "zero": "/dev/zero",
        "loop": "loop",
        "inner/chain": "../upwards",
    }.items():
        (data / name).symlink_to(target)
    return tmp_path


@pytest.fixture
async def guest(host: Path, component_compiler: Compiler) -> AsyncIterator[Puppet]:
    async with node(host, lambda: component_compiler) as here:
        yield await guest_in(here, host)


async def guest_in(here: Node, host: Path) -> Puppet:
    return await puppet(here, host, EVERYTHING, mounts={"/data": str(host / "data")})


def tree(root: Path) -> dict[str, Any]:
    """What is there, without following links."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path)] = (status.st_mode, content)
    return found


async def test_no_way_out_is_a_way(guest: Puppet, host: Path) -> None:
    before = tree(host)
    for path in OUT:
        for name, *more in [("read-file",), ("filesystem.open", READ), ("filesystem.open", WRITE)]:
            with pytest.raises(RefusedError):
                await guest(name, path, *more)
        with pytest.raises(RefusedError):
            await guest("filesystem.copy", path, "/data/copy", True)
        with contextlib.suppress(RefusedError):
            assert "secret" not in repr(await guest("list-directory", path, None))
    assert {path: held for path, held in tree(host).items() if "/state" not in path} == {
        path: held for path, held in before.items() if "/state" not in path
    }


async def test_a_link_is_replaced_and_not_written_through(guest: Puppet, host: Path) -> None:
    before = tree(host / "secret")
    for path in OUT:
        with contextlib.suppress(RefusedError):
            await guest("write-file-atomic", path, b"x")
        with contextlib.suppress(RefusedError):
            await guest("set-times", path, (1, 0), (1, 0))
        with contextlib.suppress(RefusedError):
            await guest("set-permissions", path, (0o777,))
    assert tree(host / "secret") == before
    assert (host / "data/upwards").read_bytes() == b"x"


async def test_nothing_is_moved_or_linked_out(guest: Puppet, host: Path) -> None:
    before = tree(host / "secret")
    for path in ("/secret/new", "/data/../secret/new", "/data/directory/new", "../secret/new"):
        with pytest.raises(RefusedError):
            await guest("filesystem.rename", "/data/inner/file", path)
        with pytest.raises(RefusedError):
            await guest("create-directory", path, (0o700,))
        with pytest.raises(RefusedError):
            await guest("create-symlink", path, "/data/link")
    for path in ("/data/directory/file", "/data/upwards/.."):
        with pytest.raises(RefusedError):
            await guest("delete-file", path)
    with pytest.raises(RefusedError):
        await guest("remove-directory-recursive", "/data/directory")
    assert tree(host / "secret") == before


async def test_a_set_user_bit_is_not_set(guest: Puppet, host: Path) -> None:
    with pytest.raises(RefusedError):
        await guest("set-permissions", "/data/inner/file", (0o4755,))
    assert (host / "data/inner/file").stat().st_mode & 0o7000 == 0


async def test_a_tree_is_removed_without_what_its_links_lead_to(guest: Puppet, host: Path) -> None:
    (host / "data/tree").mkdir()
    (host / "data/tree/out").symlink_to(host / "secret")
    assert await guest("remove-directory-recursive", "/data/tree") == 2
    assert (host / "secret/file").read_bytes() == SECRET


SWAP = """
import os, sys
data, turns = sys.argv[1], int(sys.argv[2])
for turn in range(turns):
    os.symlink(("inner", "../secret")[turn % 2], data + "/next")
    os.replace(data + "/next", data + "/swapped")
"""


async def test_a_link_that_is_swapped_during_the_calls_never_leads_out(guest: Puppet, host: Path) -> None:
    (host / "data/swapped").symlink_to("inner")
    swapping = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", SWAP, str(host / "data"), "10000")
    swapped = asyncio.create_task(swapping.wait())
    seen = []
    try:
        while not swapped.done():
            with contextlib.suppress(RefusedError):
                seen.append(await guest("read-file", "/data/swapped/file"))
            with contextlib.suppress(RefusedError):
                await guest("write-file-atomic", "/data/swapped/new", b"x")
    finally:
        with contextlib.suppress(ProcessLookupError):
            swapping.kill()
        assert await swapped == 0
    assert set(seen) <= {b"for everybody"}
    assert [path.name for path in (host / "secret").iterdir()] == ["file"]
