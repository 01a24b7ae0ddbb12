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
    words = ["agents", "upload", "harbor", str(file), "--grant", "all", "--name", "bad", "--unsigned"]
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
    assert (uploaded["agent"], uploaded["granted"], uploaded["mark"]) == ("unblock", ["read_tasks"], "shipped")
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


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A manifest that orlop does not ship, of a module that it does."""
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(MANIFEST | {"name": "mine", "description": "it's mine, café"}))
    return file


def test_w12_a_key_made_here_signs_there_and_is_trusted_elsewhere(harbor: Path, tmp_path: Path, mine: Path) -> None:
    upload = ("agents", "upload", "harbor", str(UNBLOCK / "unblock.wasm"), "--grant", "all", "--manifest")
    ran = inside(harbor, [*upload, "mine.json"], cwd=tmp_path)
    assert (ran.code, ran.out) == (1, b"")
    assert ran.talk == (
        "orlop: agents upload: mine.json: Module signature required but not provided; have it signed by a trusted key"
        " (`orlop agents sign`), or say --unsigned if you vouch for it yourself\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    made = inside(elsewhere, ["agents", "keygen", "my.key", "--json"], cwd=tmp_path).json
    key = made["key"]
    assert ((tmp_path / "my.key").stat().st_mode & 0o777, (tmp_path / "my.key").stat().st_size) == (0o600, 32)
    sign = ["agents", "sign", "mine.json", "--key", "my.key"]
    printed = inside(elsewhere, sign, cwd=tmp_path)
    assert inside(elsewhere, [*sign, "--out", "signed.json", "--json"], cwd=tmp_path).json["signer"] == key
    assert json.loads(printed.text) == json.loads((tmp_path / "signed.json").read_text())
    assert inside(elsewhere, [*sign, "--json"], cwd=tmp_path).json == json.loads(printed.text)
    assert list(elsewhere.iterdir()) == []  # neither a state directory nor anything else was made
    refused = inside(harbor, [*upload, "signed.json"], cwd=tmp_path)
    assert (refused.code, f"the key {key[:16]}… that signed it is not trusted" in refused.talk) == (1, True)
    trust = orlop(harbor, "agents", "trust", key, "--room", "harbor", "--note", "Mara")
    assert (trust.code, trust.text) == (0, f"{key} is trusted in this room\n")
    (listed,) = orlop(harbor, "agents", "trusted", "--room", "harbor", "--json").json["items"]
    assert (listed["key"], listed["note"], listed["room_name"]) == (key, "Mara", "harbor")
    stored = inside(harbor, [*upload, "signed.json", "--json"], cwd=tmp_path).json
    assert (stored["mark"], stored["warnings"]) == (f"signed by {key[:16]}", [])
    assert orlop(harbor, "agents", "activate", "mine", "--json").json["state"] == "active"
    gone = orlop(harbor, "agents", "trust", key, "--remove", "--json").json
    assert [one["agent"] for one in gone["stopped"]] == ["mine"]
    again = orlop(harbor, "agents", "activate", "mine")
    assert (again.code, "is not trusted any more" in again.talk) == (1, True)
    assert orlop(harbor, "agents", "delete", "mine", "--yes").code == 0


def test_w12_a_setting_says_that_signatures_are_not_needed(harbor: Path, tmp_path: Path, mine: Path) -> None:
    words = ["agents", "upload", "harbor", str(UNBLOCK / "unblock.wasm"), "--manifest", "mine.json", "--grant", "all"]
    assert orlop(harbor, "config", "set", "agents.require_signature", "false").code == 0
    assert inside(harbor, [*words, "--json"], cwd=tmp_path).json["mark"] == "unsigned"
    assert orlop(harbor, "config", "set", "agents.require_signature", "true").code == 0
    assert inside(harbor, words, cwd=tmp_path).code == 1
    assert orlop(harbor, "agents", "delete", "mine", "--yes").code == 0


def test_w10_w13_an_update_shows_what_it_adds_and_is_taken_back(harbor: Path, tmp_path: Path) -> None:
    module = str(UNBLOCK / "unblock.wasm")

    def upload(version: str, asks: list[str], *options: str) -> Any:
        described = MANIFEST | {"name": "mine", "version": version, "permissions": asks}
        (tmp_path / "m.json").write_text(json.dumps(described))
        words = ["agents", "upload", "harbor", module, "--manifest", "m.json", "--unsigned", *options]
        return inside(harbor, words, cwd=tmp_path)

    missing = upload("1.0", ["read_tasks"])
    assert (missing.code, missing.talk.partition(";")[0]) == (2, "orlop: agents upload: --grant is missing")
    assert upload("1.0", ["read_tasks"], "--grant", "all").code == 0
    updated = upload("2.0", ["read_tasks", "emit_events"], "--json").json
    assert updated["granted"] == ["read_tasks"]
    assert {name: updated["change"][name] for name in ("version", "asks_more", "gained", "signer_changed")} == {
        "version": "1.0", "asks_more": ["emit_events"], "gained": [], "signer_changed": False,
    }  # fmt: skip
    text = upload("3.0", ["read_tasks", "emit_events", "read_members"], "--grant", "all").text
    assert "it now asks for  read_members\n" in text
    assert "now granted      read_members, emit_events\n" in text
    seen = orlop(harbor, "agents", "rollback", "mine", "--preview", "--json").json
    assert (seen["version"], seen["preview"], seen["change"]["lost"]) == ("2.0", True, ["read_members", "emit_events"])
    told = orlop(harbor, "agents", "rollback", "mine", "--preview")
    assert "no more granted  read_members, emit_events\n" in told.text
    assert told.talk == "orlop: agents rollback: nothing was changed\n"
    assert orlop(harbor, "agents", "show", "mine", "--json").json["version"] == "3.0"
    back = orlop(harbor, "agents", "rollback", "mine", "--json").json
    assert (back["version"], back["granted"]) == ("2.0", ["read_tasks"])
    assert orlop(harbor, "agents", "rollback", "mine", "1.0", "--json").json["upload_no"] == 1
    shown = orlop(harbor, "agents", "show", "mine", "--json").json
    assert [(one["version"], one["present"], one["kept"]) for one in shown["versions"]] == [
        ("1.0", True, True), ("2.0", False, True), ("3.0", False, True),
    ]  # fmt: skip
    unknown = orlop(harbor, "agents", "rollback", "mine", "9")
    assert (unknown.code, unknown.talk.startswith("orlop: agents rollback: 9: there is no such version")) == (1, True)
    assert orlop(harbor, "agents", "delete", "mine", "--yes").code == 0


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (b"", "has 0 bytes, a key has 32; `orlop agents keygen FILE` makes one"),
        (bytes(33), "has 33 bytes, a key has 32"),
        (bytes(5000), "larger than 1KiB"),
    ],
    ids=["empty", "long", "longer"],
)
def test_a_file_that_holds_no_key_signs_nothing(tmp_path: Path, mine: Path, key: bytes, said: str) -> None:
    (tmp_path / "my.key").write_bytes(key)
    (tmp_path / "my.key").chmod(0o600)
    ran = orlop(tmp_path, "agents", "sign", "mine.json", "--key", "my.key", "--out", "out.json")
    assert (ran.code, ran.out) == (1, b"")
    assert ran.talk.startswith(f"orlop: agents sign: my.key: {said}")
    assert not (tmp_path / "out.json").exists()


def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path, mine: Path) -> None:
    (tmp_path / "my.key").write_bytes(bytes(32))
    (tmp_path / "my.key").chmod(0o640)
    ran = orlop(tmp_path, "agents", "sign", "mine.json", "--key", "my.key")
    assert (ran.code, ran.talk.partition(";")[0]) == (
        1, "orlop: agents sign: my.key: others may have read it (mode 0640)",
    )  # fmt: skip


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "my.key").write_bytes(b"precious")
    ran = orlop(tmp_path, "agents", "keygen", "my.key")
    assert (ran.code, ran.talk) == (
        2, "orlop: agents keygen: my.key: exists already; name another file; a key is never replaced\n",
    )  # fmt: skip
    assert (tmp_path / "my.key").read_bytes() == b"precious"


@pytest.mark.parametrize(("name", "manifest", "said"), BAD_MANIFESTS[:4], ids=[one[0] for one in BAD_MANIFESTS[:4]])
def test_a_bad_manifest_is_not_signed(tmp_path: Path, name: str, manifest: bytes, said: str) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest)
    (tmp_path / "my.key").write_bytes(bytes(32))
    (tmp_path / "my.key").chmod(0o600)
    ran = orlop(tmp_path, "agents", "sign", "manifest.json", "--key", "my.key")
    assert (ran.code, ran.out, ran.talk.count("\n")) == (1, b"", 1)
    assert ran.talk.startswith(f"orlop: agents sign: manifest.json: Invalid agent manifest: {said}")


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
