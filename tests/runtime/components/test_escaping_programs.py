"""Programs that a component starts get nothing of the host, and end with it."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node
from tests.runtime.components.puppet import Puppet, RefusedError
from tests.runtime.components.puppets_here import NEVER, puppet

LONG = 60_000
SHELL = os.path.realpath("/bin/sh")
RULES = f"""[permissions.process]
spawn = [{{ command = "{SHELL}", args = ["**"], environment = ["*"] }}]
[limits]
call_timeout = "2m"
{NEVER}"""


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def started(guest: Puppet, script: str, *more: str) -> int:
    """A shell that runs a script."""
    arguments = ["-c", script, "sh", *more]
    child: int = await guest("lifecycle.spawn", (SHELL, arguments, [], [], None, "none", "pipe", "pipe", None, None))
    return child


async def said(guest: Puppet, child: int) -> str:
    """All that a program said, once it ended."""
    await guest("child.wait", child)
    output = ""
    while True:
        data, end, _ = await guest("read-stdout", child, 4096, LONG)
        output += data.decode()
        if end:
            return output


def alive(token: str) -> list[psutil.Process]:
    """Processes that were given a token as an argument, and have not ended."""
    found = psutil.process_iter(["cmdline", "status"])
    return [one for one in found if token in (one.info["cmdline"] or []) and one.info["status"] != "zombie"]


def are_gone(token: str) -> bool:
    """Waits for them, a minute at most."""
    for _ in range(60):
        if not (left := alive(token)):
            return True
        psutil.wait_procs(left, timeout=1)
    return False


async def test_nothing_of_the_environment_of_the_host_is_in_it(
    here: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORLOP_SECRET_OF_TESTS", "hidden")
    guest = await puppet(here, tmp_path, RULES)
    environment = await said(guest, await started(guest, "export -p; cat /proc/$$/environ"))
    assert "hidden" not in environment
    assert "ORLOP" not in environment
    for inherited in ("ORLOP_SECRET_OF_TESTS", "HOME", "PATH", "*"):
        with pytest.raises(RefusedError) as caught:
            await guest(
                "lifecycle.spawn",
                (SHELL, [], [], [inherited], None, "none", "none", "none", None, None),
            )
        assert caught.value.case == "permission-denied"
    for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "BASH_ENV", "COLOUR=x", ""):
        with pytest.raises(RefusedError):
            await guest("spawn-with-environment", SHELL, [], [(name, "/data/evil.so")])


async def test_nothing_that_the_host_has_open_is_open_in_it(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, RULES)
    listed = await said(guest, await started(guest, "for name in /proc/$$/fd/*; do readlink $name; done"))
    kinds = [target.partition(":")[0] for target in listed.splitlines()]
    assert kinds == ["/dev/null", "pipe", "pipe"]


async def test_only_what_a_rule_names_is_started(here: Node, tmp_path: Path) -> None:
    guest = await puppet(here, tmp_path, RULES)
    (tmp_path / "shell").symlink_to("/bin/cat")
    for command in (
        "/bin/cat",
        "sh",
        "./sh",
        "/bin/../bin/cat",
        str(tmp_path / "shell"),
        "/proc/self/exe",
        "",
        "/",
        "/bin/sh\0",
    ):
        with pytest.raises(RefusedError):
            await guest("spawn-with-limits", command, ["-c", "true"], (None,) * 5)


@pytest.mark.parametrize("script", ["f() { f & f & wait; }; f", "f() { setsid sh -c 'sleep 1000' $1 & f; }; f"])
async def test_a_bomb_of_forks_is_stopped_and_swept_up(here: Node, tmp_path: Path, script: str) -> None:
    guest, token = await puppet(here, tmp_path, RULES), secrets.token_hex(8)
    child = await guest(
        "spawn-with-limits", SHELL, ["-c", script.replace("$1", token), token], (None, None, None, None, 20)
    )
    assert (await guest("child.wait", child))[1] == ("signaled", 9)
    assert await asyncio.to_thread(are_gone, token)
    assert await said(guest, await started(guest, "echo well")) == "well\n"


@pytest.mark.parametrize("how", ["drop", "trap", "stop", "kill the worker"])
async def test_what_it_started_ends_however_it_is_left(here: Node, tmp_path: Path, how: str) -> None:
    guest, token = await puppet(here, tmp_path, RULES), secrets.token_hex(8)
    child = await started(guest, "sh -c 'while :; do sleep 1000; done' sh $1 & echo ready; wait", token)
    assert (await guest("read-stdout", child, 6, LONG))[0] == b"ready\n"
    assert alive(token)
    unit = here.components.unit("puppet")
    assert unit.running is not None
    match how:
        case "drop":
            await guest.drop("lifecycle.child", child)
        case "trap":
            assert await here.told("puppet", "drop lifecycle.child", bytes([1, *[0] * 7, 99, *[0] * 7])) == "trap"
        case "stop":
            await here.components.stop("puppet")
        case _:
            os.kill(unit.running.process_id, 9)
    assert await asyncio.to_thread(are_gone, token)
