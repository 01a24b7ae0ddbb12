"""`python -m tests.runtime.rooms.sim_run [--seeds N] [--first N]`: runs the simulator and says which seeds failed."""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.runtime.rooms.sim_world import World

__all__ = ["faults_of", "main"]


def faults_of(seed: int) -> list[str]:
    """What goes wrong in one run.

    Args:
        seed: of the run; the same seed is the same run, but for the keys of its sessions, which are always fresh.
    """
    memory = Path("/dev/shm")  # where it exists: a thousand runs would wear out a disk
    with tempfile.TemporaryDirectory(prefix="orlop-sim-", dir=memory if memory.is_dir() else None) as folder:
        world = World(seed, Path(folder))
        try:
            world.run()
            return world.faults()
        finally:
            world.close()


def main() -> int:
    """Runs the seeds on all processors."""
    parser = argparse.ArgumentParser(description="Simulate rooms over a hostile transport.")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    began, failed = time.monotonic(), 0
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for seed, faults in zip(seeds, pool.map(faults_of, seeds, chunksize=4), strict=True):
            failed += bool(faults)
            for fault in faults[:5]:
                sys.stdout.write(f"seed {seed}: {fault}\n")
            if (seed + 1 - options.first) % 100 == 0:
                sys.stdout.write(f"{seed + 1 - options.first} done, {time.monotonic() - began:.0f} s\n")
                sys.stdout.flush()
    sys.stdout.write(f"{len(seeds)} runs, {failed} failed, {time.monotonic() - began:.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
