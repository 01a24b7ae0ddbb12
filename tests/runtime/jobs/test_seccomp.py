"""The filter of system calls: what it answers, computed as the kernel computes it, and what the kernel then does."""

import errno
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.jobs import seccomp
from runtime.jobs.seccomp import MACHINES, Instruction, Machine, program

ROOT = Path(__file__).parents[3]
PID = 4711
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
THREAD = 0x00010000

machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def answer(code: tuple[Instruction, ...], number: int, audit: int, *arguments: int) -> int:
    """What the kernel's interpreter makes of a call."""
    words = {0: number, 4: audit}
    for place, value in enumerate(arguments):
        words[16 + 8 * place] = value & 0xFFFFFFFF
    at = accumulator = 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        match operation:
            case 0x20:
                accumulator = words.get(operand, 0)
            case 0x06:
                return operand
            case 0x15:
                at += yes if accumulator == operand else no
            case 0x35:
                at += yes if accumulator >= operand else no
            case 0x45:
                at += yes if accumulator & operand else no
            case 0x54:
                accumulator &= operand
            case _:
                pytest.fail(f"unknown instruction {operation:#x}")


def special(machine: Machine) -> set[int]:
    return {machine.clone, machine.clone3, machine.prctl, machine.ioctl, machine.tgkill, machine.prlimit64}


@machines
def test_calls_of_the_table_are_allowed_and_nothing_else(machine: Machine) -> None:
    code = program(machine, PID)
    for number in range(600):
        if number not in special(machine):
            expected = ALLOW if number in machine.plain.values() else KILL
            assert answer(code, number, machine.audit) == expected


@machines
def test_what_a_worker_needs_beyond_the_table_is_allowed_to_it_alone(machine: Machine) -> None:
    number = max(machine.plain.values()) + 50
    assert answer(program(machine, PID), number, machine.audit) == KILL
    assert answer(program(machine, PID, [number]), number, machine.audit) == ALLOW


@given(number=st.integers(0, 2**32 - 1), audit=st.integers(0, 2**32 - 1), arguments=st.lists(st.integers(0, 2**64 - 1)))
def test_the_filter_always_ends_in_one_of_four_answers(number: int, audit: int, arguments: list[int]) -> None:
    for machine in MACHINES.values():
        code = program(machine, PID)
        assert answer(code, number, machine.audit, *arguments) in {ALLOW, KILL, EPERM, ENOSYS}
        if audit != machine.audit:
            assert answer(code, number, audit, *arguments) == KILL


@machines
def test_calls_of_another_abi_with_the_same_numbers_are_none(machine: Machine) -> None:
    code = program(machine, PID)
    assert answer(code, machine.plain["read"] | 0x40000000, machine.audit) == KILL


@machines
def test_threads_start_and_processes_do_not(machine: Machine) -> None:
    code = program(machine, PID)
    assert answer(code, machine.clone, machine.audit, 0x3D0F00 | THREAD) == ALLOW
    assert answer(code, machine.clone, machine.audit, 0x01200011) == EPERM
    assert answer(code, machine.clone3, machine.audit, 0) == ENOSYS


@machines
def test_signals_and_limits_are_for_the_worker_itself(machine: Machine) -> None:
    code = program(machine, PID)
    assert answer(code, machine.tgkill, machine.audit, PID) == ALLOW
    assert answer(code, machine.tgkill, machine.audit, 1) == EPERM
    assert answer(code, machine.prlimit64, machine.audit, 0) == ALLOW
    assert answer(code, machine.prlimit64, machine.audit, PID) == ALLOW
    assert answer(code, machine.prlimit64, machine.audit, 1) == EPERM


@machines
def test_sockets_are_of_the_network_and_only_where_they_are_needed(machine: Machine) -> None:
    number, cloexec, nonblocking = 599, 0o2000000, 0o4000
    unix, ipv4, ipv6, netlink, packet = 1, 2, 10, 16, 17
    stream, datagram, raw = 1, 2, 3
    tcp, udp, icmp, sctp, mptcp, audit = 6, 17, 1, 132, 262, 9

    def made(*arguments: int) -> int:
        return answer(program(machine, PID, sockets=number), number, machine.audit, *arguments)

    for family in (ipv4, ipv6):
        for kind, protocol in ((stream, tcp), (stream, 0), (datagram, udp), (datagram, 0)):
            assert made(family, kind | cloexec | nonblocking, protocol) == ALLOW
        for protocol in (icmp, sctp, mptcp):
            assert made(family, stream, protocol) == made(family, datagram, protocol) == EPERM
        assert made(family, raw, 0) == made(family, raw | cloexec, tcp) == EPERM
    assert made(netlink, raw | cloexec, 0) == ALLOW
    assert made(netlink, raw, audit) == EPERM
    assert made(unix, stream, 0) == made(packet, raw, 0) == made(0, 0, 0) == EPERM
    assert answer(program(machine, PID), number, machine.audit, ipv4, stream, tcp) == KILL


@machines
def test_a_terminal_takes_no_input_from_a_worker(machine: Machine) -> None:
    code = program(machine, PID)
    assert answer(code, machine.ioctl, machine.audit, 1, 0x5401) == ALLOW
    assert answer(code, machine.ioctl, machine.audit, 1, 0x5412) == EPERM  # TIOCSTI


@machines
def test_no_way_out_is_in_the_table(machine: Machine) -> None:
    assert not set(machine.plain) & {
        "execve", "execveat", "fork", "vfork", "socket", "connect", "ptrace", "process_vm_readv", "process_vm_writev",
        "kill", "tkill", "pidfd_send_signal", "pidfd_getfd", "mount", "bpf", "io_uring_setup", "userfaultfd", "keyctl",
    }  # fmt: skip
    assert len(set(machine.plain.values()) | special(machine)) == len(machine.plain) + 6


ACTIONS = {
    "fork": ("os.fork()", "EPERM"),
    "exec": ("os.execv('/bin/true', ['true'])", "SIGSYS"),
    "socket": ("socket.socket()", "SIGSYS"),
    "kill": ("os.kill(os.getppid(), 0)", "SIGSYS"),
    "ptrace": ("ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "SIGSYS"),
    "mount": ("ctypes.CDLL(None).mount(b'a', b'/', b'tmpfs', 0, None)", "SIGSYS"),
    "thread": ("t = threading.Thread(target=print); t.start(); t.join()", "done"),
    "in a thread": ("t = threading.Thread(target=socket.socket); t.start(); t.join()", "SIGSYS"),
    "file": ("os.close(os.open('/dev/null', os.O_RDWR))", "done"),
    "memory": ("os.ftruncate(os.memfd_create('x'), 4096)", "done"),
    "sleep": ("time.sleep(0.001)", "done"),
    "limit": ("resource.setrlimit(resource.RLIMIT_CORE, (0, 0))", "done"),
}


@pytest.mark.parametrize(("action", "expected"), ACTIONS.values(), ids=ACTIONS)
def test_the_kernel_does_as_the_filter_says(action: str, expected: str) -> None:
    assert platform.machine() in MACHINES
    assert seccomp.available()
    script = f"""
import ctypes, errno, os, resource, socket, threading, time
from runtime.jobs import seccomp
from runtime.process import prctl
prctl(38, 1)
seccomp.apply()
try:
    {action}
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    print("done")
os._exit(0) if not __import__("sys").stdout.flush() else None
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    if expected == "SIGSYS":
        assert done.returncode == -signal.SIGSYS
    else:
        assert done.stdout.split()[-1:] == [expected], done.stderr
        assert done.returncode == 0
