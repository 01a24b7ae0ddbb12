"""A program: does every operation on files, and starts a program, each in a process with a worker's walls around it.

Run with a directory of its own; it prints the names of what did not work, and how.
"""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runtime.components.host.file_trees import Metadata
from runtime.components.host.filesystem import Filesystem
from runtime.components.host.mounts import Mounts
from runtime.components.host.paths import Paths
from runtime.components.host.process_lifecycle import ProcessLifecycle
from runtime.components.host.process_signals import ProcessSignals
from runtime.components.host.spawner import fork_spawner
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.worker import walls
from tests.runtime.components.host.frame import Files, context_of, policy_of, value_of
from tests.runtime.components.host.programs import LONG_MS, everything, options
from tests.runtime.components.host.test_filesystem_operations import ALL, CHANGES, LOOKS, furnish
from tests.runtime.components.host.test_open_files import opened


def main(place: str) -> None:
    """Tries everything."""
    tries: dict[str, Callable[[Path], None]] = {
        name: lambda data, work=work: on_files(data, work) for name, work in (CHANGES | LOOKS).items()
    }
    tries |= {"copy.new": lambda data: on_files(data, copy_beside), "file": lambda data: on_files(data, with_a_file)}
    tries["process"] = with_a_program
    for number, (name, work) in enumerate(tries.items()):
        data = Path(place) / str(number) / "data"
        data.mkdir(parents=True)
        furnish(data)
        pid = os.fork()
        if not pid:
            within(lambda data=data, work=work: work(data))
        status = os.waitpid(pid, 0)[1]
        if status:
            sys.stdout.write(f"{name} {status}\n")


def within(work: Callable[[], None]) -> None:
    """Does something and ends this process, with 1 when it fails."""
    status = 1
    try:
        walls.become_worker()
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - a copy of the program must not go on
        traceback.print_exc()
    finally:
        os._exit(status)


def wall_in(data: Path) -> int:
    """Leaves this process one directory, and returns its descriptor."""
    descriptor = os.open(data, os.O_PATH)
    mount = SimpleNamespace(read_only=False)
    load: Any = SimpleNamespace(mounts=[mount], network=False, connect_ports=(), listen_ports=(), spawns=True)
    walls.close_in(load, [descriptor])
    return descriptor


def on_files(data: Path, work: Callable[[Files], Any]) -> None:
    """One operation on files."""
    descriptor = wall_in(data)
    context = context_of(policy_of(**ALL))
    mounts = Mounts([("/data", descriptor, "private", False)], 1 << 20)
    paths = Paths(context, mounts)
    value_of(work(Files(context, mounts, paths, Filesystem(context, paths), Metadata(context, paths))))
    context.close()


def copy_beside(files: Files) -> Any:
    """A copy that replaces nothing, and a move to another directory."""
    value_of(files.filesystem.copy("/data/f", "/data/tree/copy", False))
    return files.filesystem.rename("/data/tree/copy", "/data/moved")


def with_a_file(files: Files) -> Any:
    """Everything that an open file can do."""
    file = opened(files, "/data/new")
    value_of(file.write(b"abc"))
    value_of(file.write_at(1, b"x"))
    value_of(file.write_text("aGVsbG8=", "base64"))
    value_of(file.seek(0, "start"))
    value_of(file.read(9))
    value_of(file.read_at(0, 9))
    value_of(file.read_text(2, "utf8"))
    value_of(file.set_length(2))
    value_of(file.sync())
    value_of(file.metadata())
    return file.close()


def with_a_program(data: Path) -> None:
    """A program that is talked to, watched, measured and ended."""
    line = SpawnerLine(fork_spawner())
    descriptor = wall_in(data)
    context = context_of(everything())
    paths = Paths(context, Mounts([("/data", descriptor, "operator", False)], 0))
    lifecycle, signals = ProcessLifecycle(context, paths, line, {}, 50), ProcessSignals(context, line)
    asked = options("read x; echo $x; pwd; exec sleep 1000", stdin="pipe", working_directory="/data/tree")
    child: Any = value_of(lifecycle.spawn(asked))
    watch = value_of(signals.on_status_change(child))
    value_of(child.write_stdin(b"hello\n", LONG_MS))
    assert value_of(child.read_stdout(6, LONG_MS)).data == b"hello\n"
    value_of(child.get_status())
    value_of(child.get_resource_usage())
    value_of(child.set_resource_limits(value_of(child.get_resource_limits())))
    assert value_of(signals.graceful_shutdown(child, LONG_MS)) == "exited"
    assert value_of(watch.next(LONG_MS)).kind == "terminated"
    value_of(child.join(LONG_MS))
    context.close()
    line.close()


if __name__ == "__main__":
    main(sys.argv[1])
