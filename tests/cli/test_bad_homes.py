"""Directories, keys, databases and settings in a bad state: one clear line, the right status, nothing half done."""

import fcntl
import os
import resource
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Ran, command, environment, inside, orlop

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A sound state directory, at its usual place."""
    assert orlop(tmp_path, "init", "--yes").code == 0
    return tmp_path / ".local/state/orlop"


def refused(ran: Ran, code: int, *said: str) -> None:
    assert ran.code == code
    assert ran.out == b""
    assert ran.talk.startswith("orlop: ")
    assert ran.talk.count("\n") == 1
    for part in said:
        assert part in ran.talk


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    for words in (["jobs", "list"], ["status"], ["--no-ui", "--for", "1s"], ["init"]):
        refused(orlop(tmp_path, *words, "--state-dir", "state") if words[0] != "--no-ui"
                else orlop(tmp_path, "--state-dir", "state", *words), 1, "is not a directory")  # fmt: skip


def test_a_directory_that_is_open_to_others(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    refused(orlop(tmp_path, "--state-dir", "state", "jobs", "list"), 1, "is open to others (mode 0755)", "chmod 700")
    assert list((tmp_path / "state").iterdir()) == []


def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    theirs = tmp_path / "state"
    theirs.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(theirs, 12345, 12345)
    else:
        theirs = Path("/")
    refused(orlop(tmp_path, "--state-dir", str(theirs), "rooms", "list"), 1, "belongs to user")


def test_a_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(orlop(tmp_path, "--state-dir", "file/state", "rooms", "list"), 1, "not a directory")


def test_an_impossible_name(tmp_path: Path) -> None:
    refused(orlop(tmp_path, "--state-dir", "", "rooms", "list"), 2, "--state-dir: not a directory's name")


def test_a_layout_of_a_later_version(state: Path, tmp_path: Path) -> None:
    (state / "VERSION").write_text("9\n")
    refused(orlop(tmp_path, "rooms", "list"), 2, "written by a later version (layout 9, this one knows 1)")


def test_a_schema_of_a_later_version(state: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(state / "orlop.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for words in (["rooms", "list"], ["status"]):
        refused(orlop(tmp_path, *words), 2, "schema 99, this one knows")


def test_a_database_that_is_none(state: Path, tmp_path: Path) -> None:
    for name in ("orlop.db", "orlop.db-wal", "orlop.db-shm"):
        (state / name).unlink(missing_ok=True)
    (state / "orlop.db").write_bytes(b"junk" * 1000)
    before = (state / "orlop.db").read_bytes()
    for words in (["rooms", "list"], ["jobs", "list"], ["status"]):
        refused(orlop(tmp_path, *words), 1, "orlop.db: ", "damaged")
    refused(orlop(tmp_path, "jobs", "run", HELLO), 125, "damaged")
    assert (state / "orlop.db").read_bytes() == before


def test_an_identity_that_is_short(state: Path, tmp_path: Path) -> None:
    (state / "identity.key").write_bytes(b"short")
    refused(orlop(tmp_path, "jobs", "run", HELLO), 125, "identity.key: has 5 bytes, an identity has 32")
    assert (state / "identity.key").read_bytes() == b"short"


@pytest.mark.parametrize("name", ["identity.key", "vault.key"])
def test_a_key_that_is_open_to_others(state: Path, tmp_path: Path, name: str) -> None:
    (state / name).chmod(0o644)
    refused(orlop(tmp_path, "jobs", "run", HELLO), 125, name, "0644")


def test_another_vault_key_opens_nothing(state: Path, tmp_path: Path) -> None:
    assert orlop(tmp_path, "rooms", "create", "harbor").code == 0
    (state / "vault.key").write_bytes(os.urandom(32))
    refused(orlop(tmp_path, "rooms", "show", "harbor"), 1)


def test_a_holder_who_does_not_answer(state: Path, tmp_path: Path) -> None:
    with (state / "owner.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["--no-ui", "--for", "1s"], ["rooms", "list"]):
            refused(orlop(tmp_path, *words), 6, f"in use by process {os.getpid()}")


def test_a_corrupt_entry_of_the_cache_is_made_anew(state: Path, tmp_path: Path) -> None:
    assert orlop(tmp_path, "jobs", "run", HELLO).code == 0
    entries = [path for path in (state / "cache/compiled").rglob("*") if path.is_file()]
    assert entries
    for path in entries:
        path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    ran = orlop(tmp_path, "jobs", "run", HELLO, "--stdin", "-", stdin=b"abc")
    assert (ran.code, ran.out) == (0, b"cba")
    assert ran.talk.startswith("orlop: jobs run: compiled modules: compiled module ")
    assert ran.talk.endswith(" does not verify; it is dropped and compiled again\n")
    assert ran.talk.count("\n") == 1
    assert orlop(tmp_path, "jobs", "run", HELLO, "--stdin", "-", stdin=b"abc") == Ran(0, b"cba", b"")


def test_a_disk_that_takes_no_more(state: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: both make SQLite's writes fail."""
    assert orlop(tmp_path, "jobs", "run", HELLO).code == 0
    seen = orlop(tmp_path, "jobs", "list", "--json").out

    environ = environment(tmp_path, PYTHONDONTWRITEBYTECODE="1")
    for name in [name for name in environ if name.startswith("COVERAGE_")]:
        del environ[name]  # its data could not be written either

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))

    for words, code in ((["rooms", "create", "x"], 1), (["jobs", "run", HELLO], 125)):
        done = subprocess.run(
            command(*words),
            capture_output=True,
            env=environ,
            cwd=tmp_path,
            preexec_fn=limited,
            timeout=60,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        refused(Ran(done.returncode, done.stdout, done.stderr), code, "the database: ")
    assert orlop(tmp_path, "jobs", "list", "--json").out == seen
    assert orlop(tmp_path, "rooms", "list").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[jobs]\nmemry = 1\n", "config.toml:2: unknown key `jobs.memry`; did you mean `jobs.memory`?"),
        ("[jobs]\n\nmemory = true\n", "config.toml:3: jobs.memory: expected a size"),
        ("[jobs\n", "config.toml:1: "),
        ("a = 1\n[jobs]\nmemory = '1MiB'\n", "config.toml:1: unknown key `a`"),
        ("[jobs]\nmemory = '1TiB'\n", "config.toml:2: jobs.memory: `1TiB` is too large"),
        ("\xff", "config.toml:1: not UTF-8"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, text: str, said: str) -> None:
    folder = tmp_path / ".config/orlop"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_bytes(text.encode("latin-1"))
    for words, code in ((["config"], 2), (["rooms", "list"], 2), (["jobs", "run", HELLO], 125), (["status"], 2)):
        refused(inside(tmp_path, words, cwd=tmp_path), code, said)
    assert [path.name for path in tmp_path.iterdir()] == [".config"]


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    refused(orlop(tmp_path, "--config", "nowhere.toml", "config"), 2, "nowhere.toml: no such file")


def test_names_with_escape_sequences(state: Path, tmp_path: Path) -> None:
    refused(orlop(tmp_path, "rooms", "create", "a\x1b[2Jb"), 2, "none of them invisible")
    refused(orlop(tmp_path, "rooms", "show", "a\x1b]0;x\x07"), 1, "a\\x1b]0;x\\x07")
    named = tmp_path / "e\x1b[2J.wasm"
    named.write_bytes(b"junk")
    refused(orlop(tmp_path, "jobs", "run", str(named)), 125, "e\\x1b[2J.wasm")
