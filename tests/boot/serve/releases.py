"""Folders with signed releases, and a plain way to ask a server."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boot.trust.manifest import Artifact
from tests.boot.trust.signed import manifest

FILES: Mapping[str, bytes] = {"kernel": bytes(range(200)), "initramfs": b"i" * 70_000, "rootfs": b"r" * 3_000_000}


def release(folder: Path, files: Mapping[str, bytes] = FILES, **changed: Any) -> Path:
    """Writes a release and signs it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    signed = {name: Artifact(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    (folder / "manifest.json").write_bytes(manifest(artifacts=signed, **changed))
    return folder


def sha256(name: str) -> str:
    return hashlib.sha256(FILES[name]).hexdigest()


@dataclass(frozen=True)
class Came:
    """An answer."""

    status: int
    fields: Mapping[str, str]
    body: bytes


async def ask(port: int, raw: bytes) -> Came:
    """Sends bytes as they are and reads until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        data = await reader.read()
    finally:
        writer.transport.abort()
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Came(int(first.split(" ")[1]), fields, body)


async def get(
    port: int, path: str, *, method: str = "GET", body: bytes = b"", fields: Mapping[str, str] | None = None
) -> Came:
    """Asks for a path."""
    told = {"Content-Length": str(len(body))} if body else {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**told, **(fields or {})}.items())
    return await ask(port, f"{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body)
