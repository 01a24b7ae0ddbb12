"""Writing a backup: what is in it, that it is one moment, and that nothing is left behind."""

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import backup as module
from runtime.errors import FailedError, NotFoundError, RefusedError, UnavailableError
from runtime.events import CoreReady
from runtime.statedir import StateDir
from runtime.store import Store, Transaction
from tests import tmpfs
from tests.runtime.keeping import (
    CLOCK,
    INPUT,
    MODULE,
    SECRET,
    a_job,
    an_agent,
    back_up,
    files_of,
    fill,
    kept_names,
    name_of,
    put_back,
    write,
)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return fill(tmp_path / "state")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_it_holds_keys_settings_store_and_what_the_store_names(state: StateDir, out: Path, tmp_path: Path) -> None:
    before = files_of(state.path)
    done = back_up(state, out)
    assert (done.files, done.missing) == (len(kept_names()), ())
    put_back(out, tmp_path / "new")
    after = files_of(tmp_path / "new")
    assert set(after) == kept_names()
    assert all(after[name] == before[name] for name in kept_names() - {"orlop.db"})
    assert rows(tmp_path / "new" / "orlop.db", "SELECT agent FROM agents") == [("echo",)]


def test_nothing_of_it_can_be_read_without_the_passphrase(state: StateDir, out: Path) -> None:
    back_up(state, out)
    sealed = out.read_bytes()
    secrets = (state.identity_key.read_bytes(), state.vault_key.read_bytes(), MODULE, INPUT[:16], b"identity.key")
    assert not any(secret in sealed for secret in (*secrets, SECRET))


def test_the_directory_is_as_it_was_and_no_working_file_is_left(state: StateDir, out: Path) -> None:
    before = files_of(state.path)
    back_up(state, out)
    assert files_of(state.path) == before
    assert list(state.run.iterdir()) == []


def test_while_a_store_is_written_it_holds_one_moment(state: StateDir, out: Path, tmp_path: Path) -> None:
    """A writer adds jobs with an event each, in one transaction; a copy never has the one without the other."""
    enough = threading.Event()
    with Store.open(state.database, CLOCK, owner=True) as store:

        def add(number: int) -> None:
            def work(tx: Transaction) -> None:
                a_job(tx, job=f"{number:064x}", number=number)
                tx.emit(CoreReady(ms=number))

            store.write(work).result()

        add(2)

        def keep_adding() -> None:
            number = 3
            while not enough.is_set():
                add(number)
                number += 1

        writer = threading.Thread(target=keep_adding)
        writer.start()
        try:
            for number in range(3):
                back_up(state, out)
                put_back(out, tmp_path / str(number))
        finally:
            enough.set()
            writer.join()
    for number in range(3):
        database = tmp_path / str(number) / "orlop.db"
        jobs = rows(database, "SELECT max(number) FROM jobs")
        assert jobs == rows(database, "SELECT max(json_extract(body, '$.ms')) FROM journal WHERE type = 'core.ready'")
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]


def test_a_module_that_is_removed_meanwhile_is_in_it_with_the_row_or_neither_is(
    state: StateDir, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent is deleted between the copy of the database and the look at its module."""
    copied = module.copy_database

    def delete_then(database: Path, target: Path) -> None:
        copied(database, target)
        path = state.path / name_of("modules", MODULE)
        if path.exists():
            path.unlink()
            with Store.open(state.database, CLOCK, owner=True) as store:
                store.write(lambda tx: tx.execute("DELETE FROM main.agents").rowcount).result()

    monkeypatch.setattr(module, "copy_database", delete_then)
    assert back_up(state, out).missing == ()
    put_back(out, tmp_path / "new")
    assert rows(tmp_path / "new" / "orlop.db", "SELECT count(*) FROM agents") == [(0,)]
    assert name_of("modules", MODULE) not in files_of(tmp_path / "new")


def test_what_was_held_stays_though_it_is_removed_while_it_is_written(
    state: StateDir, out: Path, tmp_path: Path
) -> None:
    def remove() -> bool:
        for name in (name_of("modules", MODULE), name_of("blobs", INPUT)):
            if any(state.run.glob("*/blobs-*")):
                (state.path / name).unlink(missing_ok=True)
        return False

    back_up(state, out, stopped=remove)
    assert not (state.path / name_of("blobs", INPUT)).exists()
    put_back(out, tmp_path / "new")
    assert (tmp_path / "new" / name_of("blobs", INPUT)).read_bytes() == INPUT


def test_a_module_that_was_gone_before_is_named(state: StateDir, out: Path) -> None:
    (state.path / name_of("modules", MODULE)).unlink()
    assert back_up(state, out).missing == (name_of("modules", MODULE),)


def test_a_directory_that_changes_all_the_time_is_given_up(
    state: StateDir, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = module.copy_database
    written = iter(range(100))

    def change_then(database: Path, target: Path) -> None:
        copied(database, target)
        write(state.path / "config.d" / "50-set.toml", f"# {next(written)}".encode())

    monkeypatch.setattr(module, "copy_database", change_then)
    with pytest.raises(UnavailableError, match="the directory keeps changing; try again"):
        back_up(state, out)


def test_output_that_grows_is_taken_as_long_as_it_was(state: StateDir, out: Path, tmp_path: Path) -> None:
    output = state.output / ("ab" * 32)
    before = output.read_bytes()
    once = iter([True])

    def grow() -> bool:
        if any(state.run.glob("*/output-*")) and next(once, False):
            with output.open("ab") as file:
                file.write(b"more")
        return False

    back_up(state, out, stopped=grow)
    put_back(out, tmp_path / "new")
    assert output.read_bytes() == before + b"more"
    assert (tmp_path / "new" / "output" / output.name).read_bytes().startswith(before)


@pytest.mark.parametrize("name", ["identity.key", "vault.key"])
def test_without_a_key_there_is_no_backup(state: StateDir, out: Path, name: str) -> None:
    (state.path / name).unlink()
    with pytest.raises(NotFoundError, match=f"{name}: is not there"):
        back_up(state, out)


def test_a_damaged_database_is_not_kept_as_if_it_were_whole(state: StateDir, out: Path) -> None:
    with Store.open(state.database, CLOCK, owner=True) as store:
        for number in range(300):
            store.write(lambda tx, n=number: an_agent(tx, name=f"agent-{n}")).result()
    data = bytearray(state.database.read_bytes())
    for page in range(5, len(data) // 4096):
        data[page * 4096 + 100 : page * 4096 + 200] = b"\xff" * 100
    state.database.write_bytes(data)
    with pytest.raises(RefusedError, match="the database is damaged"):
        back_up(state, out)
    assert list(state.run.iterdir()) == []


def test_it_ends_early_when_it_should(state: StateDir, out: Path) -> None:
    answers = iter([False, False])
    with pytest.raises(FailedError, match="interrupted; nothing was kept"):
        back_up(state, out, stopped=lambda: next(answers, True))
    assert list(state.run.iterdir()) == []


def test_a_full_disk_at_the_target_is_one_line(state: StateDir) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(UnavailableError, match="the backup cannot be written: no space left on device"):
            module.write_backup(state, descriptor, SECRET, now_ms=1, program="1")
    finally:
        os.close(descriptor)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = tmpfs.mount(place, "size=4m,mode=700")
    yield place
    if mounted:
        tmpfs.unmount(place)


def test_a_full_disk_at_the_directory_is_one_line(small_disk: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = fill(small_disk / "state")
    filler = small_disk / "filler"
    with monkeypatch.context() as patch:
        if os.path.ismount(small_disk):
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        else:
            patch.setattr(sqlite3, "connect", lambda *_, **__: no_space())
        with pytest.raises(UnavailableError, match=r"(?i)the database.*(disk is full|no space left)"):
            back_up(state, out)
    filler.unlink(missing_ok=True)
    assert back_up(state, out).missing == ()


def no_space() -> sqlite3.Connection:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
