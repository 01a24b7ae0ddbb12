"""Running again: a deterministic job does the same byte for byte, and what a comparison proves is said, not more."""

import hashlib
import json
from dataclasses import replace

import pytest

from runtime.canonical import encode
from runtime.errors import RefusedError
from runtime.jobs.commitment import commit
from runtime.jobs.ending import JobEnd, Usage
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import Manifest, read_manifest
from runtime.jobs.receipt_form import Receipt, parse_receipt, read_receipt
from runtime.jobs.rerun import compare, repeat_of
from runtime.jobs.streams import Streams
from tests.runtime.jobs.jobs_node import HELLO, Node, guest
from tests.runtime.jobs.test_chain import restored
from tests.runtime.jobs.test_verify import MANIFEST, receipt

ONE = json.loads(receipt())

CHANCE = guest(
    "(drop (call $random_get (i32.const 64) (i32.const 5000)))"
    "(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 5064)))"
    "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5008))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
    "random_get",
    "clock_time_get",
    "fd_write",
)
"""Writes random bytes and the time."""


def receipt_of(end: JobEnd) -> Receipt:
    assert end.receipt_document is not None
    return parse_receipt(end.receipt_document)


async def manifest_of(node: Node, end: JobEnd) -> Manifest:
    _, document = await node.jobs.show(end.job)
    return read_manifest(encode(document))


async def again(node: Node, end: JobEnd, module: bytes, stdin: bytes = b"") -> JobEnd:
    repeat = repeat_of(receipt_of(end), await manifest_of(node, end))
    assert repeat.module == hashlib.sha256(module).hexdigest()
    return await node.jobs.run(repeat.request, module=module, streams=Streams(stdin=stdin))


async def test_a_deterministic_job_gets_its_clock_and_its_random_bytes_again(node: Node) -> None:
    first = await node.run(CHANCE, deterministic=True)
    second = await again(node, first, CHANCE)
    other = await node.run(CHANCE, deterministic=True)
    before, after = receipt_of(first), receipt_of(second)
    compared = compare(before, after, deterministic=True)
    assert (compared.verdict, compared.detail) == ("same", "the same output, fuel and end")
    assert before.extra["orlop.nonce"] == after.extra["orlop.nonce"]
    assert before.job != after.job
    assert compare(before, receipt_of(other), deterministic=True).verdict == "different"
    manifest = await manifest_of(node, first)
    assert manifest.extension["deterministic"] is True
    assert (await node.receipts.verify(second.receipt)).ok is True


async def test_its_random_bytes_are_those_that_the_documentation_gives(node: Node) -> None:
    end = await node.run(CHANCE, deterministic=True)
    seed = hashlib.sha256(bytes.fromhex(receipt_of(end).extra["orlop.nonce"])).digest()
    blocks = b"".join(hashlib.shake_256(seed + number.to_bytes(8)).digest(4096) for number in range(2))
    output = (await node.jobs.output(end.job)).stdout
    assert output[:5000] == blocks[:5000]


async def test_any_other_job_may_differ_and_that_proves_nothing(node: Node) -> None:
    first = await node.run(CHANCE)
    compared = compare(receipt_of(first), receipt_of(await again(node, first, CHANCE)), deterministic=False)
    assert compared.verdict == "inconclusive"
    assert compared.detail == "another commitment; the job is not deterministic, so a difference proves nothing"
    plain = await node.run(HELLO, b"abc")
    compared = compare(receipt_of(plain), receipt_of(await again(node, plain, HELLO, b"abc")), deterministic=False)
    assert compared.verdict == "same"


async def test_kinds_of_jobs_do_not_mix_in_one_worker(node: Node) -> None:
    ends = [await node.run(HELLO, b"abc", deterministic=flag) for flag in (False, True, False, True)]
    assert {end.outcome for end in ends} == {"exit"}
    assert {receipt_of(end).commitment for end in ends} == {commit(b"cba", b"").digest}


async def test_a_deterministic_job_that_spins_meets_its_deadline(node: Node) -> None:
    spins = guest("(loop $l (br $l))")
    end = await node.run(spins, deterministic=True, limits=JobLimits(timeout_ms=300))
    assert end.outcome == "deadline"
    assert (await node.run(HELLO, b"abc")).outcome == "exit"


def other(**changes: object) -> Receipt:
    return read_receipt(receipt(**changes))


def test_every_difference_of_a_deterministic_job_is_a_contradiction() -> None:
    before = read_receipt(receipt())
    for after in (
        other(commitment=commit(b"0rlop\n", b"error")),
        other(usage=Usage(wall_ms=42, fuel=8)),
        other(exit_code=1),
        other(outcome="trap"),
    ):
        assert compare(before, after, deterministic=True).verdict == "different"
        assert compare(before, after, deterministic=False).verdict == "inconclusive"
    assert compare(before, other(usage=Usage(wall_ms=9, fuel=7)), deterministic=True).verdict == "same"


def test_what_the_clock_ended_or_another_engine_burnt_proves_nothing() -> None:
    before = read_receipt(receipt())
    assert compare(before, other(outcome="deadline", exit_code=124), deterministic=True).verdict == "inconclusive"
    burnt = other(usage=Usage(wall_ms=42, fuel=8))
    engine = replace(burnt, extra={**burnt.extra, "orlop.engine": "wasmtime 51"})
    assert compare(before, engine, deterministic=True).verdict == "inconclusive"


def test_what_is_not_known_is_not_compared() -> None:
    compared = compare(read_receipt(receipt()), other(usage=Usage(wall_ms=42)), deterministic=True)
    points = {point["name"]: point["same"] for point in compared.document()["compared"]}  # type: ignore[union-attr,index,call-overload]
    assert compared.verdict == "same"
    assert points == {"commitment": True, "chunks": True, "fuel": None, "outcome": True, "exit_code": True}


def test_what_cannot_be_repeated_is_refused() -> None:
    before = read_receipt(receipt())
    with pytest.raises(RefusedError, match="used directories"):
        repeat_of(before, MANIFEST)
    with pytest.raises(RefusedError, match="tells of no run"):
        repeat_of(read_receipt(restored(2**32 - 1, "0" * 64)), MANIFEST)
    own = {**MANIFEST.extension, "dirs": []}
    plain = replace(MANIFEST, document={**MANIFEST.document, "payload": {**MANIFEST.payload, "orlop": own}})
    for missing, said in (("orlop.stdin_sha256", "input was"), ("orlop.limits", "limits were")):
        extra = {name: text for name, text in before.extra.items() if name != missing}
        with pytest.raises(RefusedError, match=said):
            repeat_of(replace(before, extra=extra), plain)
    repeat = repeat_of(before, plain)
    assert (repeat.request.argv, repeat.request.env) == (("hello.wasm", "a"), ("K=V",))
    assert (repeat.stdin, repeat.request.nonce) == ("a" * 64, "0" * 32)
