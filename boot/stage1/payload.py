"""What the next kernel is started with: two files in memory, sealed before they are hashed for the last time.

The initrd is the artifact `initramfs`, zeros up to a multiple of 4, and an archive with `rootfs.squashfs` and
`handover.json`. Where everything goes is known from the sizes that were signed, so each artifact is written to its
place as it comes. After the seals nothing can change the bytes any more: what was hashed is what is loaded.
"""

import contextlib
import fcntl
import os
from collections.abc import Mapping
from typing import Final, Self

from boot.errors import BootRefusedError
from boot.fetch.fetcher import Sink
from boot.stage1.artifact_store import Source
from boot.stage1.handover import HANDOVER, Handover
from boot.stage1.newc import SIZE_MAX, head, padding, trailer
from boot.trust.artifact import ArtifactCheck
from boot.trust.manifest import Artifact
from runtime.errors import UnavailableError

__all__ = ["NAMES", "ROOTFS", "Payload"]

NAMES: Final = frozenset({"kernel", "initramfs", "rootfs"})
"""The artifacts that are taken."""
ROOTFS: Final = "rootfs.squashfs"

_PART: Final = 256 << 10
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Payload:
    """Kernel and initrd in memory; as a context they are gone at the end.

    Attributes:
        kernel: a descriptor.
        initrd: a descriptor.
    """

    def __init__(self) -> None:
        self.kernel = -1
        self.initrd = -1
        self._artifacts: Mapping[str, Artifact] = {}

    def __enter__(self) -> Self:
        """Makes two empty files.

        Raises:
            UnavailableError: the kernel gives none.
        """
        try:
            self.kernel = _memory("kernel")
            self.initrd = _memory("initrd")
        except OSError as error:
            self.__exit__()
            raise UnavailableError(_words(error), where="memory for the next kernel") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the memory back."""
        for descriptor in (self.kernel, self.initrd):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self.kernel = self.initrd = -1

    def begin(self, artifacts: Mapping[str, Artifact]) -> None:
        """Lays out what will come; what was there is forgotten.

        Args:
            artifacts: as they were signed.

        Raises:
            BootRefusedError: `malformed` or `length`: these cannot be booted.
            UnavailableError: there is no memory.
        """
        if "rootfs" not in artifacts:
            raise BootRefusedError("malformed", "payload.artifacts: no rootfs")
        if artifacts["rootfs"].size > SIZE_MAX:
            raise BootRefusedError("length", f"rootfs has more than the {SIZE_MAX} bytes that an initrd can hold")
        self._artifacts = artifacts
        size = artifacts["initramfs"].size
        try:
            for descriptor in (self.kernel, self.initrd):
                os.ftruncate(descriptor, 0)
            _write(self.initrd, head(ROOTFS, artifacts["rootfs"].size, number=1), size + len(padding(size)))
        except OSError as error:
            raise UnavailableError(_words(error), where="memory for the next kernel") from error

    def sink(self, name: str) -> Sink:
        """Where an artifact goes.

        Args:
            name: one of `NAMES`.
        """
        descriptor, first = self._place(name)
        return _Region(descriptor, first)

    def seal(self, handover: Handover) -> None:
        """Completes the initrd; from then on nothing in either file can be changed.

        Args:
            handover: for the second stage.

        Raises:
            UnavailableError: the kernel does not do it.
        """
        _, first = self._place("rootfs")
        end = first + self._artifacts["rootfs"].size
        document = handover.document()
        parts = [
            padding(end),
            head(HANDOVER.lstrip("/"), len(document), number=2),
            document,
            padding(len(document)),
            trailer(),
        ]
        try:
            _write(self.initrd, b"".join(parts), end)
            for descriptor in (self.kernel, self.initrd):
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except OSError as error:
            raise UnavailableError(_words(error), where="memory for the next kernel") from error

    def check(self) -> None:
        """Hashes every artifact where it lies, by the descriptor that is loaded.

        Raises:
            BootRefusedError: `length` or `hash`.
        """
        for name in sorted(NAMES & set(self._artifacts)):
            descriptor, at = self._place(name)
            artifact = self._artifacts[name]
            check = ArtifactCheck(name, artifact)
            end, part = at + artifact.size, memoryview(bytearray(_PART))
            while at < end and (count := os.preadv(descriptor, [part[: end - at]], at)):
                check.feed(part[:count])
                at += count
            check.finish()

    def sources(self) -> dict[str, Source]:
        """Of each artifact, what gives its bytes; for whoever keeps it."""

        def reader(name: str) -> Source:
            descriptor, first = self._place(name)
            end = first + self._artifacts[name].size
            return lambda count, at: os.pread(descriptor, max(0, min(count, end - first - at)), first + at)

        return {name: reader(name) for name in sorted(NAMES & set(self._artifacts))}

    def _place(self, name: str) -> tuple[int, int]:
        """The file of an artifact, and its first byte there."""
        if name == "kernel":
            return self.kernel, 0
        if name == "initramfs":
            return self.initrd, 0
        size = self._artifacts["initramfs"].size
        before = size + len(padding(size))
        return self.initrd, before + len(head(ROOTFS, self._artifacts["rootfs"].size, number=1))


class _Region:
    """Part of a file, written from its beginning on."""

    def __init__(self, descriptor: int, first: int) -> None:
        self._descriptor = descriptor
        self._first = first
        self._at = first

    def restart(self) -> None:
        """Begins again; what is written next takes the place of what was."""
        self._at = self._first

    def write(self, part: bytes) -> None:
        """Writes all of it.

        Raises:
            UnavailableError: there is no memory.
        """
        try:
            _write(self._descriptor, part, self._at)
        except OSError as error:
            raise UnavailableError(_words(error), where="memory for the next kernel") from error
        self._at += len(part)


def _memory(name: str) -> int:
    return os.memfd_create(f"orlop-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, at)
        view, at = view[count:], at + count


def _words(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else "no").lower()
