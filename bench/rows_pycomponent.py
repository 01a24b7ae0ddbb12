"""A component in Python: what its interpreter costs, once when it is compiled and at each start."""

import asyncio
import sysconfig
import time
from pathlib import Path
from typing import Final

from bench.harbor import open_harbor
from bench.measure import Figure, absent, figure
from bench.processes import ROOT

__all__ = ["measure"]

_NAME: Final = "common-words"
_WORLD: Final = "orlop:worlds/with-filesystem"
_MORE: Final = '[limits]\nmemory = "256MiB"\n'


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    if not Path(sysconfig.get_path("scripts"), "componentize-py").exists():
        return [absent("a component in Python", "componentize-py is not installed; make guests-python")]
    from tools.guests import build_python

    made = ROOT / "build" / "components" / _NAME / f"{_NAME}.wasm"
    if not made.exists():
        build_python(_NAME, _WORLD)
    return asyncio.run(_measure(made, made.stat().st_size / 1e6, 1 if quick else 5))


async def _measure(wasm: Path, size_mb: float, rounds: int) -> list[Figure]:
    more = f'world = "{_WORLD}"\n{_MORE}'
    async with open_harbor() as harbor:
        small = await harbor.install("local", more=_MORE)
        began = time.perf_counter()
        name = await harbor.install("local", more=more, wasm=wasm, name=_NAME)
        installed = (time.perf_counter() - began) * 1000
        starts: dict[str, list[float]] = {name: [], small: []}
        for _ in range(rounds + 1):
            for one, samples in starts.items():
                samples.append(await harbor.start_ms(one))
                await harbor.components.stop(one)
    return [
        figure(f"{size_mb:.0f} MB installed, which compiles them", "ms", [installed]),
        figure(
            "start until it runs, its code in the cache",
            "ms",
            starts[name][1:],
            against=("the same with a component in C", starts[small][1:]),
        ),
    ]
