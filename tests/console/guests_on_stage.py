"""Three guests on strings, a core around them, and what its records say of what they called.

`free/puppet` may do everything that is called in these tests, `bare/puppet` nothing, and `mute/puppet` may open sockets
and start programs, but do nothing with them that needs a permission of its own.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from assets import path as asset
from console.core import Core
from runtime.canonical import Json
from runtime.components.audit_record import AuditRecord
from runtime.components.installer import Install
from runtime.shapes import from_wire
from tests.runtime.components.components_here import author
from tests.runtime.components.puppet import PUPPET, Puppet

__all__ = ["BARE", "FREE", "LONG", "MUTE", "Stage", "Tried", "at", "drop_child", "options", "started_child", "world"]

LOOPBACK: Final = "127.0.0.1"
TCP: Final = ("ipv4", "tcp-stream", "tcp")
UDP: Final = ("ipv4", "udp-datagram", "udp")
LONG: Final = 60_000
SHELL: Final = os.path.realpath("/bin/sh")
HELLO: Final = asset("jobs/hello/hello.wasm").read_bytes()
ROOM: Final = "harbor"
NOTES: Final = "puppet:notes"
SIGNALS: Final = ("int", "quit", "stop", "cont", "hup", "usr1", "usr2")
WAITING: Final = ("-c", "trap : INT HUP USR1; echo ready; while :; do sleep 0.01; done")
NO_LIMITS: Final = (None,) * 5

FREE: Final = f"""world = "orlop:worlds/full"
[[mounts]]
guest = "/data"
source = "private"
[permissions.filesystem]
read = ["/data", "/data/**"]
write = ["/data/**"]
delete = ["/data/**"]
list = ["/data", "/data/**"]
[permissions.network]
outbound = [
  {{ host = "{LOOPBACK}", ports = ["*"], private = true, tls_insecure = true }},
  {{ host = "localhost", ports = ["*"], private = true }},
]
inbound = [{{ address = "{LOOPBACK}", ports = [0] }}]
[permissions.process]
spawn = [{{ command = "{SHELL}", args = ["**"], environment = ["COLOUR"], max = 8 }}]
signals = {list(SIGNALS)}
[permissions.storage]
namespaces = [{{ name = "{NOTES}", actions = ["read", "write", "delete"] }}]
[permissions.messaging]
send = ["bare/*", "free/*", "mute/*"]
request = ["free/*", "mute/*"]
broadcast = ["mute/*"]
receive = ["free/*", "mute/*"]
publish = ["tides"]
subscribe = ["tides"]
[permissions.jobs]
submit = ["{hashlib.sha256(HELLO).hexdigest()}"]
[permissions.rooms]
post = ["{ROOM}"]
[limits]
children = 16
call_timeout = "2m"
"""
BARE: Final = 'world = "orlop:worlds/full"\n[limits]\ncall_timeout = "2m"\n'
MUTE: Final = f"""world = "orlop:worlds/full"
[permissions.network]
outbound = [{{ host = "{LOOPBACK}", ports = [9], private = true }}]
inbound = [{{ address = "{LOOPBACK}", ports = [0] }}]
[permissions.process]
spawn = [{{ command = "{SHELL}", args = ["**"] }}]
kill = false
[permissions.messaging]
receive = ["free/*"]
publish = ["tides"]
[limits]
call_timeout = "2m"
"""


@dataclass
class Tried:
    """What came of it, from the records of the host alone.

    Attributes:
        outcomes: of each operation, as recorded.
        denied: operations that were denied.
        journalled: operations that the journal tells of, as called with success.
        journalled_denied: likewise, as denied.
        exports: that were called.
        changed: what a denied operation changed; empty where none did.
    """

    outcomes: dict[str, set[str]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    journalled: set[str] = field(default_factory=set)
    journalled_denied: set[str] = field(default_factory=set)
    exports: set[str] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)

    def told(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Takes note of what a worker told."""
        records = fields.get("records")
        for one in records if kind == "audit" and isinstance(records, list) else ():
            record = from_wire(AuditRecord, one)
            if record.decision == "denied":
                self.denied.add(record.op)
            else:
                self.outcomes.setdefault(record.op, set()).add(record.outcome)
        if kind == "log" and fields.get("message") == "shutdown":
            self.exports.add("shutdown")


@dataclass(frozen=True)
class Stage:
    """The core, and the guests that play."""

    core: Core
    tried: Tried
    place: Path
    puppets: dict[str, Puppet] = field(default_factory=dict)

    async def puppet(self, namespace: str, more: str) -> Puppet:
        """Installs and starts one."""
        components, name = self.core.components, f"{namespace}/puppet"
        made = author(self.place / namespace, more, namespace=namespace, wasm=PUPPET, name="puppet")
        await components.install(Install(folder=made))
        await components.start(name)

        async def told(operation: str, given: bytes) -> object:
            ended = await components.execute(name, operation, given, 2 * LONG, "test")
            return ended.value if ended.returned else f"{ended.kind}: {ended.detail}"

        self.puppets[namespace] = Puppet(told)
        return self.puppets[namespace]


def at(port: int) -> tuple[Any, ...]:
    """An address on loopback, as the WIT has it."""
    return ("ipv4", (127, 0, 0, 1)), port, 0


def options(mode: str, *flags: str) -> tuple[Any, ...]:
    """How to open a file."""
    return (mode, "create" in flags, "new" in flags, "truncate" in flags, True, (0o600,))


def world(stage: Stage) -> set[str]:
    """What a component without permissions must not change: files, rooms, sockets and children of its worker."""
    core = stage.core
    root = core.state.components
    found = {f"{path} {path.read_bytes()!r}" if path.is_file() else str(path) for path in root.rglob("*")}
    [room] = [info.room for info in core.rooms.list() if info.name == ROOM]
    found |= {f"message {message.id}" for message in core.rooms.state(room).messages}
    found |= {f"task {task}" for task in core.rooms.state(room).tasks}
    running = core.components.unit("bare/puppet").running
    assert running is not None
    process = Path(f"/proc/{running.process_id}")
    found |= {f"{link.name} {link.readlink()}" for link in (process / "fd").iterdir()}
    return found | {f"child {child}" for path in process.glob("task/*/children") for child in path.read_text().split()}


async def started_child(puppet: Puppet, *arguments: str) -> int:
    """A child that says that it is ready."""
    pipes = ("pipe", "pipe", "pipe")
    child: int = await puppet("lifecycle.spawn", (SHELL, list(arguments or WAITING), [], [], None, *pipes, None, None))
    assert (await puppet("read-stdout", child, 6, LONG))[0] == b"ready\n"
    return child


async def drop_child(puppet: Puppet, child: int) -> None:
    await puppet.drop("lifecycle.child", child)
