"""Open files of a component: positions are kept here, so that no two handles share one."""

import base64
import binascii
import os
import stat
from collections.abc import Callable
from typing import Final, Literal

from runtime.components.bindings.ext_filesystem_types import (
    FileMetadata,
    ReadResult,
    SeekFrom,
    TextEncoding,
    TextResult,
    WriteResult,
)
from runtime.components.host.context import Context
from runtime.components.host.file_answers import answering
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.file_metadata import metadata_of
from runtime.components.host.quota import Ledger

__all__ = ["CHUNK", "OpenFile", "must_be_regular"]

OpenMode = Literal["read", "write", "read-write", "append"]

CHUNK: Final = 1 << 20
"""Bytes of a list that pass at once: each costs 32 while it passes."""
_TEXT_CHUNK: Final = 4 << 20
_OFFSET_MAX: Final = (1 << 63) - 1


class OpenFile:
    """A file that a guest holds open.

    Args:
        context: whose it is.
        descriptor: of a regular file, open for what the mode says; belongs to this from now on.
        mode: what it was opened for.
        path: its guest path when it was opened.
        ledger: counts what it holds; None where nothing counts.
    """

    def __init__(self, context: Context, descriptor: int, mode: OpenMode, path: str, ledger: Ledger | None) -> None:
        self._context = context
        self._descriptor = descriptor
        self._mode: OpenMode = mode
        self._path = path
        self._ledger = ledger
        self._position = 0
        self._ended = ""
        if ledger is not None:
            ledger.opened(os.fstat(descriptor))

    @answering
    def read(self, max_bytes: int) -> ReadResult:
        """Bytes from the position."""
        data, end = self._read(self._position, min(max_bytes, CHUNK))
        self._position += len(data)
        return ReadResult(data=data, end_of_file=end)

    @answering
    def read_at(self, offset: int, max_bytes: int) -> ReadResult:
        """Bytes from an offset; the position stays."""
        data, end = self._read(offset, min(max_bytes, CHUNK))
        return ReadResult(data=data, end_of_file=end)

    @answering
    def read_text(self, max_bytes: int, encoding: TextEncoding) -> TextResult:
        """Text from the position: of a character that is cut nothing is read."""
        data, end = self._read(self._position, min(max_bytes, _TEXT_CHUNK))
        text, size = text_of(data, encoding, whole=end)
        self._position += size
        return TextResult(text=text, end_of_file=end)

    @answering
    def write(self, data: bytes) -> WriteResult:
        """All bytes at the position, or at the end when it was opened for appending."""
        return self._write_on(data)

    @answering
    def write_at(self, offset: int, data: bytes) -> WriteResult:
        """All bytes at an offset; the position stays."""
        if self._mode == "append":
            self._writable()
            raise FileRefusedError("invalid-argument", "opened for appending")
        self._write(offset, data)
        return WriteResult(bytes_written=len(data))

    @answering
    def write_text(self, text: str, encoding: TextEncoding) -> WriteResult:
        """All of a text at the position."""
        return self._write_on(_bytes_of(text, encoding))

    @answering
    def seek(self, offset: int, origin: SeekFrom) -> int:
        """Sets the position, also behind the end."""
        descriptor = self._open()
        base = {"start": 0, "current": self._position, "end": os.fstat(descriptor).st_size}[origin]
        if not 0 <= base + offset <= _OFFSET_MAX:
            raise FileRefusedError("invalid-argument", "a position before the beginning or beyond 2^63")
        self._position = base + offset
        return self._position

    @answering
    def tell(self) -> int:
        """The position."""
        self._open()
        return self._position

    @answering
    def set_length(self, length: int) -> None:
        """Cuts the file, or extends it with zeros."""
        self._writable()
        _check_offset(length)
        self.cut(length)

    @answering
    def sync(self) -> None:
        """Makes what was written durable."""
        os.fdatasync(self._open())

    @answering
    def metadata(self) -> FileMetadata:
        """Of the file as it is now, under the path that it was opened by."""
        descriptor = self._open()
        return metadata_of(descriptor, os.fstat(descriptor), self._path)

    @answering
    def close(self) -> None:
        """Closes; what the disk only says now is the answer."""
        self._open()
        self._context.handles.closed(self)
        self._close("closed")

    def cut(self, length: int) -> None:
        """Sets the length of an open file that may be written.

        Raises:
            FileRefusedError: the quota does not allow it.
            OSError: as for any change.
        """
        extend(self._descriptor, length, self._ledger, lambda: os.ftruncate(self._descriptor, length), cut=True)

    def end(self, why: str) -> None:
        """Closes, whatever the disk says."""
        if not self._ended:
            try:
                self._close(why)
            except OSError:
                # Nobody is left to tell: who wants to know closes.
                self._ended = why

    def _close(self, why: str) -> None:
        descriptor, self._ended = self._descriptor, why
        if self._ledger is not None:
            self._ledger.closed(os.fstat(descriptor))
        self._descriptor = -1
        os.close(descriptor)

    def _open(self) -> int:
        self._context.note(target=self._path)
        if self._ended:
            raise FileRefusedError("closed", self._ended)
        return self._descriptor

    def _writable(self) -> int:
        descriptor = self._open()
        if self._mode == "read":
            raise FileRefusedError("invalid-argument", "opened for reading only")
        return descriptor

    def _read(self, offset: int, size: int) -> tuple[bytes, bool]:
        descriptor = self._open()
        if self._mode in {"write", "append"}:
            raise FileRefusedError("invalid-argument", "opened for writing only")
        _check_offset(offset)
        data = os.pread(descriptor, size, offset)
        self._context.note(size=len(data))
        return data, offset + len(data) >= os.fstat(descriptor).st_size

    def _write_on(self, data: bytes) -> WriteResult:
        descriptor = self._writable()
        offset = os.fstat(descriptor).st_size if self._mode == "append" else self._position
        self._write(offset, data)
        self._position = offset + len(data)
        return WriteResult(bytes_written=len(data))

    def _write(self, offset: int, data: bytes) -> None:
        descriptor = self._writable()
        _check_offset(offset + len(data))
        extend(descriptor, offset + len(data), self._ledger, lambda: write_all(self._context, descriptor, data, offset))
        self._context.note(size=len(data))


def extend(descriptor: int, length: int, ledger: Ledger | None, act: Callable[[], None], *, cut: bool = False) -> None:
    """Does what makes a file longer, or shorter, and keeps the ledger right, also when it ends halfway.

    Args:
        descriptor: the file.
        length: what it will be at least, in bytes; with `cut` exactly.
        ledger: where it counts.
        act: does it.
        cut: whether the file may become shorter.

    Raises:
        FileRefusedError: the quota does not allow it; nothing was done.
        OSError: as `act`.
    """
    if ledger is None:
        act()
        return
    with ledger.held():
        before = os.fstat(descriptor).st_size
        change = length - before if cut else max(0, length - before)
        ledger.charge(max(0, change))
        try:
            act()
        finally:
            status = os.fstat(descriptor)
            ledger.changed(status, status.st_size - before - max(0, change))


def write_all(context: Context, descriptor: int, data: bytes, offset: int) -> None:
    """Writes until nothing is left.

    Raises:
        OSError: as for any write; some of it may be written.
        FileRefusedError: `timeout`; likewise.
    """
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view[:_TEXT_CHUNK], offset)
        view, offset = view[written:], offset + written
        if view and (context.time_left(None) <= 0 or context.stopping()):
            raise FileRefusedError("timeout", "the call's time is over; a part is written")


def text_of(data: bytes, encoding: TextEncoding, *, whole: bool) -> tuple[str, int]:
    """Bytes as text.

    Args:
        data: what was read.
        encoding: how.
        whole: nothing follows.

    Returns:
        The text, and how many of the bytes it is.

    Raises:
        FileRefusedError: `not-utf8`; `invalid-argument` where not even one character fits.
    """
    if encoding == "base64":
        return base64.b64encode(data).decode("ascii"), len(data)
    try:
        return data.decode(), len(data)
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" and error.end == len(data) and not whole
        if not cut:
            raise FileRefusedError("not-utf8", "the file holds bytes that are not UTF-8") from None
        if not error.start:
            raise FileRefusedError("invalid-argument", "max-bytes is less than the next character") from None
        return data[: error.start].decode(), error.start


def _bytes_of(text: str, encoding: TextEncoding) -> bytes:
    if encoding == "utf8":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FileRefusedError("invalid-argument", "not base64") from None


def _check_offset(offset: int) -> None:
    if offset > _OFFSET_MAX:
        raise FileRefusedError("invalid-argument", "a position beyond 2^63")


def must_be_regular(status: os.stat_result) -> None:
    """Checks that something is a file with content.

    Raises:
        FileRefusedError: `is-a-directory`, `too-many-symlinks` for a link that is not followed, or `not-a-file`.
    """
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise FileRefusedError("is-a-directory", "a directory")
    if stat.S_ISLNK(status.st_mode):
        raise FileRefusedError("too-many-symlinks", "a symlink, which is not followed")
    raise FileRefusedError("not-a-file", "a device, fifo or socket")
