"""What a worker does not take: all five reasons, for real, and nothing but one word for strangers."""

from dataclasses import replace
from pathlib import Path

import pytest

from net.errors import StreamResetError
from net.jobs.frames import Kind, frame
from net.jobs.messages import Accepted, Cancel, Rejected, Request, Requirements, Result, Resume, Resumed
from net.jobs.reasons import (
    ArchMismatch,
    InsufficientResources,
    InvalidRequest,
    QueueFull,
    Reason,
    RuntimeNotSupported,
)
from runtime.canonical import parse_timestamp
from runtime.clock import ManualClock, SystemClock
from runtime.identity import Identity
from runtime.jobs import JobRequest, submitters
from runtime.jobs.limits import CEILINGS
from runtime.jobs.manifest import module_name, sign_manifest, sign_payload
from runtime.sandbox.compile import Compiler
from tests.net.jobs.job_peers import CALM, FOREVER, Peers, Talk, machine, manifest, offer, open_peers
from tests.runtime.jobs.jobs_node import HELLO, LIMITS

STRANGER = Identity(b"s" * 32)
FRIEND = Identity(b"f" * 32)


async def answer(peers: Peers, **changes: object) -> Reason:
    """What the worker says to an offer of the requester's."""
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity), HELLO, **changes))  # type: ignore[arg-type]
    said = await talk.word()
    assert isinstance(said, Rejected)
    assert await talk.next() is None
    return said.reason


def needs(**changes: object) -> Requirements:
    return replace(Requirements(None, "wasmtime", 1, 16), **changes)  # type: ignore[arg-type]


async def test_arch_mismatch(peers: Peers) -> None:
    assert await answer(peers, requirements=needs(arch="riscv64")) == ArchMismatch("riscv64", "x86_64")


async def test_runtime_not_supported(peers: Peers) -> None:
    assert await answer(peers, requirements=needs(runtime="ollama-3")) == RuntimeNotSupported("ollama-3")
    assert await answer(peers, requirements=needs(runtime="toaster")) == RuntimeNotSupported("toaster")


async def test_insufficient_resources_with_both_figures(peers: Peers) -> None:
    assert await answer(peers, requirements=needs(cpu_cores=64)) == InsufficientResources("CPU: need 64, have 4")
    much = InsufficientResources("Memory: need 9000 MB, have 8192 MB")
    assert await answer(peers, requirements=needs(memory_mb=9000)) == much


async def test_memory_that_a_lease_holds_is_not_there_for_others(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity), requirements=needs(memory_mb=8000)))
    assert isinstance(await talk.word(), Accepted)
    much = InsufficientResources("Memory: need 193 MB, have 192 MB")
    assert await answer(peers, requirements=needs(memory_mb=193)) == much


async def test_sec06_n_and_one_more_find_the_queue_full(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, jobs=2)) as peers:
        for _ in range(2):
            talk = await peers.talk()
            await talk.say(offer(manifest(peers.requester.identity)))
            assert isinstance(await talk.word(), Accepted)
        assert await answer(peers) == QueueFull()


async def test_a_node_that_takes_no_jobs_now_says_so_and_ends_what_it_has(tmp_path: Path, compiler: Compiler) -> None:
    takes = [True]
    async with open_peers(tmp_path, compiler, accepts=lambda: takes[0]) as peers:
        before = manifest(peers.requester.identity)
        talk = await peers.talk()
        await talk.say(offer(before))
        assert isinstance(await talk.word(), Accepted)
        takes[0] = False
        assert await answer(peers) == InvalidRequest("this node takes no jobs now")
        again = await peers.talk()
        await again.say(offer(before))
        assert isinstance(await again.word(), Accepted)
        assert peers.faults == []
        takes[0] = True
        assert (await peers.run()).outcome == "exit"


async def test_one_submitter_cannot_take_all_places(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, jobs_each=1)) as peers:
        peers.let_in(FRIEND)
        talk = await peers.talk(FRIEND)
        await talk.say(offer(manifest(FRIEND)))
        assert isinstance(await talk.word(), Accepted)
        other, signed = await peers.talk(FRIEND), manifest(FRIEND)
        await other.say(offer(signed))
        assert await other.word() == Rejected(signed.job, QueueFull())
        end = await peers.run()
        assert end.outcome == "exit"


async def test_invalid_request_names_clock_expiry_limits_and_sizes(tmp_path: Path, compiler: Compiler) -> None:
    now = SystemClock().wall_ms()
    ceilings = replace(CEILINGS, memory_bytes=8 << 20)
    async with open_peers(tmp_path, compiler, ceilings=ceilings) as peers:
        for changes, words in (
            ({"issued_ms": now - 3_600_000}, "clock differs by 1h"),
            ({"issued_ms": now + 3_600_000}, "clock differs by 59m"),
            ({"issued_ms": now - 60_000, "valid_ms": 1000}, "expired 59"),
            ({"valid_ms": 1 << 40}, "valid_ms 1099511627776 is above 300000"),
            ({"module_size": 1 << 30}, "module of 1GiB is above this node's 16MiB"),
            ({"stdin_size": 1 << 30}, "standard input of 1GiB is above this node's 64MiB"),
            ({}, "memory limit 16MiB is above this node's 8MiB"),
        ):
            reason = await answer(peers, **changes)
            assert isinstance(reason, InvalidRequest)
            assert words in reason.details


async def test_row_16_an_offer_of_an_hour_ago_is_refused_and_the_requester_says_why(
    tmp_path: Path, compiler: Compiler
) -> None:
    slow = ManualClock(SystemClock().wall_ms() - 3_600_000)
    async with open_peers(tmp_path, compiler, requester_clock=slow) as peers:
        end = await peers.run()
        assert (end.outcome, end.exit_code) == ("refused", 125)
        assert "clock differs by 1h" in end.reason


async def test_s5_a_key_that_proves_itself_is_still_a_stranger(peers: Peers) -> None:
    talk = await peers.talk(STRANGER)
    await talk.say(offer(manifest(STRANGER)))
    assert await talk.word() == Rejected("", InvalidRequest("not authorised"))
    assert await talk.next() is None
    assert peers.blamed() == [("not-authorised", 10)]
    assert await peers.worker_node.jobs.rows() == []


@pytest.mark.parametrize("said", [b"", b"{", b'{"type":"offer"}', b"\0" * 65_536])
async def test_row_17_sec01_what_a_stranger_says_is_not_read(peers: Peers, said: bytes) -> None:
    talk = await peers.talk(STRANGER)
    await talk.stream.write(frame(Kind.MESSAGE, said))
    assert await talk.word() == Rejected("", InvalidRequest("not authorised"))


async def test_a_stranger_learns_nothing_of_jobs(peers: Peers) -> None:
    end = await peers.run()
    for message in (Cancel(end.job), Resume(end.job, "0" * 32, 0, 0)):
        talk = await peers.talk(STRANGER)
        await talk.say(message)
        assert await talk.word() == Rejected("", InvalidRequest("not authorised"))


async def test_sec01_who_is_taken_off_the_list_is_a_stranger_at_once(peers: Peers) -> None:
    key = peers.requester.identity.public_hex
    peers.worker_node.store.write(lambda tx: submitters.remove(tx, key)).result()
    end = await peers.run()
    assert (end.outcome, end.reason) == ("refused", "the worker: not authorised")


async def test_row_17_s5_the_signer_must_be_the_connections_key(peers: Peers) -> None:
    peers.let_in(FRIEND)  # on the list, and still not who is connected
    talk = await peers.talk()
    await talk.say(offer(manifest(FRIEND)))
    said = await talk.word()
    assert isinstance(said, Rejected)
    assert str(said.reason).startswith("not authorised")
    assert peers.blamed() == [("wrong-signer", 10)]


async def test_a_signature_that_does_not_fit(peers: Peers) -> None:
    signed = manifest(peers.requester.identity)
    talk = await peers.talk()
    await talk.say(offer(replace(signed, document={**signed.document, "created_at": "2025-01-02T03:04:05Z"})))
    said = await talk.word()
    assert isinstance(said, Rejected)
    assert said.reason == InvalidRequest("manifest: the signature does not fit")


async def test_row_15_s6_a_nonce_belongs_to_one_job(peers: Peers) -> None:
    mine = peers.requester.identity
    first = manifest(mine)
    talk = await peers.talk()
    await talk.say(offer(first))
    assert isinstance(await talk.word(), Accepted)
    again = sign_manifest(
        mine,
        JobRequest(name="other.wasm", limits=LIMITS),
        module_name(HELLO),
        nonce=str(first.extension["nonce"]),
        created_ms=SystemClock().wall_ms(),
    )
    other = await peers.talk()
    await other.say(offer(again))
    assert await other.word() == Rejected(again.job, InvalidRequest("replay: the nonce belongs to another job"))
    assert peers.blamed() == [("replay", 10)]


async def test_row_18_s6_a_replayed_offer_is_told_the_state_of_the_first_and_runs_nothing(peers: Peers) -> None:
    signed = manifest(peers.requester.identity)
    talk = await started(peers, offer(signed))
    assert isinstance(await talk.until(Result), Result)
    for _ in range(2):
        again = await peers.talk()
        await again.say(offer(signed))
        assert await again.word() == Resumed("done", len(HELLO))
        assert await again.next() is None
    assert len(await peers.worker_node.jobs.rows()) == 1


async def test_a_lease_that_was_not_asked_for_is_given_once_more(peers: Peers) -> None:
    signed = manifest(peers.requester.identity)
    talk, again = await peers.talk(), await peers.talk()
    await talk.say(offer(signed))
    first = await talk.word()
    await again.say(offer(signed))
    second = await again.word()
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.lease == second.lease
    with pytest.raises(StreamResetError):
        await talk.next()


async def test_row_18_a_job_id_of_somebody_else_cannot_be_used_nor_seen(peers: Peers) -> None:
    peers.let_in(FRIEND)
    end = await peers.run()
    _, document = await peers.requester.jobs.show(end.job)
    payload = document["payload"]
    assert isinstance(payload, dict)
    created_ms = parse_timestamp(str(document["created_at"]))
    theirs = sign_payload(FRIEND, payload, created_ms=created_ms)
    assert theirs.job == end.job
    talk = await peers.talk(FRIEND)
    await talk.say(offer(theirs))
    assert await talk.word() == Rejected(end.job, InvalidRequest("the job's id cannot be used"))


async def test_two_submitters_cannot_see_or_touch_each_others_jobs(peers: Peers) -> None:
    peers.let_in(FRIEND)
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity, FOREVER), FOREVER))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await ask(talk, accepted, FOREVER)
    await peers.worker_node.until_running()
    for message in (Cancel(accepted.job_id), Resume(accepted.job_id, accepted.lease, 0, 0)):
        other = await peers.talk(FRIEND)
        await other.say(message)
        assert await other.word() == Rejected(accepted.job_id, InvalidRequest("there is no such job"))
    assert peers.worker_node.jobs.state_of(accepted.job_id) == "running"
    known = await peers.talk(FRIEND)
    await known.say(offer(manifest(FRIEND, FOREVER), FOREVER))
    fresh = await known.word()
    assert isinstance(fresh, Accepted)
    assert fresh.have == 0  # although the other one has sent the same module


async def ask(talk: Talk, accepted: Accepted, module: bytes = HELLO, stdin: bytes = b"") -> None:
    """Takes up a lease and sends everything."""
    await talk.say(Request(accepted.job_id, accepted.lease))
    await talk.send(Kind.MODULE, module[accepted.have :])
    await talk.send(Kind.STDIN, stdin)


async def started(peers: Peers, offered: object, stdin: bytes = b"") -> Talk:
    """A stream on which everything was sent."""
    talk = await peers.talk()
    await talk.say(offered)  # type: ignore[arg-type]
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await ask(talk, accepted, HELLO, stdin)
    return talk


async def test_a_module_is_sent_once(peers: Peers) -> None:
    await (await started(peers, offer(manifest(peers.requester.identity)))).until(Result)
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity)))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    assert accepted.have == len(HELLO)
    await ask(talk, accepted)
    result = await talk.until(Result)
    assert isinstance(result, Result)
    assert result.outcome == "exit"


async def test_row_19_a_request_without_a_lease(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.say(Request("0" * 64, "0" * 32))
    with pytest.raises(StreamResetError):
        await talk.next()
    assert peers.blamed() == [("no-lease", 5)]


async def test_row_19_a_request_under_another_lease(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity)))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await talk.say(Request(accepted.job_id, "0" * 32))
    assert await talk.word() == Rejected(accepted.job_id, InvalidRequest("asked under another lease"))
    assert peers.blamed() == [("no-lease", 5)]


async def test_row_19_a_request_after_its_lease(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, lease_s=0)) as peers:
        talk = await peers.talk()
        await talk.say(offer(manifest(peers.requester.identity)))
        accepted = await talk.word()
        assert isinstance(accepted, Accepted)
        assert accepted.lease_ms == 1
        await talk.say(Request(accepted.job_id, accepted.lease))
        said = await talk.word()
        assert isinstance(said, Rejected)
        assert "after" in str(said.reason)
        assert peers.blamed() == [("no-lease", 5)]


async def test_what_is_no_message_is_answered_in_words(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.stream.write(frame(Kind.MESSAGE, b'{"type":"offer"}'))
    said = await talk.word()
    assert isinstance(said, Rejected)
    assert "sent a bad message" in str(said.reason)
    assert peers.blamed() == [("bad-message", 20)]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"\0\x81\x80\x04", "oversized-frame"),
        (b"\0\xff\xff\xff\xff\x0f", "oversized-frame"),
        (b"\x03\x01x", "bad-frame"),
        (b"\x09", "bad-frame"),
        (b"\x01\x01x", "out-of-order"),
        (b"\0\x80\x00", "bad-frame"),
    ],
)
async def test_sec06_frames_are_refused_at_their_head(peers: Peers, raw: bytes, rule: str) -> None:
    talk = await peers.talk()
    await talk.stream.write(raw)
    with pytest.raises(StreamResetError):
        await talk.next()
    assert peers.blamed() == [(rule, 20)]


@pytest.mark.parametrize("size", [0, 1, len(HELLO) - 1])
async def test_row_20_a_truncated_module_is_not_kept(peers: Peers, size: int) -> None:
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity)))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await talk.say(Request(accepted.job_id, accepted.lease))
    await talk.send(Kind.MODULE, HELLO[:size])
    with pytest.raises(StreamResetError):
        await talk.next()
    assert peers.blamed() == [("truncated", 5)]
    again = await peers.talk()
    await again.say(offer(manifest(peers.requester.identity)))
    fresh = await again.word()
    assert isinstance(fresh, Accepted)
    assert fresh.have == 0


async def test_row_21_a_module_with_another_hash_is_dropped_before_it_is_compiled(peers: Peers) -> None:
    other = HELLO[:-1] + bytes([HELLO[-1] ^ 1])
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity)))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await ask(talk, accepted, other)
    assert await talk.word() == Rejected(
        accepted.job_id, InvalidRequest("sent a module that does not match its manifest")
    )
    assert peers.blamed() == [("wrong-module", 50)]
    assert await peers.worker_node.jobs.rows() == []
    again = await peers.talk()
    await again.say(offer(manifest(peers.requester.identity)))
    fresh = await again.word()
    assert isinstance(fresh, Accepted)
    assert fresh.have == 0


async def test_another_input_than_the_manifest_names(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity, stdin=b"abc"), stdin_size=3))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await ask(talk, accepted, HELLO, b"abd")
    said = await talk.word()
    assert isinstance(said, Rejected)
    assert peers.blamed() == [("wrong-input", 50)]
    assert await peers.worker_node.jobs.rows() == []


@pytest.mark.parametrize(("stdin", "rule", "score"), [(b"ab", "truncated", 5), (b"abcd", "oversized-input", 20)])
async def test_row_20_input_of_another_size_than_was_declared(
    peers: Peers, stdin: bytes, rule: str, score: int
) -> None:
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity, FOREVER, stdin=None), FOREVER, stdin_size=3))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await ask(talk, accepted, FOREVER, stdin)
    with pytest.raises(StreamResetError):
        await talk.until(Rejected)
    assert peers.blamed() == [(rule, score)]
    assert (await peers.worker_node.until_ended(accepted.job_id)).state == "cancelled"


async def test_a_stream_that_ends_without_a_word(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.stream.end()
    with pytest.raises(StreamResetError):
        await talk.next()
    assert peers.blamed() == [("truncated", 5)]


async def test_a_stream_on_which_nothing_is_said(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, first_s=0)) as peers:
        talk = await peers.talk()
        with pytest.raises(StreamResetError):
            await talk.next()
        assert peers.blamed() == [("slow", 5)]


async def test_a_lease_that_nobody_asks_for_ends_in_words(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, lease_s=0.01, unasked_s=0.01)) as peers:
        talk = await peers.talk()
        await talk.say(offer(manifest(peers.requester.identity)))
        assert isinstance(await talk.word(), Accepted)  # the stream takes its time for all but the request
        rejected = await talk.word()
        assert isinstance(rejected, Rejected)
        assert rejected.reason == InvalidRequest("asked for nothing under its lease")
        assert peers.blamed() == [("no-lease", 5)]


async def test_11_1_a_remote_offer_between_two_nodes(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, measured=machine("x86_64", 2, 4096)) as peers:
        assert peers.requester.identity.peer_id != peers.worker_node.identity.peer_id
        talk = await peers.talk()
        signed = manifest(peers.requester.identity)
        await talk.say(offer(signed))
        accepted = await talk.word()
        assert isinstance(accepted, Accepted)
        assert accepted.job_id == signed.job
        assert await answer(peers, requirements=needs(arch="riscv64")) == ArchMismatch("riscv64", "x86_64")
