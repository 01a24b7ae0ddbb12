"""Whom a room believes: uploads, starts, and what happens when a key is not trusted any more."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import assets
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import AgentManifest, Permission, parse_manifest, read_manifest
from runtime.agents.signature import SignatureRefusedError, sign_manifest
from runtime.agents.trust import Demand, TrustedKey, Verdict, admit, judge
from runtime.agents.trusted_keys import EVERYWHERE
from runtime.agents.uploads import Upload, Uploaded
from runtime.errors import FailedError, NotFoundError, UsageError
from runtime.events import AgentRefused
from runtime.identity import Identity
from tests.hostile import agent
from tests.runtime.agents.world import ALL, ROOM, World, manifest

KEY = AgentKey(ROOM, "guest")
MARA = Identity(b"\1" * 32)
IVO = Identity(b"\2" * 32)
QUIET = agent("quiet")


def signed(key: Identity = MARA, wasm: bytes = QUIET, **changes: Any) -> AgentManifest:
    return parse_manifest(sign_manifest(manifest(wasm, **changes), key))


def version_1(key: Identity, wasm: bytes = QUIET, **changes: Any) -> AgentManifest:
    private = Ed25519PrivateKey.from_private_bytes(b"\1" * 32 if key is MARA else b"\2" * 32)
    plain = manifest(wasm, **changes)
    signature = b64encode(private.sign(plain.wasm_hash.encode())).decode()
    return parse_manifest(dict(plain.document) | {"signature": signature})


def trusted(*keys: Identity, room: str = ROOM) -> list[TrustedKey]:
    return [TrustedKey(room=room, key=key.public_hex, added_ms=1, note="") for key in keys]


async def put(world: World, described: AgentManifest, wasm: bytes = QUIET, **options: Any) -> Uploaded:
    given: dict[str, Any] = {"granted": ALL} | options
    return await world.executor.upload(Upload(room=ROOM, wasm=wasm, manifest=described, **given))


class TestJudging:
    def test_a_trusted_key_vouches_for_all_of_it(self) -> None:
        verdict = judge(signed(), trusted(IVO, MARA))
        assert verdict == Verdict(mark=f"signed by {MARA.public_hex[:16]}", signer=MARA.public_hex)

    def test_a_key_that_is_not_trusted_is_named_and_vouches_for_nothing(self) -> None:
        verdict = judge(signed(), trusted(IVO))
        assert (verdict.mark, verdict.signer) == ("unsigned", MARA.public_hex)
        assert verdict.why == f"the key {MARA.public_hex[:16]}… that signed it is not trusted"

    def test_version_1_vouches_for_the_module_only_and_says_so(self) -> None:
        verdict = judge(version_1(MARA), trusted(IVO, MARA))
        assert (verdict.mark, verdict.why) == ("hash only", "")
        assert "not its name, version and permissions" in verdict.warning

    def test_version_1_without_any_trusted_key_is_vouched_for_by_nobody(self) -> None:
        assert judge(version_1(MARA), ()).why == "it has a signature of version 1, and no key is trusted"

    def test_version_1_of_another_key_is_refused(self) -> None:
        with pytest.raises(SignatureRefusedError, match="Invalid module signature"):
            judge(version_1(MARA), trusted(IVO))

    @pytest.mark.parametrize("name", ["auto-balance", "unblock", "faulty", "overdue"])
    def test_orlop_vouches_for_what_it_ships_as_it_ships_it(self, name: str) -> None:
        raw = assets.path(f"agents/{name}/{name}.json").read_bytes()
        assert judge(read_manifest(raw), ()).mark == "shipped"
        wider = json.loads(raw) | {"permissions": [one.value for one in Permission], "version": "9"}
        assert judge(parse_manifest(wider), ()).mark == "unsigned"

    @pytest.mark.parametrize(
        ("demand", "unsigned", "passes"),
        [
            (Demand(), False, False),
            (Demand(), True, True),
            (Demand(signed=False), False, True),
            (Demand(by_room=True), True, False),
            (Demand(signed=False, by_room=True), True, False),
        ],
    )
    def test_w12_a_room_wants_a_signature_unless_the_operator_says_otherwise(
        self, demand: Demand, unsigned: bool, passes: bool
    ) -> None:
        admit(judge(signed(), trusted(MARA)), demand, unsigned=unsigned)
        verdict = judge(manifest(QUIET), ())
        if passes:
            admit(verdict, demand, unsigned=unsigned)
        else:
            with pytest.raises(SignatureRefusedError, match="Module signature required but not provided"):
                admit(verdict, demand, unsigned=unsigned)


class TestUploads:
    async def test_w12_an_upload_needs_a_signature_of_a_trusted_key(self, world: World) -> None:
        for described, said in (
            (manifest(QUIET), "Module signature required but not provided"),
            (signed(), "that signed it is not trusted"),
            (version_1(MARA), "no key is trusted"),
        ):
            with pytest.raises(SignatureRefusedError, match=said):
                await put(world, described)
        assert await world.rows() == []
        assert list(world.state.modules.rglob("sha256/*/*")) == []
        await world.idle()
        assert {one.check for one in world.events(AgentRefused)} == {"signature"}
        await world.modules.keys.trust(ROOM, MARA.public_hex, "Mara")
        await put(world, signed())
        row = await world.row(KEY)
        assert (row["mark"], row["state"]) == (f"signed by {MARA.public_hex[:16]}", "off")
        assert (await world.show(KEY))["signer"] == MARA.public_hex

    async def test_w12_the_operator_may_say_in_so_many_words_that_nobody_need_vouch_for_it(self, world: World) -> None:
        for described in (manifest(QUIET), signed(), version_1(MARA)):
            await put(world, described, unsigned=True)
            assert (await world.row(KEY))["mark"] == "unsigned"
            assert (await world.show(KEY))["signer"] == ""

    async def test_w12_nobody_can_allow_a_signature_that_does_not_fit(self, world: World) -> None:
        wider = parse_manifest(dict(signed().document) | {"description": "harmless"})
        with pytest.raises(SignatureRefusedError, match="Invalid module signature"):
            await put(world, wider, unsigned=True)

    async def test_a_key_is_trusted_in_its_room_or_everywhere(self, world: World) -> None:
        await world.modules.keys.trust("cd" * 16, MARA.public_hex, "elsewhere")
        with pytest.raises(SignatureRefusedError):
            await put(world, signed())
        await world.modules.keys.trust(EVERYWHERE, MARA.public_hex, "")
        await put(world, signed())
        assert [one.room for one in await world.modules.keys.list()] == [EVERYWHERE, "cd" * 16]
        assert [one.room for one in await world.modules.keys.list(ROOM)] == [EVERYWHERE]
        assert await world.modules.keys.distrust(None, MARA.public_hex) == 2
        with pytest.raises(NotFoundError, match="is not trusted there"):
            await world.modules.keys.distrust(None, MARA.public_hex)

    async def test_trusting_again_changes_the_note_only(self, world: World) -> None:
        first = await world.modules.keys.trust(ROOM, MARA.public_hex, "Mara")
        world.clock.advance(60)
        again = await world.modules.keys.trust(ROOM, MARA.public_hex, "Mara of pier 4")
        assert (again.added_ms, again.note) == (first.added_ms, "Mara of pier 4")
        assert await world.modules.keys.list(ROOM) == [again]

    async def test_a_key_that_is_distrusted_while_its_upload_is_checked_lets_nothing_in(self, world: World) -> None:
        await world.modules.keys.trust(ROOM, MARA.public_hex, "")
        upload = Upload(room=ROOM, wasm=QUIET, manifest=signed(), granted=ALL)
        warnings = await world.modules.check(upload)
        await world.modules.keys.distrust(ROOM, MARA.public_hex)
        with pytest.raises(SignatureRefusedError):
            await world.modules.save(upload, warnings)
        assert await world.rows() == []

    async def test_version_1_is_taken_with_a_warning(self, world: World) -> None:
        await world.modules.keys.trust(ROOM, MARA.public_hex, "")
        done = await put(world, version_1(MARA))
        assert done.record.mark == "hash only"
        assert done.warnings == ("its signature covers the module only, not its name, version and permissions",)


class TestStarts:
    """Time of check and time of use: who vouched for it at the upload is asked again at every start."""

    async def stored(self, world: World, described: AgentManifest) -> None:
        await world.modules.keys.trust(ROOM, MARA.public_hex, "")
        await put(world, described)

    async def refused(self, world: World, said: str) -> None:
        with pytest.raises(FailedError, match=said):
            await world.executor.activate(KEY)
        assert (await world.row(KEY))["state"] == "failed"

    @pytest.mark.parametrize("described", [signed(), version_1(MARA)], ids=["v2", "v1"])
    async def test_w12_what_a_distrusted_key_signed_starts_no_more(
        self, world: World, described: AgentManifest
    ) -> None:
        await self.stored(world, described)
        await world.executor.activate(KEY)
        await world.executor.deactivate(KEY)
        await world.modules.keys.distrust(ROOM, MARA.public_hex)
        await self.refused(world, "any more")
        await world.modules.keys.trust(ROOM, MARA.public_hex, "")
        await world.executor.activate(KEY)

    async def test_what_a_distrusted_key_signed_does_not_come_back_with_the_program(self, world: World) -> None:
        await self.stored(world, signed())
        await world.executor.activate(KEY)
        await world.modules.keys.distrust(ROOM, MARA.public_hex)
        assert await world.restart() == 0
        assert (await world.row(KEY))["state"] == "failed"

    @pytest.mark.parametrize(
        ("column", "value", "said"),
        [
            ("manifest", json.dumps(dict(signed().document) | {"version": "9"}), "Invalid module signature"),
            ("manifest", json.dumps(dict(manifest(QUIET).document)), "Module signature required"),
            ("manifest", json.dumps(dict(signed(IVO).document)), "is not trusted any more"),
            ("mark", "hash only", "stored as hash only"),
            ("hash", "00" * 32, "the stored manifest is that of another module"),
        ],
    )
    async def test_w12_a_row_that_was_changed_since_the_upload_starts_nothing(
        self, world: World, column: str, value: str, said: str
    ) -> None:
        await self.stored(world, signed())
        sql = f"UPDATE main.agents SET {column} = ?"
        await asyncio.wrap_future(world.store.write(lambda tx: tx.execute(sql, (value,)).rowcount))
        await self.refused(world, said)

    async def test_w12_a_file_that_was_changed_since_the_upload_starts_nothing(self, world: World) -> None:
        await self.stored(world, signed())
        (path,) = world.state.modules.rglob("sha256/*/*")
        path.write_bytes(agent("quiet") + b"\0\3\2hi")
        await self.refused(world, "WASM hash mismatch at instantiation")

    async def test_what_the_operator_vouched_for_himself_starts(self, world: World) -> None:
        await put(world, manifest(QUIET), unsigned=True)
        await world.executor.activate(KEY)
        assert await world.restart() == 1


class TestConsent:
    """W13: the operator grants; an update asks anew for what it adds."""

    async def update(self, world: World, asks: Sequence[Permission], **options: Any) -> Uploaded:
        described = manifest(QUIET, version="2", permissions=[one.value for one in asks])
        return await put(world, described, **({"granted": None, "unsigned": True} | options))

    async def first(self, world: World, asks: Sequence[Permission], granted: tuple[Permission, ...]) -> None:
        described = manifest(QUIET, permissions=[one.value for one in asks])
        assert (await put(world, described, granted=granted, unsigned=True)).change is None

    async def test_w13_an_update_is_granted_nothing_that_it_adds(self, world: World) -> None:
        reads, members, emits, keeps = Permission
        await self.first(world, (reads, members), (reads,))
        done = await self.update(world, (reads, members, emits, keeps))
        assert done.record.granted == (reads,)
        assert done.change is not None
        assert (done.change.asks_more, done.change.asks_less) == ((emits, keeps), ())
        assert (done.change.gained, done.change.lost) == ((), ())

    async def test_w13_what_is_not_asked_for_again_is_granted_no_more(self, world: World) -> None:
        reads, members, emits, _ = Permission
        await self.first(world, (reads, emits), (reads, emits))
        done = await self.update(world, (emits, members))
        assert done.record.granted == (emits,)
        assert done.change is not None
        assert (done.change.asks_more, done.change.asks_less, done.change.lost) == ((members,), (reads,), (reads,))

    async def test_w13_what_the_operator_says_holds_exactly(self, world: World) -> None:
        reads, members, emits, _ = Permission
        await self.first(world, (reads, emits), (reads,))
        done = await self.update(world, (reads, members, emits), granted=(emits,))
        assert done.record.granted == (emits,)
        assert done.change is not None
        assert (done.change.gained, done.change.lost) == ((emits,), (reads,))

    async def test_w13_the_first_upload_says_what_it_may_do(self, world: World) -> None:
        with pytest.raises(UsageError, match="--grant is missing"):
            await put(world, manifest(QUIET), granted=None, unsigned=True)
        assert await world.rows() == []

    async def test_w13_a_signer_that_changes_is_told_loudly(self, world: World) -> None:
        for key in (MARA, IVO):
            await world.modules.keys.trust(ROOM, key.public_hex, "")
        await put(world, signed(MARA))
        same = await put(world, signed(MARA, version="2"))
        assert same.change is not None
        assert (same.change.signer_changed, same.warnings) == (False, ())
        other = await put(world, signed(IVO, version="3"))
        assert other.warnings == (
            f"THE SIGNER CHANGED: it was signed by {MARA.public_hex[:16]}, it is signed by {IVO.public_hex[:16]}",
        )
        dropped = await put(world, manifest(QUIET, version="4"), unsigned=True)
        assert dropped.warnings[0].endswith("it is unsigned")
