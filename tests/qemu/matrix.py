"""What was booted, how and when: the page of the documentation that a whole run of these tests writes."""

import datetime as dt
import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cli.program import ROOT

__all__ = ["PAGE", "Outcome", "page"]

PAGE = ROOT / "docs" / "reference" / "booted-machines.md"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One journey that went well.

    Attributes:
        where: the stem of the module that describes it.
        what: its first line.
        seconds: that it took.
    """

    where: str
    what: str
    seconds: float


def page(outcomes: Iterable[Outcome], image: Path) -> str:
    """The page as text.

    Args:
        outcomes: in the order in which they are shown.
        image: `image.json` of the release that was booted.
    """
    said = subprocess.run(["qemu-system-x86_64", "--version"], check=True, capture_output=True, text=True).stdout
    qemu = re.findall(r"version (\S+)", said)[0]
    kernel = json.loads(image.read_text())["kernel"]
    today = dt.datetime.now(dt.UTC).date().isoformat()
    rows = [f"| {one.where} | {one.what} | {one.seconds:.0f} |" for one in outcomes]
    return "\n".join(
        [
            "# What was booted, how and when",
            "",
            "Written by `make test-boot` when all of it went well: each row is machines in QEMU without KVM, two rows",
            "at a time, which did what was expected of them. No other hardware was tried.",
            "",
            f"{today}, QEMU {qemu}, Debian's kernel {kernel}, {os.cpu_count()} processors.",
            "",
            "| suite | what was booted, and how | seconds |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
