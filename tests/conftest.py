"""Settings of the whole suite: no terminal setting leaks in, snapshots lie in `snapshots/`, hypothesis repeats."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest_textual_snapshot as pts
from hypothesis import HealthCheck, settings

for _name in [n for n in os.environ if n.startswith(("TEXTUAL_", "ORLOP_"))] + ["NO_COLOR", "COLORTERM", "FORCE_COLOR"]:
    if _name != "TEXTUAL_SNAPSHOT_TEMPDIR":
        os.environ.pop(_name, None)
os.environ["TEXTUAL_ANIMATIONS"] = "none"

# Whoever runs the suite in the background may have it ignore these; the programs under test must not inherit that.
for _signal, _default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, _default)

settings.register_profile(
    "orlop",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("orlop")


class TopLevelSvg(pts.SVGImageExtension):
    """Snapshots of `tests/**/test_x.py` lie in `snapshots/test_x/`."""

    @classmethod
    def dirname(cls, *, test_location: Any) -> str:
        """The folder of one test module's pictures."""
        return str(Path(__file__).parent.parent / "snapshots" / Path(test_location.filepath).stem)


pts.SVGImageExtension = TopLevelSvg
