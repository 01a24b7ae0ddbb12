"""Compiled modules on disk. They are native code that runs unchecked, so every entry is authenticated before use.

An entry is HMAC-SHA256(cache key, entry's key ‖ body) ‖ body in a file named by its key. What does not verify is
dropped, reported and compiled again. The oldest entries go when the folder grows over its cap.
"""

import contextlib
import hashlib
import hmac
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from runtime.sandbox.engine import ENGINE_VERSION, EngineKind, settings_digest

__all__ = ["CompiledCache", "entry_key"]

_MAC_BYTES: Final = 32
_BODY_BYTES: Final = 64 * 1024**2
_CACHE_BYTES: Final = 256 * 1024**2
_ABANDONED_S: Final = 3600


@cache
def _processor() -> str:
    """The architecture and the processor's features, on which native code depends."""
    features = ""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as info:
        features = next((line.partition(":")[2] for line in info if line.startswith(("flags", "Features"))), "")
    return " ".join([os.uname().machine, *sorted(features.split())])


def entry_key(kind: EngineKind, module_hash: str) -> str:
    """Names an entry by everything that compiled code depends on.

    Args:
        kind: for which engine.
        module_hash: of the bytes that are compiled.

    Returns:
        64 hexadecimal characters.
    """
    parts = [module_hash, kind, ENGINE_VERSION, _processor(), settings_digest(kind)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class CompiledCache:
    """A folder of authenticated entries. Safe to use from several threads and processes.

    Args:
        folder: made with mode 0700 when it is first written to.
        secret: the key of the MAC.
        report: told, in one line, of every entry that did not verify and of every write that failed.
        capacity: bytes of all entries together.
    """

    def __init__(
        self, folder: Path, secret: bytes, report: Callable[[str], None], capacity: int = _CACHE_BYTES
    ) -> None:
        self._folder = folder
        self._secret = secret
        self._report = report
        self._capacity = capacity

    def get(self, key: str) -> bytes | None:
        """Reads an entry.

        Args:
            key: its name.

        Returns:
            The body, verified; None when there is none, or none that verifies.
        """
        path = self._folder / key
        try:
            raw = self._read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(f"compiled module {key[:12]} cannot be read: {error.strerror}; it is compiled again")
            return None
        body = raw[_MAC_BYTES:]
        if raw and hmac.compare_digest(raw[:_MAC_BYTES], self._mac(key, body)):
            with contextlib.suppress(OSError):
                os.utime(path)
            return body
        self._report(f"compiled module {key[:12]} does not verify; it is dropped and compiled again")
        self.drop(key)
        return None

    def put(self, key: str, body: bytes) -> None:
        """Writes an entry; a failure is reported, never raised: the cache is only a cache.

        Args:
            key: its name.
            body: compiled code.
        """
        temporary = self._folder / f".{key}.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(self._mac(key, body))
                file.write(body)
            temporary.replace(self._folder / key)
            self._prune()
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._report(f"compiled module {key[:12]} cannot be kept: {error.strerror}")

    def drop(self, key: str) -> None:
        """Removes an entry.

        Args:
            key: its name.
        """
        with contextlib.suppress(OSError):
            (self._folder / key).unlink(missing_ok=True)

    def _mac(self, key: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, key.encode() + body, "sha256")

    def _read(self, path: Path) -> bytes:
        """The whole file, or nothing when it is no regular file or too large to be an entry."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _BODY_BYTES + _MAC_BYTES:
                return b""
            return file.read(_BODY_BYTES + _MAC_BYTES)

    def _prune(self) -> None:
        entries: list[tuple[float, int, str]] = []
        with os.scandir(self._folder) as found:
            for entry in found:
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # another process was faster
                if not entry.name.endswith(".tmp"):
                    entries.append((state.st_mtime, state.st_size, entry.path))
                elif time.time() - state.st_mtime > _ABANDONED_S:  # a writer that was killed
                    Path(entry.path).unlink(missing_ok=True)
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries)[:-1]:
            if total <= self._capacity:
                break
            Path(path).unlink(missing_ok=True)
            total -= size
