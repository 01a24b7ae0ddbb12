"""Uploading and trying agents by the real program: every bad manifest and module is one line, nothing is kept of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import hostile
from tests.cli.program import ROOT, inside, orlop

UNBLOCK = ROOT / "assets/agents/unblock"
BALANCE = ROOT / "assets/agents/auto-balance"
MANIFEST: dict[str, Any] = json.loads((UNBLOCK / "unblock.json").read_text())

BAD_MANIFESTS = [
    ("not json", b"{", "Manifest must be JSON"),
    ("array", b"[]", "Manifest.name must be a string"),
    ("text", b'"x"', "Manifest must be an object"),
    ("twice", b'{"name":"a","name":"b"}', "Manifest must be JSON"),
    ("huge", b'{"name":"' + b"x" * 10_000_000 + b'"}', "Manifest must be JSON"),
    *((f"{name} {value!r}", json.dumps(MANIFEST | {name: value}).encode(), said) for name, value, said in (
        ("name", 1, "Manifest.name must be a string"),
        ("version", None, "Manifest.version must be a string"),
        ("description", [], "Manifest.description must be a string"),
        ("author", {}, "Manifest.author must be a string"),
        ("wasmHash", 0, "Manifest.wasmHash must be a string"),
        ("permissions", "all", "Manifest.permissions must be an array"),
        ("permissions", ["fly"], "Invalid permission: fly"),
        ("permissions", [1], "Invalid permission: 1"),
        ("signature", 7, "Manifest.signature must be a string if provided"),
        ("wasmHash", "00", "WASM hash mismatch"),
        ("name", "Bad Name", "Bad Name"),
        ("name", "a\x1b[2J", "a\\x1b[2J"),
    )),
]  # fmt: skip

BAD_MODULES = [
    "junk", "empty", "text_format", "truncated", "component", "shared_memory", "huge_table", "agents_many_functions",
    "custom_10mb", "export_name_escape", "ill_typed",
]  # fmt: skip


def kept(home: Path) -> list[Any]:
    items: list[Any] = orlop(home, "agents", "list", "--json").json["items"]
    return items


@pytest.fixture(scope="module")
def harbor(owned: Path) -> Path:
    """A home with the room `harbor`."""
    assert orlop(owned, "rooms", "create", "harbor").code == 0
    return owned


@pytest.mark.parametrize(("name", "manifest", "said"), BAD_MANIFESTS, ids=[one[0] for one in BAD_MANIFESTS])
def test_a_bad_manifest_is_one_line(harbor: Path, tmp_path: Path, name: str, manifest: bytes, said: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_bytes(manifest)
    wasm = str(UNBLOCK / "unblock.wasm")
    words = ["agents", "upload", "harbor", wasm, "--manifest", str(file), "--grant", "none"]
    ran = inside(harbor, words, cwd=tmp_path)
    assert (ran.code, ran.out, ran.talk.count("\n")) == (1, b"", 1)
    assert said in ran.talk
    assert "\x1b" not in ran.talk


@pytest.mark.parametrize(("name", "manifest", "said"), BAD_MANIFESTS[:4], ids=[one[0] for one in BAD_MANIFESTS[:4]])
def test_a_trial_with_a_bad_manifest_is_2(tmp_path: Path, name: str, manifest: bytes, said: str) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest)
    words = ["agents", "try", str(UNBLOCK / "unblock.wasm"), "--manifest", "manifest.json"]
    ran = orlop(tmp_path, *words, "--json")
    assert (ran.code, ran.talk.count("\n")) == (2, 1)
    assert said in ran.json["error"]["text"]
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("name", BAD_MODULES)
def test_a_bad_module_is_one_line(harbor: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "bad.wasm"
    file.write_bytes(hostile.binary(name))
    words = ["agents", "upload", "harbor", str(file), "--grant", "all", "--name", "bad"]
    upload = inside(harbor, words, cwd=tmp_path)
    assert (upload.code, upload.out) == (1, b"")
    assert upload.talk.startswith("orlop: agents upload: ")
    assert upload.talk.count("\n") == 1
    assert "\x1b" not in upload.talk


def test_nothing_is_kept_of_what_was_refused(harbor: Path) -> None:
    assert kept(harbor) == []
    modules = harbor / ".local/state/orlop/modules"
    assert [path for path in modules.rglob("*") if path.is_file()] == []


def test_an_upload_lives_until_it_is_deleted(harbor: Path) -> None:
    words = ("agents", "upload", "harbor", str(UNBLOCK / "unblock.wasm"), "--manifest", str(UNBLOCK / "unblock.json"))
    uploaded = orlop(harbor, *words, "--grant", "read_tasks", "--json").json
    assert (uploaded["agent"], uploaded["granted"], uploaded["mark"]) == ("unblock", ["read_tasks"], "unsigned")
    assert orlop(harbor, *words, "--grant", "all", "--json").json["versions"] == 2
    assert orlop(harbor, "agents", "activate", "unblock", "--json").json["state"] == "active"
    assert [item["state"] for item in kept(harbor)] == ["active"]
    assert orlop(harbor, "agents", "deactivate", "unbl", "--json").json["state"] == "off"
    assert orlop(harbor, "agents", "delete", "unblock", "--yes").text == "unblock: deleted\n"
    assert kept(harbor) == []


def test_a_manifest_and_its_options_do_not_mix(harbor: Path) -> None:
    words = ("agents", "upload", "harbor", str(UNBLOCK / "unblock.wasm"), "--manifest", str(UNBLOCK / "unblock.json"))
    ran = orlop(harbor, *words, "--grant", "all", "--name", "other")
    assert (ran.code, ran.talk) == (2, "orlop: agents upload: --name is for uploads without a manifest\n")


def test_the_document_of_a_trial(tmp_path: Path) -> None:
    tasks = [{"id": f"t-{n}", "title": f"T{n}", "status": "pending", "createdBy": "m", "createdAt": 1, "updatedAt": 1}
             for n in (1, 2)]  # fmt: skip
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    (tmp_path / "members.json").write_text(json.dumps([{"identityKey": "k" * 43, "displayName": "mara"}]))
    words = ["agents", "try", str(BALANCE / "auto-balance.wasm"), "--manifest", str(BALANCE / "auto-balance.json")]
    words += ["--tasks", "tasks.json", "--members", "members.json", "--now", "1700000000000", "--ticks", "2"]
    document = orlop(tmp_path, *words, "--feedback", "--json").json
    assert list(document) == ["calls", "state_hex", "assignment_data_hex", "dependency_data_hex"]
    assert [call["call"] for call in document["calls"]] == ["init", "on_tick", "on_tick"]
    first, second = document["calls"][1:]
    assert set(first) == {"call", "ok", "error", "emitted", "dropped", "log", "duration_us"}
    assert [(event["taskId"], event["task"]["assignee"]) for event in first["emitted"]] == [
        ("t-1", "k" * 43), ("t-2", "k" * 43),
    ]  # fmt: skip
    times = [event["timestamp"] for event in first["emitted"]]
    assert (times[1] - times[0], times[0] >= 1_700_000_000_000) == (1, True)
    assert second["emitted"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["members.json", "tasks.json"]


def test_a_trial_whose_call_fails_prints_its_document_and_is_1(tmp_path: Path) -> None:
    faulty = ROOT / "assets/agents/faulty"
    words = ["agents", "try", str(faulty / "faulty.wasm"), "--manifest", str(faulty / "faulty.json")]
    ran = orlop(tmp_path, *words, "--json")
    assert (ran.code, [call["ok"] for call in ran.json["calls"]]) == (1, [True, False])
    assert ran.talk == f"orlop: agents try: on_tick: {ran.json['calls'][1]['error']}\n"


def test_of_several_failures_the_first_is_told_and_the_others_counted(tmp_path: Path) -> None:
    faulty = ROOT / "assets/agents/faulty"
    words = ["agents", "try", str(faulty / "faulty.wasm"), "--manifest", str(faulty / "faulty.json"), "--ticks", "3"]
    ran = orlop(tmp_path, *words)
    assert (ran.code, ran.text.count("failed: ")) == (1, 3)
    assert ran.talk.startswith("orlop: agents try: on_tick: ")
    assert ran.talk.endswith("; 2 more calls failed\n")
    assert ran.talk.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [
        ("--tasks", b"{}", "tasks: must be an array"),
        ("--tasks", b"[", "tasks: "),
        ("--members", b"[1]", "members"),
        ("--event", b"[]", "event"),
    ],
)
def test_a_bad_world_is_2(tmp_path: Path, option: str, content: bytes, said: str) -> None:
    (tmp_path / "file").write_bytes(content)
    words = ["agents", "try", str(UNBLOCK / "unblock.wasm"), "--manifest", str(UNBLOCK / "unblock.json")]
    ran = orlop(tmp_path, *words, option, "file")
    assert (ran.code, ran.out, ran.talk.count("\n")) == (2, b"", 1)
    assert said in ran.talk


@pytest.mark.parametrize(
    ("option", "value"), [("--ticks", "-1"), ("--ticks", "x"), ("--now", "later"), ("--state-hex", "xy")]
)
def test_bad_numbers_are_2(tmp_path: Path, option: str, value: str) -> None:
    words = ["agents", "try", str(UNBLOCK / "unblock.wasm"), "--manifest", str(UNBLOCK / "unblock.json")]
    ran = orlop(tmp_path, *words, option, value)
    assert (ran.code, ran.out, ran.talk.count("\n")) == (2, b"", 1)
