"""The wall around a worker's files: which rights each version of Landlock takes and gives, and what the kernel does."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.jobs.landlock import abi, handled, rights

ROOT = Path(__file__).parents[3]
EXECUTE, WRITE, READ, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, IOCTL_DEV = 1 << 6, 1 << 9, 1 << 10, 1 << 11, 1 << 15


@pytest.mark.parametrize(
    ("version", "files", "tcp", "outside"),
    [(1, 0x1FFF, 0, 0), (2, 0x3FFF, 0, 0), (3, 0x7FFF, 0, 0), (4, 0x7FFF, 3, 0), (5, 0xFFFF, 3, 0), (6, 0xFFFF, 3, 3)],
)
def test_a_version_forbids_all_that_it_knows(version: int, files: int, tcp: int, outside: int) -> None:
    assert handled(version) == (files, tcp, outside)
    assert handled(99) == (0xFFFF, 3, 3)


@pytest.mark.parametrize("version", range(1, 9))
def test_rules_give_back_files_and_folders_and_nothing_that_runs_or_is_a_device(version: int) -> None:
    assert rights(version, writable=False) == READ | READ_DIR
    given = rights(version, writable=True)
    assert given & (READ | READ_DIR | WRITE) == READ | READ_DIR | WRITE
    assert given & (EXECUTE | MAKE_CHAR | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK | IOCTL_DEV) == 0
    assert given & ~handled(version)[0] == 0


ACTIONS = {
    "a file of the host": ("open('/etc/hostname')", "EACCES"),
    "the list of a folder of the host": ("os.listdir('/')", "EACCES"),
    "reading in a read-only directory": ("open(ro + '/there').read()", "done"),
    "writing in it": ("open(ro + '/there', 'w')", "EACCES"),
    "making a file in it": ("open(ro + '/new', 'w')", "EACCES"),
    "removing from it": ("os.unlink(ro + '/there')", "EACCES"),
    "reading in a writable directory": ("open(rw + '/there').read()", "done"),
    "making a file there": ("open(rw + '/new', 'w').write('x')", "done"),
    "making a folder there": ("os.mkdir(rw + '/folder')", "done"),
    "a link there to the outside": ("os.symlink('/etc/hostname', rw + '/l'); open(rw + '/l')", "EACCES"),
    "a named pipe there": ("os.mkfifo(rw + '/pipe')", "EACCES"),
    "a hard link out of the other": ("os.link(ro + '/there', rw + '/hard')", "EXDEV EACCES"),
    "a pipe by its descriptor": ("open('/proc/self/fd/%d' % os.pipe()[1], 'w')", "done"),
    "memory by its descriptor": ("open('/proc/self/fd/%d' % os.memfd_create('m'), 'w')", "done"),
    "a port": ("socket.create_connection(('127.0.0.1', 9), 1)", "EACCES"),
    "in a thread": ("found = []; t = threading.Thread(target=look); t.start(); t.join(); raise found[0]", "EACCES"),
    "a signal to the parent": ("os.kill(os.getppid(), 0)", "EPERM"),
}


SINCE = {"a port": (4, "ECONNREFUSED"), "a signal to the parent": (6, "done")}
"""What an older Landlock does not forbid: since when it does, and what happens before."""


@pytest.mark.parametrize(("action", "expected"), ACTIONS.values(), ids=ACTIONS)
def test_the_kernel_keeps_the_wall(action: str, expected: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    since, before = SINCE.get(request.node.callspec.id, (1, "ENOSYS EOPNOTSUPP EPERM"))
    if abi() < since:
        expected = before if abi() else "ENOSYS EOPNOTSUPP EPERM"
    for name in ("ro", "rw"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "there").write_text("content")
    script = f"""
import errno, os, socket, sys, threading
from runtime.jobs.landlock import restrict
from runtime.process import prctl
ro, rw = sys.argv[1] + "/ro", sys.argv[1] + "/rw"
def look():
    try:
        open("/etc/hostname")
    except OSError as error:
        found.append(error)
given = [(os.open(ro, os.O_PATH), False), (os.open(rw, os.O_PATH), True)]
prctl(38, 1)
try:
    restrict(given)
    {action}
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    print("done")
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() in expected.split(), done.stderr
    assert (tmp_path / "ro" / "there").read_text() == "content"
