"""Host operations where they run: within the walls of a worker, which kill it for any system call beyond."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_every_operation_works_within_the_walls_of_a_worker(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.runtime.components.host.walled", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr[-4000:]
