"""A package as it is read by what is not its writer: the members of the archive, their tar, their owners."""

import io
import tarfile
from dataclasses import dataclass

__all__ = ["Package", "read_package"]


@dataclass(frozen=True)
class Package:
    """Both parts: each entry by its path, and the content of files."""

    control: dict[str, bytes]
    entries: dict[str, tarfile.TarInfo]
    content: dict[str, bytes]

    @property
    def fields(self) -> dict[str, str]:
        """The fields of `control`, the first line of each."""
        lines = [line for line in self.control["control"].decode().splitlines() if not line.startswith(" ")]
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def read_package(packed: bytes) -> Package:
    """Reads the bytes of a `.deb`."""
    assert packed.startswith(b"!<arch>\n")
    members = {}
    at = 8
    while at < len(packed):
        head = packed[at : at + 60]
        assert head.endswith(b"`\n")
        size = int(head[48:58])
        members[head[:16].decode().strip()] = packed[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    assert list(members) == ["debian-binary", "control.tar.xz", "data.tar.xz"]
    assert members["debian-binary"] == b"2.0\n"
    entries, content = _untar(members["data.tar.xz"])
    return Package(_untar(members["control.tar.xz"])[1], entries, content)


def _untar(packed: bytes) -> tuple[dict[str, tarfile.TarInfo], dict[str, bytes]]:
    entries, content = {}, {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as tar:
        for entry in tar:
            name = entry.name.removeprefix("./")
            entries[name] = entry
            if (file := tar.extractfile(entry)) is not None:
                content[name] = file.read()
    return entries, content
