"""Workers that hang, die or lie: what is lost with them, what is not, and what the kernel holds them to."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from runtime.components import running as running_module
from runtime.components import workers as workers_module
from runtime.components.cpu_quota import CpuQuota
from runtime.components.errors import ComponentRefusedError, WorkerUnavailableError
from runtime.components.host.context import ComponentId
from runtime.components.permissions import Policy
from runtime.components.permissions.ports import PortRange
from runtime.components.permissions.rules import HostRule, Rules, SpawnRule, StorageRule
from runtime.components.running import Lost, Running
from runtime.components.worker.wire import Answer, Ask, Ended, Gone, Load, Loaded, MountPoint, Stop, Tell, encode
from runtime.components.worker_process import WorkerProcess
from runtime.components.workers import HostMount, Workers
from runtime.jobs import landlock
from tests.open_twin import open_twin
from tests.runtime.components.worker.component_life import (
    LIMITS,
    LONG_MS,
    RememberingDesk,
    be_patient,
    compiled,
    execute,
    said,
    start_of,
)

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


@pytest.fixture(scope="module")
def doer() -> bytes:
    return compiled("doer")


@pytest.fixture
def desk() -> RememberingDesk:
    return RememberingDesk()


@pytest.fixture
def trouble() -> list[str]:
    return []


@pytest.fixture
async def workers(desk: RememberingDesk, trouble: list[str]) -> AsyncIterator[Workers]:
    workers = Workers(desk, trouble.append)
    yield workers
    await workers.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.to_thread(os.sched_yield)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def what_the_kernel_says(pid: int, about: str) -> str:
    return Path(f"/proc/{pid}/{about}").read_text()


# --- isolation ------------------------------------------------------------------------------------------------------


async def test_a_component_that_spins_does_not_hold_up_those_in_its_worker(workers: Workers, doer: bytes) -> None:
    spinner, honest = await workers.start(start_of(doer)), await workers.start(start_of(doer, instance=1))
    assert spinner.process_id == honest.process_id
    spinning = asyncio.ensure_future(execute(spinner, "spin"))
    for number in range(1, 51):
        assert said(await execute(honest, "count")) == str(number)
    assert not spinning.done()
    await workers.close()
    assert (await spinning).kind == "lost"


async def test_eight_components_share_a_worker_and_the_ninth_gets_another(workers: Workers, doer: bytes) -> None:
    started = [await workers.start(start_of(doer, instance=number)) for number in range(9)]
    assert len({one.process_id for one in started[:8]}) == 1
    assert started[8].process_id != started[0].process_id
    await asyncio.gather(*(one.unload() for one in started))
    await until(lambda: len(workers.process_ids) == 1)


async def test_a_component_that_uses_much_memory_or_overran_before_is_alone(workers: Workers, doer: bytes) -> None:
    modest = await workers.start(start_of(doer))
    large = await workers.start(start_of(doer, memory=65 << 20))
    overran = await workers.start(replace(start_of(doer), alone=True))
    assert [modest.alone, large.alone, overran.alone] == [False, True, True]
    assert len({one.process_id for one in (modest, large, overran)}) == 3


async def test_calls_wait_once_the_processor_time_of_a_minute_is_used_up(workers: Workers, doer: bytes) -> None:
    greedy = await workers.start(start_of(doer, cpu_per_minute_ms=1))
    assert said(await execute(greedy, "work", b"30000000")) == "30000000"
    waiting = asyncio.ensure_future(execute(greedy, "echo"))
    await until(lambda: greedy.overran)
    assert not waiting.done()
    await workers.close()
    assert (await waiting).kind == "lost"


async def test_an_instance_can_end_while_its_calls_wait_for_processor_time(workers: Workers, doer: bytes) -> None:
    greedy = await workers.start(start_of(doer, cpu_per_minute_ms=1))
    assert said(await execute(greedy, "work", b"30000000")) == "30000000"
    waiting = asyncio.ensure_future(execute(greedy, "echo"))
    await until(lambda: greedy.overran)
    async with asyncio.timeout(WAIT_S):
        await greedy.unload()
    assert (await waiting).detail == "the instance was unloaded"


async def test_a_call_whose_caller_gives_up_goes_on_and_the_next_waits_for_it(workers: Workers, doer: bytes) -> None:
    running = await workers.start(start_of(doer))
    impatient = asyncio.ensure_future(execute(running, "sleep", b"200"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert said(await execute(running, "count")) == "1"
    assert not running.lost.done()


async def test_a_start_whose_caller_gives_up_leaves_nothing(workers: Workers, doer: bytes) -> None:
    keeps = await workers.start(start_of(doer))
    hasty = asyncio.ensure_future(workers.start(start_of(doer, instance=1)))
    await asyncio.sleep(0)
    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    (worker,) = workers._workers.values()
    await until(lambda: worker.slots == 1)
    assert said(await execute(keeps, "echo", b"here")) == "here"


async def test_a_refused_component_does_not_cost_its_neighbours_their_worker(workers: Workers, doer: bytes) -> None:
    keeps = await workers.start(start_of(doer))
    for number in range(1, 12):
        with pytest.raises(ComponentRefusedError):
            await workers.start(start_of(b"no code", instance=number))
    again = await workers.start(start_of(doer, instance=1))
    assert again.process_id == keeps.process_id
    assert said(await execute(keeps, "echo", b"here")) == "here"


# --- loss -----------------------------------------------------------------------------------------------------------


async def test_a_worker_that_is_killed_loses_its_components_and_others_live_on(workers: Workers, doer: bytes) -> None:
    first, second = await workers.start(start_of(doer)), await workers.start(start_of(doer, instance=1))
    elsewhere = await workers.start(replace(start_of(doer, instance=2), alone=True))
    spinning = asyncio.ensure_future(execute(first, "spin"))
    await asyncio.sleep(0)
    os.kill(first.process_id, signal.SIGKILL)
    async with asyncio.timeout(WAIT_S):
        lost = [await first.lost, await second.lost]
        called = await spinning
    assert all(one.innocent and "was ended by SIGKILL" in one.why for one in lost)
    assert (called.kind, called.detail) == ("lost", lost[0].why)
    assert (await execute(second, "echo")).kind == "lost"
    assert said(await execute(elsewhere, "echo", b"here")) == "here"
    again = await workers.start(start_of(doer))
    assert said(await execute(again, "count")) == "1"


async def test_a_worker_of_one_component_is_lost_by_its_fault(workers: Workers, doer: bytes) -> None:
    alone = await workers.start(replace(start_of(doer), alone=True))
    os.kill(alone.process_id, signal.SIGABRT)
    async with asyncio.timeout(WAIT_S):
        lost = await alone.lost
    assert not lost.innocent
    assert "SIGABRT" in lost.why


async def test_a_call_that_does_not_come_back_costs_the_worker_and_names_who_it_was(
    workers: Workers, doer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_module, "GRACE_S", 0.5)
    stuck, neighbour = await workers.start(start_of(doer)), await workers.start(start_of(doer, instance=1))
    os.kill(stuck.process_id, signal.SIGSTOP)
    called = await execute(stuck, "echo", timeout_ms=10)
    assert called == type(called)("lost", "execute of acme/doer@1.0.0#0 was 0.5 s over its deadline")
    async with asyncio.timeout(WAIT_S):
        assert await stuck.lost == Lost(called.detail, innocent=False)
        assert (await neighbour.lost).innocent


async def test_a_zygote_that_dies_takes_all_along_is_told_of_and_replaced(
    workers: Workers, doer: bytes, trouble: list[str]
) -> None:
    running = await workers.start(start_of(doer))
    victim, zygote = running.process_id, workers.process_ids[0]
    os.kill(zygote, signal.SIGKILL)
    async with asyncio.timeout(WAIT_S):
        lost = await running.lost
    assert lost.innocent
    assert trouble == [lost.why]
    await until(lambda: not psutil.pid_exists(victim) or psutil.Process(victim).status() == psutil.STATUS_ZOMBIE)
    again = await workers.start(start_of(doer))
    assert said(await execute(again, "echo", b"new")) == "new"
    assert workers.process_ids[0] != zygote


async def test_nothing_is_started_after_the_end(workers: Workers, doer: bytes) -> None:
    running = await workers.start(start_of(doer))
    pids = workers.process_ids
    await workers.close()
    assert (await running.lost).innocent
    with pytest.raises(WorkerUnavailableError, match="no longer started"):
        await workers.start(start_of(doer))
    await until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


async def test_starts_and_ends_leave_nothing_behind(workers: Workers, doer: bytes) -> None:
    async def rounds(count: int) -> None:
        for _ in range(count):
            running = await workers.start(replace(start_of(doer), alone=True))
            assert said(await execute(running, "echo", b"x")) == "x"
            await running.unload()
        await until(lambda: len(workers.process_ids) == 1)

    await rounds(3)
    before = open_files()
    await rounds(30)
    assert open_files() == before
    assert len(asyncio.all_tasks()) == 1


async def test_a_question_that_nobody_answers_ends_with_the_call(
    workers: Workers, desk: RememberingDesk, doer: bytes
) -> None:
    desk.waits = asyncio.Event()
    rules = Rules(storage=(StorageRule("storage.namespaces", 0, "permissions", "doer:*", ("write",)),))
    running = await workers.start(start_of(doer, policy=Policy(rules)))
    called = await execute(running, "store", b"x", timeout_ms=100)
    assert called.kind == "deadline" or said(called).startswith("error: processing-failed: the host did not answer")


# --- programs -------------------------------------------------------------------------------------------------------


def may_start(*commands: str) -> Policy:
    """Programs by their names in `/bin`, wherever that is."""
    paths = [os.path.realpath(f"/bin/{command}") for command in commands]
    rules = (SpawnRule("process.spawn", at, "permissions", path, ("**",)) for at, path in enumerate(paths))
    return Policy(Rules(spawn=tuple(rules)))


async def test_a_component_starts_programs_through_a_process_beside_its_worker(workers: Workers) -> None:
    code = compiled("starter")
    policy = may_start("echo", "sleep")
    start = replace(start_of(code, policy=policy), world="orlop:worlds/with-process")
    starter = await workers.start(start)
    assert starter.alone
    assert said(await execute(starter, "echo", b"from a child")) == "from a child\n"
    assert said(await execute(starter, "sleep", b"600")) == "600"
    family = psutil.Process(starter.process_id).children(recursive=True)
    assert "sleep" in {process.name() for process in family}
    await starter.unload()
    await until(lambda: not any(process.is_running() and process.status() != "zombie" for process in family))


async def test_programs_do_not_outlive_a_worker_that_is_killed(workers: Workers) -> None:
    policy = may_start("sleep")
    start = replace(start_of(compiled("starter"), policy=policy), world="orlop:worlds/with-process")
    starter = await workers.start(start)
    assert said(await execute(starter, "sleep", b"600")) == "600"
    family = psutil.Process(starter.process_id).children(recursive=True)
    os.kill(starter.process_id, signal.SIGKILL)
    await until(lambda: not any(process.is_running() and process.status() != "zombie" for process in family))


async def test_a_component_without_a_rule_for_programs_shares_a_worker_and_is_denied(workers: Workers) -> None:
    starter = await workers.start(replace(start_of(compiled("starter")), world="orlop:worlds/with-process"))
    assert not starter.alone
    assert said(await execute(starter, "echo", b"x")).startswith("error: processing-failed: ")
    await starter.unload()


# --- lies -----------------------------------------------------------------------------------------------------------


class Liar:
    """A worker that says what it likes: a process that sleeps, whose channel the test holds."""

    def __init__(self, desk: RememberingDesk) -> None:
        mine, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        self.process = subprocess.Popen(["sleep", "600"])
        self.worker = WorkerProcess(1, mine, alone=False)
        self.worker.forked(self.process.pid, os.pidfd_open(self.process.pid))
        self.desk = desk

    def load(self) -> Running:
        code = os.memfd_create("code")
        start = start_of(b"")

        def message(slot: int) -> Load:
            return Load(slot, "acme", "doer", "1.0.0", 0, start.world, Policy().to_json(), LIMITS, (), 1_000)

        component = ComponentId("acme", "doer", "1.0.0", 0)
        return self.worker.load(component, CpuQuota(1_000), self.desk, message, code=code, folders=[])

    def end(self) -> None:
        self.process.wait(WAIT_S)
        self.worker.gone(None)
        self.theirs.close()


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"\xff\xff\xff\xff", "4,294,967,295 bytes"),
        (b"\0\0\0\2{}", "unknown kind"),
        (encode(Stop(1)), "unknown kind"),
        (encode(Loaded(2)), "does not have"),
        (encode(Gone(9)), "does not have"),
        (encode(Ended(1, 1, "returned", "", "", None, 0, 0)), "a call that does not run"),
        (encode(Loaded(1)) * 2, "there already"),
        (encode(Ask(1, 1, "storage.get", {})) * 9, "more questions"),
    ],
)
async def test_a_worker_that_says_what_it_may_not_is_killed(desk: RememberingDesk, frame: bytes, why: str) -> None:
    liar = Liar(desk)
    running = liar.load()
    liar.theirs.sendall(frame)
    await until(lambda: liar.process.poll() is not None)
    liar.end()
    lost = running.lost.result()
    assert lost.why.startswith("the worker broke the rules of the wire: ")
    assert why in lost.why


async def test_a_worker_that_does_not_read_is_killed(desk: RememberingDesk) -> None:
    liar = Liar(desk)
    liar.load()
    for _ in range(40):
        liar.worker.say(Answer(1, 1, "x" * (1 << 20)))
    await until(lambda: liar.process.poll() is not None)
    liar.end()


async def test_what_is_told_is_heard_in_order_however_it_arrives(desk: RememberingDesk) -> None:
    liar = Liar(desk)
    liar.load()
    stream = b"".join(encode(Tell(1, "log", {"message": str(number)})) for number in range(50))
    for at in range(0, len(stream), 7):
        await asyncio.get_running_loop().sock_sendall(liar.theirs, stream[at : at + 7])
    await until(lambda: len(desk.lines()) == 50)
    assert desk.lines() == [str(number) for number in range(50)]
    liar.worker.kill("enough", nobody=True)
    liar.end()


# --- walls ----------------------------------------------------------------------------------------------------------


async def test_a_worker_is_confined(workers: Workers, doer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "PROGRAM", open_twin(workers_module.PROGRAM))
    running = await workers.start(start_of(doer))
    status = what_the_kernel_says(running.process_id, "status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert facts["Umask"] == "0077"
    assert os.getsid(running.process_id) == running.process_id
    limits = what_the_kernel_says(running.process_id, "limits")
    assert "Max core file size        0                    0 " in limits
    assert f"Max data size             {(8 * 64 + 256) << 20} " in limits


TAKEN_OVER = """
import os, socket
from runtime.components.host import services
from runtime.components.bindings.core_types import ComponentId
def self_id(self):
    said = []
    for act in (ACTS):
        try:
            act()
            said.append("done")
        except OSError as error:
            said.append(type(error).__name__)
    return ComponentId("", " ".join(said), "", 0)
services.Services.self_id = self_id
"""
"""What a guest could do that runs its own code in its worker."""


def take_over(monkeypatch: pytest.MonkeyPatch, acts: str) -> None:
    program = workers_module.PROGRAM.replace(
        "from runtime.components.worker.zygote",
        f"exec({TAKEN_OVER.replace('ACTS', acts)!r}); from runtime.components.worker.zygote",
    )
    monkeypatch.setattr(workers_module, "PROGRAM", program)


FILES = "lambda: open('/etc/hostname'), os.fork, lambda: open('/tmp/new', 'w')"


async def test_a_shared_worker_that_was_taken_over_reaches_nothing(
    workers: Workers, doer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over(monkeypatch, f"{FILES},")
    running = await workers.start(start_of(doer))
    assert said(await execute(running, "who-am-i")) == "PermissionError PermissionError PermissionError"


async def test_a_worker_with_files_that_was_taken_over_reaches_its_mounts_only(
    workers: Workers, doer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.mkdir()
    other.mkdir()
    acts = f"lambda: open('{given}/x', 'w'), lambda: open('{other}/x', 'w'), os.fork,"
    take_over(monkeypatch, acts)
    mounts = (HostMount(MountPoint("/data", "operator", read_only=False), given),)
    running = await workers.start(replace(start_of(doer), mounts=mounts))
    assert said(await execute(running, "who-am-i")) == "done PermissionError PermissionError"


async def test_a_worker_with_the_network_that_was_taken_over_reaches_the_ports_of_its_rules_only(
    workers: Workers, doer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dial(port: int) -> str:
        return f"lambda: socket.create_connection(('127.0.0.1', {port}), 60).close()"

    with socket.create_server(("127.0.0.1", 0)) as allowed, socket.create_server(("127.0.0.1", 0)) as other:
        port = allowed.getsockname()[1]
        names = "lambda: socket.getaddrinfo('localhost', 80)"
        listen = "lambda: socket.create_server(('127.0.0.1', 0)).close()"
        local = "lambda: socket.socket(socket.AF_UNIX), lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"
        beyond = f"lambda: open('/etc/passwd'), os.fork, {local}"
        acts = f"{names}, {dial(port)}, {dial(other.getsockname()[1])}, {listen}, {beyond},"
        take_over(monkeypatch, acts)
        rule = HostRule("network.outbound", 0, "permissions", "127.0.0.1", (PortRange(port, port),))
        running = await workers.start(start_of(doer, policy=Policy(Rules(hosts=(rule,)))))
        ports = "PermissionError PermissionError" if landlock.abi() >= 4 else "done done"
        assert said(await execute(running, "who-am-i")) == f"done done {ports}" + 4 * " PermissionError"


@pytest.mark.parametrize("act", ["socket.socket", "lambda: os.execv('/bin/true', ['true'])", "lambda: os.kill(1, 0)"])
async def test_a_worker_that_was_taken_over_dies_of_what_it_tries(
    workers: Workers, doer: bytes, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    take_over(monkeypatch, f"{act},")
    running = await workers.start(start_of(doer))
    called = await execute(running, "who-am-i", timeout_ms=LONG_MS)
    assert called.kind == "lost"
    assert "SIGSYS" in called.detail
