"""`python -m tests.net.soak [--seconds S] [--nodes N] [--seed S]`: nodes that live for long, and what they hold then.

Real nodes on the loopback dial each other and give each other jobs; half of them are killed, or ended in order, and
begun anew, again and again. In the end every job has an end, and nothing of what the others hold has grown.
"""

import argparse
import json
import secrets
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.cli.program import ROOT, Ran, inside
from tests.cli.running import SECONDS, Running

__all__ = ["Figures", "Soak", "main"]

_HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
_PLACES = "/ip4/127.0.0.1/tcp/0 /ip4/127.0.0.1/udp/0/quic-v1"
_ENDS = {"done", "failed", "cancelled", "lost", "refused"}
_SAMPLES = 40
_PAUSE_S = 0.3
"""Between two deeds, at most: it is meant to last, not to be a load."""

_MIB = 1024 * 1024
MEMORY_GROWS = 8 * _MIB
"""From the middle to the end, of a node that was never ended."""
DESCRIPTORS, THREADS, TASKS = 48, 24, 16
"""Of a node, beside two descriptors and four tasks for each other one."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a node holds.

    Attributes:
        memory: resident bytes.
        descriptors: open ones.
        threads: of the kernel's.
        tasks: of asyncio's that have not ended.
    """

    memory: int
    descriptors: int
    threads: int
    tasks: int


@dataclass(slots=True)
class Node:
    """One node.

    Attributes:
        stays: it is never ended before the end.
        starts: how often it was begun.
        ends: how many of its jobs came to which end.
        figures: what it held, since its last start.
    """

    name: str
    running: Running
    place: Path
    stays: bool
    starts: int = 1
    ends: Counter[str] = field(default_factory=Counter)
    waits: list[str] = field(default_factory=list)
    figures: list[Figures] = field(default_factory=list)

    def run(self, *words: str) -> Ran:
        """One command beside it."""
        return inside(self.running.home, [*words, "--json"], cwd=self.running.home)

    def where(self, chance: Random) -> str:
        """One of the places where it listens."""
        return str(chance.choice(self.running.run("status")["listen"]))

    def sample(self) -> None:
        """Asks what it holds."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(SECONDS)
            asking.connect(str(self.place))
            self.figures.append(Figures(**json.loads(asking.makefile().read())))

    def begin(self, *, killed: bool) -> None:
        """Ends it, and begins it anew."""
        self.settle()
        if killed:
            self.running.kill()
        else:
            self.running.end()
        self.settle()
        self.running.start()
        self.running.until("core.ready")
        self.starts += 1
        self.figures.clear()

    def settle(self) -> None:
        """Counts those of its jobs that have ended."""
        self._count({one["job"]: one["state"] for one in list(self.running.lines) if one["type"] == "job.state"})

    def ask(self) -> None:
        """Counts those that ended without a word that was heard, since the node was killed."""
        self._count({job: self.running.run("jobs", "show", job)["state"] for job in self.waits})

    def _count(self, states: dict[str, str]) -> None:
        ended = [job for job in self.waits if states.get(job) in _ENDS]
        self.ends.update(states[job] for job in ended)
        self.waits = [job for job in self.waits if job not in ended]


class Soak:
    """Some nodes, and what is done with them.

    Args:
        folder: where their homes are.
        count: how many.
        seed: of all that is left to chance.
    """

    def __init__(self, folder: Path, count: int, seed: int) -> None:
        self._chance = Random(seed)
        self._deeds: Counter[str] = Counter()
        self.nodes = [self._node(folder, number, stays=number % 2 == 0) for number in range(count)]

    def _node(self, folder: Path, number: int, *, stays: bool) -> Node:
        name, place = f"node-{number}", folder / f"{number}.sock"
        within = (sys.executable, "-W", "error", "-m", "tests.net.soaked_node", str(place))
        running = Running(folder / name, "--no-ui", "--p2p-listen", _PLACES, within=within)
        running.until("core.ready")
        same = " ".join(listens.partition("/p2p/")[0] for listens in running.run("status")["listen"])
        running.words = ("--no-ui", "--p2p-listen", same)  # where others look for it after a restart
        return Node(name, running, place, stays)

    def trust(self) -> None:
        """Each lets every other one give it jobs."""
        peers = [node.running.run("status")["peer_id"] for node in self.nodes]
        for node in self.nodes:
            for peer in peers:
                if peer != node.running.run("status")["peer_id"]:
                    node.running.run("peers", "trust", peer, "--jobs")

    def last(self, seconds: float) -> None:
        """Does one thing after another for so long, and looks now and then."""
        begun, looked = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            self._one_thing()
            if passed > seconds * looked / _SAMPLES:
                looked += 1
                self.sample()
            time.sleep(self._chance.uniform(0, _PAUSE_S))

    def sample(self) -> None:
        """Looks at all."""
        for node in self.nodes:
            node.settle()
            node.sample()

    def settle(self) -> None:
        """Waits until all jobs have ended."""
        for node in self.nodes:
            until = time.monotonic() + SECONDS
            while node.waits and time.monotonic() < until:
                time.sleep(_PAUSE_S)
                node.ask()

    def close(self) -> None:
        """Ends all."""
        for node in self.nodes:
            node.running.close()

    def _one_thing(self) -> None:
        node, other = self._chance.sample(self.nodes, 2)
        deed = self._chance.choices(("job", "ping", "end"), (20, 8, 1))[0]
        if deed == "job":
            self._job(node, other)
        elif deed == "ping":
            self._deeds[deed if node.run("peers", "ping", other.where(self._chance)).code == 0 else "no ping"] += 1
        elif not node.stays:
            killed = self._chance.random() < 0.5
            node.begin(killed=killed)
            self._deeds["killed" if killed else "ended"] += 1

    def _job(self, node: Node, other: Node) -> None:
        ran = node.run("jobs", "submit", _HELLO, "--on", other.where(self._chance))
        self._deeds["job" if ran.code == 0 else "no job"] += 1
        if ran.code == 0:
            node.waits.append(ran.json["job"])

    # --- what came of it ----------------------------------------------------------------------------------------------

    def report(self) -> str:
        """A table."""
        lines = ["node     starts  MiB first  middle    last  fds  threads  tasks  jobs"]
        for node in self.nodes:
            first, middle, last = (node.figures[at] for at in (0, len(node.figures) // 2, -1))
            sizes = f"{first.memory / _MIB:9.1f}  {middle.memory / _MIB:6.1f}  {last.memory / _MIB:6.1f}"
            held = f"{last.descriptors:3}  {last.threads:7}  {last.tasks:5}"
            jobs = ", ".join(f"{count} {state}" for state, count in node.ends.most_common())
            lines.append(f"{node.name:8} {node.starts:6}  {sizes}  {held}  {jobs}")
        return "\n".join([*lines, ", ".join(f"{count} {deed}" for deed, count in self._deeds.most_common())])

    def faults(self) -> list[str]:
        """What is not as it should be."""
        found = []
        others = len(self.nodes) - 1
        for node in self.nodes:
            middle, last = node.figures[len(node.figures) // 2], node.figures[-1]
            if node.waits:
                found.append(f"{node.name}: {len(node.waits)} jobs have no end")
            if node.stays and last.memory - middle.memory > MEMORY_GROWS:
                found.append(f"{node.name}: {(last.memory - middle.memory) / _MIB:.1f} MiB more than in the middle")
            bounds = {"descriptors": DESCRIPTORS + 2 * others, "threads": THREADS, "tasks": TASKS + 4 * others}
            for what, most in bounds.items():
                if (held := getattr(last, what)) > most:
                    found.append(f"{node.name}: {held} {what}, {most} are the most")
        return found


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    print(f"{given.nodes} nodes, {given.seconds:g} s, --seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), given.nodes, given.seed)
        try:
            soak.trust()
            soak.last(given.seconds)
            soak.settle()
            soak.sample()
        finally:
            soak.close()
    faults = soak.faults()
    print("\n".join([soak.report(), *faults]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
