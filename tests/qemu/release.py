"""A release as an operator makes it: keys, an image built by the real program, signed, and served."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.program import Ran, orlop
from tests.cli.running import Running

__all__ = ["FLOOR", "Release", "built", "node", "server", "shelf"]

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "boot"
"""Where packages of Debian and wheels are kept from one run to the next."""
FLOOR = 5
"""The manifest version that is in the image, below which it boots none."""
_BUILD_S = 900.0
_ARTIFACTS = ("kernel", "initramfs", "rootfs")


@dataclass(frozen=True, slots=True)
class Release:
    """A folder with a signed release.

    Attributes:
        folder: it.
        keys: the folder with `root.key` and `root.pub`.
    """

    folder: Path
    keys: Path

    @property
    def kernel(self) -> Path:
        """Its kernel."""
        return self.folder / "kernel"

    @property
    def initramfs(self) -> Path:
        """Its first stage."""
        return self.folder / "initramfs"

    def signed(
        self, folder: Path, *, version: int = FLOOR, channel: str = "stable", arch: str = "x86_64", expires: str = "30d"
    ) -> "Release":
        """The same artifacts, with another manifest.

        Args:
            folder: where it is made.
            version: of the manifest.
            channel: of the manifest.
            arch: of the manifest.
            expires: of the manifest.
        """
        folder.mkdir(parents=True)
        for name in _ARTIFACTS:
            os.link(self.folder / name, folder / name)
        words = f"--channel {channel} --arch {arch} --version {version} --expires {expires}".split()
        _done(orlop(self.keys.parent, "boot", "sign", str(folder), "--key", str(self.keys / "root.key"), *words))
        return Release(folder, self.keys)

    def changed(self, folder: Path, name: str, at: int = -1) -> "Release":
        """The same release with one byte of one file turned over, as no honest server gives it.

        Args:
            folder: where it is made.
            name: of the file.
            at: of which byte.
        """
        folder.mkdir(parents=True)
        for one in (*_ARTIFACTS, "manifest.json"):
            if one != name:
                os.link(self.folder / one, folder / one)
        raw = bytearray((self.folder / name).read_bytes())
        raw[at] ^= 1
        (folder / name).write_bytes(raw)
        return Release(folder, self.keys)


def built(home: Path, out: Path, *words: str, signed: Sequence[str] = ()) -> Release:
    """Builds and signs a release by the real program.

    Args:
        home: for the program, and the keys.
        out: where it is made.
        words: further ones for `boot build`.
        signed: further ones for `boot sign`.
    """
    home.mkdir(parents=True, exist_ok=True)
    keys = home / "keys"
    if not keys.exists():
        _done(orlop(home, "boot", "keygen", "--out", str(keys)))
    plain = ["--root-key", str(keys / "root.pub"), "--version", str(FLOOR), "--compression", "3", "--cache", str(KEPT)]
    _done(orlop(home, "boot", "build", "--out", str(out), *plain, *words, timeout=_BUILD_S))
    arch = words[words.index("--arch") + 1] if "--arch" in words else "x86_64"
    sign = f"--channel stable --arch {arch} --version {FLOOR} --expires 30d".split()
    _done(orlop(home, "boot", "sign", str(out), "--key", str(keys / "root.key"), *sign, *signed))
    return Release(out, keys)


def node(home: Path, release: Release) -> AbstractContextManager[tuple[Running, int]]:
    """A node without a screen that serves a release on the loopback.

    Args:
        home: of the node.
        release: what is served.

    Returns:
        It, and its port.
    """
    return _serving(home, "--no-ui", "--serve-boot", str(release.folder), "--boot-bind", "127.0.0.1:0")


def server(home: Path, release: Release, receipts: Path) -> AbstractContextManager[tuple[Running, int]]:
    """A server without a node, which keeps the receipts that machines deliver.

    Args:
        home: of the program.
        release: what is served.
        receipts: a folder.

    Returns:
        It, and its port.
    """
    where = ["--bind", "127.0.0.1:0", "--receipts", str(receipts)]
    return _serving(home, "boot", "serve", str(release.folder), *where, "--json")


@contextmanager
def _serving(home: Path, *words: str) -> Iterator[tuple[Running, int]]:
    running = Running(home, *words)
    try:
        said = running.until("boot.serving")
        yield running, int(said["urls"][0].rstrip("/").rpartition(":")[2])
    finally:
        running.close()


@contextmanager
def shelf(folder: Path) -> Iterator[int]:
    """A server that gives whatever is in a folder: the real one refuses what is not as it was signed.

    Args:
        folder: what is served.

    Returns:
        Its port.
    """
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _done(ran: Ran) -> None:
    assert ran.code == 0, ran.talk
