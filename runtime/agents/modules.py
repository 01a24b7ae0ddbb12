"""The module store: uploads, checked and compiled before anything is kept; versions; grants; what is stored of agents.

It knows nothing of running agents: `runtime.agents.executor` stops them before their modules change. Core loop only.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runtime.agents.binary import BinaryRefusedError, check_binary, invalid_binary
from runtime.agents.breaker import CLOSED, Breaker
from runtime.agents.diagnostics import Diagnostics, RoomSeal
from runtime.agents.files import ModuleFiles
from runtime.agents.keys import AgentKey, Connection
from runtime.agents.manifest import Permission
from runtime.agents.records import (
    AgentRecord,
    DamagedAgent,
    StoredAgent,
    delete_record,
    find_record,
    newest_upload,
    read_agent,
    read_agents,
    read_breaker,
    read_breakers,
    read_record,
    read_records,
    read_versions,
    save_breaker,
    save_record,
    set_active,
    set_granted,
)
from runtime.agents.state import delete_state, state_sizes
from runtime.agents.uploads import ModuleDetails, Upload, Uploaded, names, new_record, uploaded_events
from runtime.errors import NotFoundError, RefusedError, UsageError
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

if TYPE_CHECKING:
    import wasmtime

__all__ = ["AgentModules", "ModuleDetails", "Upload", "Uploaded"]

_T = TypeVar("_T")


class AgentModules:
    """Stored agents.

    Args:
        store: their rows.
        folder: their modules, `modules` of the state directory.
        seal: of the rooms; keeps what they said.
        compiler: judges candidates, and makes code of what passed.
    """

    def __init__(self, store: Store, folder: Path, seal: RoomSeal, compiler: Compiler) -> None:
        self.store = store
        self.files = ModuleFiles(folder)
        self.diagnostics = Diagnostics(seal)
        self._compiler = compiler

    def compile(self, wasm: bytes) -> "wasmtime.Module":
        """Compiles a module, in a child with limits, or finds it compiled; blocks.

        Args:
            wasm: passed `check_binary`.

        Returns:
            Code for the agents' engine.

        Raises:
            BinaryRefusedError: it is invalid, or too costly to compile.
            UnavailableError: the host could not compile it.
        """
        try:
            return self._compiler.module("agent", wasm, agent_engine())
        except ModuleRefusedError as error:
            raise invalid_binary(error) from None

    # --- reading ----------------------------------------------------------------------------------------------------

    async def list(self, room: str | None = None) -> list[AgentRecord]:
        """All agents that can be read, or those of one room, by room and name.

        Args:
            room: its id.

        Returns:
            The records.
        """
        return await self._read(lambda connection: read_records(connection, room))

    async def damaged(self) -> tuple[DamagedAgent, ...]:
        """The agents whose rows cannot be read.

        Returns:
            What is known of them.
        """
        found = await self._read(read_agents)
        return tuple(one for one in found if isinstance(one, DamagedAgent))

    async def get(self, key: AgentKey) -> AgentRecord:
        """One agent.

        Args:
            key: whose.

        Returns:
            The record.

        Raises:
            NotFoundError: there is none.
            RowDamagedError: its row cannot be read.
        """
        record = await self._read(lambda connection: read_record(connection, key))
        if record is None:
            raise NotFoundError(f"Module not found: {key.module_id}")
        return record

    async def find(self, reference: str, room: str | None = None) -> StoredAgent:
        """The agent that a person means, be it damaged.

        Args:
            reference: its name, or a unique beginning of at least four characters.
            room: id of the room that it is in, if that was said.

        Returns:
            What is stored of it.

        Raises:
            NotFoundError: none fits.
            AmbiguousError: several fit.
        """
        return find_record(await self._read(lambda connection: read_agents(connection, room)), reference)

    async def breakers(self) -> dict[AgentKey, Breaker]:
        """The breakers that have seen a failure.

        Returns:
            By agent.
        """
        return await self._read(read_breakers)

    async def breaker(self, key: AgentKey) -> Breaker:
        """The breaker of an agent.

        Args:
            key: whose.

        Returns:
            A closed one when nothing is known of it.
        """
        return await self._read(lambda connection: read_breaker(connection, key))

    async def details(self, key: AgentKey) -> ModuleDetails:
        """Everything that is stored of an agent.

        Args:
            key: whose.

        Returns:
            The details.

        Raises:
            NotFoundError: there is none.
        """

        def query(connection: Connection) -> ModuleDetails | None:
            record = read_record(connection, key)
            if record is None:
                return None
            return ModuleDetails(
                record=record,
                versions=tuple(read_versions(connection, key)),
                breaker=read_breaker(connection, key),
                entries=tuple(self.diagnostics.read(connection, key)),
                state_bytes=state_sizes(connection).get(key, 0),
            )

        found = await self._read(query)
        if found is None:
            raise NotFoundError(f"Module not found: {key.module_id}")
        return found

    # --- changing ---------------------------------------------------------------------------------------------------

    async def check(self, upload: Upload) -> tuple[str, ...]:
        """Everything that can refuse an upload, compilation included; nothing is kept.

        Args:
            upload: the candidate.

        Returns:
            Warnings.

        Raises:
            BinaryRefusedError: the module does not pass; a note of it is in the journal.
            UsageError: more is granted than the manifest asks for.
            RefusedError: the name belongs to an agent of the other kind, built-in or not.
            UnavailableError: the host could not compile it.
        """
        beyond = [one.value for one in upload.granted if one not in upload.manifest.permissions]
        if beyond:
            raise UsageError(f"the manifest does not ask for {', '.join(beyond)}")
        before = await self._read(lambda connection: read_agent(connection, upload.key))
        if isinstance(before, AgentRecord) and before.builtin != upload.builtin:
            whose = "a built-in agent" if before.builtin else "an agent that was uploaded"
            raise RefusedError(f"the room has {whose} of this name", where=upload.key.agent, hint="choose another name")
        try:
            checked = await asyncio.to_thread(check_binary, upload.wasm, upload.manifest)
            await asyncio.to_thread(self.compile, upload.wasm)
        except BinaryRefusedError as error:
            event = AgentRefused(room=upload.room, name=upload.key.agent, check=error.check, reason=error.why)
            self.store.emit(event)
            raise
        return checked.warnings

    async def save(self, upload: Upload, warnings: tuple[str, ...] = ()) -> Uploaded:
        """Keeps an upload that passed `check`. The agent is off afterwards, and must not run when this is called.

        A breaker is closed by it; a state is kept only if the module is the same as before.

        Args:
            upload: what to keep.
            warnings: of `check`.

        Returns:
            What was stored.

        Raises:
            UnavailableError: it cannot be written; then everything is as it was.
        """
        digest = await asyncio.to_thread(self.files.put, upload.wasm)

        def work(tx: Transaction) -> tuple[AgentRecord, str]:
            before = read_agent(tx, upload.key)
            self.files.put(upload.wasm)  # a deletion in between may have taken it
            record = new_record(upload, digest, tx.now_ms, newest_upload(tx, upload.key) + 1)
            breaker = read_breaker(tx, upload.key)
            save_record(tx, record)
            save_breaker(tx, upload.key, CLOSED)
            if before is not None and before.hash != digest:
                delete_state(tx, upload.key)
            for event in uploaded_events(upload, record, before, breaker):
                tx.emit(event)
            return record, "" if before is None or before.hash == digest else before.hash

        record, unused = await self._write(work)
        if unused:
            await self._write(lambda tx: self.files.sweep(tx, unused))
        return Uploaded(record=record, warnings=warnings, versions=record.upload_no)

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
        beyond = [one.value for one in granted if one not in record.manifest.permissions]
        if beyond:
            raise UsageError(f"the manifest does not ask for {', '.join(beyond)}")
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

        def work(tx: Transaction) -> None:
            delete_record(tx, key)
            if record.active:
                tx.emit(AgentDeactivated(room=key.room, agent=key.agent, reason="deleted"))
            tx.emit(AgentDeleted(room=key.room, agent=key.agent))

        await self._write(work)
        self.diagnostics.forget(key)
        if record.hash:
            await self._write(lambda tx: self.files.sweep(tx, record.hash))

    async def _read(self, query: Callable[[Connection], _T]) -> _T:
        return await asyncio.wrap_future(self.store.read(query))

    async def _write(self, work: Callable[[Transaction], _T]) -> _T:
        return await asyncio.wrap_future(self.store.write(work))
