"""A program: does every operation on files, starts a program and uses the network, each within a worker's walls.

Run with a directory of its own; it prints the names of what did not work, and how.
"""

import importlib
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runtime.components.host.connections import Connections
from runtime.components.host.file_trees import Metadata
from runtime.components.host.filesystem import Filesystem
from runtime.components.host.mounts import Mounts
from runtime.components.host.names import Names
from runtime.components.host.paths import Paths
from runtime.components.host.process_lifecycle import ProcessLifecycle
from runtime.components.host.process_signals import ProcessSignals
from runtime.components.host.reach import Reach
from runtime.components.host.sockets import Sockets
from runtime.components.host.spawner import fork_spawner
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.worker import walls
from runtime.components.worker.zygote import IMPORTED
from runtime.jobs import landlock
from tests.runtime.components.host.frame import Files, case_of, context_of, policy_of, value_of
from tests.runtime.components.host.network import (
    LOOPBACK,
    Authority,
    allowing,
    at,
    network_in,
    tls_options,
    tls_server,
)
from tests.runtime.components.host.programs import LONG_MS, everything, options
from tests.runtime.components.host.test_filesystem_operations import ALL, CHANGES, LOOKS, furnish
from tests.runtime.components.host.test_open_files import opened


def main(place: str) -> None:
    """Tries everything."""
    for name in IMPORTED:
        importlib.import_module(name)
    tries: dict[str, Callable[[Path], None]] = {
        name: lambda data, work=work: on_files(data, work) for name, work in (CHANGES | LOOKS).items()
    }
    tries |= {"copy.new": lambda data: on_files(data, copy_beside), "file": lambda data: on_files(data, with_a_file)}
    tries |= {"process": with_a_program, "network": with_sockets, "names": with_names, "tls": with_tls}
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


def wall_in(data: Path, *ports: int) -> int:
    """Leaves this process one directory, and TCP ports to reach, and returns the directory's descriptor."""
    descriptor = os.open(data, os.O_PATH)
    mount = SimpleNamespace(read_only=False)
    listen = None if ports else ()
    load: Any = SimpleNamespace(
        mounts=[mount], network=bool(ports), connect_ports=ports, listen_ports=listen, spawns=True
    )
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


def with_sockets(data: Path) -> None:
    """Sockets that listen, connect, speak and are asked all that can be asked, and a port that is not reached."""
    peer = socket.create_server((LOOPBACK, 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((LOOPBACK, 0))
    beyond = socket.create_server((LOOPBACK, 0))
    wall_in(data, peer.getsockname()[1])
    network = network_in(allowing((LOOPBACK, -1), inbound=[(LOOPBACK, 0)]))
    connections = network.connections
    own = network.tcp()
    value_of(own.set_socket_options(value_of(own.get_socket_options())))
    value_of(connections.enable_keep_alive(own, 5))
    value_of(connections.connect_with_retry(own, at(peer), 2, 1, LONG_MS))
    other, _ = peer.accept()
    value_of(own.send_all(b"hello", LONG_MS))
    other.sendall(other.recv(5))
    value_of(own.poll(frozenset({"readable"}), LONG_MS))
    assert value_of(own.receive(5, LONG_MS)).data == b"hello"
    value_of(connections.get_connection_stats(own))
    value_of(connections.get_connection_info(own))
    assert value_of(connections.is_connected(own))
    value_of(own.shutdown("both"))
    pool: Any = value_of(connections.create_pool(1, LONG_MS, LONG_MS))
    value_of(pool.pool_acquire(at(peer), LONG_MS))
    serving = network.tcp()
    value_of(serving.bind(at(LOOPBACK)))
    value_of(serving.listen(1))
    assert case_of(serving.accept(1)) == "timeout"
    dgram = network.udp()
    value_of(dgram.send_to(b"ping", at(datagrams)))
    datagrams.sendto(*datagrams.recvfrom(9))
    value_of(dgram.receive_from(9, LONG_MS))
    # What the policy alone would let through.
    assert case_of(connections.connect(network.tcp(), at(beyond), LONG_MS)) in expected_beyond()
    network.close()


def expected_beyond() -> set[str]:
    """What comes of a port that the kernel's wall does not name; without such a wall it answers."""
    return {"permission-denied"} if landlock.handled(landlock.abi())[1] else set()


def with_names(data: Path) -> None:
    """The resolver of this machine, asked for this machine only, and names in other scripts."""
    wall_in(data, 53)
    context = context_of(allowing(("localhost", 443), (LOOPBACK, 443), ("bücher.example", 443)))
    reach = Reach(context)
    connections = Connections(context, Sockets(context, reach), reach, Names(context))
    assert value_of(connections.resolve_hostname("localhost", LONG_MS)).addresses
    assert value_of(connections.reverse_lookup(at(LOOPBACK, 443), LONG_MS))
    assert case_of(connections.resolve_hostname("other.example", LONG_MS)) == "permission-denied"
    context.close()


def with_tls(data: Path) -> None:
    """A handshake, with the anchors of this machine."""
    with tls_server(Authority(data).server(), lambda _: None) as listening:
        wall_in(data, listening.getsockname()[1])
        network = network_in(allowing((LOOPBACK, -1)))
        own = network.tcp()
        value_of(network.connections.connect(own, at(listening), LONG_MS))
        answer: Any = network.connections.upgrade_to_tls(own, tls_options(), LONG_MS)
        assert case_of(answer) == "tls-error", answer
        assert "issuer" in answer.error.reason
        network.close()


if __name__ == "__main__":
    main(sys.argv[1])
