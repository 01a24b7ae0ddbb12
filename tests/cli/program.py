"""The real program in a subprocess, for the tests of this folder: an environment of its own, nothing inherited."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ran:
    """How one run of the program ended."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.out.decode()

    @property
    def talk(self) -> str:
        """stderr as text."""
        return self.err.decode()

    @property
    def json(self) -> Any:
        """stdout as the one JSON document that it must be."""
        return json.loads(self.out)


@dataclass(slots=True)
class Owner:
    """A running `orlop --no-ui` and the lines that it wrote so far."""

    home: Path
    process: "subprocess.Popen[bytes]"
    records: list[dict[str, Any]] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        """One more line."""
        self.records.append(json.loads(line))


def environment(home: Path, **more: str) -> dict[str, str]:
    """A clean environment with its home, and so its state directory, in a test's folder."""
    clean = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
        "PYTHONPATH": str(ROOT),
    }
    clean.update({name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")})
    return clean | more


def command(*args: str | bytes) -> list[str | bytes]:
    """The program's command line."""
    return [sys.executable, "-W", "error", "-m", "console", *args]


def orlop(
    home: Path,
    *args: str | bytes,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 60,
    within: Sequence[str] = (),
) -> Ran:
    """Runs the program to its end.

    Args:
        home: its home directory.
        args: its command line.
        stdin: what it reads.
        env: further variables.
        cwd: its working directory.
        timeout: seconds after which the test fails.
        within: a command line that runs another one, as `ip netns exec NAME` does.
    """
    done = subprocess.run(
        [*within, *command(*args)],
        input=stdin,
        capture_output=True,
        env=environment(home, **(env or {})),
        cwd=cwd or home,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def inside(home: Path, words: Sequence[str], *, stdin: bytes = b"", cwd: Path) -> Ran:
    """The same command line without a process of its own: ten times as fast, for long scripts.

    Args:
        home: its home directory.
        words: its command line.
        stdin: what it reads.
        cwd: its working directory.
    """
    from console.cli import run

    kept, here, before = [os.dup(number) for number in range(3)], Path.cwd(), dict(os.environ)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(stdin)
        files[0].seek(0)
        try:
            os.chdir(cwd)
            ours = environment(home)
            os.environ.clear()
            os.environ.update(ours)
            for number, file in enumerate(files):
                os.dup2(file.fileno(), number)
            with os.fdopen(os.dup(2), "w") as talk, contextlib.redirect_stderr(talk):
                code = run(words)
        finally:
            for number, descriptor in enumerate(kept):
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.environ.clear()
            os.environ.update(before)
            os.chdir(here)
        written = [(file.seek(0), file.read())[1] for file in files]
    return Ran(code, written[1], written[2])


def modules_of(home: Path, *args: str) -> set[str]:
    """The modules that a run of the program had imported itself when it ended."""
    probe = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from console.__main__ import main\n"
        f"sys.argv = ['orlop', *{list(args)!r}]\n"
        "code = main()\n"
        "sys.stderr.write('\\nMODULES ' + ' '.join(sorted(set(sys.modules) - before)))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, env=environment(home), cwd=home, timeout=60, check=False
    )
    return set(done.stderr.decode().rpartition("MODULES ")[2].split())
