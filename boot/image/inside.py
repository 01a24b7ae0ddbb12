"""What lies in an initramfs: the few files that say what it is, read from the bytes that are signed."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from boot.image.programs import run
from runtime.errors import RefusedError
from runtime.sanitise import clean

__all__ = ["files_inside"]

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_MAGIC: Final = b"070701"
_HEADER: Final = 110
_FIELD: Final = 8
_MODE, _SIZE, _NAME_SIZE = 1, 6, 11
_END: Final = b"TRAILER!!!"


def files_inside(initramfs: Path, *names: str) -> dict[str, bytes]:
    """Files of an initramfs.

    Args:
        initramfs: an archive in the format newc, as it is or compressed by zstd.
        names: paths in it.

    Returns:
        Those that are there, by path.

    Raises:
        RefusedError: it is no such archive.
        OrlopError: zstd is missing or failed.
    """
    raw = initramfs.read_bytes()
    if raw.startswith(_ZSTD):
        raw = run(["zstd", "-dcq", str(initramfs)])
    return {name: content for name, content in _records(raw, initramfs) if name in names}


def _records(raw: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    at = 0
    while True:
        header = raw[at : at + _HEADER]
        if len(header) < _HEADER or not header.startswith(_MAGIC):
            raise RefusedError("is no initramfs that can be read", where=clean(str(path), 300))
        mode, size, name_size = (_number(header, number, path) for number in (_MODE, _SIZE, _NAME_SIZE))
        begin = _up(at + _HEADER + name_size)
        name = raw[at + _HEADER : at + _HEADER + name_size - 1]
        if name == _END:
            return
        if stat.S_ISREG(mode):
            yield name.decode(errors="replace"), raw[begin : begin + size]
        at = _up(begin + size)


def _number(header: bytes, number: int, path: Path) -> int:
    at = len(_MAGIC) + _FIELD * number
    try:
        return int(header[at : at + _FIELD], 16)
    except ValueError:
        raise RefusedError("is no initramfs that can be read", where=clean(str(path), 300)) from None


def _up(value: int) -> int:
    return -(-value // 4) * 4
