"""Updates and roll-back: what an update leaves behind, whose state the next module finds, and when files go."""

import asyncio
import json
import os
import struct
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.agents.keys import AgentKey
from runtime.agents.manifest import Permission, parse_manifest
from runtime.agents.signature import sign_manifest
from runtime.agents.state import AgentStates, StateBrokenError, StoredState, read_state
from runtime.agents.uploads import Upload, Uploaded
from runtime.agents.versions import KEPT
from runtime.columns import RowDamagedError
from runtime.errors import AmbiguousError, NotFoundError, RefusedError
from runtime.events import AgentDeactivated, AgentRollback, BreakerClosed
from runtime.identity import Identity
from runtime.store import Transaction
from runtime.vault import Vault
from tests.hostile import agent
from tests.runtime.agents.world import ALL, ROOM, World, manifest

KEY = AgentKey(ROOM, "guest")
READS, _, _, KEEPS = Permission


def counts(version: int) -> bytes:
    """A module that counts its ticks in its state; each version is another module."""
    name = b"v%d" % version
    return agent("counts_ticks") + bytes([0, len(name) + 1, len(name)]) + name


async def upload(world: World, version: int, **options: Any) -> Uploaded:
    fields = {name: options.pop(name) for name in ("stateVersion", "permissions") if name in options}
    wasm = counts(version)
    described = manifest(wasm, version=f"{version}.0", **fields)
    given: dict[str, Any] = {"granted": ALL, "unsigned": True} | options
    return await world.executor.upload(Upload(room=ROOM, wasm=wasm, manifest=described, **given))


async def ticked(world: World, times: int) -> int:
    """Starts the agent, lets it tick, stops it; what it has counted."""
    await world.executor.activate(KEY)
    await world.tick(times)
    await world.executor.deactivate(KEY)
    return await count(world)


async def count(world: World) -> int:
    state = await world.kept(KEY)
    return 0 if state is None else struct.unpack("<I", state)[0]


def files(world: World) -> int:
    return len(list(world.state.modules.rglob("sha256/*/*")))


async def listed(world: World) -> dict[int, tuple[str, bool, bool]]:
    shown = (await world.show(KEY))["versions"]
    return {one["upload_no"]: (one["version"], one["kept"], one["present"]) for one in shown}


class TestState:
    async def test_w10_another_module_does_not_see_the_state(self, world: World) -> None:
        await upload(world, 1)
        assert await ticked(world, 3) == 3
        done = await upload(world, 2)
        assert done.change is not None
        assert done.change.state == "set aside"
        assert await ticked(world, 1) == 1

    async def test_w10_the_same_module_keeps_its_state(self, world: World) -> None:
        await upload(world, 1)
        assert await ticked(world, 3) == 3
        done = await upload(world, 1, granted=(READS, KEEPS))
        assert done.change is not None
        assert done.change.state == "kept"
        assert await ticked(world, 1) == 4

    async def test_w10_the_same_state_version_goes_on_with_the_state_sealed_for_the_new_module(
        self, world: World
    ) -> None:
        await upload(world, 1, stateVersion=7)
        assert await ticked(world, 3) == 3
        done = await upload(world, 2, stateVersion=7)
        assert done.change is not None
        assert done.change.state == "kept"
        stored = world.store.read_now(lambda connection: read_state(connection, KEY))
        assert stored is not None
        assert stored.hash == done.record.hash
        assert await ticked(world, 2) == 5

    @pytest.mark.parametrize(("before", "after"), [(1, 2), (1, None), (None, 1)])
    async def test_w10_another_state_version_does_not(
        self, world: World, before: int | None, after: int | None
    ) -> None:
        await upload(world, 1, **({} if before is None else {"stateVersion": before}))
        assert await ticked(world, 2) == 2
        await upload(world, 2, **({} if after is None else {"stateVersion": after}))
        assert await count(world) == 0

    async def test_w10_the_operator_may_say_that_the_state_goes_on(self, world: World) -> None:
        await upload(world, 1)
        assert await ticked(world, 2) == 2
        await upload(world, 2, keep_state=True)
        assert await ticked(world, 1) == 3

    async def test_w10_another_signer_does_not_get_the_state_by_saying_the_same_version(self, world: World) -> None:
        mara, ivo = Identity(b"\1" * 32), Identity(b"\2" * 32)
        for key in (mara, ivo):
            await world.modules.keys.trust(ROOM, key.public_hex, "")

        async def put(number: int, key: Identity) -> None:
            described = parse_manifest(sign_manifest(manifest(counts(number), stateVersion=1), key))
            await world.executor.upload(Upload(room=ROOM, wasm=counts(number), manifest=described, granted=ALL))

        await put(1, mara)
        assert await ticked(world, 2) == 2
        await put(2, mara)
        assert await count(world) == 2
        await put(3, ivo)
        assert await count(world) == 0

    async def test_w10_a_state_does_not_open_for_another_module(self, world: World) -> None:
        done = await upload(world, 1)
        assert await ticked(world, 1) == 1
        states = AgentStates(world.vault)
        assert world.store.read_now(lambda connection: states.load(connection, KEY, done.record.hash)) is not None
        with pytest.raises(StateBrokenError, match="that of another module"):
            world.store.read_now(lambda connection: states.load(connection, KEY, "00" * 32))

    async def test_w10_a_state_in_the_originals_form_goes_on_and_comes_back(self, world: World) -> None:
        done = await upload(world, 1)
        nonce = os.urandom(12)
        key = world.vault.subkey(f"agent-state:{KEY.module_id}", salt=b"weave-agent-state-v1")
        sealed = AESGCM(key).encrypt(nonce, struct.pack("<I", 40), None)
        record = {name: b64encode(value).decode() for name, value in (("iv", nonce), ("ciphertext", sealed))}

        def plant(tx: Transaction) -> None:
            tx.execute("INSERT INTO main.agent_state VALUES (?, ?, '', 3, 0, ?)", (*KEY, json.dumps(record).encode()))

        await asyncio.wrap_future(world.store.write(plant))
        await upload(world, 2)
        assert await count(world) == 0
        await world.executor.roll_back(KEY)
        assert await ticked(world, 1) == 41
        assert (await world.modules.get(KEY)).hash == done.record.hash


class TestRollback:
    async def test_w10_module_manifest_grants_and_state_come_back(self, world: World) -> None:
        first = await upload(world, 1, granted=(KEEPS,))
        assert await ticked(world, 3) == 3
        await upload(world, 2, permissions=[KEEPS.value, READS.value], granted=(READS, KEEPS))
        assert await ticked(world, 5) == 5
        done = await world.executor.roll_back(KEY)
        assert done.record == first.record
        assert done.change is not None
        assert (done.change.state, done.change.lost) == ("restored", (READS,))
        assert await ticked(world, 1) == 4
        again = await world.executor.roll_back(KEY, "2.0")
        assert again.record.granted == (READS, KEEPS)
        assert await ticked(world, 1) == 6

    async def test_w10_a_version_that_shares_the_state_goes_on_with_it(self, world: World) -> None:
        await upload(world, 1, stateVersion=1)
        assert await ticked(world, 3) == 3
        await upload(world, 2, stateVersion=1)
        assert await ticked(world, 2) == 5
        done = await world.executor.roll_back(KEY)
        assert done.change is not None
        assert done.change.state == "kept"
        assert await ticked(world, 1) == 6

    async def test_w10_the_operator_may_keep_the_present_state(self, world: World) -> None:
        await upload(world, 1)
        assert await ticked(world, 3) == 3
        await upload(world, 2)
        assert await ticked(world, 7) == 7
        await world.executor.roll_back(KEY, keep_state=True)
        assert await ticked(world, 1) == 8

    async def test_it_is_off_afterwards_its_breaker_closed_and_that_is_told(self, world: World) -> None:
        await world.run("quiet")
        await world.run("trap_tick")
        await world.tick(3)
        assert (await world.row(KEY))["state"] == "tripped"
        world.records.clear()
        await world.executor.roll_back(KEY)
        row = await world.row(KEY)
        assert (row["state"], row["failures"]) == ("off", 0)
        await world.idle()
        (told,) = world.events(AgentRollback)
        assert (told.agent, told.hash) == ("guest", row["hash"])
        assert [one.by for one in world.events(BreakerClosed)] == ["rollback"]
        await world.executor.activate(KEY)
        await world.tick()
        assert (await world.row(KEY))["state"] == "active"

    async def test_one_that_runs_is_stopped(self, world: World) -> None:
        await upload(world, 1)
        await upload(world, 2)
        await world.executor.activate(KEY)
        await world.executor.roll_back(KEY)
        await world.idle()
        assert [one.reason for one in world.events(AgentDeactivated)] == ["rollback"]
        assert (await world.row(KEY))["state"] == "off"
        assert await world.restart() == 0

    @pytest.mark.parametrize("keep_state", [False, True])
    async def test_w10_a_preview_says_what_would_change_and_changes_nothing(
        self, world: World, keep_state: bool
    ) -> None:
        await upload(world, 1, granted=(KEEPS,))
        assert await ticked(world, 3) == 3
        await upload(world, 2)
        assert await ticked(world, 5) == 5
        await world.executor.activate(KEY)
        before = await world.show(KEY)
        await world.idle()
        world.records.clear()
        seen = await world.modules.roll_back(KEY, None, by="operator", keep_state=keep_state, preview=True)
        await world.idle()
        assert world.records == []
        assert await world.show(KEY) == before
        assert (await world.row(KEY))["state"] == "active"
        done = await world.executor.roll_back(KEY, keep_state=keep_state)
        assert (done.record, done.versions, done.warnings) == (seen.record, seen.versions, seen.warnings)
        assert seen.change is not None
        assert done.change is not None
        assert (seen.change.state, seen.change.lost) == (done.change.state, done.change.lost)
        assert seen.change.state == ("kept" if keep_state else "restored")

    async def test_the_grants_that_count_are_those_when_it_was_replaced(self, world: World) -> None:
        await upload(world, 1)
        await world.executor.grant(KEY, (READS,))
        await upload(world, 2)
        assert (await world.executor.roll_back(KEY)).record.granted == (READS,)

    async def test_versions_are_named_by_text_or_number(self, world: World) -> None:
        for version in (1, 2, 1, 3):
            await upload(world, version)
        assert await listed(world) == {
            1: ("1.0", False, False),
            2: ("2.0", True, False),
            3: ("1.0", True, False),
            4: ("3.0", True, True),
        }
        assert (await world.executor.roll_back(KEY, "2.0")).record.upload_no == 2
        assert (await world.executor.roll_back(KEY, "3")).record.upload_no == 3
        assert (await world.executor.roll_back(KEY)).record.upload_no == 2
        await world.executor.activate(KEY)
        for reference, said in ((None, "no version before"), ("9.9", "no such version"), ("1", "not kept any more")):
            with pytest.raises(NotFoundError, match=said):
                await world.executor.roll_back(KEY, reference)
        assert (await world.row(KEY))["state"] == "active"
        assert (await upload(world, 5)).record.upload_no == 5

    async def test_a_text_that_fits_several_versions_is_ambiguous(self, world: World) -> None:
        for version, asks in ((1, ["read_tasks"]), (1, []), (2, [])):
            await upload(world, version, permissions=asks, granted=())
        with pytest.raises(AmbiguousError, match="upload 1, upload 2"):
            await world.executor.roll_back(KEY, "1.0")
        assert (await world.executor.roll_back(KEY, "2")).record.upload_no == 2

    async def test_a_module_that_was_changed_or_is_gone_does_not_come_back(self, world: World) -> None:
        first = await upload(world, 1)
        await upload(world, 2)
        await world.executor.activate(KEY)
        digest = first.record.hash
        path = world.state.modules / "sha256" / digest[:2] / digest
        path.write_bytes(counts(3))
        with pytest.raises(RefusedError, match="WASM hash mismatch"):
            await world.executor.roll_back(KEY)
        path.unlink()
        with pytest.raises(RefusedError, match="the stored module is gone"):
            await world.executor.roll_back(KEY)
        assert (await world.row(KEY))["state"] == "active"

    async def test_what_a_distrusted_key_signed_does_not_come_back(self, world: World) -> None:
        mara = Identity(b"\1" * 32)
        await world.modules.keys.trust(ROOM, mara.public_hex, "")
        described = parse_manifest(sign_manifest(manifest(counts(1)), mara))
        await world.executor.upload(Upload(room=ROOM, wasm=counts(1), manifest=described, granted=ALL))
        await upload(world, 2)
        await world.modules.keys.distrust(ROOM, mara.public_hex)
        with pytest.raises(RefusedError, match="is not trusted any more"):
            await world.executor.roll_back(KEY)

    async def test_a_state_that_does_not_open_any_more_is_told(self, world: World) -> None:
        await upload(world, 1)
        await ticked(world, 1)
        await upload(world, 2)
        spoil = "UPDATE main.agent_versions SET sealed_state = zeroblob(60) WHERE upload_no = 1"
        await asyncio.wrap_future(world.store.write(lambda tx: tx.execute(spoil).rowcount))
        done = await world.executor.roll_back(KEY)
        assert done.warnings == ("the state that was kept with it does not open; it starts without one",)
        assert await ticked(world, 1) == 1


class TestKeeping:
    async def test_w10_a_few_versions_are_kept_and_the_files_of_the_others_go(self, world: World) -> None:
        for version in range(1, KEPT + 4):
            await upload(world, version)
        assert files(world) == KEPT + 1
        assert [number for number, (_, kept, _) in (await listed(world)).items() if kept] == list(range(3, KEPT + 4))

    async def test_what_an_earlier_orlop_stored_can_be_gone_back_to(self, world: World) -> None:
        first = await upload(world, 1, granted=(READS,))
        older = "UPDATE main.agent_versions SET manifest = '', granted = '[]', mark = ''"
        await asyncio.wrap_future(world.store.write(lambda tx: tx.execute(older).rowcount))
        await upload(world, 2)
        assert (await world.executor.roll_back(KEY)).record == first.record

    async def test_the_present_version_stays_however_old_it_is(self, world: World) -> None:
        for version in (1, 2):
            await upload(world, version)
        await world.executor.roll_back(KEY)
        assert await ticked(world, 1) == 1
        assert files(world) == 2

    async def test_uploading_the_same_again_keeps_one_of_them(self, world: World) -> None:
        for version in (1, 2, 2, 2):
            await upload(world, version)
        assert [number for number, (_, kept, _) in (await listed(world)).items() if kept] == [1, 4]
        assert (await world.executor.roll_back(KEY)).record.manifest.version == "1.0"

    async def test_w10_deleting_takes_every_version_with_it(self, world: World) -> None:
        for version in (1, 2, 3):
            await upload(world, version)
            await ticked(world, 1)
        await world.executor.delete(KEY)
        assert files(world) == 0
        for table in ("agents", "agent_versions", "agent_state"):
            sql = f"SELECT count(*) FROM {table}"
            assert world.store.read_now(lambda c, sql=sql: c.execute(sql).fetchone()) == (0,)
        assert await listed_again(world) == 0

    async def test_a_file_that_a_version_of_another_agent_needs_stays(self, world: World) -> None:
        await upload(world, 1)
        raw = counts(1)
        described = manifest(raw, "other")
        await world.executor.upload(Upload(room=ROOM, wasm=raw, manifest=described, granted=ALL, unsigned=True))
        await world.executor.upload(
            Upload(room=ROOM, wasm=counts(2), manifest=manifest(counts(2), "other"), granted=ALL, unsigned=True)
        )
        await world.executor.delete(KEY)
        assert files(world) == 2
        await world.executor.roll_back(AgentKey(ROOM, "other"))
        await world.executor.activate(AgentKey(ROOM, "other"))

    async def test_a_file_that_an_upload_left_behind_is_collected_after_its_hour(self, world: World) -> None:
        await upload(world, 1)
        await upload(world, 2)
        orphans = [world.modules.files.put(counts(number)) for number in (8, 9)]
        hour_ago = (world.clock.wall_ms() - 3_600_001) / 1000
        for digest in (orphans[0], (await world.modules.get(KEY)).hash):
            os.utime(world.state.modules / "sha256" / digest[:2] / digest, (hour_ago, hour_ago))
        young = (world.clock.wall_ms()) / 1000
        os.utime(world.state.modules / "sha256" / orphans[1][:2] / orphans[1], (young, young))
        await world.modules.collect()
        left = {path.name for path in world.state.modules.rglob("sha256/*/*")}
        assert orphans[0] not in left
        assert orphans[1] in left
        assert len(left) == 3

    async def test_the_waiting_states_are_sealed(self, world: World) -> None:
        await upload(world, 1)
        await ticked(world, 3)
        await upload(world, 2)
        sql = "SELECT sealed_state, hash, state_version FROM agent_versions WHERE upload_no = 1"
        sealed, digest, writes = world.store.read_now(lambda c: c.execute(sql).fetchone())
        assert struct.pack("<I", 3) not in sealed
        assert AgentStates(world.vault).open(KEY, StoredState(digest, writes, sealed)) == struct.pack("<I", 3)
        with pytest.raises(StateBrokenError):
            AgentStates(Vault(b"\1" * 32)).open(KEY, StoredState(digest, writes, sealed))

    async def test_a_damaged_row_of_versions_is_one_line_and_hinders_no_upload(self, world: World) -> None:
        await upload(world, 1)
        await upload(world, 2)
        spoil = "UPDATE main.agent_versions SET manifest = '{' WHERE upload_no = 1"
        await asyncio.wrap_future(world.store.write(lambda tx: tx.execute(spoil).rowcount))
        with pytest.raises(
            RowDamagedError, match="table `agent_versions`, row 1: `manifest` or `granted` cannot be read"
        ):
            await world.executor.roll_back(KEY)
        await upload(world, 3)


async def listed_again(world: World) -> int:
    """What a new agent of the same name finds."""
    await upload(world, 1)
    return await count(world)
