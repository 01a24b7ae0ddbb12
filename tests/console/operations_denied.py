"""Every operation that needs a permission, called by a guest that has not got it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.console.guests_on_stage import (
    LONG,
    NO_LIMITS,
    NOTES,
    ROOM,
    SHELL,
    TCP,
    UDP,
    Stage,
    at,
    options,
    started_child,
)
from tests.runtime.components.puppet import Puppet, RefusedError

__all__ = ["denied_to_bare", "denied_to_mute"]


async def refused(work: Awaitable[object]) -> None:
    """Awaits what is denied."""
    with pytest.raises(RefusedError) as caught:
        await work
    assert caught.value.case == "permission-denied", caught.value


async def denied_to_bare(bare: Puppet) -> None:
    free = ("free", "puppet", "1.0.0", 0)
    calls: list[tuple[Any, ...]] = [
        ("host-jobs.submit", ("ab" * 32, None, [], b"", None, None)),
        ("send-message", free, "", b""),
        ("send-request", free, "", b"", 1),
        ("broadcast", "*/*", "", b""),
        ("publish", "tides", "", b""),
        ("subscribe", "tides"),
        ("post-message", ROOM, "x"),
        ("create-task", ROOM, "x", ""),
        ("get-component-metadata", free),
        ("storage.get", NOTES, "a"),
        ("storage.set", NOTES, "a", b""),
        ("compare-and-set", NOTES, "a", None, b""),
        ("storage.delete", NOTES, "a"),
        ("storage.exists", NOTES, "a"),
        ("list-keys", NOTES, None, None),
        ("storage.usage", NOTES),
        ("filesystem.open", "/data/a", options("read")),
        ("read-file", "/data/a"),
        ("write-file-atomic", "/data/a", b""),
        ("delete-file", "/data/a"),
        ("create-directory", "/data/x", (0o700,)),
        ("remove-directory", "/data"),
        ("remove-directory-recursive", "/data"),
        ("filesystem.rename", "/data/a", "/data/x"),
        ("filesystem.copy", "/data/a", "/data/x", True),
        ("filesystem.exists", "/data/a"),
        ("get-metadata", "/data/a"),
        ("get-link-metadata", "/data/a"),
        ("set-permissions", "/data/a", (0o777,)),
        ("create-symlink", "a", "/data/x"),
        ("read-symlink", "/data/a"),
        ("list-directory", "/data", None),
        ("list-recursive", "/data", 9, 9),
        ("find-files", "/data", "**", 9),
        ("find-by-type", "/data", "regular", 9),
        ("directory-size", "/data"),
        ("same-file", "/data/a", "/data/a"),
        ("canonical-path", "/data/a"),
        ("all-exist", ["/data/a"]),
        ("any-exist", ["/data/a"]),
        ("set-times", "/data/a", (1, 0), None),
        ("set-working-directory", "/data"),
        ("create-socket", *TCP),
        ("connect-host", "localhost", 80, LONG),
        ("resolve-hostname", "localhost", LONG),
        ("resolve-hostname-single", "localhost", LONG),
        ("reverse-lookup", at(80), LONG),
        ("create-pool", 1, LONG, LONG),
        ("lifecycle.spawn", (SHELL, [], [], [], None, "none", "none", "none", None, None)),
        ("spawn-in-directory", SHELL, [], "/data"),
        ("spawn-with-environment", SHELL, [], []),
        ("spawn-with-limits", SHELL, [], NO_LIMITS),
    ]
    for name, *values in calls:
        await refused(bare(name, *values))
    assert await bare("list-components") == []
    [(kind, error)] = await bare("batch-metadata", ["/data/a"])
    assert (kind, error[0]) == ("err", "permission-denied")


async def denied_to_mute(stage: Stage, mute: Puppet) -> None:
    child = await started_child(mute)
    for name in ("child.terminate", "child.kill", "send-term", "send-kill", "send-int", "send-stop", "send-cont"):
        await refused(mute(name, child))
    for name in ("send-hup", "emergency-kill", "emergency-kill-group"):
        await refused(mute(name, child))
    for name in ("graceful-shutdown", "graceful-shutdown-group"):
        await refused(mute(name, child, LONG))
    for name in ("send-signal", "send-signal-group"):
        await refused(mute(name, child, "usr1"))
    await refused(mute("send-raw-signal", child, 10))
    await refused(mute("set-process-group", child, 0))
    assert await mute("is-running", child) is True
    plain, bound, door = [await mute("create-socket", *TCP) for _ in range(3)]
    udp = await mute("create-socket", *UDP)
    pool = await mute("create-pool", 1, LONG, LONG)
    await refused(mute("socket.bind", plain, (("ipv4", (127, 0, 0, 2)), 0, 0)))
    await refused(mute("connection.connect", plain, at(80), LONG))
    await refused(mute("connect-with-retry", plain, at(80), 2, 1, LONG))
    await refused(mute("send-to", udp, b"x", at(80)))
    await refused(mute("pool-acquire", pool, at(80), LONG))
    for handle in (bound, door):
        await mute("socket.bind", handle, at(0))
    await mute("socket.listen", door, 1)
    change: Callable[..., Awaitable[object]] = stage.core.components.change
    await change("mute/puppet", lambda grants: grants.revoke("network.inbound[0]").revoke("process.spawn[0]"))
    await refused(mute("socket.listen", bound, 1))
    await refused(mute("socket.accept", door, LONG))
    await refused(mute("set-resource-limits", child, NO_LIMITS))
