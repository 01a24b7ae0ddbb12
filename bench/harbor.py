"""Components without a console around them: the real service, workers and store, and folders as authors make them."""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.processes import ROOT
from runtime.blobs import Blobs
from runtime.clock import SystemClock
from runtime.components.components import Components
from runtime.components.folder import Folder, read_folder
from runtime.components.house import Folders
from runtime.components.installer import Install
from runtime.node import NodeParts, OpenDirectory

__all__ = ["CALLER", "Harbor", "open_harbor"]

CALLER: Final = ROOT / "bench" / "components" / "caller.wasm"


@dataclass(frozen=True, slots=True)
class Harbor:
    """A node's components, and a place for their folders."""

    components: Components
    place: Path

    async def install(self, namespace: str, *, more: str = "", wasm: Path = CALLER, name: str = "caller") -> str:
        """Installs a component; from now on its code is in the compiler's cache.

        Args:
            namespace: of its package.
            more: lines of its manifest.
            wasm: the component.
            name: what it calls itself.

        Returns:
            Its whole name.
        """
        folder = _author(self.place / namespace / name, namespace, more, wasm)
        installed = await self.components.install(Install(folder=folder))
        return installed.name

    async def start_ms(self, name: str) -> float:
        """Starts a component; milliseconds until it runs."""
        began = time.perf_counter()
        await self.components.start(name)
        return (time.perf_counter() - began) * 1000


def _author(place: Path, namespace: str, more: str, wasm: Path) -> Folder:
    place.mkdir(parents=True)
    data = wasm.read_bytes()
    (place / "it.wasm").write_bytes(data)
    (place / "Component.toml").write_text(
        f'schema = 1\n[package]\nname = "{place.name}"\nnamespace = "{namespace}"\nversion = "1.0.0"\n[component]\n'
        f'file = "it.wasm"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n{more}'
    )
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return read_folder(descriptor)
    finally:
        os.close(descriptor)


@contextlib.asynccontextmanager
async def open_harbor() -> AsyncIterator[Harbor]:
    """Opens one in a folder of its own."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        directory = OpenDirectory.open(Path(folder, "state"), clock, owner=True)
        parts = NodeParts(directory.state, directory.store, clock)
        components = Components(
            directory.store,
            vault=parts.vault,
            blobs=Blobs(directory.state.blobs),
            compiler=lambda: parts.compiler,
            clock=clock,
            folders=Folders(directory.state.components),
            ceilings={},
            groups={},
            kinds={},
            need_space=lambda: None,
        )
        try:
            await components.restore(start=False)
            yield Harbor(components, Path(folder))
        finally:
            await components.close()
            await parts.close_compiler()
            directory.close()
