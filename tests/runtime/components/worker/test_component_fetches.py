"""A component with network: it speaks HTTP with a server of this machine, and with nobody else."""

import http.server
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from runtime.components.permissions import Policy
from runtime.components.permissions.ports import PortRange
from runtime.components.permissions.rules import HostRule, Rules
from runtime.components.workers import Workers
from tests.runtime.components.worker.component_life import (
    RememberingDesk,
    be_patient,
    compiled,
    execute,
    said,
    start_of,
)

WORLD = "orlop:worlds/with-network"


class Greeting(http.server.BaseHTTPRequestHandler):
    """Greets whoever asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello from port {self.server.server_address[1]}".encode())


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join(60)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


@pytest.fixture
def desk() -> RememberingDesk:
    return RememberingDesk()


@pytest.fixture
async def workers(desk: RememberingDesk) -> AsyncIterator[Workers]:
    trouble: list[str] = []
    workers = Workers(desk, trouble.append)
    yield workers
    await workers.close()
    assert not trouble


@pytest.fixture(scope="module")
def fetcher() -> bytes:
    return compiled("fetcher")


def reaching(port: int, host: str = "127.0.0.1", *, private: bool = False) -> Policy:
    """A rule for one port."""
    return Policy(
        Rules(hosts=(HostRule("network.outbound", 0, "permissions", host, (PortRange(port, port),), private),))
    )


def records(desk: RememberingDesk) -> list[tuple[object, ...]]:
    """What is recorded of calls that are not summed."""
    found = []
    for _, kind, fields in desk.heard:
        if kind == "audit":
            assert isinstance(fields["records"], list)
            found += [(one["op"], one["target"], one["decision"]) for one in fields["records"]]  # type: ignore[index, call-overload]
    return found


async def test_a_component_speaks_http_with_the_port_that_its_rule_names(
    workers: Workers, desk: RememberingDesk, fetcher: bytes, port: int
) -> None:
    running = await workers.start(replace(start_of(fetcher, policy=reaching(port)), world=WORLD))
    assert running.alone
    answer = said(await execute(running, "get", str(port).encode()))
    assert answer.startswith("HTTP/1.0 200")
    assert answer.endswith(f"hello from port {port}")
    assert ("connection.connect", f"tcp 127.0.0.1:{port}", "allowed") in records(desk)
    await running.unload()


async def test_another_port_is_refused_and_nobody_is_called(
    workers: Workers, desk: RememberingDesk, fetcher: bytes, port: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        running = await workers.start(replace(start_of(fetcher, policy=reaching(port)), world=WORLD))
        refused = other.getsockname()[1]
        assert said(await execute(running, "get", str(refused).encode())) == "error: processing-failed: no address rule"
        assert ("connection.connect", f"tcp 127.0.0.1:{refused}", "denied") in records(desk)
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()
        await running.unload()


async def test_a_name_is_resolved_within_the_walls(workers: Workers, fetcher: bytes, port: int) -> None:
    policy = reaching(port, "localhost", private=True)
    running = await workers.start(replace(start_of(fetcher, policy=policy), world=WORLD))
    assert said(await execute(running, "fetch", str(port).encode())).endswith(f"hello from port {port}")
    await running.unload()


async def test_a_name_does_not_reach_this_machine_unless_its_rule_says_so(
    workers: Workers, fetcher: bytes, port: int
) -> None:
    running = await workers.start(replace(start_of(fetcher, policy=reaching(port, "localhost")), world=WORLD))
    assert "only special addresses" in said(await execute(running, "fetch", str(port).encode()))
    await running.unload()


async def test_without_a_rule_a_component_of_the_world_shares_a_worker_and_is_denied(
    workers: Workers, fetcher: bytes, port: int
) -> None:
    running = await workers.start(replace(start_of(fetcher), world=WORLD))
    assert not running.alone
    assert said(await execute(running, "get", str(port).encode())) == "error: processing-failed: no rule"
    await running.unload()
