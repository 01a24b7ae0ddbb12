"""What is stored of agents: sealed states, files of modules, rows, diagnostics."""

import asyncio
import hashlib
import json
import os
import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.agents.diagnostics import BYTES_KEPT, ROWS_KEPT, Diagnostics, Said
from runtime.agents.emission import Dropped
from runtime.agents.files import ModuleFiles
from runtime.agents.keys import AgentKey
from runtime.agents.limits import MAX_STATE_BYTES
from runtime.agents.records import find_record, read_record
from runtime.agents.state import (
    AgentStates,
    StateBrokenError,
    StateTooLargeError,
    delete_state,
    read_state,
    save_state,
    set_aside,
    state_sizes,
)
from runtime.agents.versions import read_versions
from runtime.columns import RowDamagedError
from runtime.errors import AmbiguousError, NotFoundError, RefusedError, UnavailableError
from runtime.events import CoreError
from runtime.schema import MIGRATIONS
from runtime.vault import SealBrokenError, Vault
from tests.hostile import agent
from tests.runtime.agents.world import ROOM, World, manifest

KEY = AgentKey(ROOM, "guest")
HASH = "00" * 32


class Rows(sqlite3.Connection):
    """A database that says where rows are as a transaction of the store does."""

    def execute_in(self, _room: str, sql: str, params: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.execute(sql.replace("{at}", "main"), params)


@pytest.fixture
def connection() -> Iterator[Rows]:
    made = sqlite3.connect(":memory:", factory=Rows)
    for script in MIGRATIONS:
        made.executescript(script)
    yield made
    made.close()


class TestStates:
    states = AgentStates(Vault(bytes(32)))

    @pytest.mark.parametrize("state", [b"", b"x", os.urandom(MAX_STATE_BYTES)], ids=["empty", "one", "largest"])
    def test_a_state_comes_back(self, connection: Rows, state: bytes) -> None:
        save_state(connection, self.states.seal(KEY, HASH, 7, state), 1)
        assert self.states.load(connection, KEY, HASH) == (state, 7)
        assert state_sizes(connection) == {KEY: len(state)}

    def test_none_is_none(self, connection: Rows) -> None:
        assert self.states.load(connection, KEY, HASH) is None
        assert set_aside(connection, KEY) == (0, "")

    def test_a_newer_one_takes_the_place_of_the_older(self, connection: Rows) -> None:
        for version in (1, 2):
            save_state(connection, self.states.seal(KEY, HASH, version, b"%d" % version), 1)
        assert self.states.load(connection, KEY, HASH) == (b"2", 2)

    def test_deleting_leaves_the_others(self, connection: Rows) -> None:
        other = AgentKey("cd" * 16, "guest")
        for key in (KEY, other):
            save_state(connection, self.states.seal(key, HASH, 1, key.room.encode()), 1)
        delete_state(connection, KEY)
        delete_state(connection, KEY)
        assert self.states.load(connection, KEY, HASH) is None
        assert self.states.load(connection, other, HASH) == (other.room.encode(), 1)

    def test_more_than_one_mebibyte_is_too_large(self) -> None:
        with pytest.raises(StateTooLargeError, match=r"Agent state exceeds max size \(1048576 bytes\)"):
            self.states.seal(KEY, HASH, 1, bytes(MAX_STATE_BYTES + 1))

    def test_the_same_state_is_sealed_differently_each_time(self) -> None:
        assert self.states.seal(KEY, HASH, 1, b"x").sealed != self.states.seal(KEY, HASH, 1, b"x").sealed

    @pytest.mark.parametrize("change", ["room = 'x'", "agent = 'x'", "hash = 'x'", "version = 2"])
    def test_w10_the_seal_binds_room_agent_hash_and_version(self, connection: Rows, change: str) -> None:
        save_state(connection, self.states.seal(KEY, HASH, 1, b"secret"), 1)
        connection.execute(f"UPDATE agent_state SET {change}")
        key = AgentKey("x" if "room" in change else KEY.room, "x" if "agent" in change else KEY.agent)
        with pytest.raises(StateBrokenError, match="the stored state cannot be opened"):
            self.states.load(connection, key, "x" if "hash" in change else HASH)

    @pytest.mark.parametrize("spoil", ["zeroblob(60)", "x''", "x'7b'", "substr(sealed, 1, 20)", "sealed || x'00'"])
    def test_what_was_tampered_with_does_not_open(self, connection: Rows, spoil: str) -> None:
        save_state(connection, self.states.seal(KEY, HASH, 1, b"secret"), 1)
        connection.execute(f"UPDATE agent_state SET sealed = {spoil}")
        with pytest.raises(StateBrokenError):
            self.states.load(connection, KEY, HASH)

    def test_what_does_not_open_is_kept_aside_once_and_goes_with_its_agent(self, connection: Rows) -> None:
        for key in (KEY, AgentKey(ROOM, "guest2")):
            save_state(connection, self.states.seal(key, HASH, 7, b"secret"), 1)
        connection.execute("UPDATE agent_state SET sealed = x'00'")
        version, name = set_aside(connection, KEY)
        assert (version, name) == (7, "guest!6e340b9c")
        assert set_aside(connection, KEY) == (version, name)
        save_state(connection, self.states.seal(KEY, HASH, 8, b"new"), 1)
        assert self.states.load(connection, KEY, HASH) == (b"new", 8)
        kept = "SELECT hash, version, sealed FROM agent_state WHERE agent = ?"
        assert connection.execute(kept, (name,)).fetchall() == [(HASH, 7, b"\0")]
        delete_state(connection, KEY)
        assert connection.execute("SELECT agent FROM agent_state").fetchall() == [("guest2",)]

    @pytest.mark.parametrize("value", ["'x'", "1.5", "x'00'", "9e99"])
    def test_a_version_that_is_no_number_is_a_damaged_row(self, connection: Rows, value: str) -> None:
        save_state(connection, self.states.seal(KEY, HASH, 1, b"secret"), 1)
        connection.execute(f"UPDATE agent_state SET version = {value}")
        for read in (read_state, set_aside):
            with pytest.raises(RowDamagedError, match=f"table `agent_state`, row {ROOM}:guest: `version` holds "):
                read(connection, KEY)

    def test_another_vault_does_not_open_it(self, connection: Rows) -> None:
        save_state(connection, self.states.seal(KEY, HASH, 1, b"secret"), 1)
        with pytest.raises(StateBrokenError):
            AgentStates(Vault(b"\1" * 32)).load(connection, KEY, HASH)

    def test_w10_a_state_in_the_originals_form_is_read(self, connection: Rows) -> None:
        seed, nonce = bytes(32), os.urandom(12)
        info = f"agent-state:{ROOM}:guest".encode()
        key = HKDF(algorithm=SHA256(), length=32, salt=b"weave-agent-state-v1", info=info).derive(seed)
        record = {"iv": nonce, "ciphertext": AESGCM(key).encrypt(nonce, b"from weave", None)}
        stored = json.dumps({name: b64encode(value).decode() for name, value in record.items()}).encode()
        connection.execute("INSERT INTO agent_state VALUES (?, ?, '', 3, 0, ?)", (*KEY, stored))
        assert self.states.load(connection, KEY, HASH) == (b"from weave", 3)
        connection.execute("UPDATE agent_state SET agent = 'other'")
        with pytest.raises(StateBrokenError):
            self.states.load(connection, AgentKey(ROOM, "other"), HASH)

    @pytest.mark.parametrize(
        "record", [b"{", b"{}", b'{"iv":"AA==","ciphertext":"AA=="}', b'{"iv":1,"ciphertext":2}', b'{"iv":"?"}']
    )
    def test_a_damaged_one_in_the_originals_form_does_not(self, connection: Rows, record: bytes) -> None:
        connection.execute("INSERT INTO agent_state VALUES (?, ?, '', 3, 0, ?)", (*KEY, record))
        with pytest.raises(StateBrokenError):
            self.states.load(connection, KEY, HASH)


class TestFiles:
    def test_a_module_lies_under_its_hash(self, tmp_path: Path) -> None:
        files = ModuleFiles(tmp_path / "modules")
        digest = files.put(b"wasm")
        assert (tmp_path / "modules" / "sha256" / digest[:2] / digest).read_bytes() == b"wasm"
        assert files.put(b"wasm") == digest
        assert files.read(digest) == b"wasm"

    def test_what_was_changed_is_not_read_and_is_mended_by_an_upload(self, tmp_path: Path) -> None:
        files = ModuleFiles(tmp_path)
        digest = files.put(b"wasm")
        path = tmp_path / "sha256" / digest[:2] / digest
        for content in (b"evil", b"", bytes(600_000)):
            path.write_bytes(content)
            with pytest.raises(RefusedError) as refused:
                files.read(digest)
            if len(content) < 600_000:
                got = hashlib.sha256(content).hexdigest()
                line = f"WASM hash mismatch at instantiation: expected {digest}, got {got}; upload it again"
                assert str(refused.value) == line
            files.put(b"wasm")
            assert files.read(digest) == b"wasm"

    def test_a_module_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(RefusedError, match="the stored module is gone"):
            ModuleFiles(tmp_path).read(HASH)

    def test_a_directory_or_a_link_is_no_module(self, tmp_path: Path) -> None:
        files = ModuleFiles(tmp_path)
        digest = files.put(b"wasm")
        path = tmp_path / "sha256" / digest[:2] / digest
        path.unlink()
        path.mkdir()
        with pytest.raises(RefusedError):
            files.read(digest)
        path.rmdir()
        path.symlink_to("/etc/hostname")
        with pytest.raises((RefusedError, UnavailableError)):
            files.read(digest)


class TestRecords:
    async def test_uploads_come_back_with_id_and_flags(self, world: World) -> None:
        uploaded = await world.upload("quiet", "echo", version="1.2")
        record = await world.modules.get(AgentKey(ROOM, "echo"))
        assert record == uploaded.record
        assert record.key.module_id == f"{ROOM}:echo"
        assert (record.active, record.builtin, record.mark, record.upload_no) == (False, False, "unsigned", 1)
        assert record.manifest.version == "1.2"
        assert record.size_bytes == len(agent("quiet"))
        assert record.uploaded_ms == world.clock.now_ms

    async def test_unknown_ones(self, world: World) -> None:
        assert await world.modules.list() == []
        with pytest.raises(NotFoundError, match=f"Module not found: {ROOM}:guest"):
            await world.modules.get(KEY)
        with pytest.raises(NotFoundError, match=f"Module not found: {ROOM}:guest"):
            await world.modules.set_active(KEY, active=True)
        with pytest.raises(NotFoundError, match=f"Module not found: {ROOM}:guest"):
            await world.modules.delete(KEY)
        with pytest.raises(NotFoundError):
            await world.modules.details(KEY)
        with pytest.raises(NotFoundError):
            await world.modules.grant(KEY, ())

    async def test_the_active_flag_persists(self, world: World) -> None:
        await world.upload("quiet")
        for active in (True, False):
            await world.modules.set_active(KEY, active=active)
            assert (await world.modules.get(KEY)).active is active

    async def test_five_modules_in_order_and_by_room(self, world: World) -> None:
        for name in ("e", "c", "a", "d", "b"):
            await world.upload("quiet", name)
        assert [one.key.agent for one in await world.modules.list()] == ["a", "b", "c", "d", "e"]
        assert len(await world.modules.list(ROOM)) == 5
        assert await world.modules.list("cd" * 16) == []
        assert len(list(world.state.modules.rglob("sha256/*/*"))) == 1

    async def test_a_module_that_two_agents_share_outlives_one_of_them(self, world: World) -> None:
        await world.run("quiet", "one")
        await world.run("quiet", "two")
        await world.executor.delete(AgentKey(ROOM, "one"))
        assert await world.restart() == 1

    async def test_versions_are_remembered_but_not_for_ever(self, world: World) -> None:
        for number in range(23):
            await world.upload("quiet", version=str(number))
        versions = world.store.read_now(lambda c: read_versions(c, KEY))
        assert [one.version for one in versions] == [str(number) for number in range(3, 23)]

    async def test_an_agent_is_found_by_name_beginning_and_id(self, world: World) -> None:
        for name in ("balance", "balances", "echo"):
            await world.upload("quiet", name)
        assert (await world.modules.find("balance")).key.agent == "balance"
        assert (await world.modules.find("echo", ROOM)).key.agent == "echo"
        assert (await world.modules.find(f"{ROOM}:echo")).key.agent == "echo"
        for reference in ("ech", "", "nothing", "\x1b[2J"):
            with pytest.raises(NotFoundError, match="no such agent"):
                await world.modules.find(reference)
        with pytest.raises(AmbiguousError, match=f"{ROOM}:balance, {ROOM}:balances"):
            await world.modules.find("balanc")
        with pytest.raises(NotFoundError):
            await world.modules.find("echo", "cd" * 16)

    def test_the_same_name_in_two_rooms_needs_the_room(self, connection: Rows) -> None:
        assert read_record(connection, KEY) is None
        with pytest.raises(NotFoundError):
            find_record([], "echo")


SPOILT = {
    "manifest = '{'": "`manifest` holds no JSON",
    "manifest = '[]'": "Invalid agent manifest: Manifest.name must be a string",
    "granted = '{}'": "`granted` is no list",
    "granted = 'x'": "`granted` holds no JSON",
    "hash = x'00'": "`hash` holds bytes, not a text",
    "hash = '../../../identity.key'": "`hash` is none",
    "builtin = 'yes'": "`builtin` holds a text, not a whole number",
    "upload_no = 1.5": "`upload_no` holds a fraction, not a whole number",
}


class TestDamagedRows:
    """One row that somebody changed must not take the others with it."""

    async def spoil(self, world: World, change: str) -> None:
        for name in ("balance", "guest"):
            await world.run("quiet", name)
        sql = f"UPDATE main.agents SET {change} WHERE agent = 'guest'"
        await asyncio.wrap_future(world.store.write(lambda tx: tx.execute(sql).rowcount))

    @pytest.mark.parametrize(("change", "said"), SPOILT.items())
    async def test_the_others_are_listed_and_start_and_the_damaged_one_is_told(
        self, world: World, change: str, said: str
    ) -> None:
        await self.spoil(world, change)
        assert [one.key.agent for one in await world.modules.list()] == ["balance"]
        rows = {row["agent"]: row for row in await world.rows()}
        assert rows["balance"]["state"] == "active"
        assert rows["guest"]["state"] == "damaged"
        assert set(rows["guest"]) == set(rows["balance"])
        assert f"table `agents`, row {ROOM}:guest: {said}" in rows["guest"]["problem"]
        world.records.clear()
        assert await world.restart() == 1
        (error,) = world.events(CoreError)
        assert error.where == f"agent {ROOM}:guest"
        assert error.error == rows["guest"]["problem"]
        with pytest.raises(RowDamagedError, match="delete the agent, or upload it again"):
            await world.executor.activate(KEY)

    @pytest.mark.parametrize("change", SPOILT)
    async def test_it_can_be_deleted(self, world: World, change: str) -> None:
        await self.spoil(world, change)
        await world.executor.delete((await world.modules.find("guest")).key)
        assert [row["agent"] for row in await world.rows()] == ["balance"]

    @pytest.mark.parametrize("change", SPOILT)
    async def test_it_can_be_uploaded_again(self, world: World, change: str) -> None:
        await self.spoil(world, change)
        uploaded = await world.upload("quiet")
        assert uploaded.record.upload_no == 2
        assert await world.modules.damaged() == ()
        await world.executor.activate(KEY)


class Seal:
    vault = Vault(bytes(32))

    def seal(self, room: str, plain: bytes, aad: bytes) -> bytes:
        return self.vault.seal(plain, room.encode() + aad)

    def open(self, room: str, sealed: bytes, aad: bytes) -> bytes:
        return self.vault.open(sealed, room.encode() + aad)


class TestDiagnostics:
    def test_everything_comes_back_harmless_and_in_order(self, connection: Rows) -> None:
        kept = Diagnostics(Seal())
        said = Said.of(log=["\x1b[2Jhello\n"], drops=[Dropped("no", {"a": 1})], notes=["note"], failure="trap")
        kept.add(connection, KEY, said, 5)
        kept.add(connection, KEY, Said.of(log=["second"]), 6)
        kept.add(connection, AgentKey(ROOM, "other"), Said.of(log=["other"]), 6)
        entries = kept.read(connection, KEY)
        assert [(one.ts_ms, one.kind) for one in entries] == [
            (5, "log"),
            (5, "drop"),
            (5, "note"),
            (5, "failure"),
            (6, "log"),
        ]
        assert all(one.text.isprintable() for one in entries)
        assert entries[1].event == '{"a":1}'

    def test_nothing_is_no_row(self, connection: Rows) -> None:
        Diagnostics(Seal()).add(connection, KEY, Said(), 5)
        assert connection.execute("SELECT count(*) FROM agent_diagnostics").fetchone() == (0,)

    def test_w9_the_ring_is_bounded_by_rows_and_by_bytes(self, connection: Rows) -> None:
        kept = Diagnostics(Seal())
        for number in range(ROWS_KEPT + 100):
            kept.add(connection, KEY, Said.of(log=[str(number)]), number)
        entries = kept.read(connection, KEY)
        assert ROWS_KEPT <= len(entries) <= ROWS_KEPT + 16
        assert entries[-1].text == str(ROWS_KEPT + 99)
        for number in range(60):
            kept.add(connection, KEY, Said.of(log=["x" * 2000] * 64), number)
        (size,) = connection.execute("SELECT sum(length(sealed)) FROM agent_diagnostics").fetchone()
        assert size < BYTES_KEPT + 16 * 140_000
        kept.forget(KEY)
        kept.forget(KEY)

    def test_a_row_that_does_not_open_says_so(self, connection: Rows) -> None:
        kept = Diagnostics(Seal())
        kept.add(connection, KEY, Said.of(log=["x"]), 5)
        connection.execute("UPDATE agent_diagnostics SET ts_ms = 6")
        (entry,) = kept.read(connection, KEY)
        assert entry.kind == "note"
        assert "cannot be opened" in entry.text
        with pytest.raises(SealBrokenError):
            Seal().open("x", b"", b"")


async def test_a_refused_module_is_compiled_by_nobody_and_kept_nowhere(world: World) -> None:
    invalid = agent("trap_tick").replace(b"\x03\x00\x00\x0b", b"\x03\x00\xff\x0b")
    with pytest.raises(RefusedError, match=r"Invalid WASM binary \(Invalid WASM module\)"):
        await world.upload(invalid)
    assert not world.state.modules.exists()
    assert await asyncio.wrap_future(world.store.read(lambda c: read_record(c, KEY))) is None
    assert manifest(invalid).name == "guest"
