"""A node that tells, to whoever connects to its socket, what it holds; else the program as it is.

    soaked_node.py SOCKET … -m console WORDS

The figures come from inside, since nobody may look into a process of orlop.
"""

import asyncio
import gc
import json
import os
import socket
import sys
import threading
from pathlib import Path

from console.__main__ import main

PAGE = os.sysconf("SC_PAGE_SIZE")


def figures() -> dict[str, int]:
    """What it holds now."""
    return {
        "memory": int(Path("/proc/self/statm").read_text().split()[1]) * PAGE,
        "descriptors": len([*Path("/proc/self/fd").iterdir()]),
        "threads": len([*Path("/proc/self/task").iterdir()]),
        "tasks": len([one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]),
    }


def tell(listens: socket.socket) -> None:
    """Answers, one after the other."""
    while True:
        asker, _ = listens.accept()
        with asker:
            asker.sendall(json.dumps(figures()).encode())


def begin() -> int:
    """Entry point."""
    place, words = sys.argv[1], sys.argv[sys.argv.index("console") + 1 :]
    Path(place).unlink(missing_ok=True)
    listens = socket.socket(socket.AF_UNIX)
    listens.bind(place)
    listens.listen()
    threading.Thread(target=tell, args=(listens,), daemon=True).start()
    sys.argv = ["orlop", *words]
    return main()


if __name__ == "__main__":
    sys.exit(begin())
