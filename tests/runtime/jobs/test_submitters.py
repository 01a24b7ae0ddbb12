"""Jobs that somebody signed: who is let in, and that nothing of a stranger's is looked at."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.canonical import Json, encode
from runtime.clock import SystemClock
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.identity import Identity
from runtime.jobs import acceptance, submitters
from runtime.jobs.limits import CEILINGS, LimitRefusedError
from runtime.jobs.manifest import Manifest, ManifestRefusedError, module_name, new_nonce, sign_manifest
from runtime.jobs.queue import QueueLimits
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.submitters import NotAuthorisedError
from runtime.sandbox.compile import Compiler
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, open_node

FRIEND = Identity(b"f" * 32)
STRANGER = Identity(b"s" * 32)


def signed(who: Identity = FRIEND, *, expires_ms: int | None = None, **fields: object) -> Manifest:
    request = JobRequest(**({"name": "theirs.wasm", "limits": LIMITS} | fields))  # type: ignore[arg-type]
    return sign_manifest(
        who,
        request,
        module_name(HELLO),
        nonce=new_nonce(),
        created_ms=SystemClock().wall_ms(),
        expires_ms=expires_ms,
    )


def raw(manifest: Manifest, **changes: Json) -> bytes:
    return encode({**manifest.document, **changes})


def let_in(node: Node, who: Identity = FRIEND) -> None:
    node.store.write(lambda tx: submitters.add(tx, who.public_hex, "a friend")).result()


async def test_sec01_nobody_is_let_in_unless_listed(node: Node) -> None:
    manifest = signed(STRANGER)
    with pytest.raises(NotAuthorisedError) as caught:
        await node.jobs.queue.run_manifest(raw(manifest), module=HELLO)
    assert str(caught.value) == "job manifest: not authorised"
    assert await node.jobs.rows() == []
    assert not node.state.blobs.exists()


async def test_sec01_a_listed_key_is_let_in_until_it_is_taken_off(node: Node) -> None:
    let_in(node)
    await node.jobs.queue.take_all()
    manifest = signed()
    assert await node.jobs.queue.run_manifest(raw(manifest), module=HELLO, stdin=b"ab") == (manifest.job, "queued")
    record = await node.until_ended(manifest.job)
    assert (record.state, record.submitter) == ("done", FRIEND.public_hex)
    assert (await node.jobs.output(manifest.job)).stdout == b"ba"
    assert (await node.receipts.verify(record.receipt)).ok
    node.store.write(lambda tx: submitters.remove(tx, FRIEND.public_hex)).result()
    with pytest.raises(NotAuthorisedError):
        await node.jobs.queue.run_manifest(raw(signed()), module=HELLO)


async def test_sec01_this_nodes_own_key_needs_no_list(node: Node) -> None:
    manifest = signed(node.identity)
    assert await node.jobs.queue.run_manifest(raw(manifest), module=HELLO) == (manifest.job, "queued")


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{}",
        b"not json",
        b"[" * 100_000,
        b'{"signer_pubkey": 1}',
        b" " * 200_000,
        b'{"signer_pubkey":"' + FRIEND.public_hex.encode() + b'","signer_pubkey":"' + b"0" * 64 + b'"}',
    ],
)
async def test_sec01_what_names_no_one_signer_is_a_strangers(node: Node, given: bytes) -> None:
    let_in(node)
    with pytest.raises(NotAuthorisedError):
        await node.jobs.queue.run_manifest(given, module=HELLO)


async def test_sec01_a_strangers_manifest_is_not_parsed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*_: object, **__: object) -> Manifest:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(acceptance, "read_manifest", parsed)
    with pytest.raises(NotAuthorisedError):
        await node.jobs.queue.run_manifest(raw(signed(STRANGER)), module=HELLO)


async def test_sec01_a_friends_name_on_a_strangers_signature_is_refused(node: Node) -> None:
    let_in(node)
    forged = raw(signed(STRANGER), signer_pubkey=FRIEND.public_hex)
    with pytest.raises(ManifestRefusedError) as caught:
        await node.jobs.queue.run_manifest(forged, module=HELLO)
    assert caught.value.check == "BadSignature"


async def test_sec01_each_check_comes_in_its_order(tmp_path: Path, compiler: Compiler) -> None:
    ceilings, queue = replace(CEILINGS, fuel=1 << 62, open_files=8), QueueLimits(length=1)
    async with open_node(tmp_path, compiler, ceilings=ceilings, queue=queue) as node:
        let_in(node)
        small = replace(LIMITS, open_files=8)
        for manifest, module, check in (
            (signed(expires_ms=1), b"", "Expired"),
            (signed(), b"", "open_files"),
            (signed(limits=small), b"other", "the module is another"),
        ):
            with pytest.raises(RefusedError) as caught:
                await node.jobs.queue.run_manifest(raw(manifest), module=module)
            error = caught.value
            found = getattr(error, "check", "") or getattr(error, "tripped", "") or str(error)
            assert check in found
        await node.jobs.queue.run_manifest(raw(signed(limits=small)), module=HELLO)
        with pytest.raises(LimitRefusedError, match=r"\(queue\)"):
            await node.jobs.queue.run_manifest(raw(signed(limits=small)), module=b"other")
        assert len(await node.jobs.rows()) == 1


async def test_sec01_input_and_directories_are_those_of_the_manifest(node: Node) -> None:
    let_in(node)
    with pytest.raises(RefusedError, match="asks for directories"):
        await node.jobs.queue.run_manifest(raw(signed(dirs=(DirGrant("/etc"),))), module=HELLO)
    named = sign_manifest(
        FRIEND,
        JobRequest(name="theirs.wasm", limits=LIMITS),
        module_name(HELLO),
        nonce=new_nonce(),
        created_ms=SystemClock().wall_ms(),
        stdin_sha256="0" * 64,
    )
    with pytest.raises(RefusedError, match="the input is another"):
        await node.jobs.queue.run_manifest(raw(named), module=HELLO, stdin=b"x")


async def test_sec01_a_manifest_given_twice_runs_once(node: Node) -> None:
    let_in(node)
    await node.jobs.queue.take_all()
    manifest = signed()
    await node.jobs.queue.run_manifest(raw(manifest), module=HELLO)
    await node.until_ended(manifest.job)
    assert await node.jobs.queue.run_manifest(raw(manifest), module=HELLO) == (manifest.job, "done")
    assert len(await node.jobs.rows()) == 1


async def test_a_manifest_of_another_program_gets_the_defaults_within_the_ceilings(node: Node) -> None:
    let_in(node)
    payload: dict[str, Json] = {
        "kind": "wasm",
        "module_cid": module_name(HELLO),
        "input": [],
        "max_duration_ms": None,
        "max_memory_bytes": 1 << 24,
        "orlop": {"nonce": new_nonce()},
    }
    body: dict[str, Json] = {"schema_version": 1, "payload": payload, "created_at": "2026-01-01T00:00:00Z"}
    signature = FRIEND.sign(b"phase-manifest:v1:", encode(body)).hex()
    document = json.dumps(body | {"signer_pubkey": FRIEND.public_hex, "signature": signature}).encode()
    job, _ = await node.jobs.queue.run_manifest(document, module=HELLO)
    record = (await node.jobs.show(job))[0]
    assert (record.limit_memory_bytes, record.limit_timeout_ms, record.limit_cpu_ms) == (1 << 24, 30_000, 30_000)
    await node.jobs.queue.take_all()
    assert (await node.until_ended(job)).state == "done"


async def test_the_list_of_submitters(node: Node) -> None:
    let_in(node)
    let_in(node)
    (only,) = node.store.read_now(submitters.listed)
    assert (only.key, only.note) == (FRIEND.public_hex, "a friend")
    with pytest.raises(NotFoundError):
        node.store.write(lambda tx: submitters.remove(tx, "0" * 64)).result()
    for key in ("", "F" * 64, "0" * 63):
        with pytest.raises(UsageError):
            node.store.write(lambda tx, key=key: submitters.add(tx, key)).result()  # type: ignore[misc]
