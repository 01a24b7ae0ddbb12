"""A node with components, for tests: a state directory, a compiler, and folders as authors make them."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from runtime.blobs import Blobs
from runtime.clock import SystemClock
from runtime.components.components import Components
from runtime.components.folder import Folder, read_folder
from runtime.components.house import Folders
from runtime.components.installed import Installed
from runtime.components.installer import Install
from runtime.components.supervision import Group
from runtime.components.unit import Unit
from runtime.events import Event, Record
from runtime.journal import Journal
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir, prepare
from runtime.store import Store
from runtime.vault import Vault

E = TypeVar("E", bound=Event)

GUESTS = Path(__file__).parent / "guests"
DOER = (GUESTS / "doer.wasm").read_bytes()


def author(
    place: Path,
    more: str = "",
    *,
    namespace: str = "local",
    wasm: bytes = DOER,
    first: str = "",
    name: str = "doer",
) -> Folder:
    """The folder of a component that does what it is told.

    Args:
        place: where it is made.
        more: lines of its manifest.
        namespace: of its package.
        wasm: the component.
        first: lines that stand before its tables.
        name: what the component calls itself.
    """
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.wasm").write_bytes(wasm)
    (place / "Component.toml").write_text(
        f'schema = 1\n{first}[package]\nname = "{name}"\nnamespace = "{namespace}"\nversion = "1.0.0"\n[component]\n'
        f'file = "{name}.wasm"\nsha256 = "{hashlib.sha256(wasm).hexdigest()}"\n' + more
    )
    return folder(place)


def folder(place: Path) -> Folder:
    """Reads a folder."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return read_folder(descriptor)
    finally:
        os.close(descriptor)


class Node:
    """Components, and what happened to them."""

    def __init__(self, state: StateDir, store: Store, components: Components, place: Path) -> None:
        self.state = state
        self.store = store
        self.components = components
        self.happened: list[Event] = []
        self._place = place
        self._journal = Journal(store)
        self._loop, self._more = asyncio.get_running_loop(), asyncio.Event()
        self._journal.subscribe(0, self._take)

    async def install(
        self, more: str = "", *, namespace: str = "local", upgrade: bool = False, first: str = ""
    ) -> Installed:
        """Installs a doer; its name is `namespace/doer`."""
        made = author(self._place / namespace, more, namespace=namespace, first=first)
        return await self.components.install(Install(folder=made, upgrade=upgrade))

    async def running(self, more: str = "", *, namespace: str = "local") -> Unit:
        """Installs and starts a doer."""
        installed = await self.install(more, namespace=namespace)
        await self.components.start(installed.name)
        return self.components.unit(installed.name)

    async def runs(self, name: str) -> Unit:
        """Waits until one runs, however often it has to be started; one that is given up has failed the test."""
        unit = self.components.unit(name)
        life = await unit.until(lambda life: life.state in {"running", "given-up"})
        assert life.state == "running", unit.reason
        return unit

    async def told(self, name: str, operation: str, given: bytes = b"") -> object:
        """What an operation came back with, or how it ended."""
        ended = await self.components.execute(name, operation, given, 60_000, "test")
        return ended.value if ended.returned else ended.kind

    def heard(self, kind: type[E]) -> list[E]:
        """What happened of one kind, as far as it was written down."""
        self.store.write(lambda _: None).result(60)
        return [event for event in self.happened if isinstance(event, kind)]

    async def until_heard(self, kind: type[E], count: int = 1) -> list[E]:
        """Waits until so many of a kind have happened."""
        async with asyncio.timeout(60):
            while len(found := [event for event in self.happened if isinstance(event, kind)]) < count:
                self._more.clear()
                await self._more.wait()
        return found

    def _take(self, records: Sequence[Record]) -> None:
        self.happened.extend(record.event for record in records)
        with suppress(RuntimeError):  # the loop ended before the store
            self._loop.call_soon_threadsafe(self._more.set)


@asynccontextmanager
async def node(
    place: Path,
    compiler: Callable[[], Compiler],
    *,
    ceilings: Mapping[str, int] | None = None,
    groups: Mapping[str, Group] | None = None,
    need_space: Callable[[], None] = lambda: None,
    start: bool = True,
) -> AsyncIterator[Node]:
    """A node whose components end with it."""
    state = prepare(place / "state")
    store = Store.open(state.database, SystemClock(), owner=True)
    components = Components(
        store,
        vault=Vault.load_or_create(state),
        blobs=Blobs(state.blobs),
        compiler=compiler,
        clock=SystemClock(),
        folders=Folders(state.components),
        ceilings=ceilings or {},
        groups=groups or {},
        kinds={},
        need_space=need_space,
    )
    await components.restore(start=start)
    try:
        yield Node(state, store, components, place)
    finally:
        await components.close()
        store.close()
