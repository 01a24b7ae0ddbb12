"""PID 1 of the initramfs: from the first mount to another kernel, or to one line that says why not.

The same program runs twice. Without `/rootfs.squashfs` it is the first stage: it finds a release, verifies it and
starts its kernel. With it, it runs in that kernel, and goes into the root file system that came along.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from boot.stage1.ending import Plan, end, fails_of, fails_word
from boot.stage1.handover import HANDOVER, Handover
from boot.stage1.image import IMAGE, MODULES, Image
from boot.stage1.modules import finit, load_modules
from boot.stage1.mounts import mount_all
from boot.stage1.say import Say, open_consoles

__all__ = ["main"]

_INIT: Final = "/init"
_COMMAND_LINE: Final = Path("/proc/cmdline")
_ROOTFS: Final = Path("/rootfs.squashfs")


def main() -> NoReturn:
    """Runs the stage that this is; never returns."""
    say, plan = Say([1]), [Plan()]
    try:
        mount_all()
        _take_console()
        say = Say(open_consoles())
        (_second if _ROOTFS.exists() else _first)(say, plan)
    except BaseException as error:  # noqa: BLE001 - of PID 1, whatever it is, nothing may come out
        end(error, plan[0], say, _again)
    message = "a stage came back"
    end(RuntimeError(message), plan[0], say, _again)


def _first(say: Say, plan: list[Plan]) -> None:
    from boot.stage1.cmdline import parse_command_line  # noqa: PLC0415 - the second stage does not need it

    image = _image()
    plan[0] = Plan("poweroff", shell=image.debug_shell)  # a line that is not understood will not be at the next start
    text = _COMMAND_LINE.read_text(encoding="utf-8", errors="surrogateescape")
    line = parse_command_line(text)
    plan[0] = Plan(line.onfail, max(line.fails, fails_of(sys.argv[1:])), image.debug_shell)
    from boot.stage1.course import Course, run  # noqa: PLC0415 - what may fail comes after what says how it ends

    channel = line.channel or image.channel
    say.line(f"stage 1, orlop {image.release}, mode {line.mode}, channel {channel}")
    run(Course(image, line, text, plan[0].fails, say), lambda: _load_modules(image, say))


def _second(say: Say, plan: list[Plan]) -> None:
    from boot.stage2.overlay import enter  # noqa: PLC0415 - the first stage does not need it

    image = _image()
    handover = Handover.parse(Path(HANDOVER).read_bytes())
    plan[0] = Plan(handover.onfail, max(handover.fails, fails_of(sys.argv[1:])), image.debug_shell)
    _load_modules(image, say)
    enter(image, handover, say)


def _image() -> Image:
    return Image.parse(Path(IMAGE).read_bytes())


def _load_modules(image: Image, say: Say) -> None:
    failed = load_modules(image.modules, Path(MODULES), lambda descriptor: finit(image.arch, descriptor))
    for one in failed:
        say.line(f"module {one}")


def _take_console() -> None:
    """The console's device is another one since /dev was mounted."""
    with contextlib.suppress(OSError):
        descriptor = os.open("/dev/console", os.O_RDWR | os.O_NOCTTY)
        for standard in (0, 1, 2):
            os.dup2(descriptor, standard)
        if descriptor > 2:  # noqa: PLR2004 - the standard ones
            os.close(descriptor)


def _again(fails: int) -> None:
    os.execv(_INIT, [_INIT, fails_word(fails)])  # noqa: S606 - this program
