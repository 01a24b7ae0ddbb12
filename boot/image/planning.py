"""Which images are made of which release: those for virtual machines and those for real ones need other kernels."""

from collections.abc import Sequence
from typing import Final, Literal

from boot.image.source import Source
from runtime.errors import RefusedError, UsageError

__all__ = ["KINDS", "Kind", "planned"]

Kind = Literal["disk", "usb", "qcow2", "iso", "netboot"]
KINDS: Final[tuple[Kind, ...]] = ("disk", "usb", "qcow2", "iso", "netboot")

_FOR_REAL_MACHINES: Final = frozenset({"usb", "iso", "netboot"})
_NEED_USB: Final = frozenset({"usb", "iso"})


def planned(sources: Sequence[Source], asked: Sequence[Kind]) -> list[tuple[Kind, Source]]:
    """Kinds of images, each with the release that it is made of.

    Args:
        sources: at most two for one architecture: one whose kernel finds USB disks, and one for virtual machines.
        asked: kinds; none for all that the releases can be.

    Raises:
        UsageError: two releases are of the same kind, or of different names.
        RefusedError: a kind was asked for whose kernel is not there.
    """
    _check_together(sources)
    plan: list[tuple[Kind, Source]] = []
    for arch in dict.fromkeys(one.image.arch for one in sources):
        here = [one for one in sources if one.image.arch == arch]
        for kind in asked or KINDS:
            source = _best(here, kind)
            if kind in _NEED_USB and not source.has_usb:
                if asked:
                    hint = "build a release with --kernel full as well"
                    raise RefusedError(f"the kernel for {arch} finds no USB disks", where=kind, hint=hint)
                continue
            plan.append((kind, source))
    return plan


def _best(sources: Sequence[Source], kind: Kind) -> Source:
    return next((one for one in sources if one.has_usb == (kind in _FOR_REAL_MACHINES)), sources[0])


def _check_together(sources: Sequence[Source]) -> None:
    names = sorted({one.manifest.release for one in sources})
    if len(names) > 1:
        raise UsageError(f"releases of different names: {', '.join(names)}", hint="one release at a time")
    kinds = [(one.image.arch, one.has_usb) for one in sources]
    if len(set(kinds)) != len(kinds):
        hint = "give one with --kernel cloud and one with --kernel full"
        raise UsageError("two of the releases are for the same machines", hint=hint)
