"""The PHP library: what its classes promise, on the real interpreter and the real program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import assets
from runtime.jobs.receipt_form import read_receipt
from tests.sdk.corpus import legacy
from tests.sdk.documents import FULL, MANIFEST, RECEIPT, STRANGER, WORKER
from tests.sdk.guests import ENDLESS, NOT_TEXT, written
from tests.sdk.interpreters import php

pytestmark = pytest.mark.sdk

PROGRAM = Path(sys.executable).parent / "orlop"
HELLO = assets.path("jobs/hello/hello.wasm")


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


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("new JsonObject()", "{}"),
        ("[]", "[]"),
        ("new JsonObject(['b' => 1, 'a' => [null, true, -5]])", '{"a":[null,true,-5],"b":1}'),
        ("['b' => 1, 'a' => 2]", '{"a":2,"b":1}'),
        ("PHP_INT_MAX", "9223372036854775807"),
        (r'"a/b\u{2028}\u{2029}é\x7f\x01"', '"a/b\u2028\u2029é\x7f\\u0001"'),
        (
            r"(new JsonObject())->with('1', 'x')->with(\"\u{1F600}\", 1)->with(\"\u{E000}\", 2)",
            '{"1":"x","\ue000":2,"😀":1}',
        ),
    ],
)
def test_canonical_json_of(value: str, canonical: str) -> None:
    assert php(f"echo Crypto::canonicalJsonEncode({value.replace(chr(92) + chr(34), chr(34))});") == canonical


@pytest.mark.parametrize(
    "value", ["1.0", "1e3", "PHP_INT_MIN", r'"\xff"', "new \\stdClass()", "[1 => 'a']", "['a' => 1, '7' => 2]"]
)
def test_nothing_that_has_no_canonical_form_is_written(value: str) -> None:
    assert php(f"echo $caught(fn () => Json::encode({value}));").startswith("RefusedException: ")


def test_getters_say_what_python_reads(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_bytes(FULL.receipt)
    got = json.loads(
        php(
            """
        $r = Receipt::fromJson(file_get_contents($argv[1]));
        echo json_encode([$r->isSignedEnvelope(), $r->getId(), $r->getJobId(), $r->getWorkerKey(),
            $r->getModuleHash(), $r->getExitCode(), $r->getOutcome(), $r->getCompletion(), $r->getCompletedAt(),
            $r->getDurationMs(), $r->getCommitment(), $r->getChunkCount(), $r->getNumber(), $r->getPrevious(),
            $r->isSuccess(), $r->toJson()]);
    """,
            str(tmp_path / "receipt.json"),
        )
    )
    read = read_receipt(FULL.receipt)
    assert read.place is not None
    assert got == [
        *(True, read.id, read.job, read.worker, read.extra["module_hash"], 0, "exit", "stop", read.completed_at, 42),
        *(read.commitment.hex(), read.chunks, read.place.number, read.place.previous, True, FULL.receipt.decode()),
    ]


def test_a_receipt_is_verified_by_a_pinned_key_and_never_without(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_bytes(FULL.receipt)
    code = r"""
        $r = Receipt::fromJson(file_get_contents($argv[1]));
        echo json_encode([$r->verify($argv[2]), $r->verify($argv[3]), $r->verify($argv[4]),
            $r->verify($argv[2], stdout: 'x', stderr: ''), $caught(fn () => $r->verify('')),
            $caught(fn () => $r->verify('local_execution')),
            (new \ReflectionMethod($r, 'verify'))->getNumberOfRequiredParameters(),
            $r->check(new Evidence())->verdict()]);
    """
    got = json.loads(php(code, str(tmp_path / "receipt.json"), WORKER.public_hex, WORKER.peer_id, STRANGER.public_hex))
    refused = "RefusedException: the key is neither 64 hexadecimal characters nor a PeerId"
    assert got == [True, True, False, False, refused, refused, 1, "unchecked"]


def test_an_older_receipt_can_be_read_and_is_never_valid(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_bytes(legacy())
    code = """
        $r = Receipt::fromJson(file_get_contents($argv[1]));
        echo json_encode([$r->isSignedEnvelope(), $r->getExitCode(), $r->getDurationMs(), $r->getId(),
            $r->getJobId(), $r->verify($r->getWorkerKey()), $r->isSuccess()]);
    """
    assert json.loads(php(code, str(tmp_path / "receipt.json"))) == [False, 0, 42, None, None, False, True]


def test_a_mock_verifies_under_its_own_key_alone() -> None:
    code = """
        $r = Receipt::createMock(['note' => 'x'], 'out');
        $other = Receipt::createMock();
        echo json_encode([$r->verify($r->getWorkerKey(), stdout: 'out'), $r->verify($other->getWorkerKey()),
            $r->getEntry('note'), $r->isSuccess(), $r->getId() === $other->getId()]);
    """
    assert json.loads(php(code)) == [True, False, "x", True, False]


def test_the_signed_message_is_that_of_python() -> None:
    covered = {name: value for name, value in RECEIPT.items() if name not in {"signature", "worker_pubkey"}}
    code = """
        $r = Json::decode($argv[1]);
        $m = Crypto::getCanonicalMessage($r);
        echo json_encode([hash('sha256', $m), Crypto::verifySignature($m, $r->get('signature'),
            $r->get('worker_pubkey')), Crypto::verifySignature("$m ", $r->get('signature'),
            $r->get('worker_pubkey')), SignedManifest::fromJson($argv[2])->getJobId(),
            $caught(fn () => Crypto::getCanonicalMessage(new JsonObject()))]);
    """
    got = json.loads(php(code, FULL.receipt.decode(), json.dumps(MANIFEST)))
    refused = "RefusedException: neither a receipt nor a signed manifest of version 1"
    assert got == [read_receipt(FULL.receipt).id, True, False, covered["job_id"], refused]


def test_a_manifest_goes_to_json_and_back_and_keeps_to_its_ranges() -> None:
    code = """
        $m = Manifest::fromWasmFile($argv[1])->setCpuCores(2)->setMemoryMb(64)->setTimeoutSeconds(5);
        $back = Manifest::fromJson($m->toJson());
        echo json_encode([$back->toJson() === $m->toJson(), $back->getVersion(), $back->getModuleHash(),
            $back->getCpuCores(), $back->getMemoryMb(), $back->getTimeoutSeconds(),
            $caught(fn () => $m->setMemoryMb(32769)), $caught(fn () => Manifest::fromJson('{}')),
            $caught(fn () => Manifest::fromJson(str_replace('64', '64.0', $m->toJson()))),
            $caught(fn () => Manifest::fromWasmFile('no such file'))]);
    """
    got = json.loads(php(code, str(HELLO)))
    assert got[:2] == [True, "0.1"]
    assert got[3:7] == [2, 64, 5, "RefusedException: memory_mb: not 1 to 32768"]
    assert got[7].endswith(": is missing")
    assert got[8].startswith("RefusedException: ")
    assert got[9] == "UnavailableException: no such file: cannot be read"


def test_a_job_runs_under_every_limit_that_was_set(state: Path, peer: str) -> None:
    code = """
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        $r = $c->createJob($argv[3])->withCpu(2)->withMemory(64)
            ->withTimeout(20)->withFuel(7000000)->withMaxOutput(4096)
            ->withLimit('stack', '128KiB')->withLimit('open-files', '9')
            ->withArgs('-x', '--', 'é')->withEnv(['A' => '-b c'])->submit('Hello, World')->wait();
        echo json_encode([$r->stdout(), $r->stderr(), $r->exitCode(), $r->outcome(), $r->isSuccess(),
            $r->isTruncated(), $r->message(), $r->verify($argv[2]), $r->jobId() === $r->receipt()->getJobId(),
            json_decode($r->receipt()->getEntry('orlop.limits'), true)]);
    """
    got = json.loads(php(code, str(state), peer, str(HELLO)))
    limits = got.pop()
    assert got == ["dlroW ,olleH", "", 0, "exit", True, False, "", True, True]
    expected = {"memory_bytes": 64 << 20, "timeout_ms": 20_000, "fuel": 7_000_000, "max_output_bytes": 4096}
    expected |= {"cpu_ms": 40_000, "stack_bytes": 128 << 10, "open_files": 9}
    assert {name: limits[name] for name in expected} == expected


def test_a_job_that_fails_says_how_and_its_receipt_still_verifies(state: Path, peer: str) -> None:
    code = """
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        $r = $c->createJob($argv[3])->withFuel(10)->submit('x')->wait();
        echo json_encode([$r->exitCode(), $r->outcome(), $r->isSuccess(),
            $r->verify($argv[2]), str_contains($r->message(), 'fuel limit of 10')]);
    """
    assert json.loads(php(code, str(state), peer, str(HELLO))) == [134, "fuel", False, True, True]


def test_output_that_is_no_text_comes_as_its_bytes(state: Path, peer: str, tmp_path: Path) -> None:
    code = """
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        $r = $c->createJob($argv[3])->submit()->wait();
        echo bin2hex($r->stdout()), ' ', bin2hex($r->stderr());
    """
    assert php(code, str(state), peer, str(written(tmp_path, NOT_TEXT))) == "ff00800a ff00800a"


def test_input_and_output_may_be_longer_than_any_pipe(state: Path, peer: str) -> None:
    code = """
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        $r = $c->createJob($argv[3])->submit(str_repeat('ab', 500000))->wait();
        echo json_encode([$r->stdout() === str_repeat('ba', 500000), $r->isSuccess()]);
    """
    assert json.loads(php(code, str(state), peer, str(HELLO))) == [True, True]


def test_a_job_is_cancelled_with_a_receipt(state: Path, peer: str, tmp_path: Path) -> None:
    code = """
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        $job = $c->createJob($argv[3])->withDirs("$argv[4]:/d")->withTimeout(120)->submit();
        while (!file_exists("$argv[4]/started")) { usleep(20000);
        clearstatcache();
        } $job->cancel();
        $r = $job->wait();
        echo json_encode([$r->outcome(), $r->exitCode(), $r->isSuccess(), $r->verify($argv[2])]);
    """
    module = written(tmp_path, ENDLESS)
    assert json.loads(php(code, str(state), peer, str(module), str(tmp_path))) == ["cancelled", 143, False, True]


def test_what_cannot_be_run_is_one_clear_exception(state: Path, peer: str, tmp_path: Path) -> None:
    module = tmp_path / "changing.wasm"
    module.write_bytes(HELLO.read_bytes())
    code = """
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        $changing = $c->createJob($argv[4]);
        file_put_contents($argv[4], 'x', FILE_APPEND);
        $strange = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => str_repeat('0', 64)]);
        $none = new Client(['orlop_path' => '/no/such/orlop']);
        echo json_encode([$caught(fn () => $c->createJob($argv[3])->withMemory(32768)->submit()->wait()),
            $caught(fn () => $changing->submit()), $caught(fn () => $c->createJob('/no/such/module')),
            $caught(fn () => $none->createJob($argv[3])->submit()->wait()),
            $caught(fn () => new Client(['mode' => 'remote'])),
            $caught(fn () => new Client(['modus' => 'local'])),
            $caught(fn () => $c->createJob($argv[3])->wait()),
            $caught(fn () => $strange->createJob($argv[3])->submit()->wait())]);
    """
    got = json.loads(php(code, str(state), peer, str(HELLO), str(module)))
    assert "--memory: `32768MiB` is too large" in got.pop(0)
    assert got == [
        f"RefusedException: {module}: not the module that the manifest names",
        "UnavailableException: /no/such/module: cannot be read",
        "UnavailableException: /no/such/orlop: cannot be started",
        "RefusedException: `peer` says who runs the jobs: the mode remote needs it, and no other has it",
        "RefusedException: no option of the client: modus",
        "LogicException: submit the job first",
        "RefusedException: the receipt does not verify under the key that was given",
    ]


def test_a_file_that_begins_with_a_dash_is_a_file(state: Path, peer: str, tmp_path: Path) -> None:
    (tmp_path / "--help").write_bytes(HELLO.read_bytes())
    code = """
        chdir($argv[3]);
        $c = new Client(['orlop_path' => $orlop, 'state_dir' => $argv[1], 'key' => $argv[2]]);
        echo $c->createJob('--help')->submit('ab')->wait()->stdout();
    """
    assert php(code, str(state), peer, str(tmp_path)) == "ba"
