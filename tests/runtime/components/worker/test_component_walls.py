"""The table of calls beyond those of jobs: what no worker of a component is given, whatever it may do."""

import pytest

from runtime.components.worker.walls import _CALLS
from runtime.jobs.seccomp import MACHINES

NEVER = {
    "x86_64": {"clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101, "mount": 165, "bpf": 321,
               "process_vm_readv": 310, "execveat": 322, "pidfd_getfd": 438, "io_uring_setup": 425, "unshare": 272},
    "aarch64": {"unshare": 97, "ptrace": 117, "kill": 129, "clone": 220, "execve": 221, "mount": 40,
                "process_vm_readv": 270, "bpf": 280, "execveat": 281, "io_uring_setup": 425, "pidfd_getfd": 438},
}  # fmt: skip
"""By machine: ways to another program, process or kernel object."""


@pytest.mark.parametrize("machine", sorted(_CALLS))
def test_no_group_holds_a_way_out(machine: str) -> None:
    given = {number for group in _CALLS[machine].values() for number in group.values()}
    assert not given & set(NEVER[machine].values())
    assert set(_CALLS) == set(MACHINES) == set(NEVER)


@pytest.mark.parametrize("machine", sorted(_CALLS))
def test_what_makes_a_socket_of_the_network_is_in_the_group_of_the_network_alone(machine: str) -> None:
    always, files = _CALLS[machine]["always"], _CALLS[machine]["files"]
    assert not {"socket", "connect", "bind", "listen", "accept", "accept4"} & {*always, *files}


@pytest.mark.parametrize("machine", sorted(_CALLS))
def test_a_number_stands_for_one_call(machine: str) -> None:
    named = [*MACHINES[machine].plain.items(), *(pair for group in _CALLS[machine].values() for pair in group.items())]
    by_number = {number: name for name, number in named}
    assert all(by_number[number] == name for name, number in named)
