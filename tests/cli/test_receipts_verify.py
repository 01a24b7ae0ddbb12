"""`orlop receipts …`: eight steps, "bad" apart from "could not check", with a home or without one."""

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
