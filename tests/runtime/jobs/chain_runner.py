"""A program of its own that runs hello jobs on a state directory: `python chain_runner.py DIRECTORY CACHE COUNT`."""

import asyncio
import sys
from pathlib import Path

from runtime.sandbox.compile import Compiler
from tests.runtime.jobs.jobs_node import HELLO, open_node


async def main(directory: Path, cache: Path, count: int) -> None:
    with Compiler(cache, b"k" * 32) as compiler:
        async with open_node(directory, compiler) as node:
            for number in range(count):
                end = await node.run(HELLO, str(number).encode())
                sys.stdout.write(f"{end.receipt}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
