"""`boot write`: an image to a stick, after everything that speaks against it was looked at."""

import os
import sys
from pathlib import Path
from typing import Final

from boot.image.target import Target, objection, target_of
from boot.image.write import open_image, write_image
from console.client import Json, Result
from console.cmdline.asking import needs_terminal
from console.cmdline.verbline import Line
from runtime.errors import UsageError
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["write"]

_DEV: Final = "/dev/"


def write(line: Line) -> Result:
    """`boot write`.

    Raises:
        UsageError: something speaks against it, or nobody confirmed it; nothing was written.
        FailedError: what was read back is something else.
    """
    device = Path(str(line.args["device"])).resolve()
    with open_image(Path(line.paths["image"])) as (image, size):
        target = target_of(device)
        wrong = objection(target, size, fixed_disk=line.args.get("fixed_disk") == "true")
        if wrong is not None:
            raise wrong
        if os.geteuid():
            raise UsageError("only root may write to a disk", where=str(device), hint="run it with sudo")
        _confirm(line, target)
        written = write_image(image, size, device, _Progress(line))
    value: dict[str, Json] = {"v": 1, "device": str(device), "size": written.size, "sha256": written.sha256}
    return Result(ok=True, value=value)


def _confirm(line: Line, target: Target) -> None:
    """Whoever writes says which disk, so that a slip of the finger erases nothing."""
    given = line.args.get("yes_erase")
    if not isinstance(given, str):
        needs_terminal("the disk's name", hint=f"--yes-erase {target.name} answers it")
        sys.stderr.write(
            f"orlop: boot write erases {_DEV}{target.name}, {format_size(target.size)}. Type {target.name} to go on: "
        )
        sys.stderr.flush()
        given = sys.stdin.readline().strip()
    if given.removeprefix(_DEV) != target.name:
        why = f"the disk is {target.name}, not {clean(given, 60)}" if given else "no name was typed"
        raise UsageError(f"{why}; nothing was written")


class _Progress:
    """A line on the terminal that is written anew, if somebody sees it."""

    def __init__(self, line: Line) -> None:
        self._shown = os.isatty(2) and not line.options.quiet and not line.options.json
        self._last = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        text = f"{what} {100 * done // of} %"
        if not self._shown or text == self._last:
            return
        self._last = text
        sys.stderr.write(f"\r\x1b[Korlop: {text}" + ("\n" if done == of else ""))
        sys.stderr.flush()
