"""Writing a backup: one moment of the state directory, encrypted, while an owner runs and writes.

First the database is copied as it is at one moment, and what it refers to is held by a second link, so that nobody's
tidying up takes it away; then all of it is written. Blocking: call from a thread that may wait.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime import durable
from runtime.archive import Entry, Index, is_name
from runtime.database import copy_database, open_reader
from runtime.errors import FailedError, NotFoundError, RefusedError, UnavailableError
from runtime.sealed_stream import CHUNK, COST, Cost, SealedWriter
from runtime.statedir import StateDir

__all__ = ["Written", "write_backup"]

_TRIES: Final = 5
_SMALL_MAX: Final = 1 << 20
_REFERENCES: Final = (
    (
        "modules",
        "SELECT hash FROM agents UNION SELECT hash FROM agent_versions WHERE manifest != '' ORDER BY hash",
    ),
    ("blobs", "SELECT DISTINCT hash FROM job_blobs ORDER BY hash"),
)
_JOBS: Final = "SELECT job FROM jobs ORDER BY number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A backup that was written whole.

    Attributes:
        created_ms: wall time of the moment that it holds.
        files: how many.
        plain_bytes: their sizes together.
        missing: modules and blobs that the database names and the directory does not have.
    """

    created_ms: int
    files: int
    plain_bytes: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is copied: small files by their content, all others by where they lie now."""

    schema: int
    small: dict[str, bytes]
    held: dict[str, Path]
    missing: tuple[str, ...]


def write_backup(
    state: StateDir,
    target: int,
    passphrase: bytes,
    *,
    now_ms: int,
    program: str,
    stopped: Callable[[], bool] = lambda: False,
    cost: Cost = COST,
) -> Written:
    """Writes a backup of a state directory.

    Args:
        state: the directory, locked by this process as owner or as one-shot command.
        target: descriptor of an empty regular file; synced by the caller.
        passphrase: what it is encrypted under.
        now_ms: wall time.
        program: our version.
        stopped: whether it should end early; asked now and then.
        cost: of a guess of the passphrase.

    Raises:
        RefusedError: a key or the database is damaged.
        NotFoundError: a key or the database is not there.
        UnavailableError: something cannot be read or written; what is in the target is of no use.
        FailedError: it was stopped.
    """
    folder = state.run / f"backup-{os.urandom(8).hex()}"
    durable.make_directory(folder)
    try:
        moment = _moment(state, folder, stopped)
        sealed = SealedWriter(_Target(target, stopped).put, passphrase, cost)
        return _write(moment, sealed, now_ms, program)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _moment(state: StateDir, folder: Path, stopped: Callable[[], bool]) -> _Moment:
    """Keys, database and what it refers to, as they were together.

    Keys may be replaced and modules removed beside us: then it is done again. What is missing twice in a row is not
    being removed, it is gone.
    """
    before: tuple[str, ...] = ()
    for _ in range(_TRIES):
        _go_on(stopped)
        small = _small(state)
        held = {"orlop.db": folder / "orlop.db"}
        copy_database(state.database, held["orlop.db"])
        schema, named, outputs = _contents(held["orlop.db"])
        missing = tuple(name for name in named if not _hold(state, name, folder, held))
        for name in outputs:
            _hold(state, name, folder, held)  # a job that wrote nothing has none
        if _small(state) == small and (not missing or missing == before):
            return _Moment(schema, small, held, missing)
        before = missing
    raise UnavailableError("the directory keeps changing", where=str(state.path), hint="try again when it is quieter")


def _small(state: StateDir) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path, needed in (
        (state.version_file, False),
        (state.identity_key, True),
        (state.vault_key, True),
        (state.ui, False),
        *((path, False) for path in sorted(state.config_d.glob("*.toml"))),
    ):
        name = str(path.relative_to(state.path))
        content = durable.read(path, limit=_SMALL_MAX, private=needed) if is_name(name) else None
        if content is not None:
            found[name] = content
        elif needed:
            raise NotFoundError("is not there", where=str(path), hint="there is nothing to keep without it")
    return found


def _contents(database: Path) -> tuple[int, list[str], list[str]]:
    """The schema's version, the names of modules and blobs, and those of outputs; of a copy that nobody else has."""
    with contextlib.closing(open_reader(database)) as connection:
        said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if said != "ok":
            hint = "start orlop on it, and put back an older copy if it says the same"
            raise RefusedError("the database is damaged, and was not kept in a backup", where="orlop.db", hint=hint)
        schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
        named = [
            f"{folder}/sha256/{digest[:2]}/{digest}"
            for folder, query in _REFERENCES
            for digest in _rows(connection, query)
        ]
        outputs = [f"output/{job}" for job in _rows(connection, _JOBS)]
        return schema, list(filter(is_name, named)), list(filter(is_name, outputs))


def _rows(connection: sqlite3.Connection, query: str) -> list[str]:
    return [str(row[0]).removeprefix("sha256:") for row in connection.execute(query)]


def _hold(state: StateDir, name: str, folder: Path, held: dict[str, Path]) -> bool:
    """Links a file into our folder, so that it stays; false when it is gone."""
    link = folder / name.replace("/", "-")
    try:
        if not link.exists():
            os.link(state.path / name, link, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UnavailableError(_words(error), where=str(state.path / name)) from error
    held[name] = link
    return True


def _write(moment: _Moment, sealed: SealedWriter, now_ms: int, program: str) -> Written:
    entries = [Entry(name, len(content)) for name, content in moment.small.items()]
    entries += [Entry(name, path.lstat().st_size) for name, path in moment.held.items()]
    index = Index(created_ms=now_ms, program=program, schema=moment.schema, entries=tuple(entries))
    document = index.document()
    sealed.write(len(document).to_bytes(4) + document)
    for content in moment.small.values():
        sealed.write(content)
    for entry in entries[len(moment.small) :]:
        for piece in _content(moment.held[entry.name], entry):
            sealed.write(piece)
    sealed.finish()
    return Written(created_ms=now_ms, files=len(entries), plain_bytes=index.size, missing=moment.missing)


def _content(path: Path, entry: Entry) -> Iterator[bytes]:
    """The first bytes of a file, as many as the index says; the output of a running job grows beside us."""
    left = entry.size
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while left and (piece := os.read(descriptor, min(left, CHUNK))):
                left -= len(piece)
                yield piece
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UnavailableError(_words(error), where=entry.name) from error
    if left:
        raise UnavailableError("was cut while it was read", where=entry.name, hint="try again")


class _Target:
    """Where the encrypted bytes go."""

    def __init__(self, descriptor: int, stopped: Callable[[], bool]) -> None:
        self._descriptor = descriptor
        self._stopped = stopped

    def put(self, data: bytes) -> None:
        _go_on(self._stopped)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise UnavailableError(f"the backup cannot be written: {_words(error)}") from error


def _go_on(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise FailedError("interrupted; nothing was kept")


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
