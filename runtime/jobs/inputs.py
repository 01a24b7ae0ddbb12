"""What a job needs beside its manifest: handed over with it, or kept by hash until its turn has come."""

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from runtime.blob_references import TREE
from runtime.blob_trees import materialise, put_tree
from runtime.blobs import Blob, Blobs
from runtime.errors import RefusedError, UnavailableError, UsageError
from runtime.jobs.limits import LimitRefusedError
from runtime.jobs.output import StreamName, pieces
from runtime.jobs.queue import QueueLimits
from runtime.jobs.spec import DirGrant
from runtime.jobs.streams import HeldStreams, Streams
from runtime.quantities import format_size

__all__ = ["Given", "Inputs", "Kept", "Ready", "keep_inputs", "keep_outputs", "too_large"]

_SMALL: Final = 1 << 20
"""Bytes of an input that is read into memory, so that what the guest gets is what was hashed."""


@dataclass(frozen=True, slots=True)
class Given:
    """Everything at hand.

    Attributes:
        module: the module's file.
        source: the input, from `known_input`.
        held: what else is connected to the job.
    """

    module: bytes
    source: bytes | int
    held: HeldStreams


class Inputs(Protocol):
    """Where a job's inputs come from."""

    async def open(self) -> Given:
        """Gets them, when the job's turn has come.

        Raises:
            NotFoundError: some of it is not there any more.
            RefusedError: some of it was changed, or is larger than is allowed.
            UnavailableError: it cannot be read.
        """
        ...

    def close(self) -> None:
        """Lets go of them; a second time does nothing."""
        ...


class Ready:
    """Inputs that somebody handed over together with the job.

    Args:
        given: they.
    """

    def __init__(self, given: Given) -> None:
        self._given = given

    async def open(self) -> Given:
        """See `Inputs`."""
        return self._given

    def close(self) -> None:
        """See `Inputs`."""
        self._given.held.close()


class Kept:
    """Inputs in the content store; every byte is hashed again when it is used.

    Args:
        blobs: where they are.
        references: which, by role.
        grants: the request's directories.
        limits: of the operator.
        folder: made for directories while the job runs; it does not exist.
    """

    def __init__(
        self,
        blobs: Blobs,
        references: Mapping[str, Blob],
        *,
        grants: Sequence[DirGrant],
        limits: QueueLimits,
        folder: Path,
    ) -> None:
        self._blobs = blobs
        self._references = references
        self._grants = grants
        self._limits = limits
        self._folder = folder
        self._held: HeldStreams | None = None
        self._descriptors: list[int] = []

    async def open(self) -> Given:
        """See `Inputs`."""
        return await asyncio.to_thread(self._open)

    def close(self) -> None:
        """See `Inputs`."""
        if self._held is not None:
            self._held.close()
            self._held = None
        while self._descriptors:
            os.close(self._descriptors.pop())
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self) -> Given:
        module = self._reference("module")
        if module.size > self._limits.module_bytes:
            raise too_large("module_bytes", "module", module.size, self._limits.module_bytes)
        code = self._blobs.read(module.hash, limit=self._limits.module_bytes)
        source = self._source()
        directories = [self._directory(number, grant) for number, grant in enumerate(self._grants)]
        self._held = HeldStreams(Streams(dirs=directories), self._grants)
        return Given(code, source, self._held)

    def _source(self) -> bytes | int:
        blob = self._references.get("stdin")
        if blob is None:
            return b""
        if blob.size <= _SMALL:
            return self._blobs.read(blob.hash, limit=_SMALL)
        descriptor = self._blobs.open(blob.hash)
        self._descriptors.append(descriptor)
        return descriptor

    def _directory(self, number: int, grant: DirGrant) -> int:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"no room for a job's directories: {error.strerror}") from error
        place = self._folder / str(number)
        materialise(self._blobs, self._reference(f"{TREE}{grant.guest}").hash, place)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._descriptors.append(descriptor)
        return descriptor

    def _reference(self, role: str) -> Blob:
        blob = self._references.get(role)
        if blob is None:
            raise RefusedError(f"what it needs was not kept ({role})", hint="submit it again from its files")
        return blob


def too_large(name: str, what: str, size: int, most: int) -> LimitRefusedError:
    """The refusal of something that is larger than the operator allows.

    Args:
        name: the limit's.
        what: for people.
        size: bytes.
        most: bytes.
    """
    return LimitRefusedError(name, f"{what} of {format_size(size)} is above this node's {format_size(most)}")


def keep_inputs(
    blobs: Blobs, module: bytes, directories: Sequence[int], grants: Sequence[DirGrant], *, limit: int
) -> dict[str, Blob]:
    """Keeps what a job needs, durably. Blocks.

    Args:
        blobs: where.
        module: the module's file.
        directories: one descriptor for each grant.
        grants: the request's directories.
        limit: bytes that the files of one directory may have together.

    Returns:
        What was kept, by role. What nobody refers to within an hour is collected.

    Raises:
        RefusedError: a directory cannot be kept.
        UnavailableError: something cannot be read or written.
        UsageError: a directory is writable, which could not be kept.
    """
    for grant in grants:
        if grant.writable:
            hint = "name it with :ro, or use orlop jobs run"
            raise UsageError("what waits in the queue cannot write into a directory", where=grant.guest, hint=hint)
    if len(directories) != len(grants):
        raise UsageError("each directory needs a descriptor")
    kept = {"module": blobs.put(module, limit=max(len(module), 1))}
    for descriptor, grant in zip(directories, grants, strict=True):
        kept[f"{TREE}{grant.guest}"] = put_tree(blobs, descriptor, limit=limit).listing
    return kept


def keep_outputs(blobs: Blobs, path: Path) -> dict[str, Blob]:
    """Keeps both streams of a job's output by hash. Blocks.

    Args:
        blobs: where.
        path: the file of its output.

    Returns:
        What was kept, by role; also an empty stream.

    Raises:
        OutputRefusedError: the file is damaged.
        UnavailableError: it cannot be read, or the store not be written.
    """
    names: tuple[StreamName, StreamName] = ("stdout", "stderr")
    return {name: _keep_stream(blobs, path, name) for name in names}


def _keep_stream(blobs: Blobs, path: Path, name: StreamName) -> Blob:
    with blobs.incoming(1 << 40) as incoming:
        for stream, data in pieces(path):
            if stream == name:
                incoming.write(data)
        return incoming.keep()
