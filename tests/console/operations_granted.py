"""Every operation, called by a guest that may."""

import contextlib
import hashlib
import socket
import ssl
from typing import Any

from tests.console.guests_on_stage import (
    HELLO,
    LONG,
    LOOPBACK,
    NOTES,
    ROOM,
    SHELL,
    TCP,
    UDP,
    Stage,
    at,
    drop_child,
    options,
    started_child,
)
from tests.runtime.components.host.network import Authority, tls_server
from tests.runtime.components.puppet import Puppet, RefusedError

__all__ = ["ACTS"]

# --- core -----------------------------------------------------------------------------------------------------------


async def services(stage: Stage, free: Puppet) -> None:
    await free("log", "info", "hello", [("a", "b")])
    await free("current-time")
    assert await free("current-time-millis") > 1_700_000_000_000
    assert await free("monotonic-nanos") <= await free("monotonic-nanos")
    assert await free("sleep-millis", 1) is False
    assert len(await free("random-bytes", 33)) == 33
    assert await free("self-id") == ("free", "puppet", "1.0.0", 0)
    assert (await free("host-services.limits"))[4] == 256
    assert await free("stop-requested") is False
    assert ("bare", "puppet", "1.0.0", 0) in await free("list-components")
    assert (await free("get-component-metadata", ("bare", "puppet", "1.0.0", 0)))[2] == "running"


async def checks(stage: Stage, free: Puppet) -> None:
    granted: list[tuple[Any, ...]] = [
        ("check-file-read", "/data/x"),
        ("check-file-write", "/data/x"),
        ("check-file-delete", "/data/x"),
        ("check-directory-list", "/data"),
        ("check-network-outbound", LOOPBACK, 80),
        ("check-network-inbound", LOOPBACK, 0),
        ("check-process-spawn", SHELL, ["-c", "true"]),
        ("check-process-signal", "hup"),
        ("check-storage-access", NOTES, "write"),
        ("check-message", ("free", "puppet", "1.0.0", 0), "send"),
    ]
    for name, *values in granted:
        assert await free(name, *values) == ("granted", None), name
    assert (await free("check-environment", "HOME"))[0] == "denied"
    assert (await free("granted"))[7] == [ROOM]


async def messages(stage: Stage, free: Puppet) -> None:
    itself = ("free", "puppet", "1.0.0", 0)
    await free("subscribe", "tides")
    await free("send-message", itself, "text/plain", b"one")
    await free("send-request", itself, "text/plain", b"two", LONG)
    assert [found[1] for found in await free("broadcast", "mute/*", "text/plain", b"three")] == [None]
    assert await stage.puppets["mute"]("publish", "tides", "text/plain", b"high") == 1
    wanted = {"message:one", "message:two", "callback:two", "message:tides:high"}
    heard: set[str] = set()
    while not wanted <= heard:
        heard |= set(await free.heard())
    stage.tried.exports |= {"handle-message", "handle-callback", *heard & {"init", "metadata", "health"}}
    await free("unsubscribe", "tides")
    assert await stage.puppets["mute"]("publish", "tides", "text/plain", b"low") == 0
    assert await free("publish", "tides", "text/plain", b"low") == 0
    silent = stage.core.components.unit("mute/puppet")
    silent.want("suspend")
    request = await free("send-request", ("mute", "puppet", "1.0.0", 0), "text/plain", b"", LONG)
    await free("cancel-request", request)
    silent.want("resume")
    assert (await free("mailbox"))[1] == 256


async def stored(stage: Stage, free: Puppet) -> None:
    await free("storage.set", NOTES, "a", b"1")
    assert await free("storage.get", NOTES, "a") == b"1"
    assert await free("compare-and-set", NOTES, "a", b"1", b"22") is True
    assert await free("storage.exists", NOTES, "a") is True
    assert await free("list-keys", NOTES, None, None) == (["a"], None)
    assert (await free("storage.usage", NOTES))[2] == 1
    assert await free("storage.delete", NOTES, "a") is True


async def jobs(stage: Stage, free: Puppet) -> None:
    spec = (hashlib.sha256(HELLO).hexdigest(), None, [], b"given", None, None)
    job = await free("host-jobs.submit", spec)
    assert (await free("host-jobs.wait", job, LONG))[3] == b"nevig"
    job = await free("host-jobs.submit", spec)
    await free("host-jobs.cancel", job)


async def rooms(stage: Stage, free: Puppet) -> None:
    await free("post-message", ROOM, "tide is up")
    await free("create-task", ROOM, "Look at the gauge", "it stuck")


# --- files ----------------------------------------------------------------------------------------------------------


async def files(stage: Stage, free: Puppet) -> None:
    file = await free("filesystem.open", "/data/a", options("read-write", "create"))
    assert await free("file.write", file, b"hello") == (5,)
    assert await free("file.write-at", file, 5, b" you") == (4,)
    assert await free("file.seek", file, 0, "start") == 0
    assert await free("file.read", file, 5) == (b"hello", False)
    assert await free("file.tell", file) == 5
    assert await free("file.read-at", file, 6, 3) == (b"you", True)
    assert (await free("file.read-text", file, 99, "utf8"))[0] == " you"
    assert await free("file.write-text", file, "!", "utf8") == (1,)
    await free("file.set-length", file, 5)
    await free("file.sync", file)
    assert (await free("file.metadata", file))[2] == 5
    await free("file.close", file)
    await free.drop("filesystem.file", file)
    assert await free("read-file", "/data/a") == b"hello"
    await free("write-file-atomic", "/data/b", b"whole")
    await free("create-directory", "/data/d", (0o700,))
    await free("filesystem.rename", "/data/b", "/data/d/b")
    assert await free("filesystem.copy", "/data/d/b", "/data/d/c", False) == 5
    assert await free("filesystem.exists", "/data/d/c") is True
    await free("set-permissions", "/data/d/c", (0o640,))
    await free("create-symlink", "c", "/data/d/link")
    assert await free("read-symlink", "/data/d/link") == "c"
    assert (await free("get-link-metadata", "/data/d/link"))[1] == "symlink"
    assert (await free("get-metadata", "/data/d/link"))[1] == "regular"
    assert (await free("filesystem.quota"))[0] >= 5
    await free("delete-file", "/data/d/link")
    await free("create-directory", "/data/e", (0o700,))
    await free("remove-directory", "/data/e")


async def directories(stage: Stage, free: Puppet) -> None:
    assert [name for name, _ in (await free("list-directory", "/data/d", None))[1]] == ["b", "c"]
    assert len((await free("list-recursive", "/data", 9, 99))[0]) == 4
    assert len((await free("find-files", "/data", "**/c", 99))[0]) == 1
    assert len((await free("find-by-type", "/data", "directory", 99))[0]) == 1
    assert (await free("directory-size", "/data"))[:2] == (15, 3)
    assert await free("same-file", "/data/d/b", "/data/d/../d/b") is True
    assert await free("canonical-path", "/data/d/./b") == "/data/d/b"
    assert [found[0] for found in await free("batch-metadata", ["/data/a", "/data/no"])] == ["ok", "err"]
    assert await free("all-exist", ["/data/a", "/data/d"]) is True
    assert await free("any-exist", ["/data/no", "/data/d"]) is True
    await free("set-times", "/data/a", (1, 0), (2, 5))
    await free("set-working-directory", "/data/d")
    assert await free("get-working-directory") == "/data/d"
    await free("set-working-directory", "/data")
    assert await free("remove-directory-recursive", "/data/d") == 3


# --- network --------------------------------------------------------------------------------------------------------


async def sockets(stage: Stage, free: Puppet) -> None:
    door = await free("create-socket", *TCP)
    await free("socket.bind", door, at(0))
    await free("socket.listen", door, 4)
    port = (await free("get-local-address", door))[1]
    own = await free("create-socket", *TCP)
    await free("set-socket-options", own, (None, None, True, *[None] * 9))
    assert (await free("get-socket-options", own))[2] is True
    await free("connection.connect", own, at(port), LONG)
    other = await free("socket.accept", door, LONG)
    assert (await free("get-remote-address", own))[1] == port
    assert await free("socket.send", own, b"ab") == (2,)
    await free("send-all", own, b"cd", LONG)
    assert (await free("receive-all", other, 4, LONG))[0] == b"abcd"
    assert await free("socket.poll", own, {"writable"}, LONG) == {"writable"}
    await free("send-all", other, b"x", LONG)
    assert (await free("socket.receive", own, 9, LONG))[0] == b"x"
    assert await free("is-connected", own) is True
    assert (await free("get-connection-info", own))[2] == "connected"
    assert (await free("get-connection-stats", own))[:2] == (4, 1)
    await free("set-idle-timeout", own, LONG)
    await free("enable-keep-alive", own, 30)
    await free("socket.shutdown", own, "write")
    await free("close-socket", own)
    for handle in (own, other, door):
        await free.drop("socket.socket", handle)


async def datagrams(stage: Stage, free: Puppet) -> None:
    one, two = await free("create-socket", *UDP), await free("create-socket", *UDP)
    await free("socket.bind", one, at(0))
    port = (await free("get-local-address", one))[1]
    assert await free("send-to", two, b"hello", at(port)) == (5,)
    assert (await free("receive-from", one, 99, LONG))[0] == b"hello"
    for handle in (one, two):
        await free.drop("socket.socket", handle)


async def connections(stage: Stage, free: Puppet) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        tried = await free("create-socket", *TCP)
        await free("connect-with-retry", tried, at(port), 3, 1, LONG)
        named = await free("connect-host", "localhost", port, LONG)
        pool = await free("create-pool", 2, LONG, LONG)
        pooled = await free("pool-acquire", pool, at(port), LONG)
        assert await free("connection-pool.pool-stats", pool) == (1, 0, 0, 2)
        await free("pool-release", pool, pooled)
        await free("close-pool", pool)
        for handle in (tried, named):
            await free.drop("socket.socket", handle)
        await free.drop("connection.connection-pool", pool)
    assert (await free("resolve-hostname", "localhost", LONG))[0] == "localhost"
    assert (await free("resolve-hostname-single", "localhost", LONG))[1] == 0
    assert await free("reverse-lookup", at(80), LONG)


async def secured(stage: Stage, free: Puppet) -> None:
    authority = Authority(stage.place)

    def talk(peer: ssl.SSLSocket) -> None:
        peer.recv(1)

    with tls_server(authority.server(LOOPBACK), talk) as server:
        own = await free("create-socket", *TCP)
        await free("connection.connect", own, at(server.getsockname()[1]), LONG)
        await free("upgrade-to-tls", own, (LOOPBACK, True, [], authority.pem), LONG)
        assert (await free("get-tls-info", own))[5] is True
        await free("send-all", own, b"x", LONG)
        await free.drop("socket.socket", own)


# --- programs -------------------------------------------------------------------------------------------------------


async def children(stage: Stage, free: Puppet) -> None:
    echo = ["-c", "echo ready; read -r line; echo $line >&2; exit 3"]
    child = await started_child(free, *echo)
    number = (await free("child.info", child))[0]
    assert await free("is-running", child) is True
    assert (await free("child.get-status", child))[0] == number
    assert await free("get-uptime", child) < 10 * LONG
    await free("set-resource-limits", child, (None, None, None, 64, None))
    assert (await free("get-resource-limits", child))[3] == 64
    assert (await free("get-resource-usage", child))[3] == 1
    assert await free("get-children") == [number]
    assert await free("get-parent-id") == 0
    assert await free("get-current-id") == 0
    await free("write-stdin", child, b"said\n", LONG)
    await free("close-stdin", child)
    assert (await free("read-stderr", child, 99, LONG))[0] == b"said\n"
    assert (await free("wait-with-timeout", child, LONG))[1] == ("exited", 3)
    assert (await free("child.wait", child))[1] == ("exited", 3)
    assert (await free("child.join", child, LONG))[1] == ("exited", 3)
    await drop_child(free, child)
    one = await free("spawn-in-directory", SHELL, ["-c", "exit 4"], "/data")
    assert (await free("wait-any-child"))[1] == ("exited", 4)
    two = await free("spawn-with-environment", SHELL, ["-c", "exit $COLOUR"], [("COLOUR", "5")])
    assert (await free("wait-any-child-with-timeout", LONG))[1] == ("exited", 5)
    three = await free("spawn-with-limits", SHELL, ["-c", "exit 6"], (None, 10, None, None, None))
    assert (await free("child.wait", three))[1] == ("exited", 6)
    for child in (one, two, three):
        await drop_child(free, child)
    for end in ("child.terminate", "child.kill"):
        child = await started_child(free)
        await free(end, child)
        assert (await free("child.wait", child))[1][0] == "signaled"
        await drop_child(free, child)


async def signals(stage: Stage, free: Puppet) -> None:
    child = await started_child(free)
    watch = await free("on-status-change", child)
    await free("send-stop", child)
    assert (await free("watch.next", watch, LONG))[1] == "stopped"
    await free("send-cont", child)
    await free("unregister-handler", watch)
    await free.drop("signals.watch", watch)
    await free("send-signal", child, "usr1")
    await free("send-int", child)
    await free("send-hup", child)
    await free("send-raw-signal", child, 10)
    await free("send-signal-group", child, "usr1")
    assert await free("get-process-group", child) == (await free("child.info", child))[0]
    with contextlib.suppress(RefusedError):
        await free("set-process-group", child, 0)
    watch = await free("on-terminate", child)
    await free("send-term", child)
    assert (await free("watch.next", watch, LONG))[1] == "terminated"
    await free.drop("signals.watch", watch)
    await drop_child(free, child)
    for name in ("send-kill", "emergency-kill", "emergency-kill-group"):
        child = await started_child(free)
        await free(name, child)
        assert (await free("child.wait", child))[1] == ("signaled", 9)
        await drop_child(free, child)
    for name in ("graceful-shutdown", "graceful-shutdown-group"):
        child = await started_child(free)
        assert await free(name, child, LONG) == "exited"
        await drop_child(free, child)
    assert await free("signal-name", 15) == "TERM"
    assert await free("signals.signal-number", "SIGTERM") == 15
    assert "hup" in [name.lower() for name in await free("list-signals")]


ACTS = (
    services, checks, messages, stored, jobs, rooms, files, directories,
    sockets, datagrams, connections, secured, children, signals,
)  # fmt: skip
"""In this order: some use what others made."""
