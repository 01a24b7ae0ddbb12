"""A node of its own that dies in the middle of a change: `python install_runner.py PLACE CACHE CHANGE STEP`.

It installs, upgrades or uninstalls a doer, and kills itself with SIGKILL at that step; what it installs for that first
it does unharmed.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from runtime.blobs import Blobs
from runtime.components import installer
from runtime.components.house import Code
from runtime.components.installer import Installer
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, node

__all__ = ["DONE", "FIRST", "SECRET", "STEPS"]

SECRET = b"a secret of tests"
FIRST = '[[mounts]]\nguest = "/keep"\nsource = "private"\n[[mounts]]\nguest = "/tmp"\nsource = "temp"\n'
SECOND = f'{FIRST}[limits]\ncall_timeout = "7s"\n'

STEPS: dict[str, tuple[str, ...]] = {
    "install": ("bytes", "code", "word", "true"),
    "upgrade": ("beside", "word", "true"),
    "uninstall": ("word", "true"),
}
DONE = "true"
"""The step with which the change is made. `word` is the last one before, with the row written and not committed."""

_PLACES: dict[str, tuple[Any, str]] = {
    "bytes": (Blobs, "put"),
    "code": (Code, "_compiled"),
    "beside": (Installer, "_run_beside"),
    "true": (Installer, "_write"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(owner: Any, name: str) -> None:
    """Lets a function be carried out, and then dies."""
    kept = getattr(owner, name)

    def last(*given: Any, **more: Any) -> Any:
        kept(*given, **more)
        die()

    async def last_awaited(*given: Any, **more: Any) -> None:
        await kept(*given, **more)
        die()

    setattr(owner, name, last_awaited if asyncio.iscoroutinefunction(kept) else last)


def arm(change: str, step: str) -> None:
    """From now on the step is the last one."""
    if step == "word":
        deadly(installer, "ComponentUninstalled" if change == "uninstall" else "ComponentInstalled")
    else:
        deadly(*_PLACES[step])


async def main(place: Path, cache: Path, change: str, step: str) -> None:
    with Compiler(cache, SECRET) as compiler:
        async with node(place, lambda: compiler) as here:
            await changed(here, change, step)


async def changed(here: Node, change: str, step: str) -> None:
    if change != "install":
        await here.running(FIRST)
        for folder in ("private", "temp/0"):
            (mount,) = here.state.components.glob(f"*/{folder}/*")
            (mount / "file").write_text("kept")
        (here.state.path.parent / "pids").write_text(" ".join(map(str, here.components.workers.process_ids)))
    if change == "uninstall":
        await here.components.stop("local/doer")
    arm(change, step)
    if change == "uninstall":
        await here.components.uninstall("local/doer")
    else:
        await here.install(SECOND, upgrade=change == "upgrade")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
