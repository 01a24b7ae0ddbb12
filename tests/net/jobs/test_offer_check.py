"""The checks of an offer, one by one and in their order."""

from dataclasses import replace

import pytest

from net.jobs.messages import Offer, Requirements
from net.jobs.offer_check import Machine, OfferRefusedError, Policy, prove, runtime_kind, same_arch, weigh
from net.jobs.reasons import InvalidRequest, QueueFull
from runtime.canonical import Json
from runtime.identity import Identity
from runtime.jobs import Manifest
from runtime.jobs.limits import CEILINGS
from runtime.jobs.manifest import sign_manifest, sign_payload
from runtime.jobs.spec import JobRequest
from tests.net.jobs.job_peers import manifest, offer
from tests.runtime.jobs.jobs_node import HELLO, LIMITS

FRIEND, OTHER = Identity(b"f" * 32), Identity(b"o" * 32)
MACHINE = Machine(arch="x86_64", kinds=frozenset({"wasm"}), cpu_cores=2, memory_mb=100, full=False)
POLICY = Policy(ceilings=CEILINGS, module_bytes=1 << 20, stdin_bytes=1 << 20)
SIGNED = manifest(FRIEND)
GOOD = offer(SIGNED)
NOW = GOOD.issued_ms


def rule(offered: Offer, signed: Manifest = SIGNED, machine: Machine = MACHINE, now_ms: int = NOW) -> str:
    """The rule that it breaks; empty when it is taken."""
    try:
        prove(offered, FRIEND.public_hex)
        weigh(offered, signed, machine=machine, policy=POLICY, now_ms=now_ms)
    except OfferRefusedError as error:
        return error.rule
    return ""


def test_a_good_offer_is_taken_as_its_submitters() -> None:
    queued = weigh(GOOD, prove(GOOD, FRIEND.public_hex), machine=MACHINE, policy=POLICY, now_ms=NOW)
    assert queued.request.submitter == FRIEND.public_hex
    assert queued.request.limits == LIMITS
    assert not queued.terms.detached


BAD = Requirements("riscv64", "ollama", 99, 999)
WORST = replace(
    GOOD,
    requirements=BAD,
    module_size=1 << 30,
    issued_ms=NOW - 200_000,
    manifest={**SIGNED.document, "signature": "00"},
)
MENDED: list[tuple[str, dict[str, object]]] = [
    ("bad-manifest", {"manifest": SIGNED.document}),
    ("clock", {"issued_ms": NOW - 90_000}),
    ("expired", {"issued_ms": NOW}),
    ("arch", {"requirements": replace(BAD, arch=None)}),
    ("runtime", {"requirements": replace(BAD, arch=None, runtime="wasm3")}),
    ("cpu", {"requirements": replace(BAD, arch=None, runtime="wasm3", cpu_cores=1)}),
    ("memory", {"requirements": Requirements(None, "wasmtime-46", 1, 1)}),
    ("limits", {"module_size": len(HELLO)}),
    ("queue-full", {}),
]


def test_each_check_comes_in_its_order() -> None:
    full, offered, seen = replace(MACHINE, full=True), WORST, []
    assert rule(replace(offered, manifest=manifest(OTHER).document)) == "wrong-signer"
    for expected, change in MENDED:
        seen.append((expected, rule(offered, machine=full)))
        offered = replace(offered, **change)  # type: ignore[arg-type]
    assert [found for _, found in seen] == [expected for expected, _ in MENDED]
    assert rule(offered) == ""


@pytest.mark.parametrize(
    ("skew_ms", "expected"), [(120_000, ""), (120_001, "clock"), (-120_000, ""), (-120_001, "clock")]
)
def test_row_16_clocks_may_differ_by_two_minutes_either_way(skew_ms: int, expected: str) -> None:
    assert rule(replace(GOOD, valid_ms=300_000), now_ms=NOW + skew_ms) == expected


def test_an_offer_lives_as_long_as_it_says() -> None:
    assert rule(GOOD, now_ms=NOW + GOOD.valid_ms) == ""
    assert rule(GOOD, now_ms=NOW + GOOD.valid_ms + 1) == "expired"
    assert rule(replace(GOOD, valid_ms=300_001)) == "expired"


def test_a_manifest_that_has_expired() -> None:
    request = JobRequest(name="old.wasm", limits=LIMITS)
    old = sign_manifest(
        FRIEND, request, "sha256:" + "0" * 64, nonce="0" * 32, created_ms=NOW - 2000, expires_ms=NOW - 1000
    )
    assert rule(offer(old, issued_ms=NOW), old) == "expired"


def test_a_manifest_of_another_kind_and_one_that_wants_directories() -> None:
    for change in ({"kind": "inference"}, {"orlop": {"nonce": "0" * 32, "dirs": ["/x:ro"]}}):
        payload: dict[str, Json] = {**SIGNED.payload, **change}
        signed = sign_payload(FRIEND, payload, created_ms=NOW)
        assert rule(offer(signed, issued_ms=NOW), signed) in {"limits", "bad-manifest"}


def test_a_limit_above_the_ceiling_is_named_with_both_figures() -> None:
    policy = replace(POLICY, ceilings=replace(CEILINGS, fuel=1000))
    with pytest.raises(OfferRefusedError) as caught:
        weigh(GOOD, SIGNED, machine=MACHINE, policy=policy, now_ms=NOW)
    assert caught.value.reason == InvalidRequest(f"fuel limit {LIMITS.fuel} is above this node's 1000 (fuel)")


def test_the_queue_comes_last() -> None:
    with pytest.raises(OfferRefusedError) as caught:
        weigh(GOOD, SIGNED, machine=replace(MACHINE, full=True), policy=POLICY, now_ms=NOW)
    assert caught.value.reason == QueueFull()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("wasmtime-46", "wasm"), ("wasm", "wasm"), ("wasm3-0.5", "wasm"), ("mlx", "inference"), ("-wasm", ""), ("", "")],
)
def test_11_2_what_stands_before_the_first_hyphen_classifies_a_runtime(name: str, kind: str) -> None:
    assert runtime_kind(name) == kind


def test_architectures_have_several_names() -> None:
    assert same_arch("amd64", "x86_64")
    assert same_arch("aarch64", "arm64")
    assert not same_arch("riscv64", "x86_64")
