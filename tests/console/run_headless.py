"""Started by `test_headless.py` as a process of its own: a headless run that may be given work to tell of.

Arguments: the state directory, then JSON: options of the run, and `emit`, how many events of `size` happen as
soon as it runs, `demo`.
"""

import json
import os
import sys
import threading
from pathlib import Path

from console import config, headless
from console.core import CoreOptions
from console.local import LocalCore
from runtime.errors import OrlopError
from runtime.events import JobOutput

state = Path(sys.argv[1])
options = json.loads(sys.argv[2])
emit = options.pop("emit", 0)
size = options.pop("size", 10)
demo = options.pop("demo", False)


class Busy(LocalCore):
    """A core in which a lot happens at once."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        if emit:
            threading.Thread(target=self._emit, daemon=True).start()

    def _emit(self) -> None:
        for n in range(emit):
            output = JobOutput(job="j", stream="stdout", offset=n, length=1, data_b64="A" * size)
            self._core.store.emit(output)


def settings() -> config.Config:
    return config.load(None, state / "config.d", os.environ)


headless.LocalCore = Busy  # type: ignore[misc]
try:
    core = CoreOptions(state_path=state, owner=True, demo=demo, config=settings(), reload=settings)
    code = headless.run(headless.HeadlessOptions(core=core, **options))
except OrlopError as error:
    sys.stderr.write(f"orlop: {error}\n")
    code = {"in-use": 6, "usage": 2}.get(error.code, 1)
sys.exit(code)
