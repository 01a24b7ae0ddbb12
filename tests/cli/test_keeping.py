"""`backup`, `restore` and `audit` as they are typed."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Owner, orlop
from tests.cli.test_on_a_terminal import session

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
UNBLOCK = ROOT / "assets/agents/unblock"
STATE = ".local/state/orlop"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text("correct horse\n")
    return str(path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere"
    path.mkdir()
    return path


def test_what_was_backed_up_is_there_again_elsewhere(home: Path, elsewhere: Path, secret: str) -> None:
    """Through an owner and without one: a room, an agent and a job with its receipt."""
    name = f"room-{elsewhere.parent.name[-20:]}"
    assert orlop(home, "rooms", "create", name).code == 0
    module = ("agents", "upload", name, f"{UNBLOCK}/unblock.wasm", "--manifest", f"{UNBLOCK}/unblock.json")
    assert orlop(home, *module, "--grant", "all").code == 0
    job = orlop(home, "jobs", "run", HELLO, "--stdin", "-", "--json", stdin=b"Hello, harbor").json
    out = elsewhere.parent / "kept.backup"
    ran = orlop(home, "backup", str(out), "--passphrase-file", secret, "--json")
    assert (ran.code, ran.talk) == (0, "")
    assert ran.json["out"] == str(out)
    assert ran.json["bytes"] == out.stat().st_size
    assert ran.json["missing"] == []
    assert out.stat().st_mode & 0o777 == 0o600

    back = orlop(elsewhere, "restore", str(out), "--passphrase-file", secret, "--json")
    assert (back.code, back.talk) == (0, "")
    assert (back.json["files"], back.json["restores"], back.json["replaced"]) == (ran.json["files"], 1, None)
    assert name in {item["name"] for item in orlop(elsewhere, "rooms", "list", "--json").json["items"]}
    assert orlop(elsewhere, "agents", "activate", "unblock", "--room", name).code == 0
    kept = orlop(elsewhere, "jobs", "logs", job["job"], "--json").json
    assert kept["stdout"] == job["stdout"]
    assert (
        orlop(
            elsewhere, "receipts", "verify", orlop(elsewhere, "jobs", "show", job["job"], "--json").json["receipt"]
        ).code
        == 0
    )
    assert orlop(elsewhere, "status", "--json").json["peer_id"] == orlop(home, "status", "--json").json["peer_id"]
    assert orlop(elsewhere, "jobs", "run", HELLO, "--stdin", "-", stdin=b"again").code == 0
    assert sorted(path.name for path in (elsewhere / STATE).parent.iterdir()) == ["orlop"]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("backup", "-"), 2, "backup: -: a backup is a file that is whole or not there; name a file"),
        (("backup", "taken"), 2, "backup: taken: exists already; name another file, or move that one away"),
        (("backup", "dangling"), 2, "backup: dangling: exists already; name another file, or move that one away"),
        (("backup", "."), 2, "backup: .: is a directory, not a file"),
        (("backup", "none/kept"), 2, "backup: none/kept: no such directory"),
        (("backup", f"{STATE}/kept"), 2, "lies in the state directory itself; name a place outside of it"),
        (("backup", "link/kept"), 2, "backup: link/kept: lies in the state directory itself"),
        (("backup", "new", "--read-only"), 1, "backup: changes something, and this is --read-only"),
        (("restore", "none"), 2, "restore: none: no such file or directory"),
        (("restore", "taken", "--state-dir", "new"), 1, "restore: taken: is no backup of orlop"),
        (("restore", "kept", "--state-dir", "new", "--passphrase-file", "wrong"), 1, "the passphrase does not fit"),
        (("restore", "kept", "--state-dir", "new", "--passphrase-file", "empty"), 2, "holds no passphrase"),
        (("restore", "kept", "--read-only"), 1, "restore: changes something, and this is --read-only"),
        (
            ("restore", "cut", "--state-dir", "new"),
            1,
            "restore: cut: is cut off or damaged behind byte 56; copy it again",
        ),
        (("restore", "flipped", "--state-dir", "new"), 1, "restore: flipped: is damaged behind byte 56"),
        (("restore", "later", "--state-dir", "new"), 2, "restore: later: was written by a later version of orlop"),
        (("restore", "kept"), None, ""),
    ],
    ids=lambda value: "-".join(value[:2]).replace("/", "_") if isinstance(value, tuple) else "",
)
def test_each_mistake_is_one_line(kept_home: Path, words: tuple[str, ...], code: int | None, line: str) -> None:
    if "--passphrase-file" not in words:
        words = (*words, "--passphrase-file", "secret")
    ran = orlop(kept_home, *words)
    if code is None:
        code, line = 1, "is not empty; name a new --state-dir, or move it aside with --replace"
    assert (ran.code, ran.out) == (code, b"")
    assert line in ran.talk
    assert ran.talk.count("\n") == 1
    names = {path.name for path in kept_home.iterdir()}
    assert names == {
        ".local",
        "secret",
        "wrong",
        "empty",
        "taken",
        "dangling",
        "link",
        "kept",
        "cut",
        "flipped",
        "later",
    }


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a state directory, a backup of it, and files that are nearly one."""
    home = tmp_path_factory.mktemp("kept")
    (home / "secret").write_text("correct horse")
    (home / "wrong").write_text("wrong horse")
    (home / "empty").write_text("\n")
    (home / "taken").write_text("something else")
    (home / "dangling").symlink_to("nowhere")
    assert orlop(home, "init", "--yes").code == 0
    (home / "link").symlink_to(home / STATE)
    assert orlop(home, "backup", "kept", "--passphrase-file", "secret").code == 0
    data = (home / "kept").read_bytes()
    (home / "cut").write_bytes(data[:5000])
    (home / "flipped").write_bytes(data[:70] + bytes([data[70] ^ 1]) + data[71:])
    (home / "later").write_bytes(data[:12] + b"\x02" + data[13:])
    # One chunk: what is changed in the last chunk may as well be cut off, so this one gets another behind it.
    (home / "flipped").write_bytes((home / "flipped").read_bytes() + bytes((1 << 20) + 100))
    return home


def test_a_backup_of_nothing_makes_nothing(tmp_path: Path, secret: str) -> None:
    ran = orlop(tmp_path, "backup", "kept", "--passphrase-file", secret)
    assert (ran.code, ran.out) == (1, b"")
    assert "there is no state directory; name it with --state-dir" in ran.talk
    assert not (tmp_path / ".local").exists()


def test_without_a_terminal_and_a_file_there_is_no_passphrase(kept_home: Path) -> None:
    ran = orlop(kept_home, "backup", "new")
    assert (ran.code, ran.out) == (2, b"")
    assert "asks for a passphrase, and there is no terminal; name a file that holds it" in ran.talk


def test_the_passphrase_comes_from_the_service_managers_credentials(kept_home: Path, elsewhere: Path) -> None:
    (elsewhere / "orlop.passphrase").write_text("correct horse")
    env = {"CREDENTIALS_DIRECTORY": str(elsewhere)}
    ran = orlop(kept_home, "restore", "kept", "--state-dir", str(elsewhere / "state"), env=env)
    assert (ran.code, ran.talk) == (0, "")


def test_on_a_terminal_a_new_passphrase_is_typed_twice_and_shown_never(kept_home: Path, elsewhere: Path) -> None:
    first, again = b"orlop: passphrase of the backup: ", b"orlop: once more: "
    words = ("backup", str(elsewhere / "kept"))
    code, said = session(kept_home, *words, answers=[(first, b"correct horse\n"), (again, b"wrong horse\n")])
    assert (code, b"the two passphrases differ; run orlop backup again" in said) == (2, True)
    code, said = session(kept_home, *words, answers=[(first, b"\x04")])
    assert (code, b"backup: no passphrase was typed" in said) == (2, True)
    code, said = session(kept_home, *words, answers=[(first, b"\n")])
    assert (code, b"this one is empty" in said) == (2, True)
    code, said = session(kept_home, *words, answers=[(first, b"correct horse\n"), (again, b"correct horse\n")])
    assert (code, b"horse" in said) == (0, False)
    state = str(elsewhere / "state")
    restore = ("restore", str(elsewhere / "kept"), "--state-dir", state)
    code, said = session(kept_home, *restore, answers=[(first, b"correct horse\n")])
    assert (code, b"horse" in said, b"once more" in said) == (0, False, False)


def test_a_directory_in_use_is_not_replaced(owner: Owner, secret: str, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    assert orlop(owner.home, "backup", str(out), "--passphrase-file", secret).code == 0
    ran = orlop(owner.home, "restore", str(out), "--replace", "--passphrase-file", secret)
    assert (ran.code, ran.out) == (6, b"")
    assert f"in use by process {owner.process.pid}" in ran.talk
    assert sorted(path.name for path in (owner.home / STATE).parent.iterdir()) == ["orlop"]


def test_who_did_what_is_on_record(home: Path, tmp_path: Path) -> None:
    name = f"audit-{tmp_path.parent.name[-3:]}-{home.name[:20]}"
    assert orlop(home, "rooms", "create", name).code == 0
    assert orlop(home, "rooms", "say", "nowhere", "hello").code == 1
    assert orlop(home, "rooms", "list").code == 0
    items = orlop(home, "audit", "--command", "rooms *", "--limit", "2", "--json").json["items"]
    assert [(item["command"], item["outcome"]) for item in items] == [("rooms say", "failed"), ("rooms create", "ok")]
    assert {(item["uid"], item["face"]) for item in items} == {(os.geteuid(), "cli")}
    assert [item["error"] for item in items] == ["unknown", ""]
    assert items[0]["seq"] > items[1]["seq"]

    def count(*words: str) -> int:
        return len(orlop(home, "audit", "--json", *words).json["items"])

    assert count("--uid", "54321") == 0
    assert count("--uid", str(os.geteuid()), "--outcome", "failed", "--since", str(items[1]["seq"])) == 1
    assert count("--since", str(items[0]["seq"])) == 0
    assert count("--since", "1d") == count()
    text = orlop(home, "audit", "--command", "rooms *", "--since", "1h").text
    assert text.splitlines()[0].split() == ["WHEN", "UID", "FACE", "COMMAND", "OUTCOME", "ERROR", "TOOK"]
    assert orlop(home, "audit", "--command", "nothing").text == "no changing commands are on record for that\n"
    assert json.loads(orlop(home, "audit", "--command", "nothing", "--json").out) == {"v": 1, "items": []}


def test_on_a_full_disk_new_work_is_refused_with_one_reason(alone: Path, secret: str) -> None:
    env = {"ORLOP_STORAGE_MIN_FREE": "1024TiB"}
    job = orlop(alone, "jobs", "run", HELLO, env=env)
    assert (job.code, job.out, job.talk.count("\n")) == (125, b"", 1)
    out = str(Path(secret).with_name("kept"))
    for words in (("backup", out, "--passphrase-file", secret), ("agents", "upload", "r", HELLO, "--grant", "all")):
        ran = orlop(alone, *words, env=env)
        assert (ran.code, ran.out, ran.talk.count("\n")) == (1, b"", 1)
        assert "are free, and no work is begun below 1024TiB; free some space, or set storage.min_free" in ran.talk
    assert not Path(out).exists()
    assert orlop(alone, "rooms", "create", "small", env=env).code == 0
    assert orlop(alone, "status", "--json", env=env).json["storage"]["low"] is True
    assert "too little for new work" in orlop(alone, "status", env=env).text
    checks = orlop(alone, "doctor", "--json", env=env)
    assert checks.code == 1
    space = next(item for item in checks.json["items"] if item["check"] == "space")
    assert (space["state"], "storage.min_free" in space["todo"]) == ("bad", True)
