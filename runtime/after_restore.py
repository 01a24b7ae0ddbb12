"""What a restored directory is told before anybody uses it: that time was lost, and that no number comes twice.

The moment of the backup is not the last that others saw. So the journal becomes another instance and goes on from a
greater seq, the chain of receipts goes on behind a gap with a signed entry that says why, this node's entries in rooms
go on in a block that nobody has seen, and what was running or waiting then is lost, not run a second time.
"""

import os
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from runtime.archive import Index
from runtime.clock import Clock
from runtime.database import open_writer
from runtime.events import CommandDone, CoreRestored
from runtime.jobs.receipts import Receipts
from runtime.jobs.records import lose_unfinished
from runtime.keys import load_identity
from runtime.rooms.blocks import begin_block
from runtime.statedir import StateDir
from runtime.store import Store, Transaction

__all__ = ["RESTORES", "Aftermath", "begin_again"]

RESTORES: Final = "restores"
"""The key of table `meta` that counts restores: what must never repeat an index, such as a session, looks at it."""

_GAP: Final = 1 << 32
_REASON: Final = "it had not ended when the backup was made; run it again if it is still wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What came of it.

    Attributes:
        restores: how often this directory was restored.
        lost: how many jobs had not ended.
        receipt: id of the entry of the chain.
    """

    restores: int
    lost: int
    receipt: str


def begin_again(
    state: StateDir, index: Index, sha256: str, *, clock: Clock, began: float, uid: int, face: str
) -> Aftermath:
    """Tells a restored directory, on which nobody works yet.

    Args:
        state: the directory.
        index: of the backup.
        sha256: of the backup's file.
        clock: gives the time; seqs go on from it.
        began: monotonic time of the command's start.
        uid: who restored it.
        face: through what.

    Raises:
        OrlopError: the database is damaged or cannot be written.
    """
    _renumber(state, clock.wall_ms())
    with Store.open(state.database, clock, owner=True) as store:
        receipts = Receipts(store, load_identity(state, store))

        def tell(tx: Transaction) -> Aftermath:
            restores = int(tx.meta(RESTORES) or 0) + 1
            tx.set_meta(RESTORES, restores)
            begin_block(tx)
            lost = lose_unfinished(tx, _REASON)
            receipt = receipts.issue_restored(tx, backup_sha256=sha256).receipt
            tx.emit(
                CoreRestored(
                    backup_sha256=sha256, backup_ms=index.created_ms, restores=restores, lost=lost, receipt=receipt
                )
            )
            took_ms = round((clock.monotonic() - began) * 1000)
            tx.emit(CommandDone(command="restore", uid=uid, face=face, ok=True, duration_ms=took_ms))
            return Aftermath(restores=restores, lost=lost, receipt=receipt)

        return store.write(tell).result()


def _renumber(state: StateDir, now_ms: int) -> None:
    """Another instance, and seqs that nobody can have seen.

    A gap alone would be the same gap at every restore of one backup. The time is another each time, and greater than
    any seq that a journal reaches which began at an earlier time and has less than a thousand events a second.
    """
    with closing(open_writer(state.database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'instance'", (os.urandom(16).hex(),))
        connection.execute("UPDATE meta SET value = max(value + ?, ?) WHERE key = 'seq'", (_GAP, now_ms))
        connection.execute("COMMIT")
