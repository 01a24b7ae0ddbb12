"""The format of Debian packages (deb(5)), written by ourselves: the same bytes wherever it is done, and no root is needed."""

import io
import lzma
import tarfile

from tools.deb.tree import File, folders_of

__all__ = ["package"]


def package(control: list[File], data: list[File], *, epoch: int, level: int) -> bytes:
    """The bytes of a package.

    Args:
        control: what dpkg itself reads: `control`, `md5sums`, `conffiles`, scripts.
        data: what is installed.
        epoch: the time of every file, in seconds.
        level: of xz, 0 (quick) to 9 (small).
    """
    members = (
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", _tar(control, epoch=epoch, level=level)),
        ("data.tar.xz", _tar(data, epoch=epoch, level=level)),
    )
    return b"!<arch>\n" + b"".join(_member(name, content, epoch) for name, content in members)


def _member(name: str, content: bytes, epoch: int) -> bytes:
    head = f"{name:<16}{epoch:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode("ascii")
    return head + content + b"\n" * (len(content) % 2)


def _tar(files: list[File], *, epoch: int, level: int) -> bytes:
    packed = io.BytesIO()
    with (
        lzma.open(packed, "wb", preset=level) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        tar.addfile(_entry(".", 0o755, epoch, tarfile.DIRTYPE))
        for folder in folders_of(files):
            tar.addfile(_entry(f"./{folder}", 0o755, epoch, tarfile.DIRTYPE))
        for file in sorted(files, key=lambda file: file.path):
            entry = _entry(f"./{file.path}", file.mode, epoch, tarfile.REGTYPE)
            entry.size = len(file.content)
            tar.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()


def _entry(name: str, mode: int, epoch: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime, entry.type = mode, epoch, kind
    entry.uname = entry.gname = "root"
    return entry
