"""The JavaScript library: what it promises, on the real Node and the real program."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import assets
from runtime.jobs.receipt_form import read_receipt
from tests.sdk.documents import FULL, MANIFEST, WORKER
from tests.sdk.guests import ENDLESS, NOT_TEXT, written
from tests.sdk.interpreters import SDK, node

pytestmark = pytest.mark.sdk

PROGRAM = Path(sys.executable).parent / "orlop"
HELLO = assets.path("jobs/hello/hello.wasm")
CLIENT = "const c = new Client({orlopPath: orlop, stateDir: process.argv[1], key: process.argv[2]});"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state") / "orlop"
    subprocess.run([PROGRAM, "--state-dir", folder, "init", "--yes"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def peer(state: Path) -> str:
    """The node's PeerId."""
    command = [PROGRAM, "--state-dir", str(state), "status", "--json"]
    return str(json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["peer_id"])


def test_the_verifier_is_one_file_without_dependencies() -> None:
    imports = re.findall(r"\bimport\b[^;\n]*", (SDK / "js/orlop-verify.mjs").read_text())
    assert imports == ['import("node:crypto")).webcrypto']  # for a Node that has no global one


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("{}", "{}"),
        ("new Map()", "{}"),
        ("[]", "[]"),
        ("{b: 1, a: [null, true, -5n]}", '{"a":[null,true,-5],"b":1}'),
        ("2n ** 63n - 1n", "9223372036854775807"),
        ("-0", "0"),
        (r'"a/b\u2028\u2029é\x7f\x01"', '"a/b\u2028\u2029é\x7f\\u0001"'),
        (r'new Map([["1", "x"], ["\u{1F600}", 1], ["\u{E000}", 2]])', '{"1":"x","\ue000":2,"😀":1}'),
    ],
)
def test_canonical_json_of(value: str, canonical: str) -> None:
    assert node(f"process.stdout.write(verifier.encode({value}))") == canonical


@pytest.mark.parametrize(
    "value",
    ["1.5", "2 ** 53", "NaN", "2n ** 63n", r'"\ud800"', r'{"\udc00": 1}', "undefined", "new Date()", "[undefined]"],
)
def test_nothing_that_has_no_canonical_form_is_written(value: str) -> None:
    assert node(f"console.log(await caught(() => verifier.encode({value})))").startswith("RefusedError: ")


def test_what_is_read_is_what_python_reads(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_bytes(FULL.receipt)
    code = """
        const r = verifier.readReceipt(readFileSync(process.argv[1]));
        console.log(JSON.stringify([await verifier.receiptId(r), r.job, r.worker, r.extra.get('module_hash'),
            r.completion, r.completedAt, Number(r.durationMs), r.commitment, Number(r.chunks),
            Number(r.place.number), r.place.previous, (await verifier.readManifest(process.argv[2])).job]))
    """
    read = read_receipt(FULL.receipt)
    assert read.place is not None
    assert json.loads(node(code, str(tmp_path / "receipt.json"), json.dumps(MANIFEST))) == [
        *(read.id, read.job, read.worker, read.extra["module_hash"], "stop", read.completed_at, 42),
        *(read.commitment.hex(), read.chunks, read.place.number, read.place.previous, read.job),
    ]


def test_a_key_that_is_none_is_refused_and_no_key_is_never_valid() -> None:
    code = """
        const raw = process.argv[1];
        const key = process.argv[2];
        console.log(JSON.stringify([(await verifier.verify(raw, {key})).verdict,
            (await verifier.verify(raw)).verdict, await caught(() => verifier.verify(raw, {key: ''})),
            await caught(() => verifier.verify(raw, {key: 'any'}))]))
    """
    refused = "RefusedError: neither 64 hexadecimal characters nor a PeerId"
    assert json.loads(node(code, FULL.receipt.decode(), WORKER.peer_id)) == ["valid", "unchecked", refused, refused]


def test_without_ed25519_a_signature_is_not_checked_instead_of_false() -> None:
    code = """
        crypto.subtle.constructor.prototype.importKey = () => { throw new DOMException('no', 'NotSupportedError');
        };
        const {ok, steps} = await verifier.verify(process.argv[1], {key: process.argv[2], manifest: process.argv[3]});
        console.log(JSON.stringify([ok, steps[3], steps[4].ok]))
    """
    unchecked = {"name": "signature", "ok": None, "detail": "not checked: this runtime has no Ed25519"}
    got = json.loads(node(code, FULL.receipt.decode(), WORKER.public_hex, json.dumps(MANIFEST)))
    assert got == [None, unchecked, None]


def test_a_job_runs_under_every_limit_that_was_set(state: Path, peer: str) -> None:
    code = CLIENT + (
        """
        const r = await c.createJob(process.argv[3]).withCpu(2).withMemory(64)
            .withTimeout(20).withFuel(7000000).withMaxOutput(4096)
            .withLimit('stack', '128KiB').withLimit('open-files', 9)
            .withArgs('-x', '--', 'é').withEnv({A: '-b c'}).submit('Hello, World').wait();
        console.log(JSON.stringify([r.stdout, r.stderr, r.exitCode, r.outcome, r.success, r.truncated, r.message,
            await r.verify(process.argv[2]), r.jobId === r.receipt.job,
            JSON.parse(r.receipt.extra.get('orlop.limits'))]))
    """
    )
    got = json.loads(node(code, str(state), peer, str(HELLO)))
    limits = got.pop()
    assert got == ["dlroW ,olleH", "", 0, "exit", True, False, "", True, True]
    expected = {"memory_bytes": 64 << 20, "timeout_ms": 20_000, "fuel": 7_000_000, "max_output_bytes": 4096}
    expected |= {"cpu_ms": 40_000, "stack_bytes": 128 << 10, "open_files": 9}
    assert {name: limits[name] for name in expected} == expected


def test_a_job_that_fails_says_how_and_its_receipt_still_verifies(state: Path, peer: str) -> None:
    code = CLIENT + (
        """
        const r = await c.createJob(process.argv[3]).withFuel(10).submit('x').wait();
        console.log(JSON.stringify([r.exitCode, r.outcome, r.success, await r.verify(process.argv[2]),
            r.message.includes('fuel limit of 10')]))
    """
    )
    assert json.loads(node(code, str(state), peer, str(HELLO))) == [134, "fuel", False, True, True]


def test_output_that_is_no_text_comes_as_its_bytes(state: Path, peer: str, tmp_path: Path) -> None:
    code = CLIENT + (
        """
        const r = await c.createJob(process.argv[3]).submit().wait();
        process.stdout.write(`${r.stdoutBytes.toString('hex')} ${r.stderrBytes.toString('hex')}`)
    """
    )
    assert node(code, str(state), peer, str(written(tmp_path, NOT_TEXT))) == "ff00800a ff00800a"


def test_input_and_output_may_be_longer_than_any_pipe(state: Path, peer: str) -> None:
    code = CLIENT + (
        """
        const r = await c.createJob(process.argv[3]).submit('ab'.repeat(500000)).wait();
        console.log(JSON.stringify([r.stdout === 'ba'.repeat(500000), r.success]))
    """
    )
    assert json.loads(node(code, str(state), peer, str(HELLO))) == [True, True]


def test_a_job_is_cancelled_with_a_receipt(state: Path, peer: str, tmp_path: Path) -> None:
    code = CLIENT + (
        """
        const {existsSync} = await import('node:fs');
        const {setTimeout: pause} = await import('node:timers/promises');
        const [, , , module, folder] = process.argv;
        const job = c.createJob(module).withDirs(`${folder}:/d`).withTimeout(120).submit();
        while (!existsSync(`${folder}/started`)) await pause(20);
        job.cancel();
        const r = await job.wait();
        console.log(JSON.stringify([r.outcome, r.exitCode, r.success, await r.verify(process.argv[2])]))
    """
    )
    module = written(tmp_path, ENDLESS)
    assert json.loads(node(code, str(state), peer, str(module), str(tmp_path))) == ["cancelled", 143, False, True]


def test_what_cannot_be_run_is_one_clear_error(state: Path, peer: str) -> None:
    code = CLIENT + (
        """
        const hello = process.argv[3];
        const strange = new Client({orlopPath: orlop, stateDir: process.argv[1], key: '0'.repeat(64)});
        const none = new Client({orlopPath: '/no/such/orlop'});
        console.log(JSON.stringify([await caught(() => c.createJob(hello).withMemory(32768).submit().wait()),
            await caught(() => c.createJob(hello).withMemory(32769)),
            await caught(() => c.createJob('/none').submit().wait()),
            await caught(() => none.createJob(hello).submit('x'.repeat(1e6)).wait()),
            await caught(() => new Client({mode: 'remote'})), await caught(() => new Client({modus: 'local'})),
            await caught(() => c.createJob(hello).wait()),
            await caught(() => strange.createJob(hello).submit().wait())]))
    """
    )
    got = json.loads(node(code, str(state), peer, str(HELLO)))
    assert "--memory: `32768MiB` is too large" in got.pop(0)
    assert got == [
        "RefusedError: `memory_mb` is not 1 to 32768",
        "UnavailableError: /none: ENOENT",
        "UnavailableError: /no/such/orlop: ENOENT",
        "RefusedError: `peer` says who runs the jobs: the mode remote needs it, and no other has it",
        "RefusedError: no option of the client: modus",
        "Error: submit the job first",
        "RefusedError: the receipt does not verify under the key that was given",
    ]
