"""What was booted, how and when: the page of the documentation that runs of these tests write.

`python -m tests.qemu.matrix` gives journeys that were never made a row that says so, and takes away what is none now.
"""

import ast
import datetime as dt
import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.program import ROOT

__all__ = ["PAGE", "Booted", "Outcome", "journeys", "page", "rows_of", "whole"]

PAGE = ROOT / "docs" / "reference" / "booted-machines.md"
_HEAD = """\
# What was booted, how and when

Written by `make test-boot` when all of it went well: each row is a journey of one or more machines that did what was
expected of them, refusing included. They are machines of QEMU without KVM. **No other hardware was tried.** What each
test looks at is said in `tests/qemu`; *not yet* means that this page was written before that journey was made.

| what was booted, and how | where | machine | mode | came to | seconds | when, with |
| --- | --- | --- | --- | --- | --- | --- |
"""
_ENDS = (
    ("boot: ready", "ready"),
    ("boot: stage 2, ", "second stage"),
    ("boot: kexec loaded", "kexec"),
)


@dataclass(frozen=True, slots=True)
class Booted:
    """One machine of a journey.

    Attributes:
        words: QEMU's command line.
        said: on its console.
    """

    words: Sequence[str]
    said: str

    @property
    def machine(self) -> str:
        """Its architecture, and what starts its first kernel."""
        arch = "arm64" if "aarch64" in self.words[0] else "x86_64"
        if any("property=secure" in word for word in self.words):
            return f"{arch}, UEFI with Secure Boot"
        firmware = any("pflash" in word for word in self.words) or "-bios" in self.words
        return f"{arch}, {'UEFI' if firmware else 'kernel by QEMU'}"

    @property
    def modes(self) -> list[str]:
        """Those that its first stages had."""
        return re.findall(r"boot: stage 1, .*mode (\w+)", self.said)

    @property
    def came_to(self) -> str:
        """The furthest that it told of."""
        if end := next((name for mark, name in _ENDS if mark in self.said), None):
            return end
        if refused := re.findall(r"boot: (refused: [\w-]+|unavailable|failed)", self.said):
            return str(refused[-1])
        return "stage 1" if "boot: stage 1, " in self.said else "nothing of orlop's"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One journey that went well.

    Attributes:
        where: the stem of the module that describes it.
        what: its first line.
        seconds: that it took.
        booted: its machines, in the order in which they were started.
    """

    where: str
    what: str
    seconds: float
    booted: Sequence[Booted]

    def row(self, when: str) -> str:
        """It, as a line of the page."""
        machines = list(dict.fromkeys(one.machine for one in self.booted))
        modes = list(dict.fromkeys(mode for one in self.booted for mode in one.modes))
        ends = [one.came_to for one in self.booted]
        cells = (self.what, self.where, "; ".join(machines), ", ".join(modes) or "none", ", ".join(ends))
        return f"| {' | '.join(cells)} | {self.seconds:.0f} | {when} |"


def rows_of(text: str) -> dict[str, str]:
    """The lines of a page by what was booted."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def journeys() -> dict[str, str]:
    """The first line of each journey that some test looks at, and the stem of its module."""
    found = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        decorators = [one for node in functions.values() for one in node.decorator_list]
        looked_at = {name.id for one in decorators for name in ast.walk(one) if isinstance(name, ast.Name)}
        for name in sorted(looked_at & functions.keys()):
            if [one.arg for one in functions[name].args.args] != ["laboratory"]:
                continue
            found[(ast.get_docstring(functions[name]) or "").partition("\n")[0]] = path.stem
    return found


def page(outcomes: Iterable[Outcome], image: Path, before: str = "") -> str:
    """The page as text.

    Args:
        outcomes: in any order.
        image: `image.json` of the release that was booted.
        before: the page whose other rows are kept.
    """
    said = subprocess.run(["qemu-system-x86_64", "--version"], check=True, capture_output=True, text=True).stdout
    qemu = re.findall(r"version (\S+)", said)[0]
    kernel = json.loads(image.read_text())["kernel"]
    when = f"{dt.datetime.now(dt.UTC).date().isoformat()}, Debian's kernel {kernel}, QEMU {qemu}"
    return whole(rows_of(before) | {one.what: one.row(when) for one in outcomes})


def whole(rows: Mapping[str, str]) -> str:
    """The page with a row for each journey that there is.

    Args:
        rows: of those that were made, and maybe of others.
    """
    lines = [rows.get(what, f"| {what} | {where} | | | not yet | | |") for what, where in journeys().items()]
    return _HEAD + "\n".join(sorted(lines, key=lambda row: (row.split(" | ")[1], row))) + "\n"


if __name__ == "__main__":
    PAGE.write_text(whole(rows_of(PAGE.read_text(encoding="utf-8"))), encoding="utf-8")
