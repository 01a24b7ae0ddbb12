"""`orlop receipts …`: eight steps, "bad" apart from "could not check", with a home or without one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import ROOT, inside, orlop

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")


@pytest.fixture(scope="module")
def made(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a receipt, its predecessor, and everything that they can be held against."""
    folder = tmp_path_factory.mktemp("receipts")
    for number, text in enumerate((b"first", b"second")):
        run = ("jobs", "run", HELLO, "--stdin", "-", "--json", "--receipt", str(folder / f"{number}.json"))
        document = orlop(home, *run, stdin=text).json
    shown = orlop(home, "jobs", "show", document["job"], "--json").json
    (folder / "manifest.json").write_text(json.dumps(shown["manifest"]))
    (folder / "stdout").write_bytes(b"dnoces")
    (folder / "stderr").write_bytes(b"")
    (folder / "key").write_text(document["receipt"]["worker_pubkey"])
    (folder / "id").write_text(shown["receipt"])
    return folder


def steps(document: dict[str, Any]) -> dict[str, bool | None]:
    return {step["name"]: step["ok"] for step in document["steps"]}


def test_own_receipts_are_valid_by_file_by_pipe_and_by_id(home: Path, made: Path) -> None:
    document = (made / "1.json").read_bytes()
    prefix = (made / "id").read_text()[:12]
    runs = [
        orlop(home, "receipts", "verify", str(made / "1.json"), "--json"),
        orlop(home, "receipts", "verify", "-", "--json", stdin=document),
        orlop(home, "receipts", "verify", prefix, "--json"),
    ]
    for ran in runs:
        assert (ran.code, ran.talk, ran.json["ok"]) == (0, "", True)
        assert set(steps(ran.json).values()) == {True}


def test_a_strangers_receipt_is_never_valid_without_a_key(made: Path, tmp_path: Path) -> None:
    ran = orlop(tmp_path, "receipts", "verify", str(made / "1.json"), "--json")
    assert (ran.code, ran.json["ok"], ran.talk) == (1, None, "")
    assert steps(ran.json) == {
        "schema": True, "canonical": True, "key": None, "signature": True, "job_id": None, "module": None,
        "commitment": None, "chain": None,
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_with_everything_given_a_strangers_receipt_is_checked_whole(made: Path, tmp_path: Path) -> None:
    words = ["--key", (made / "key").read_text(), "--manifest", str(made / "manifest.json"), "--module", HELLO]
    words += ["--stdout", str(made / "stdout"), "--stderr", str(made / "stderr"), "--previous", str(made / "0.json")]
    ran = orlop(tmp_path, "receipts", "verify", str(made / "1.json"), "--json", *words)
    assert (ran.code, set(steps(ran.json).values())) == (0, {True})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (["--key", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"], "key"),
        (["--key", "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV"], "key"),
        (["--manifest", "0.json"], "job_id"),
        (["--module", "1.json"], "module"),
        (["--stdout", "1.json"], "commitment"),
        (["--previous", "1.json"], "chain"),
    ],
)
def test_what_contradicts_is_bad_and_exit_4(home: Path, made: Path, words: list[str], step: str) -> None:
    ran = inside(home, ["receipts", "verify", str(made / "1.json"), "--json", *words], cwd=made)
    assert (ran.code, ran.json["ok"], steps(ran.json)[step]) == (4, False, False)


def test_every_changed_byte_is_bad(home: Path, made: Path) -> None:
    document = json.loads((made / "1.json").read_text())
    for name, value in (("completed_at", "2026-01-01T00:00:00Z"), ("job_id", "0" * 64), ("signature", "0" * 128)):
        ran = orlop(home, "receipts", "verify", "-", "--json", stdin=json.dumps(document | {name: value}).encode())
        assert (ran.code, ran.json["ok"]) == (4, False)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"a":1,"a":2}', b"[" * 100_000, b'{"schema_version": 2}']
)
def test_what_is_no_receipt_is_bad(tmp_path: Path, raw: bytes) -> None:
    ran = inside(tmp_path, ["receipts", "verify", "-", "--json"], stdin=raw, cwd=tmp_path)
    assert (ran.code, ran.json["ok"], ran.talk) == (4, False, "")
    assert len(ran.json["steps"]) == 8


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere.json"], 2, "nowhere.json: no such file or directory"),
        (["."], 2, ".: is a directory, not a file"),
        (["1.json", "--key", "abc"], 2, "--key: neither 64 hexadecimal characters nor a PeerId"),
        (["1.json", "--stdout", "nowhere"], 2, "nowhere: no such file or directory"),
        (["abcdef0123"], 1, "there is no receipt `abcdef0123`"),
        ([""], 2, "no such file or directory"),
    ],
)
def test_what_cannot_be_read_is_2_and_what_is_not_there_is_1(
    home: Path, made: Path, words: list[str], code: int, said: str
) -> None:
    ran = inside(home, ["receipts", "verify", *words], cwd=made)
    assert (ran.code, ran.out) == (code, b"")
    assert said in ran.talk
    assert ran.talk.count("\n") == 1


def test_a_stored_receipt_needs_a_home_but_makes_none(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "receipts", "verify", "abcdef0123")
    assert (ran.code, ran.out) == (1, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_home_does_not_keep_a_receipt_from_being_checked(made: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "identity.key").write_bytes(b"short")
    (state / "identity.key").chmod(0o600)
    words = ["--key", (made / "key").read_text(), "--state-dir", str(state)]
    assert orlop(tmp_path, "receipts", "verify", str(made / "1.json"), *words).code == 0


def test_text_for_people(home: Path, made: Path) -> None:
    ran = orlop(home, "receipts", "verify", str(made / "1.json"))
    lines = ran.text.splitlines()
    assert [line.split()[:2] for line in lines[:8]] == [
        ["ok", name] for name in ("schema", "canonical", "key", "signature", "job_id", "module", "commitment", "chain")
    ]
    assert lines[8:] == ["valid"]


def test_show_is_the_receipt_itself(home: Path, made: Path) -> None:
    prefix = (made / "id").read_text()[:16]
    for options in ([], ["--json"]):
        assert orlop(home, "receipts", "show", prefix, *options).json == json.loads((made / "1.json").read_text())


def test_export_to_a_file_and_to_stdout(home: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.jsonl"
    ran = orlop(home, "receipts", "export", "--out", str(out))
    assert (ran.code, ran.text.split()[:2]) == (0, ["out", str(out)])
    documents = [json.loads(line) for line in out.read_text().splitlines()]
    assert json.loads((made / "1.json").read_text()) in documents
    one = orlop(home, "receipts", "export", (made / "id").read_text())
    assert one.out == (made / "1.json").read_bytes()
    legacy = orlop(home, "receipts", "export", (made / "id").read_text(), "--format", "legacy").json
    assert list(legacy) == [
        "version", "module_hash", "exit_code", "wall_time_ms", "timestamp", "node_pubkey", "signature",
    ]  # fmt: skip


def test_export_replaces_whole_or_not_at_all(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.jsonl"
    out.write_text("before")
    ran = orlop(home, "receipts", "export", "ffff", "--out", str(out))
    assert ran.code == 1
    assert out.read_text() == "before"
    assert orlop(home, "receipts", "export", "--out", str(tmp_path)).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def test_one_receipt_is_exported_in_every_form(home: Path, made: Path, tmp_path: Path) -> None:
    name = (made / "id").read_text()
    statement = orlop(home, "receipts", "export", name, "--format", "in-toto").json
    assert (statement["payloadType"], len(statement["signatures"])) == ("application/vnd.in-toto+json", 1)
    out = tmp_path / "proof.json"
    ran = orlop(home, "receipts", "export", name, "--format", "bundle", "--with-output", "--out", str(out))
    assert (ran.code, ran.talk) == (0, "")
    proof = orlop(tmp_path, "receipts", "verify", str(out), "--key", (made / "key").read_text(), "--json")
    assert (proof.code, proof.json["ok"]) == (0, True)
    assert steps(proof.json) == dict.fromkeys(steps(proof.json), True) | {"chain": None}
    assert [path.name for path in tmp_path.iterdir()] == ["proof.json"]


def test_the_signed_message_is_what_the_id_is_the_hash_of(home: Path, made: Path, tmp_path: Path) -> None:
    name, message = (made / "id").read_text(), tmp_path / "message"
    ran = orlop(home, "receipts", "export", name, "--signed-message", str(message))
    assert (ran.code, ran.text.split()[:2]) == (0, ["out", str(message)])
    assert hashlib.sha256(message.read_bytes()).hexdigest() == name
    assert orlop(home, "receipts", "export", name, "--signed-message", "-").out == message.read_bytes()
    both = orlop(home, "receipts", "export", name, "--signed-message", str(message), "--out", "-")
    assert both.out == (made / "1.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--signed-message", "m"], "--signed-message: is for one receipt, which is named"),
        (["--with-output"], "--with-output: is for bundles; add --format bundle"),
    ],
)
def test_what_does_not_go_together_is_refused(home: Path, made: Path, words: list[str], said: str) -> None:
    ran = inside(home, ["receipts", "export", *words], cwd=made)
    assert (ran.code, ran.out) == (2, b"")
    assert said in ran.talk


def test_a_chain_is_verified_where_it_is_stored_and_from_a_file(home: Path, made: Path, tmp_path: Path) -> None:
    stored = orlop(home, "receipts", "verify", "--chain", "--json")
    assert (stored.code, stored.json["ok"], stored.json["faults"]) == (0, True, [])
    lines = orlop(home, "receipts", "export").out.splitlines(keepends=True)
    assert stored.json["receipts"] == len(lines) == stored.json["chains"][0]["last"] + 1
    key = (made / "key").read_text()

    def chain(*taken: bytes, words: tuple[str, ...] = ("--key", key)) -> tuple[int, Any]:
        ran = inside(
            tmp_path, ["receipts", "verify", "--chain", "-", "--json", *words], stdin=b"".join(taken), cwd=tmp_path
        )
        return ran.code, [(fault["kind"], fault["at"]) for fault in ran.json["faults"]]

    assert chain(*lines) == (0, [])
    assert chain(*lines[1:]) == (0, [])
    assert chain(*lines, words=()) == (1, [])
    assert chain(lines[1], lines[0]) == (4, [("reordered", "line 2")])
    assert chain(lines[0], lines[0]) == (4, [("repeated", "line 2")])
    assert chain(lines[0].replace(b"stop", b"error")) == (4, [("altered", "line 1")])
    assert chain(*lines, words=("--key", "ab" * 32))[1] == [("key", "line 1")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "RECEIPT is missing; or --chain"),
        (["--chain", "0.json", "--module", "1.json"], 2, "--chain: --module is for one receipt"),
        (["--chain", "abcdef"], 2, "--chain: takes a file of receipts, or nothing"),
        (["--chain", "nowhere.jsonl"], 2, "nowhere.jsonl: no such file or directory"),
    ],
)
def test_wrong_ways_to_ask_for_a_chain(home: Path, made: Path, words: list[str], code: int, said: str) -> None:
    ran = inside(home, ["receipts", "verify", *words], cwd=made)
    assert (ran.code, ran.out) == (code, b"")
    assert said in ran.talk


def test_listings_are_narrowed(home: Path, made: Path) -> None:
    key = (made / "key").read_text()

    def listed(*words: str) -> int:
        ran = inside(home, ["receipts", "list", "--json", *words], cwd=made)
        assert ran.code == 0
        return len(ran.json["items"])

    assert listed("--outcome", "exit") == listed("--worker", key) == listed()
    assert listed("--outcome", "trap") == listed("--worker", "ab" * 32) == 0
    assert inside(home, ["receipts", "list", "--worker", "x"], cwd=made).code == 2
    assert inside(home, ["receipts", "list", "--job", "ffff0000"], cwd=made).code == 1


def test_a_job_is_run_again_with_what_is_given(home: Path, made: Path, tmp_path: Path) -> None:
    name, given = (made / "id").read_text(), tmp_path / "stdin"
    given.write_bytes(b"second")
    ran = orlop(home, "receipts", "rerun", name, "--module", HELLO, "--stdin", str(given), "--json")
    assert (ran.code, ran.json["verdict"], ran.json["deterministic"]) == (0, "same", False)
    assert {point["name"] for point in ran.json["compared"]} == {"commitment", "chunks", "fuel", "outcome", "exit_code"}
    for words, said in (
        (["--stdin", str(given)], "the job's module was not kept; give it: --module"),
        (["--module", HELLO, "--stdin", HELLO], "--stdin: another stdin than that of the first run"),
        (["--module", str(given), "--stdin", str(given)], "--module: another module than that of the first run"),
    ):
        refused = inside(home, ["receipts", "rerun", name, *words], cwd=tmp_path)
        assert (refused.code, refused.out) == (1, b"")
        assert said in refused.talk


def test_a_rotated_key_leaves_old_receipts_own_and_is_carried_by_bundles(tmp_path: Path) -> None:
    receipt, proof = tmp_path / "receipt.json", tmp_path / "proof.json"
    assert orlop(tmp_path, "jobs", "run", HELLO, "--receipt", str(receipt)).code == 0
    before = orlop(tmp_path, "status", "--json").json["peer_id"]
    turned = orlop(tmp_path, "init", "--yes", "--rotate-identity", "--json")
    assert (turned.code, turned.json["previous_peer_id"], turned.json["key_number"]) == (0, before, 1)
    now = orlop(tmp_path, "status", "--json").json["peer_id"]
    assert now == turned.json["peer_id"] != before
    assert orlop(tmp_path, "receipts", "verify", str(receipt)).code == 0
    assert orlop(tmp_path, "jobs", "run", HELLO).code == 0
    assert orlop(tmp_path, "receipts", "verify", "--chain", "--json").json["receipts"] == 2
    rows = orlop(tmp_path, "receipts", "list", "--json").json["items"]
    assert [row["number"] for row in rows] == [0, 0]
    assert (
        orlop(tmp_path, "receipts", "export", rows[1]["receipt"], "--format", "bundle", "--out", str(proof)).code == 0
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for key in (before, now):
        assert orlop(elsewhere, "receipts", "verify", str(proof), "--key", key).code == 0
    assert orlop(elsewhere, "receipts", "verify", str(receipt), "--key", now).code == 4
    audited = orlop(tmp_path, "audit", "--command", "init", "--json").json["items"]
    assert [item["outcome"] for item in audited] == ["ok"]


def test_a_key_is_not_rotated_under_a_running_program(owned: Path) -> None:
    before = (owned / ".local/state/orlop/identity.key").read_bytes()
    ran = orlop(owned, "init", "--rotate-identity")
    assert (ran.code, ran.out) == (6, b"")
    assert (owned / ".local/state/orlop/identity.key").read_bytes() == before
    read_only = orlop(owned, "--read-only", "init", "--rotate-identity")
    assert (read_only.code, "--read-only" in read_only.talk) == (1, True)


def test_a_trusted_peers_receipt_is_believed_as_long_as_it_is_trusted(home: Path, made: Path, tmp_path: Path) -> None:
    verify = ("receipts", "verify", str(made / "1.json"), "--json")
    peer = orlop(home, "status", "--json").json["peer_id"]
    told = []
    for words in (("--name", "ada"), ("--jobs", "--remove"), ("--remove",), ("--jobs",), ()):
        assert orlop(tmp_path, "peers", "trust", peer, *words).code == 0
        told.append((orlop(tmp_path, *verify).code, orlop(tmp_path, "receipts", "verify", "--chain", verify[2]).code))
    assert orlop(tmp_path, "peers", "ban", peer, "--yes").code == 0
    told.append((orlop(tmp_path, *verify).code, orlop(tmp_path, "receipts", "verify", "--chain", verify[2]).code))
    assert told == [(0, 0), (0, 0), (1, 1), (1, 1), (0, 0), (1, 1)]
