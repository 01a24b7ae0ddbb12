"""Promises about jobs and receipts, each under its number.

P: what the original claimed and orlop does. SEC and S: findings of its audits. The rest is the acceptance list, by the
heading under which it stands: at the boundaries, units, and what orlop added.
"""

import asyncio
import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from runtime import statedir
from runtime.canonical import Json, decode, encode
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.events import ReceiptVerified
from runtime.identity import Identity, load_or_create
from runtime.jobs.commitment import commit
from runtime.jobs.confine import ENVIRONMENT
from runtime.jobs.evidence import Evidence
from runtime.jobs.legacy import legacy_receipt
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import ManifestRefusedError, module_name, read_manifest, sign_manifest
from runtime.jobs.receipt_form import read_receipt
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import Streams
from runtime.jobs.verify import exit_status, verify
from runtime.sandbox.compile import Compiler
from tests.hostile import job, job_exits
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, open_node, shows_argv, shows_env, writes

MIB = 1 << 20
STRANGER = Identity(bytes(32))


async def receipt_of(node: Node, receipt: str) -> bytes:
    return encode(await node.receipts.document(receipt))


# --- what was claimed and never done --------------------------------------------------------------------------------


async def test_p2_the_commitment_is_that_of_the_real_bytes_of_both_streams(node: Node) -> None:
    end = await node.run(writes((1, b"to stdout"), (2, b"to stderr")))
    made = read_receipt(await receipt_of(node, end.receipt))
    assert made.commitment == commit(b"to stdout", b"to stderr").digest
    kept = await node.jobs.output(end.job)
    assert (kept.stdout, kept.stderr) == (b"to stdout", b"to stderr")
    placeholder = commit(b"(stdout inherited - see terminal output)", b"")
    assert made.commitment != placeholder.digest
    quiet = await node.run(job("returns"))
    assert read_receipt(await receipt_of(node, quiet.receipt)).commitment == commit(b"", b"").digest


async def test_p3_the_memory_limit_holds(node: Node) -> None:
    for limit in (MIB, 4 * MIB):
        end = await node.run(job("grows_and_returns"), limits=replace(LIMITS, memory_bytes=limit))
        assert (end.outcome, end.usage.memory_peak_bytes) == ("exit", limit)


async def test_p3_the_time_limit_holds(node: Node) -> None:
    end = await node.run(job("sleeps_an_hour"), limits=replace(LIMITS, timeout_ms=100))
    assert (end.outcome, end.exit_code) == ("deadline", 124)


async def test_p3_fuel_and_time_are_apart(node: Node) -> None:
    """In the original a limit below a second left no fuel at all."""
    end = await node.run(HELLO, b"ab", limits=JobLimits.of(memory_bytes=MIB, timeout_ms=999, max_output_bytes=MIB))
    assert end.outcome == "exit"
    end = await node.run(job("spin"), limits=replace(LIMITS, fuel=10_000))
    assert end.outcome == "fuel"


async def test_p3_arguments_reach_the_guest(node: Node) -> None:
    end = await node.run(shows_argv(), args=("one", "", "drei größe"))
    assert (await node.jobs.output(end.job)).stdout == "test.wasm\0one\0\0drei größe\0".encode()


async def test_p3_the_exit_code_is_the_guests(node: Node) -> None:
    assert [(await node.run(job_exits(code))).exit_code for code in (0, 1, 2, 42, 255)] == [0, 1, 2, 42, 255]


async def test_p17_receipts_are_signed_by_the_node_itself(node: Node, tmp_path: Path, compiler: Compiler) -> None:
    first = read_receipt(await receipt_of(node, (await node.run(HELLO, b"")).receipt))
    async with open_node(node.state.path, compiler) as later:
        second = read_receipt(await receipt_of(later, (await later.run(HELLO, b"")).receipt))
    assert first.worker == second.worker == node.identity.public_hex == load_or_create(node.state).public_hex


async def test_p19_the_operators_limits_are_what_jobs_are_held_to(tmp_path: Path, compiler: Compiler) -> None:
    tight = JobLimits(memory_bytes=MIB, fuel=10**9, timeout_ms=1000, max_output_bytes=1000)
    async with open_node(tmp_path / "state", compiler, ceilings=tight) as node:
        assert (await node.run(HELLO, b"ab", limits=tight)).outcome == "exit"
        for more in (
            {"memory_bytes": 2 * MIB},
            {"fuel": 10**9 + 1},
            {"timeout_ms": 1001},
            {"max_output_bytes": 1001},
        ):
            end = await node.run(HELLO, b"ab", limits=replace(tight, **more))
            assert (end.outcome, end.exit_code, end.receipt) == ("refused", 125, "")


async def test_p19_as_many_jobs_run_at_a_time_as_there_are_workers(node: Node) -> None:
    running = [asyncio.ensure_future(node.run(job("spin"))) for _ in range(3)]
    await node.until_running()
    assert node.jobs.counts == (2, 1)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_p20_the_shipped_hello_job_does_what_it_says(node: Node) -> None:
    end = await node.run(HELLO, b"Hello, World")
    assert (await node.jobs.output(end.job)).stdout == b"dlroW ,olleH"


# --- findings of the audit of May 2026 ------------------------------------------------------------------------------


async def test_sec01_a_manifest_cannot_raise_what_the_operator_allows(tmp_path: Path, compiler: Compiler) -> None:
    tight = replace(LIMITS, memory_bytes=MIB)
    async with open_node(tmp_path / "state", compiler, ceilings=tight) as node:
        end = await node.run(HELLO, b"", limits=replace(tight, memory_bytes=4 << 30))
        assert end.outcome == "refused"
        assert "memory limit 4GiB is above this node's 1MiB" in end.reason
        assert "running" not in node.states(end.job)


def test_sec01_what_is_not_verified_is_not_looked_at() -> None:
    """A manifest with a false signature is refused for that, whatever else it says."""
    request = JobRequest(name="x")
    manifest = sign_manifest(STRANGER, request, module_name(HELLO), nonce="0" * 32, created_ms=1)
    forged: dict[str, Json] = {**manifest.document, "payload": {"kind": "made up", "input": "x" * 1000}}
    with pytest.raises(ManifestRefusedError) as refused:
        read_manifest(encode(forged))
    assert refused.value.check == "BadSignature"


async def test_sec03_a_key_must_be_pinned_or_the_nodes_own(node: Node) -> None:
    end = await node.run(HELLO, b"")
    raw = await receipt_of(node, end.receipt)
    assert verify(raw, Evidence()).ok is None
    assert exit_status(verify(raw, Evidence())) == 1
    assert verify(raw, Evidence(key=STRANGER.public_hex)).ok is False
    assert verify(raw, Evidence(key=node.identity.public_hex)).ok is True
    for name in ("local_execution", "placeholder_pubkey", ""):
        forged = {**decode_object(raw), "worker_pubkey": name}
        assert verify(encode(forged), Evidence(key=node.identity.public_hex)).ok is False


async def test_sec03_no_downgrade_to_the_older_form_is_valid(node: Node) -> None:
    end = await node.run(HELLO, b"")
    old = legacy_receipt(decode_object(await receipt_of(node, end.receipt)), node.identity)
    assert verify(old, Evidence(key=node.identity.public_hex)).ok is not True


def decode_object(raw: bytes) -> dict[str, Json]:
    value = decode(raw, limit=MIB)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    "ref", ["../../../etc/passwd", "/etc/passwd", "..", "abcd/../..", "abcd\0", "%2e%2e%2f", "ab*?"]
)
async def test_sec04_no_name_of_a_job_or_receipt_leads_to_a_file(node: Node, ref: str) -> None:
    await node.run(writes((1, b"x")))
    for ask in (
        node.jobs.output(ref),
        node.jobs.show(ref),
        node.jobs.cancel(ref, "command"),
        node.receipts.document(ref),
    ):
        with pytest.raises((NotFoundError, UsageError)):
            await ask


async def test_sec04_neither_worker_nor_guest_inherits_an_environment(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    end = await node.run(shows_env())
    assert (await node.jobs.output(end.job)).stdout == b""
    for pid in node.jobs.process_ids:
        raw = await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)
        names = {pair.partition(b"=")[0].decode() for pair in raw.split(b"\0") if pair}
        assert names <= set(ENVIRONMENT) | {"PYTHONPATH"}


async def test_sec04_what_runs_is_this_interpreter_by_its_absolute_path(node: Node) -> None:
    await node.run(HELLO, b"")
    zygote = psutil.Process(node.jobs.process_ids[0])
    assert zygote.cmdline()[0].startswith("/")
    assert zygote.exe() == psutil.Process().exe()


async def test_sec05_each_receipt_is_bound_and_its_verdict_is_kept_and_told(node: Node) -> None:
    first, second = await node.run(HELLO, b"a"), await node.run(HELLO, b"b")
    assert (await node.receipts.verify(first.receipt)).ok is True
    assert (await node.receipts.rows())[1].verdict == "valid"
    told = await node.until(lambda e: isinstance(e, ReceiptVerified))
    assert isinstance(told, ReceiptVerified)
    assert told.verdict == "valid"
    # Held to the other job's manifest, another key, or another output, it is bad; without evidence, unchecked.
    raw, key = await receipt_of(node, first.receipt), node.identity.public_hex
    _, other = await node.jobs.show(second.job)
    for evidence in (
        Evidence(key=key, manifest=encode(other)),
        Evidence(key=STRANGER.public_hex),
        Evidence(key=key, stdout=b"b", stderr=b""),
    ):
        assert verify(raw, evidence).ok is False
    assert exit_status(None) != 0


async def test_sec06_what_is_too_large_is_refused_before_it_is_worked_on(node: Node) -> None:
    end = await node.run(HELLO + bytes(16 * MIB))
    assert (end.outcome, "compiling" in node.states(end.job)) == ("refused", False)
    with pytest.raises(ManifestRefusedError):
        read_manifest(b" " * (200 * 1024))
    assert verify(b" " * (300 * 1024), Evidence()).ok is False
    with pytest.raises(UsageError):
        await node.run(HELLO, args=("x" * 70_000,))


async def test_sec06_a_spinning_guest_does_not_hold_up_the_loop(node: Node) -> None:
    task = asyncio.ensure_future(node.run(job("spin")))
    await node.until_running()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert await node.jobs.rows(limit=1)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_sec07_what_is_kept_of_modules_is_bounded_and_dropped_by_age(node: Node) -> None:
    for code in range(40):
        assert (await node.run(job_exits(code))).exit_code == code
    assert len(kept_modules()) <= 32
    assert (await node.run(job_exits(0))).exit_code == 0


def kept_modules() -> list[str]:
    """The compiled modules that this process holds in memory files."""
    links = (target(number) for number in Path("/proc/self/fd").iterdir())
    return [link for link in links if "orlop-compiled" in link]


def target(number: Path) -> str:
    try:
        return str(number.readlink())
    except FileNotFoundError:
        return ""


def test_sec08_keys_are_never_readable_by_others_not_even_for_a_moment(tmp_path: Path) -> None:
    """Under a watch of every name that appears, with a umask that would let everybody read."""
    code = (
        "import os, sys; from pathlib import Path; os.umask(0)\n"
        "seen = []\n"
        "def hook(event, args):\n"
        "    if event == 'open' and isinstance(args[2], int) and args[2] & os.O_CREAT:\n"
        "        seen.append((args[0], args[2]))\n"
        "sys.addaudithook(hook)\n"
        "from runtime import statedir, identity\n"
        "state = statedir.prepare(Path(sys.argv[1]))\n"
        "identity.load_or_create(state)\n"
        "made = [flags for name, flags in seen if os.path.dirname(str(name)) == sys.argv[1]]\n"
        "assert made and all(flags & os.O_EXCL and flags & os.O_NOFOLLOW for flags in made), seen\n"
        "print(oct(state.path.stat().st_mode & 0o777), oct(state.identity_key.stat().st_mode & 0o777))\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("0o700 0o600\n", "")


async def test_sec10_text_of_guests_is_harmless_wherever_it_is_repeated(node: Node) -> None:
    hostile = "\x1b[2J\x07name\r\nfake line\u202e"
    request = JobRequest(name=hostile, limits=LIMITS)
    end = await node.jobs.run(request, module=job("unreachable"), streams=Streams())
    row = (await node.jobs.rows(limit=1))[0]
    assert row.name.isprintable()
    assert end.reason.isprintable()
    assert request.argv[0].isprintable()


def test_sec11_no_secret_is_shown_by_its_object(tmp_path: Path) -> None:
    seed = bytes(range(32))
    identity = Identity(seed)
    for text in (repr(identity), str(identity), f"{identity!r}"):
        assert seed.hex() not in text
        assert repr(seed) not in text
    assert not hasattr(identity, "__dict__") or seed not in vars(identity).values()


async def test_sec13_ids_are_hashes_of_content_and_the_signer_is_named(node: Node) -> None:
    one = await node.run(HELLO, b"")
    request = JobRequest(name="another name", limits=LIMITS)
    two = await node.jobs.run(request, module=HELLO, streams=Streams())
    rows = [read_receipt(await receipt_of(node, end.receipt)) for end in (one, two)]
    assert {row.extra["module_hash"] for row in rows} == {f"sha256:{hashlib.sha256(HELLO).hexdigest()}"}
    assert [row.id for row in rows] == [one.receipt, two.receipt]
    assert {record.worker for record in await node.receipts.rows()} == {node.identity.public_hex}


# --- missed by that audit -------------------------------------------------------------------------------------------


async def test_s3_nothing_outside_the_signature_is_used(node: Node) -> None:
    end = await node.run(HELLO, b"")
    document = decode_object(await receipt_of(node, end.receipt))
    for forged in ({**document, "exit_code": 0}, {**document, "verdict": "valid"}, {"result": document}):
        with pytest.raises(RefusedError):
            read_receipt(encode(forged))


async def test_s6_a_receipt_is_bound_to_the_nonce_of_its_job(node: Node) -> None:
    first, second = await node.run(HELLO, b"same"), await node.run(HELLO, b"same")
    nonces = []
    for end in (first, second):
        _, manifest = await node.jobs.show(end.job)
        payload = manifest["payload"]
        assert isinstance(payload, dict)
        assert isinstance(payload["orlop"], dict)
        nonces.append(payload["orlop"]["nonce"])
        receipt = read_receipt(await receipt_of(node, end.receipt))
        assert receipt.extra["orlop.nonce"] == nonces[-1]
    assert len({*nonces, first.job, second.job}) == 4


# --- acceptance: at the boundaries, and what orlop added ------------------------------------------------------------


async def test_11_1_a_receipt_is_checked_with_its_bytes_and_a_key_in_hex_alone(node: Node, tmp_path: Path) -> None:
    """In a process that knows neither state directory nor database."""
    end = await node.run(HELLO, b"x")
    raw = await receipt_of(node, end.receipt)
    code = (
        "import sys; from runtime.jobs.evidence import Evidence; from runtime.jobs.verify import verify\n"
        "raw = sys.stdin.buffer.read()\n"
        "slow = raw.replace(b'\"total_duration_ms\":', b'\"total_duration_ms\":1')\n"
        "assert slow != raw\n"
        "print(verify(raw, Evidence(key=sys.argv[1])).ok, verify(slow, Evidence(key=sys.argv[1])).ok,"
        " verify(raw, Evidence(key=sys.argv[2])).ok)\n"
    )
    command = [sys.executable, "-c", code, node.identity.public_hex, STRANGER.public_hex]
    root = Path(__file__).parents[3]
    done = await asyncio.to_thread(subprocess.run, command, input=raw, cwd=root, capture_output=True, check=True)
    assert done.stdout == b"True False False\n"


def test_11_1_the_identity_is_the_same_after_a_restart_and_others_are_other(tmp_path: Path) -> None:
    first = load_or_create(statedir.prepare(tmp_path / "one"))
    signature = first.sign(b"phase-receipt:v1:", b"x")
    again = load_or_create(statedir.prepare(tmp_path / "one"))
    other = load_or_create(statedir.prepare(tmp_path / "two"))
    assert again.public_hex == first.public_hex != other.public_hex
    assert again.sign(b"phase-receipt:v1:", b"x") == signature


def test_11_1_the_domains_of_manifests_and_receipts_give_different_signatures() -> None:
    signatures = {STRANGER.sign(domain, b"{}") for domain in (b"phase-manifest:v1:", b"phase-receipt:v1:")}
    assert len(signatures) == 2


async def test_11_2_a_module_that_is_none_is_refused_and_says_so(node: Node) -> None:
    """The original signed a receipt with no output for it; here what never ran has no receipt of ours."""
    end = await node.run(b"not wasm")
    assert (end.outcome, end.exit_code, end.receipt) == ("refused", 125, "")


def test_11_2_names_of_modules_have_71_characters_and_differ_with_the_content() -> None:
    assert len(module_name(HELLO)) == 71
    assert module_name(HELLO) != module_name(HELLO + b"\0")


async def test_11_4_a_non_zero_exit_code_is_kept_in_the_receipt(node: Node) -> None:
    end = await node.run(job_exits(3))
    assert read_receipt(await receipt_of(node, end.receipt)).extra["exit_code"] == "3"
    assert (await node.jobs.rows(limit=1))[0].exit_code == 3


async def test_11_4_the_bytes_of_stdout_are_in_the_commitment(node: Node) -> None:
    end = await node.run(writes((1, b"these bytes")))
    raw, key = await receipt_of(node, end.receipt), node.identity.public_hex
    assert verify(raw, Evidence(key=key, stdout=b"these bytes", stderr=b"")).steps[6].ok is True
    for other in (b"These bytes", b"these byte", b"these bytes\n", b""):
        assert verify(raw, Evidence(key=key, stdout=other, stderr=b"")).steps[6].ok is False


@pytest.mark.parametrize(
    ("name", "change", "outcome"),
    [
        ("grows_and_traps", {"memory_bytes": 4 * MIB}, "memory"),
        ("spin", {"timeout_ms": 100}, "deadline"),
        ("floods_stdout", {"max_output_bytes": 1000}, "output"),
        ("spin", {"fuel": 1000}, "fuel"),
    ],
)
async def test_11_4_each_cap_trips_and_stands_in_the_receipt(
    node: Node, name: str, change: dict[str, int], outcome: str
) -> None:
    limits = replace(LIMITS, fuel=1 << 60, **change) if "fuel" not in change else replace(LIMITS, **change)
    end = await node.run(job(name), limits=limits)
    assert end.outcome == outcome
    extra = read_receipt(await receipt_of(node, end.receipt)).extra
    assert extra["orlop.outcome"] == outcome
    stated = decode_object(extra["orlop.limits"].encode())
    assert {key: stated[key] for key in change} == change


async def test_11_4_a_forged_outer_body_is_refused(node: Node) -> None:
    end = await node.run(job_exits(1))
    document = decode_object(await receipt_of(node, end.receipt))
    result = document["result"]
    assert isinstance(result, dict)
    better: dict[str, Json] = {**document, "result": {**result, "completion": "stop", "output_chunk_count": 5}}
    assert verify(encode(better), Evidence(key=node.identity.public_hex)).ok is False
