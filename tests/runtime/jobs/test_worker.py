"""The worker from inside: a program that serves jobs from its own socket, many of them, and goes on after each."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_worker_says_how_each_of_its_guests_ended() -> None:
    command = [sys.executable, "-m", "tests.runtime.jobs.worker_inside"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    lines = [line.split("|") for line in done.stdout.splitlines()]
    ends = [(name, kind, trap, code, started, said) for name, kind, trap, code, started, said, _ in lines]
    assert ends[:9] == [
        ("hello", "returned", "", "None", "True", "b'dlroW ,olleH'"),
        ("hello", "returned", "", "None", "True", "b'epip yb'"),
        ("spin", "deadline", "INTERRUPT", "None", "True", "b''"),
        ("start", "deadline", "INTERRUPT", "None", "True", "b''"),
        ("sleeps", "deadline", "", "None", "True", "b''"),
        ("fuel", "fuel", "OUT_OF_FUEL", "None", "True", "b''"),
        ("grown", "memory", "UNREACHABLE", "None", "True", "b''"),
        ("exits", "exit", "", "300", "True", "b''"),
        ("env", "returned", "", "None", "True", "b'A=1\\x00'"),
    ]
    assert ends[9] == ("no directory", "host", "", "None", "False", "b''")
    assert "/in" in lines[9][6]
    assert [code for _, kind, _, code, _, _ in ends[10:80] if kind == "exit"] == [str(n) for n in range(70)]
    assert ends[80][:2] == ("damaged", "host")
    assert "compiled code is not usable" in lines[80][6]
