"""Burning a room: its key first, then every row that names it, then the bytes that were left of both.

What was deleted stays readable in a database's free pages and in the log beside it until the database is written anew.
A mark in the same transaction says that this is still to be done, so that a kill in between is made good at the next
start.
"""

import mmap
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.errors import NotFoundError, UnavailableError
from runtime.events import RoomBurned
from runtime.places import AT
from runtime.store import Store, Transaction

__all__ = ["Burned", "burn_rows", "finish", "forget_rows", "remove_copies"]

_MARK: Final = "scrub"
_TABLES: Final = (
    "SELECT m.name FROM {at}.sqlite_master AS m JOIN pragma_table_info(m.name, ?) AS c"
    " WHERE m.type = 'table' AND c.name = 'room' AND m.name != 'rooms' ORDER BY m.name"
)


@dataclass(frozen=True, slots=True)
class Burned:
    """What is left to do when the rows are gone.

    Attributes:
        room: its id.
        modules: hashes of modules that only this room used.
    """

    room: str
    modules: tuple[str, ...]


def burn_rows(
    tx: Transaction, room: str, by: str, *, in_use: Callable[[Transaction, str], bool], ephemeral: bool = False
) -> Burned:
    """Deletes a room's key, its rows in every table, and all events that name it.

    Args:
        tx: the transaction; `finish` is to follow its commit.
        room: its id.
        by: for the event that says so.
        in_use: whether any agent still uses a module.
        ephemeral: whether the room was in memory only.

    Returns:
        What has to go from the directory.

    Raises:
        NotFoundError: there is no such room.
    """
    hashes = [
        str(row[0])
        for row in tx.rows(
            "SELECT hash FROM main.agents WHERE room = ? UNION SELECT hash FROM main.agent_versions WHERE room = ?",
            (room, room),
        )
    ]
    if not forget_rows(tx, room) and not ephemeral:
        raise NotFoundError("no such room", where=room[:60])
    tx.emit(RoomBurned(room=room, by=by))
    return Burned(room, tuple(digest for digest in hashes if digest and not in_use(tx, digest)))


def forget_rows(tx: Transaction, room: str) -> bool:
    """Deletes a room's key, its rows in every table, and all events that name it.

    Args:
        tx: the transaction; `finish` is to follow its commit.
        room: its id.

    Returns:
        Whether there was such a room.
    """
    found = tx.execute("DELETE FROM rooms WHERE room = ?", (room,)).rowcount > 0
    for place in tx.places:
        for (table,) in tx.rows(_TABLES.replace(AT, place), (place,)):
            tx.execute(f'DELETE FROM {place}."{table}" WHERE room = ?', (room,))  # noqa: S608 - names from the schema
    tx.execute("DELETE FROM journal WHERE instr(body, ?)", (room,))
    tx.execute_everywhere("DELETE FROM {at}.meta WHERE instr(key, ?)", (room,))
    tx.set_meta(_MARK, 1)
    return found


def remove_copies(database: Path, room: str) -> list[str]:
    """Removes the copies that migrations left of the database, as far as a room is in them.

    Args:
        database: the file; copies lie beside it.
        room: its id, which lies open in every database that knows it.

    Returns:
        Their names.

    Raises:
        UnavailableError: one cannot be read or removed.
    """
    removed: list[str] = []
    for copy in sorted(database.parent.glob(f"{database.name}.before-*")):
        try:
            if _holds(copy, room.encode()):
                copy.unlink()
                removed.append(copy.name)
        except OSError as error:
            why = f"cannot be wiped: {(error.strerror or type(error).__name__).lower()}"
            raise UnavailableError(why, where=str(copy), hint="remove it by hand: the room is in it") from error
    return removed


def finish(store: Store) -> "Future[None] | None":
    """Wipes what burned rooms left in the database's files, if that is still to be done.

    Args:
        store: the database.

    Returns:
        Done when it is; it fails as `Store.scrub`, and is then to be done again. None when there is nothing to do.
    """
    if store.read_now(lambda db: db.execute("SELECT 1 FROM meta WHERE key = ?", (_MARK,)).fetchone()) is None:
        return None
    done: Future[None] = Future()

    def unmark(scrubbed: "Future[None]") -> None:
        error = scrubbed.exception()
        if error is not None:
            done.set_exception(error)
            return
        store.write(lambda tx: tx.execute("DELETE FROM meta WHERE key = ?", (_MARK,)))
        done.set_result(None)

    store.scrub().add_done_callback(unmark)
    return done


def _holds(file: Path, word: bytes) -> bool:
    with file.open("rb") as stream:
        if not stream.seek(0, 2):
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(word) >= 0
