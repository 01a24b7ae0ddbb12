"""The file of a job's output: both streams in the order in which they arrived, each up to its cap.

Layout: the 8 bytes `orlop-o1`, then pieces: one byte (3 stdout, 4 stderr), the length as an unsigned 32-bit number,
big-endian, and so many bytes. The numbers are those of the frames on the wire. A job that wrote nothing has no file.
A piece that a crash cut short is read as far as it goes.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from runtime.errors import RefusedError, UnavailableError

__all__ = ["OutputFile", "OutputFollower", "OutputRefusedError", "StreamName", "pieces", "read_stream"]

StreamName = Literal["stdout", "stderr"]

_MAGIC: Final = b"orlop-o1"
_HEAD: Final = struct.Struct(">BI")
_NUMBERS: Final[dict[StreamName, int]] = {"stdout": 3, "stderr": 4}
_NAMES: Final[dict[int, StreamName]] = {3: "stdout", 4: "stderr"}


class OutputRefusedError(RefusedError):
    """A file that is no output file, or a damaged one."""


class OutputFile:
    """Writes one job's file; it comes into being with the first piece.

    Args:
        path: where; it must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._end = 0

    def write(self, stream: StreamName, data: bytes) -> None:
        """Appends a piece, whole or not at all.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o600)
            self._append([_MAGIC])
        self._append([_HEAD.pack(_NUMBERS[stream], len(data)), data])

    def close(self) -> None:
        """Closes the file; calling it again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, parts: list[bytes]) -> None:
        whole = sum(map(len, parts))
        try:
            written = os.writev(self._descriptor, parts)
            rest = memoryview(b"".join(parts))[written:] if written < whole else memoryview(b"")
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            raise
        self._end += whole


def pieces(path: Path) -> Iterator[tuple[StreamName, bytes]]:
    """The pieces of a file in the order of their arrival; none when there is no file.

    Yields:
        The stream and the bytes.

    Raises:
        OutputRefusedError: it is no such file.
        UnavailableError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnavailableError(error.strerror or "cannot be read", where=f"output of job {path.name[:16]}") from error
    with file:
        begin = file.read(len(_MAGIC))
        if begin != _MAGIC and _MAGIC.startswith(begin):
            return  # a crash or a full disk came before the first piece
        if begin != _MAGIC:
            raise OutputRefusedError("not a file of output", where=f"output of job {path.name[:16]}")
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            number, length = _HEAD.unpack(head)
            if number not in _NAMES:
                raise OutputRefusedError("a damaged file of output", where=f"output of job {path.name[:16]}")
            yield _NAMES[number], file.read(length)


def read_stream(path: Path, stream: StreamName) -> bytes:
    """All that was kept of one stream.

    Raises:
        OutputRefusedError: as `pieces`.
        UnavailableError: as `pieces`.
    """
    return b"".join(data for name, data in pieces(path) if name == stream)


class OutputFollower:
    """Reads a file of output that still grows, piece by piece, from any place of its streams. Blocks for a read.

    Args:
        path: the file; it may not be there yet.
        stdout_at: bytes of stdout that are not wanted, and likewise `stderr_at`.
        stderr_at: see `stdout_at`.
    """

    def __init__(self, path: Path, *, stdout_at: int = 0, stderr_at: int = 0) -> None:
        self._path = path
        self._unwanted: dict[StreamName, int] = {"stdout": stdout_at, "stderr": stderr_at}
        self._descriptor = -1
        self._at = len(_MAGIC)
        self._piece: tuple[StreamName, int] = ("stdout", 0)
        """The piece at `_at`: its stream, and how much of it was not read yet."""

    def read(self, most: int) -> tuple[StreamName, bytes] | None:
        """The next bytes of one stream, in the order in which they were written; None when there are none now.

        Args:
            most: how many at most.

        Raises:
            OutputRefusedError: it is no file of output.
            UnavailableError: it cannot be read.
        """
        try:
            while self._next_piece():
                name, left = self._piece
                skipped = min(self._unwanted[name], left)
                self._unwanted[name] -= skipped
                data = os.pread(self._descriptor, min(most, left - skipped), self._at + skipped)
                if not data and skipped < left:
                    return None
                self._at += skipped + len(data)
                self._piece = (name, left - skipped - len(data))
                if data:
                    return name, data
        except OSError as error:
            raise UnavailableError(error.strerror or "cannot be read", where=self._where) from error
        return None

    def close(self) -> None:
        """Closes the file; calling it again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _next_piece(self) -> bool:
        """Finds the piece to read from; false when there is none yet."""
        if self._piece[1]:
            return True
        if self._descriptor < 0:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return False
        head = os.pread(self._descriptor, _HEAD.size, self._at)
        if len(head) < _HEAD.size:
            return False
        number, length = _HEAD.unpack(head)
        if number not in _NAMES:
            raise OutputRefusedError("a damaged file of output", where=self._where)
        self._at += _HEAD.size
        self._piece = (_NAMES[number], length)
        return length > 0 or self._next_piece()

    @property
    def _where(self) -> str:
        return f"output of job {self._path.name[:16]}"
