"""What a core does at its start, and what it leaves until somebody needs it."""

import json
import subprocess
import sys
from pathlib import Path

_WAKES = """
import asyncio, json, sys
from pathlib import Path
from console.core import Core, CoreOptions
from runtime.events import CoreReady

async def main():
    core = await Core.start(CoreOptions(state_path=Path(sys.argv[1]), owner=True))
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    def took(records):
        if any(isinstance(record.event, CoreReady) for record in records):
            loop.call_soon_threadsafe(ready.set)
    core.journal.subscribe(0, took)
    await asyncio.wait_for(ready.wait(), 120)
    rows = (await core.snapshot(("components",))).topics["components"]
    settings = {"runtime.components", "runtime.components.supervision"}
    machinery = [name for name in sys.modules if name.startswith("runtime.components") and name not in settings]
    await core.stop("test")
    print(json.dumps({"rows": rows, "machinery": machinery, "built": core.built("components")}))

asyncio.run(main())
"""


def test_where_no_component_is_installed_nothing_of_components_is_imported_or_runs(tmp_path: Path) -> None:
    done = subprocess.run(  # a process of its own, because this one has imported everything
        [sys.executable, "-c", _WAKES, str(tmp_path / "state")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert json.loads(done.stdout) == {"rows": [], "machinery": [], "built": False}
