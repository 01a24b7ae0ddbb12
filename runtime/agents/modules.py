"""The module store: uploads, judged and compiled before anything is kept; versions; grants; what is stored of agents.

It knows nothing of running agents: `runtime.agents.executor` stops them before their modules change. Core loop only.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runtime.agents.binary import BinaryRefusedError, check_binary, invalid_binary
from runtime.agents.diagnostics import Diagnostics, RoomSeal
from runtime.agents.exchange import exchange, kept_version
from runtime.agents.files import ModuleBytes, ModuleFiles, ModulesInMemory
from runtime.agents.keys import AgentKey, Connection
from runtime.agents.manifest import Permission
from runtime.agents.records import (
    AgentRecord,
    StoredAgent,
    delete_record,
    newest_upload,
    read_agent,
    read_agents,
    set_active,
    set_granted,
)
from runtime.agents.shelf import ModuleShelf
from runtime.agents.signature import SignatureRefusedError
from runtime.agents.state import AgentStates
from runtime.agents.trust import SHIPPED, Demand, Required, Verdict, admit, judge, recheck, rests_on_keys
from runtime.agents.trusted_keys import TrustedKeys, read_keys
from runtime.agents.uploads import (
    ModuleDetails,
    Upload,
    Uploaded,
    beyond_asked,
    names,
    new_record,
    settled_grants,
)
from runtime.agents.versions import forget_content, remember, version_hashes
from runtime.blobs import GRACE_MS
from runtime.errors import NotFoundError, RefusedError
from runtime.events import (
    AgentDeactivated,
    AgentDeleted,
    AgentGranted,
    AgentRefused,
    Event,
)
from runtime.sandbox.compile import Compiler
from runtime.sandbox.engine import agent_engine
from runtime.sandbox.errors import ModuleRefusedError
from runtime.store import Store, Transaction
from runtime.vault import Vault

if TYPE_CHECKING:
    import wasmtime

__all__ = ["AgentModules", "ModuleDetails", "Upload", "Uploaded"]

_T = TypeVar("_T")


class _OnlyALookError(Exception):
    """Takes back what a transaction did, once it was seen."""

    def __init__(self, done: Uploaded) -> None:
        super().__init__()
        self.done = done


class AgentModules(ModuleShelf):
    """Stored agents.

    Args:
        store: their rows.
        folder: their modules, `modules` of the state directory.
        seal: of the rooms; keeps what they said.
        compiler: judges candidates, and makes code of what passed.
        vault: seals what waits with older versions.
        required: says what a room wants of uploads; by default, that somebody whom it trusts vouches for them.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        seal: RoomSeal,
        compiler: Compiler,
        vault: Vault,
        *,
        required: Required = lambda _: Demand(),
    ) -> None:
        super().__init__(store, Diagnostics(seal))
        self.files = ModuleFiles(folder)
        self.keys = TrustedKeys(store)
        self._compiler = compiler
        self._states = AgentStates(vault)
        self._required = required

    def bytes_in(self, room: str) -> ModuleBytes:
        """Where the modules of a room are.

        Args:
            room: its id.
        """
        return ModulesInMemory(self.store, room) if self.store.in_memory(room) else self.files

    def compile(self, room: str, wasm: bytes) -> "wasmtime.Module":
        """Compiles a module, in a child with limits, or finds it compiled; blocks.

        Args:
            room: in which it is to run.
            wasm: passed `check_binary`.

        Returns:
            Code for the agents' engine.

        Raises:
            BinaryRefusedError: it is invalid, or too costly to compile.
            UnavailableError: the host could not compile it.
        """
        try:
            return self._compiler.module("agent", wasm, agent_engine(), keep=self.bytes_in(room).on_disk)
        except ModuleRefusedError as error:
            raise invalid_binary(error) from None

    async def check(self, upload: Upload) -> tuple[str, ...]:
        """Everything that can refuse an upload, compilation included; nothing is kept.

        Args:
            upload: the candidate.

        Returns:
            Warnings.

        Raises:
            BinaryRefusedError: the module does not pass; a note of it is in the journal.
            SignatureRefusedError: nobody vouches for it; as well.
            UsageError: more is granted than the manifest asks for.
            RefusedError: the name belongs to an agent of the other kind, built-in or not.
            UnavailableError: the host could not compile it.
        """
        beyond_asked(upload.granted or (), upload.manifest)
        before = await self._read(lambda connection: read_agent(connection, upload.key))
        settled_grants(upload, before)
        if isinstance(before, AgentRecord) and before.builtin != upload.builtin:
            whose = "a built-in agent" if before.builtin else "an agent that was uploaded"
            raise RefusedError(f"the room has {whose} of this name", where=upload.key.agent, hint="choose another name")
        try:
            checked = await asyncio.to_thread(check_binary, upload.wasm, upload.manifest)
            demand = await asyncio.to_thread(self._required, upload.room)
            verdict = await self._read(lambda connection: self._vouched(connection, upload, demand))
            await asyncio.to_thread(self.compile, upload.room, upload.wasm)
        except (BinaryRefusedError, SignatureRefusedError) as error:
            check = error.check if isinstance(error, BinaryRefusedError) else "signature"
            event = AgentRefused(room=upload.room, name=upload.key.agent, check=check, reason=error.why)
            self.store.emit(event)
            raise
        return (*checked.warnings, *([verdict.warning] if verdict.warning else ()))

    async def save(self, upload: Upload, warnings: tuple[str, ...] = ()) -> Uploaded:
        """Keeps an upload that passed `check`. The agent is off afterwards, and must not run when this is called.

        A breaker is closed by it; the version before stays, with what it was granted and its state.

        Args:
            upload: what to keep.
            warnings: of `check`.

        Returns:
            What was stored.

        Raises:
            SignatureRefusedError: a key was distrusted since.
            UnavailableError: it cannot be written; then everything is as it was.
        """
        modules = self.bytes_in(upload.room)
        digest = await asyncio.to_thread(modules.put, upload.wasm)
        demand = await asyncio.to_thread(self._required, upload.room)

        def work(tx: Transaction) -> tuple[Uploaded, tuple[str, ...]]:
            verdict = self._vouched(tx, upload, demand)
            before = read_agent(tx, upload.key)
            modules.secure(tx, upload.wasm)
            number = newest_upload(tx, upload.key) + 1
            granted = settled_grants(upload, before)
            record = new_record(upload, digest, now_ms=tx.now_ms, number=number, mark=verdict.mark, granted=granted)
            done = exchange(tx, self._states, before, record, by=upload.by, keep_state=upload.keep_state)
            remember(tx, record)
            unused = forget_content(tx, upload.key, number)
            return replace(done, warnings=(*warnings, *done.warnings), versions=number), unused

        uploaded, unused = await self._write(work)
        await self._sweep(modules, unused)
        return uploaded

    async def check_roll_back(self, key: AgentKey, reference: str | None) -> None:
        """Everything that can refuse to put an older version in the place of the present one; nothing is changed.

        Args:
            key: whose.
            reference: the text of its version, or the number of its upload; None for the one before the present.

        Raises:
            NotFoundError: there is no such agent, or no such version that was kept.
            AmbiguousError: several versions fit.
            RefusedError: its module is gone or was changed, or those who vouched for it do so no more.
        """
        await self._read(lambda connection: kept_version(connection, self.bytes_in(key.room), key, reference))

    async def roll_back(
        self, key: AgentKey, reference: str | None, *, by: str, keep_state: bool, preview: bool = False
    ) -> Uploaded:
        """Puts an older version in the place of the present one, which stays. The agent must not run.

        Module, manifest and grants are those of then, and so is the state, unless both versions share theirs.

        Args:
            key: whose.
            reference: as in `check_roll_back`.
            by: who does it.
            keep_state: the older module goes on with the present state.
            preview: only look: nothing is changed, nobody is told, and the agent may run.

        Returns:
            What is stored now, or would be.

        Raises:
            OrlopError: as `check_roll_back`, or it cannot be written; then everything is as it was.
        """

        def work(tx: Transaction) -> Uploaded:
            before, record, waiting = kept_version(tx, self.bytes_in(key.room), key, reference)
            done = exchange(
                tx, self._states, before, record, by=by, keep_state=keep_state, waiting=waiting, rolled_back=True
            )
            if preview:
                raise _OnlyALookError(done)
            return done

        try:
            return await self._write(work)
        except _OnlyALookError as seen:
            return seen.done

    async def vouched(self, record: AgentRecord) -> None:
        """Looks again, before an agent starts, whether those who vouched for it still do.

        Args:
            record: as stored.

        Raises:
            RefusedError: they do not; or its manifest is not that of its module.
        """
        keys = await self.keys.list(record.key.room) if rests_on_keys(record) else ()
        recheck(record, keys)

    @staticmethod
    def _vouched(connection: Connection, upload: Upload, demand: Demand) -> Verdict:
        """Who vouches for an upload, if that is enough for its room."""
        verdict = judge(upload.manifest, read_keys(connection, upload.room))
        if upload.builtin and verdict.mark != SHIPPED:
            raise SignatureRefusedError("only what is part of orlop is built in", where=upload.key.agent)
        admit(verdict, demand, unsigned=upload.unsigned)
        return verdict

    async def set_active(self, key: AgentKey, *, active: bool, event: Event | None = None) -> None:
        """Stores whether an agent is started with the program.

        Args:
            key: whose.
            active: the flag.
            event: what is said about it.

        Raises:
            NotFoundError: there is no such agent.
        """

        def work(tx: Transaction) -> None:
            set_active(tx, key, active=active)
            if event is not None:
                tx.emit(event)

        await self._write(work)

    async def grant(self, key: AgentKey, granted: tuple[Permission, ...], *, by: str = "operator") -> AgentRecord:
        """Sets what an agent may do, to exactly these permissions.

        Args:
            key: whose.
            granted: a subset of the manifest's.
            by: who grants.

        Returns:
            The record afterwards.

        Raises:
            NotFoundError: there is no such agent.
            UsageError: the manifest does not ask for one of them.
        """
        record = await self.get(key)
        beyond_asked(granted, record.manifest)
        ordered = tuple(permission for permission in Permission if permission in granted)

        def work(tx: Transaction) -> None:
            set_granted(tx, key, ordered)
            tx.emit(AgentGranted(room=key.room, agent=key.agent, permissions=names(ordered), by=by))

        await self._write(work)
        return replace(record, granted=ordered)

    async def check_deletable(self, key: AgentKey) -> StoredAgent:
        """Whether an agent may be deleted; one that is damaged always may.

        Args:
            key: whose.

        Returns:
            What is stored of it.

        Raises:
            NotFoundError: there is no such agent.
            RefusedError: it is built in.
        """
        record = await self._read(lambda connection: read_agent(connection, key))
        if record is None:
            raise NotFoundError(f"Module not found: {key.module_id}")
        if isinstance(record, AgentRecord) and record.builtin:
            raise RefusedError("built-in agents cannot be deleted", where=key.agent, hint="deactivate it instead")
        return record

    async def delete(self, key: AgentKey) -> None:
        """Deletes an agent with its module, versions, breaker, state and diagnostics. It must not run.

        Args:
            key: whose.

        Raises:
            NotFoundError: there is no such agent.
            RefusedError: it is built in.
            UnavailableError: the host could not store it.
        """
        record = await self.check_deletable(key)

        def work(tx: Transaction) -> tuple[str, ...]:
            hashes = version_hashes(tx, key)
            delete_record(tx, key)
            if record.active:
                tx.emit(AgentDeactivated(room=key.room, agent=key.agent, reason="deleted"))
            tx.emit(AgentDeleted(room=key.room, agent=key.agent))
            return hashes

        hashes = await self._write(work)
        self.diagnostics.forget(key)
        await self._sweep(self.bytes_in(key.room), (*hashes, record.hash) if record.hash else hashes)

    async def wipe(self, room: str) -> None:
        """Deletes all agents of a room of which nothing is kept. None may run.

        Args:
            room: its id.

        Raises:
            UnavailableError: the host could not store it.
        """

        def work(tx: Transaction) -> None:
            for record in read_agents(tx, room):
                delete_record(tx, record.key)
                tx.emit(AgentDeleted(room=room, agent=record.key.agent))
            tx.execute_in(room, "DELETE FROM {at}.agent_modules WHERE room = ?", (room,))

        await self._write(work)

    async def collect(self) -> None:
        """Removes modules that no agent and no version leads to, such as one whose upload died; an hour old at least.

        Raises:
            UnavailableError: the store cannot be read.
        """
        before_ms = self.store.clock.wall_ms() - GRACE_MS
        await self._sweep(self.files, await asyncio.to_thread(self.files.older_than, before_ms))

    async def _sweep(self, modules: ModuleBytes, hashes: Sequence[str]) -> None:
        for digest in hashes:
            await self._write(partial(modules.sweep, digest=digest))

    async def _write(self, work: Callable[[Transaction], _T]) -> _T:
        return await asyncio.wrap_future(self.store.write(work))
