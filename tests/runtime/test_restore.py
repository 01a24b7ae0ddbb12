"""Restoring: all or nothing, nothing outside, nothing open to others, and no number that comes twice."""

import asyncio
import contextlib
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import renames
from runtime import restore as module
from runtime.archive import Entry, Index
from runtime.clock import ManualClock
from runtime.errors import FailedError, InUseError, OrlopError, RefusedError, UnavailableError, UsageError
from runtime.jobs.receipt_form import RESTORED_STEP
from runtime.jobs.receipts import Receipts
from runtime.keys import load_identity
from runtime.schema import MIGRATIONS
from runtime.sealed_stream import SealedWriter
from runtime.statedir import StateDir, acquire_owner, acquire_shared
from runtime.store import Store
from tests import tmpfs
from tests.runtime.keeping import (
    CHEAP,
    CLOCK,
    JOB,
    SECRET,
    a_job,
    back_up,
    files_of,
    fill,
    kept_names,
    put_back,
)

ROOT = Path(__file__).parents[2]
KEYS = {"identity.key": b"i" * 32, "vault.key": b"v" * 32, "orlop.db": b""}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return fill(tmp_path / "state")


@pytest.fixture
def backup(tmp_path: Path, state: StateDir) -> Path:
    path = tmp_path / "backup"
    back_up(state, path)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path / "orlop.db")) as connection:
        return connection.execute(query).fetchall()


def meta(path: Path, key: str) -> object:
    return rows(path, f"SELECT value FROM meta WHERE key = '{key}'")[0][0]


def nothing_new(tmp_path: Path) -> bool:
    """Whether a restore left nothing but what the tests made."""
    return {path.name for path in tmp_path.iterdir()} <= {"state", "backup", "new"}


# --- where to -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", ["absent", "empty", "deep"])
def test_a_new_or_an_empty_directory_takes_it(backup: Path, new: Path, there: str) -> None:
    target = new / "a" / "b" if there == "deep" else new
    if there == "empty":
        target.mkdir(mode=0o700)
    restored, _ = put_back(backup, target)
    assert restored.replaced is None
    assert set(files_of(target)) == kept_names()
    with acquire_owner(StateDir(target)), Store.open(target / "orlop.db", CLOCK, owner=True):
        pass


def test_nothing_of_it_is_open_to_others(backup: Path, new: Path) -> None:
    before = os.umask(0)
    try:
        put_back(backup, new)
    finally:
        os.umask(before)
    for path in [new, *new.rglob("*")]:
        assert stat.S_IMODE(path.lstat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_directory_with_something_in_it_is_left_alone(backup: Path, tmp_path: Path, state: StateDir) -> None:
    before = files_of(state.path)
    with pytest.raises(RefusedError, match="is not empty; name a new --state-dir, or move it aside with --replace"):
        put_back(backup, state.path)
    assert files_of(state.path) == before
    assert nothing_new(tmp_path)


def test_replacing_moves_the_old_one_aside_with_all_that_is_in_it(backup: Path, state: StateDir) -> None:
    before = files_of(state.path)
    restored, _ = put_back(backup, state.path, replace=True)
    assert restored.replaced is not None
    assert restored.replaced.name.startswith("state.replaced-")
    assert {**files_of(restored.replaced), "owner.lock": b""} == {**before, "owner.lock": b""}
    assert set(files_of(state.path)) == kept_names()


def test_through_a_link_the_directory_itself_is_replaced(backup: Path, state: StateDir, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(state.path)
    put_back(backup, link, replace=True)
    assert link.is_symlink()
    assert set(files_of(state.path)) == kept_names()


def test_what_is_no_state_directory_is_never_replaced(backup: Path, new: Path) -> None:
    new.mkdir(mode=0o700)
    (new / "thesis.txt").write_text("years of work")
    with pytest.raises(RefusedError, match="is no state directory of orlop, and is not replaced"):
        put_back(backup, new, replace=True)
    assert files_of(new) == {"thesis.txt": b"years of work"}


def test_a_directory_of_another_mode_or_a_file_is_refused(backup: Path, new: Path) -> None:
    new.mkdir(mode=0o755)
    with pytest.raises(RefusedError, match="is open to others"):
        put_back(backup, new)
    new.rmdir()
    new.write_text("")
    with pytest.raises(RefusedError, match="is not a directory"):
        put_back(backup, new)


@pytest.mark.parametrize("lock", [acquire_owner, acquire_shared])
def test_a_directory_in_use_is_not_replaced(
    backup: Path, state: StateDir, lock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "acquire_owner", lambda found: acquire_owner(found, wait_s=0))
    before = set(files_of(state.path))
    with lock(state), pytest.raises(InUseError, match="in use by"):  # type: ignore[operator]
        put_back(backup, state.path, replace=True)
    assert set(files_of(state.path)) == before | {"owner.lock"}


def test_who_waited_for_the_lock_of_the_old_one_does_not_get_the_new_one(
    backup: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock file was opened before the exchange, and locked after it."""
    opened = os.open(state.owner_lock, os.O_RDWR | os.O_CREAT, 0o600)
    put_back(backup, state.path, replace=True)
    monkeypatch.setattr("runtime.statedir._open", lambda _: opened)
    with pytest.raises(InUseError, match="was replaced in this moment"):
        acquire_owner(state)


def test_a_mount_point_is_refused_with_a_way_out(backup: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new.mkdir(mode=0o700)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == new)
    with pytest.raises(RefusedError, match="cannot be renamed; restore into a new directory in it"):
        put_back(backup, new)


def test_where_two_names_cannot_be_exchanged_the_old_directory_stays(
    backup: Path, state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(one: Path, other: Path) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(module, "exchange", refuse)
    before = set(files_of(state.path))
    with pytest.raises(UnavailableError, match="move the old one away yourself"):
        put_back(backup, state.path, replace=True)
    assert set(files_of(state.path)) == before | {"owner.lock"}
    assert nothing_new(tmp_path)


def test_what_came_into_an_empty_directory_meanwhile_stays(
    backup: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = module._settle
    new.mkdir(mode=0o700)

    def settle(folder: Path) -> None:
        settled(folder)
        (new / "somebody").write_text("else")

    monkeypatch.setattr(module, "_settle", settle)
    with pytest.raises(RefusedError, match="is not empty any more"):
        put_back(backup, new)
    assert files_of(new) == {"somebody": b"else"}
    assert nothing_new(tmp_path)


# --- what is refused ------------------------------------------------------------------------------------------------


def test_another_passphrase_makes_nothing(backup: Path, new: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the passphrase does not fit"):
        put_back(backup, new, secret=b"wrong horse")
    assert not new.exists()
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("part", [0, 1, 40, 60, 100, 1_000_000, -20, -1])
def test_a_changed_byte_makes_nothing(backup: Path, new: Path, tmp_path: Path, part: int) -> None:
    data = bytearray(backup.read_bytes())
    data[part] ^= 4
    backup.write_bytes(data)
    with pytest.raises(OrlopError):
        put_back(backup, new)
    assert not new.exists()
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("kept", [0, 10, 56, 70, 0.3, 0.9, -1])
def test_a_part_makes_nothing(backup: Path, new: Path, tmp_path: Path, kept: float) -> None:
    data = backup.read_bytes()
    backup.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(RefusedError):
        put_back(backup, new)
    assert not new.exists()
    assert nothing_new(tmp_path)


def sealed(
    path: Path, files: dict[str, bytes], *, index: bytes | None = None, extra: bytes = b"", schema: int = 1
) -> None:
    """A backup that somebody who knows the passphrase wrote by hand."""
    out = io.BytesIO()
    writer = SealedWriter(out.write, SECRET, CHEAP)  # type: ignore[arg-type]
    entries = tuple(Entry(name, len(data)) for name, data in files.items())
    document = index or Index(created_ms=1, program="1", schema=schema, entries=entries).document()
    writer.write(len(document).to_bytes(4) + document + b"".join(files.values()) + extra)
    writer.finish()
    path.write_bytes(out.getvalue())


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "config.d/../../escaped", "run/../../escaped"])
def test_no_name_of_an_archive_leads_out(new: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "backup"
    sealed(path, {**KEYS, name: b"x"})
    with pytest.raises(RefusedError, match="which is no file of a state directory"):
        put_back(path, new)
    assert nothing_new(tmp_path)
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"extra": b"x"}, "holds more than its index says"),
        ({"index": b"\0" * 10}, "its index is damaged"),
        ({"schema": 99}, r"later version of orlop \(schema 99, this one knows"),
    ],
)
def test_what_does_not_fit_its_index_makes_nothing(
    new: Path, tmp_path: Path, wrong: dict[str, object], words: str
) -> None:
    path = tmp_path / "backup"
    sealed(path, KEYS, **wrong)  # type: ignore[arg-type]
    with pytest.raises((RefusedError, UsageError), match=words):
        put_back(path, new)
    assert nothing_new(tmp_path)


def test_less_than_its_index_says_makes_nothing(new: Path, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    entries = tuple(Entry(name, 50) for name in KEYS)
    sealed(path, KEYS, index=Index(created_ms=1, program="1", schema=1, entries=entries).document())
    with pytest.raises(RefusedError, match="holds less than its index says"):
        put_back(path, new)
    assert nothing_new(tmp_path)


def test_a_database_that_is_none_makes_nothing(new: Path, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    sealed(path, {**KEYS, "orlop.db": b"no database at all" * 100})
    with pytest.raises(RefusedError, match=r"^the backup/orlop.db: "):
        put_back(path, new)
    assert nothing_new(tmp_path)


def test_it_ends_early_when_it_should(backup: Path, new: Path, tmp_path: Path) -> None:
    answers = iter([False, False, False])
    with pytest.raises(FailedError, match="interrupted; nothing was restored"):
        put_back(backup, new, stopped=lambda: next(answers, True))
    assert nothing_new(tmp_path)


def test_a_disk_without_room_is_seen_before_anything_is_written(
    backup: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SPARE", 1 << 60)
    with pytest.raises(UnavailableError, match=r"needs .*TiB, and .* are free; free some space"):
        put_back(backup, new)
    assert nothing_new(tmp_path)


def test_a_disk_that_becomes_full_makes_nothing(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "new"
    disk.mkdir()
    monkeypatch.setattr(module, "_SPARE", -(1 << 30))
    mounted = tmpfs.mount(disk, "size=1m,mode=700")
    try:
        if not mounted:
            monkeypatch.setattr(module, "sync_disk", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(UnavailableError, match="cannot be restored: no space left"):
            put_back(backup, disk / "state")
        assert list(disk.iterdir()) == []
    finally:
        if mounted:
            tmpfs.unmount(disk)


# --- killed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["new", "replace"])
def test_killed_at_any_step_the_old_or_the_whole_new_directory_is_there(
    backup: Path, state: StateDir, tmp_path: Path, kind: str
) -> None:
    old = files_of(state.path)
    state.path.rename(tmp_path / "old")
    program = [sys.executable, str(ROOT / "tests/runtime/dying_restore.py"), str(tmp_path), kind]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(program, capture_output=True, text=True, env=env, timeout=170, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(said) > 40
    wholes = kept_names() - {"orlop.db"}
    before = {name: data.hex() for name, data in old.items() if name != "orlop.db"} if kind == "replace" else None
    states = []
    for one in said:
        found = one["found"] and {name: data for name, data in one["found"].items() if name != "owner.lock"}
        states.append("new" if found and set(found) == wholes else "old" if found == before else "half")
    assert "half" not in states
    assert states == sorted(states, reverse=True), "the old one, then the new one, and never the old one again"
    assert states[-1] == "new"
    assert states.count("old") > 40


def test_what_a_killed_restore_left_is_removed_by_the_next(backup: Path, new: Path, tmp_path: Path) -> None:
    left = tmp_path / ".new.restoring-0123"
    left.mkdir(mode=0o700)
    (left / ".incomplete").touch()
    (left / "identity.key").write_bytes(b"half a key")
    whole = tmp_path / ".new.restoring-4567"
    whole.mkdir(mode=0o700)
    (whole / "identity.key").write_bytes(b"an old directory that was not renamed any more")
    put_back(backup, new)
    assert not left.exists()
    assert whole.exists()


@pytest.mark.parametrize("name", ["[new]*", "n" * 255, "neuer-ä" * 30])
def test_any_name_of_a_directory_will_do(backup: Path, tmp_path: Path, name: str) -> None:
    left = tmp_path / ".n.restoring-0123"
    left.mkdir(mode=0o700)
    (left / ".incomplete").touch()
    put_back(backup, tmp_path / name)
    restored, _ = put_back(backup, tmp_path / name, replace=True)
    assert restored.replaced is not None
    assert restored.replaced.is_dir()
    assert set(files_of(tmp_path / name)) == kept_names()
    assert left.exists()


# --- afterwards -----------------------------------------------------------------------------------------------------


def test_the_journal_says_so_and_the_commands_list_it(backup: Path, new: Path) -> None:
    restored, aftermath = put_back(backup, new)
    types = [row[0] for row in rows(new, "SELECT type FROM journal ORDER BY seq DESC LIMIT 2")]
    assert set(types) == {"core.restored", "command.done"}
    body = json.loads(str(rows(new, "SELECT body FROM journal WHERE type = 'core.restored'")[0][0]))
    assert body["backup_sha256"] == restored.sha256
    assert (body["backup_ms"], body["restores"], body["lost"]) == (7, 1, aftermath.lost)
    done = json.loads(str(rows(new, "SELECT body FROM journal WHERE type = 'command.done'")[0][0]))
    assert (done["command"], done["uid"], done["face"], done["ok"]) == ("restore", 7, "cli", True)


def test_the_chain_of_receipts_says_so_in_a_signed_entry(backup: Path, new: Path) -> None:
    restored, aftermath = put_back(backup, new)
    with acquire_owner(StateDir(new)), Store.open(new / "orlop.db", CLOCK, owner=True) as store:
        receipts = Receipts(store, load_identity(StateDir(new), store))
        [row] = asyncio.run(receipts.rows())
        verification = asyncio.run(receipts.verify(row.receipt))
    assert (row.receipt, row.outcome, row.number) == (aftermath.receipt, "restored", CLOCK.wall_ms())
    assert verification.ok is True
    assert {step.name: step.ok for step in verification.steps}["chain"] is True
    manifest = json.loads(str(rows(new, "SELECT manifest FROM receipts")[0][0]))
    assert manifest["payload"]["backup_sha256"] == restored.sha256


def test_the_entry_follows_the_last_receipt_of_the_backup(
    backup: Path, state: StateDir, tmp_path: Path, new: Path
) -> None:
    put_back(backup, new)
    back_up(StateDir(new), tmp_path / "again")
    put_back(tmp_path / "again", new, replace=True)
    found = rows(new, "SELECT number, previous, receipt FROM receipts ORDER BY number")
    assert [row[0] for row in found] == [CLOCK.wall_ms(), CLOCK.wall_ms() + RESTORED_STEP]
    assert found[1][1] == found[0][2]


def test_each_restore_is_counted(backup: Path, state: StateDir, tmp_path: Path, new: Path) -> None:
    put_back(backup, new)
    back_up(StateDir(new), tmp_path / "again")
    _, aftermath = put_back(tmp_path / "again", new, replace=True)
    assert aftermath.restores == 2
    assert meta(new, "restores") == 2


def test_no_place_in_a_room_comes_twice_although_the_backup_does(backup: Path, tmp_path: Path, state: StateDir) -> None:
    """Two restores of one backup, a second apart: what this node says in rooms then stands in blocks of its own."""
    blocks = []
    for number in range(2):
        path = tmp_path / f"restored-{number}"
        put_back(backup, path, clock=ManualClock(now_ms=1_700_000_000_000 + number * 1_000))
        blocks.append(int(str(meta(path, "room_block"))))
    assert blocks[1] > blocks[0] > 0
    assert max(blocks) < 2**31


def test_no_seq_comes_twice_although_the_backup_does(backup: Path, tmp_path: Path, state: StateDir) -> None:
    """Two restores of one backup, an hour apart: their journals have no number in common, and none with the first."""
    first = int(str(rows(state.path, "SELECT max(seq) FROM journal")[0][0]))
    found: list[set[object]] = []
    for number, hour in enumerate((0, 1)):
        path = tmp_path / f"restored-{number}"
        put_back(backup, path, clock=ManualClock(now_ms=1_700_000_000_000 + hour * 3_600_000))
        found.append({row[0] for row in rows(path, f"SELECT seq FROM journal WHERE seq > {first}")})
    assert found[0]
    assert found[1]
    assert not found[0] & found[1]
    assert min(map(int, map(str, found[0]))) > first + 2**32
    assert max(map(int, map(str, found[1]))) < 2**53


def test_the_journal_is_another_instance(backup: Path, new: Path, state: StateDir) -> None:
    put_back(backup, new)
    assert meta(new, "instance") != meta(state.path, "instance")


@pytest.mark.parametrize("unfinished", ["queued", "admitted", "compiling", "running"])
def test_jobs_without_an_end_are_lost_and_run_no_second_time(
    state: StateDir, tmp_path: Path, new: Path, unfinished: str
) -> None:
    with Store.open(state.database, CLOCK, owner=True) as store:
        store.write(lambda tx: a_job(tx, job="ef" * 32, state=unfinished, number=2)).result()
    back_up(state, tmp_path / "backup")
    _, aftermath = put_back(tmp_path / "backup", new)
    assert aftermath.lost == 1
    states = dict(rows(new, "SELECT job, state FROM jobs"))  # type: ignore[arg-type]
    assert states == {JOB: "done", "ef" * 32: "lost"}


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    state: StateDir, tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("runtime.database.VERSION", 1)
        patch.setattr("runtime.database.MIGRATIONS", MIGRATIONS[:1])
        Store.open(tmp_path / "older.db", CLOCK, owner=True).close()
    database = (tmp_path / "older.db").read_bytes()
    (tmp_path / "older.db").unlink()
    sealed(tmp_path / "backup", {**KEYS, "orlop.db": database})
    put_back(tmp_path / "backup", new)
    assert set(files_of(new)) == {"VERSION", *KEYS}


# --- names ----------------------------------------------------------------------------------------------------------


def test_placing_replaces_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    with pytest.raises(FileExistsError):
        renames.place(one, other)
    other.unlink()
    renames.place(one, other)
    assert other.read_text() == "1"
    assert not one.exists()


def test_exchanging_takes_both_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.write_text("2")
    renames.exchange(one, other)
    assert other.is_dir()
    assert one.read_text() == "2"
    with pytest.raises(FileNotFoundError):
        renames.exchange(one, tmp_path / "none")
