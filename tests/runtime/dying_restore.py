"""Started by `test_restore.py`: restores, and dies by SIGKILL at one of its steps, as often as there are steps.

Arguments: a folder with `backup`, `old` (a directory to replace, or none) and whether there is one. For each step a
child of its own works on a fresh copy and is killed when it is about to do its N-th step; what it leaves is printed as
one JSON line: the step, and what lies under the directory's name.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from tests.runtime.keeping import files_of, put_back

STEPS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.remove", "os.chmod", "os.link", "os.rmdir", "os.truncate", "sqlite3.connect"}
    | {"ctypes.call_function", "fcntl.flock", "shutil.rmtree", "os.scandir"}
)


def dies_at(step: int) -> None:
    """The N-th of the steps that Python tells of is not done any more."""
    count = 0

    def hear(event: str, _args: object) -> None:
        nonlocal count
        if event in STEPS:
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def main(folder: Path, *, replace: bool) -> None:
    step, alive = 0, False
    while not alive:
        step += 1
        place = folder / str(step)
        place.mkdir()
        if replace:
            shutil.copytree(folder / "old", place / "state")
        child = os.fork()
        if child == 0:
            dies_at(step)
            put_back(folder / "backup", place / "state", replace=replace)
            os._exit(0)
        alive = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        found = files_of(place / "state") if (place / "state").exists() else None
        whole = found is not None and {name: data.hex() for name, data in found.items() if name != "orlop.db"}
        beside = sorted(path.name for path in place.iterdir() if path.name != "state")
        sys.stdout.write(json.dumps({"step": step, "found": whole or None, "beside": beside}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    put_back(Path(sys.argv[1]) / "backup", Path(sys.argv[1]) / "warm")  # imports are no steps
    main(Path(sys.argv[1]), replace=sys.argv[2] == "replace")
