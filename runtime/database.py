"""Opening `orlop.db`: one connection set up right, the schema brought up to date, SQLite's errors put into our words.

WAL with `synchronous=FULL`: what was committed is there after a power cut. A migration runs in one transaction after a
copy, `orlop.db.before-N`.
"""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runtime.durable import sync_directory
from runtime.errors import OrlopError, RefusedError, UnavailableError, UsageError
from runtime.sanitise import clean
from runtime.schema import MIGRATIONS, VERSION

__all__ = [
    "BUSY_S",
    "DatabaseDamagedError",
    "copy_database",
    "damaged",
    "is_busy",
    "open_reader",
    "open_writer",
    "scrub",
    "set_patience",
    "told",
]

BUSY_S = 10.0
"""Seconds that a writer waits for another process's transaction."""

_APPLICATION = 0x6F726C70
"""`orlp`: marks our databases, so that no other is taken for one."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NOT_AS_WRITTEN = ("no such table", "malformed JSON")
"""What our own statements meet only in a database that somebody else changed."""
_HOST = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_BUSY: f"another process kept it locked for {BUSY_S:.0f} s",
    sqlite3.SQLITE_LOCKED: "it is locked",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "access was denied",
    sqlite3.SQLITE_AUTH: "access was denied",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work on this file system",
    sqlite3.SQLITE_NOLFS: "it is too large for this file system",
    sqlite3.SQLITE_TOOBIG: "a value is too large",
}


class DatabaseDamagedError(RefusedError):
    """The file is no database, or its content is damaged."""


def _mapped(error: sqlite3.Error, database: Path) -> OrlopError | None:
    """SQLite's error as one of ours; None for those that are a statement's own, such as a broken constraint."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _DAMAGED:
        return damaged(database)
    words = _HOST.get(primary)
    if primary == sqlite3.SQLITE_IOERR and _is_full(database):
        words = _HOST[sqlite3.SQLITE_FULL]  # so SQLite calls it when the shared memory beside the WAL finds no room
    return None if words is None else UnavailableError(f"the database: {words}", where=str(database))


def told(error: BaseException, database: Path) -> BaseException:
    """What is raised where a statement or query of ours failed.

    Args:
        error: what it raised.
        database: the file.

    Returns:
        An error of ours where the host or the database's content is the reason; else the same error.
    """
    if isinstance(error, json.JSONDecodeError):
        return damaged(database, "a row holds no JSON where it should")
    if not isinstance(error, sqlite3.Error):
        return error
    if str(error).startswith(_NOT_AS_WRITTEN):
        return damaged(database, clean(str(error)))
    return _mapped(error, database) or error


def is_busy(error: BaseException) -> bool:
    """Whether a statement failed because another process kept the database locked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def set_patience(connection: sqlite3.Connection, *, waits: bool) -> None:
    """Whether a connection waits `BUSY_S` for another process's transaction, or fails at once."""
    connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000) if waits else 0}")


def scrub(connection: sqlite3.Connection, database: Path) -> None:
    """Leaves no byte in the files of what was deleted.

    Args:
        connection: the one that writes, outside of a transaction.
        database: its file.

    Raises:
        UnavailableError: a reader kept the log beside the database from being emptied.
        sqlite3.Error: as SQLite says; what was not written anew is as it was.
    """
    connection.execute("VACUUM")
    busy, _, _ = connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        why = "what was deleted could not be wiped, because somebody reads the database"
        raise UnavailableError(why, where=str(database), hint="it is wiped at the next start")


def damaged(database: Path, part: str = "") -> DatabaseDamagedError:
    """What is said of a database whose content is not as it was written.

    Args:
        database: the file.
        part: which part, where that is known.
    """
    why = f"the database is damaged: {part}" if part else "the database is damaged"
    hint = f"move it away and put back a copy, such as {database.name}.before-N"
    return DatabaseDamagedError(why, where=str(database), hint=hint)


def _is_full(database: Path) -> bool:
    try:
        disk = os.statvfs(database.parent)
    except OSError:
        return False
    return disk.f_bavail == 0


@contextlib.contextmanager
def _translated(database: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _mapped(error, database) or UnavailableError(f"the database: {error}", where=str(database)) from error


def open_writer(database: Path) -> sqlite3.Connection:
    """The connection that writes; makes the database when there is none and brings an older one up to date.

    Raises:
        UsageError: the database is of a later version; both are named.
        DatabaseDamagedError: no database of ours, or a damaged one.
        UnavailableError: it cannot be opened or written.
    """
    try:
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise UnavailableError(f"the database: {error.strerror}".lower(), where=str(database)) from error
    with _translated(database):
        connection = _connect(database)
        try:
            _check(connection, database)
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA journal_size_limit=67108864")
            connection.execute("PRAGMA temp_store=MEMORY")
            _migrate(connection, database)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(database: Path, join: Callable[[sqlite3.Connection], None] | None = None) -> sqlite3.Connection:
    """A connection that writes no row.

    It is opened for writing all the same, so that the last one that closes folds the WAL away.

    Args:
        database: the file.
        join: puts another database beside it, if there is one.

    Raises:
        UsageError: the database is of another version.
        DatabaseDamagedError: no database of ours, or a damaged one.
        UnavailableError: there is none, or it cannot be opened.
    """
    with _translated(database):
        connection = _connect(database, "?mode=rw")
        try:
            if _check(connection, database) < VERSION:
                raise UsageError("its schema is older than this version", where=str(database), hint="start orlop once")
            if join is not None:
                join(connection)
            connection.execute("PRAGMA query_only=ON")
        except BaseException:
            connection.close()
            raise
    return connection


def copy_database(database: Path, target: Path) -> None:
    """A consistent copy while others write, made durable before it gets its name; one file, without a WAL.

    Args:
        database: the file.
        target: the copy; one that is there is replaced.

    Raises:
        DatabaseDamagedError: the database is damaged.
        UnavailableError: it cannot be read, or the copy cannot be written; then there is none.
    """
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            _translated(database),
            contextlib.closing(_connect(database, "?mode=rw")) as source,
            contextlib.closing(_connect(temporary)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        temporary.replace(target)
        sync_directory(target.parent)
    except OSError as error:
        raise UnavailableError(f"the database cannot be copied: {error.strerror}".lower(), where=str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _connect(database: Path, options: str = "") -> sqlite3.Connection:
    quoted = "".join(chr(b) if chr(b).isalnum() and b < 128 or b in b"/-_.~" else f"%{b:02x}" for b in bytes(database))  # noqa: PLR2004, RUF021 - ASCII letters and digits
    connection = sqlite3.connect(
        f"file:{quoted}{options}", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def _check(connection: sqlite3.Connection, database: Path) -> int:
    """The schema's version; an empty database has 0."""
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")  # one moment: another process may be making the tables
    try:
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    finally:
        if alone and connection.in_transaction:
            connection.execute("ROLLBACK")
    if tables and application != _APPLICATION:
        raise DatabaseDamagedError("is not a database of orlop", where=str(database), hint="move it away")
    if version > VERSION:
        why = f"was written by a later orlop (schema {version}, this one knows {VERSION})"
        raise UsageError(why, where=str(database), hint="update orlop")
    return version


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switches to WAL; two processes that do so at once do not wait for one another, so we do."""
    deadline = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(connection: sqlite3.Connection, database: Path) -> None:
    if _check(connection, database) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _check(connection, database)  # again, now that nobody else can migrate
        if 0 < version < VERSION:
            copy_database(database, database.with_name(f"{database.name}.before-{VERSION}"))
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        if version == 0:
            connection.execute(f"PRAGMA application_id={_APPLICATION}")
            made = [("instance", os.urandom(16).hex()), ("seq", 0)]
            connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", made)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""
