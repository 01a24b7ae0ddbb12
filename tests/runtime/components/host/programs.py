"""What tests of processes share: a spawner of a fresh interpreter, and an instance that may start shells."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.components.bindings.ext_process_types import SpawnOptions
from runtime.components.host.context import Context, HostLimits
from runtime.components.host.mounts import Mounts
from runtime.components.host.paths import Paths
from runtime.components.host.process_lifecycle import ProcessLifecycle
from runtime.components.host.process_signals import ProcessSignals
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.permissions import Policy
from runtime.components.permissions.rules import SpawnRule
from tests.runtime.components.host.frame import context_of, policy_of, value_of

__all__ = ["LONG_MS", "SHELL", "Programs", "Spawner", "everything", "options", "programs_in", "runs", "spawner"]

ROOT = Path(__file__).parents[4]
SHELL = os.path.realpath("/bin/sh")
LONG_MS = 120_000

SERVE = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from runtime.components.host.spawner import serve
serve(socket.socket(fileno=int(sys.argv[2])))
"""


@dataclass
class Spawner:
    """A spawner and the line to it."""

    line: SpawnerLine
    process: "subprocess.Popen[bytes]"

    def close(self) -> None:
        """Ends it and all that it started."""
        self.line.close()
        self.process.wait(60)


@dataclass
class Programs:
    """Both interfaces of one instance, and the spawner behind them."""

    context: Context
    lifecycle: ProcessLifecycle
    signals: ProcessSignals
    spawner: Spawner
    shared: bool

    @property
    def line(self) -> SpawnerLine:
        """To the spawner."""
        return self.spawner.line

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The spawner."""
        return self.spawner.process

    def start(self, script: str, *arguments: str, **changed: Any) -> Any:
        """A shell that runs a script."""
        return value_of(self.lifecycle.spawn(options(script, *arguments, **changed)))

    def close(self) -> None:
        """Ends the instance, and a spawner of its own."""
        self.context.close()
        if not self.shared:
            self.spawner.close()


def spawner(environment: Mapping[str, str] | None = None) -> Spawner:
    """A spawner in an interpreter of its own: this one has threads, of which a fork has none."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-I", "-c", SERVE, str(ROOT), str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
    return Spawner(SpawnerLine(ours), process)


def everything(**changed: Any) -> Policy:
    """A policy that starts shells with any arguments, and kills and signals them."""
    rule = SpawnRule("process.spawn", 0, "permissions", SHELL, ("**",), **changed)
    return policy_of(
        spawn=[rule],
        process_kill=["true"],
        process_signals=["int", "quit", "stop", "cont", "hup", "usr1", "usr2", "34"],
        list=["/**"],
    )


def programs_in(
    policy: Policy | None = None,
    *,
    limits: HostLimits | None = None,
    directories: Sequence[tuple[str, Path]] = (),
    environment: Mapping[str, str] | None = None,
    by: Spawner | None = None,
    outside: Mapping[str, str] | None = None,
) -> Programs:
    """An instance.

    Args:
        policy: what it may do; all of `everything`.
        limits: what it may have.
        directories: guest paths and the directories that are given there.
        environment: of the host, as the instance may read it.
        by: a spawner that others use too.
        outside: the environment of a spawner of its own.
    """
    context = context_of(policy or everything(), limits or HostLimits())
    started = by or spawner(outside)
    given = [(guest, os.open(path, os.O_PATH), "operator", False) for guest, path in directories]
    paths = Paths(context, Mounts(given, 0))
    lifecycle = ProcessLifecycle(context, paths, started.line, environment or {}, 50)
    return Programs(context, lifecycle, ProcessSignals(context, started.line), started, by is not None)


def options(script: str, *arguments: str, **changed: Any) -> SpawnOptions:
    """A shell that runs a script; its output can be read."""
    values: dict[str, Any] = {
        "command": "/bin/sh",
        "arguments": ("-c", script, "sh", *arguments),
        "environment": (),
        "inherit_environment": (),
        "working_directory": None,
        "stdin": "none",
        "stdout": "pipe",
        "stderr": "pipe",
        "limits": None,
        "timeout": None,
    }
    return SpawnOptions(**(values | changed))


def runs(pid: int) -> bool:
    """Whether a process is there and not only what is left of it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}
