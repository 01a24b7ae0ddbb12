"""What the program and its processes have in memory: no other process of the same user gets at it, and no core dump."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests import hostile
from tests.cli.program import command, environment

# Takes from root what lets it look into every process; anybody else never had it.
AS_ANYBODY = (
    "import ctypes, os, sys; PR_CAPBSET_DROP = 24;"
    "[ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) for capability in range(64)];"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
PRY = "import sys; open(f'/proc/{sys.argv[1]}/environ', 'rb').read()"
WAIT = "import sys; print('running', flush=True); sys.stdin.read()"


def as_anybody(*words: str | bytes) -> list[str | bytes]:
    """A command line for the same program without any privilege."""
    return [sys.executable, "-c", AS_ANYBODY, *words]


def opens_to_others(process: psutil.Process) -> bool:
    """Whether another process of the same user may look into this one."""
    words = as_anybody(sys.executable, "-c", PRY, str(process.pid))
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_nobody_looks_into_a_running_job_or_the_processes_around_it(alone: Path, tmp_path: Path) -> None:
    (tmp_path / "echo.wasm").write_bytes(hostile.job("echo"))
    with subprocess.Popen(
        as_anybody(*command("jobs", "run", str(tmp_path / "echo.wasm"), "--stdin", "-")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(alone),
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"running\n")
        program.stdin.flush()
        assert program.stdout.readline() == b"running\n"
        console = psutil.Process(program.pid)
        inner = console.children(recursive=True)
        assert len(inner) == 3, "compiler, zygote, worker"
        assert [opens_to_others(process) for process in (console, *inner)] == [False] * 4
        assert {process.rlimit(psutil.RLIMIT_CORE) for process in (console, *inner)} == {(0, 0)}
        program.stdin.close()
    assert program.returncode == 0


def test_another_program_of_the_same_user_is_looked_into() -> None:
    """Otherwise the test above would show nothing."""
    words = as_anybody(sys.executable, "-c", WAIT)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"running\n"
        assert opens_to_others(psutil.Process(program.pid))
        program.communicate()
