"""Who was told of as a provider of something and proved to be none: nobody looks at the pair again for ten minutes."""

import sqlite3
from typing import Final

from net.peer_id import PeerId
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = ["SKIP_MS", "failed", "skipped"]

SKIP_MS: Final = 600_000
_WORDS_MOST: Final = 200


def failed(tx: Transaction, peer: PeerId, what: str, reason: str) -> None:
    """A peer is not what it was told to be.

    Args:
        tx: the transaction.
        peer: who.
        what: it was to provide, such as `x86_64/wasm`.
        reason: why it does not, in words.
    """
    tx.execute("DELETE FROM failed_providers WHERE failed_ms <= ?", (tx.now_ms - SKIP_MS,))
    sql = "INSERT OR REPLACE INTO failed_providers VALUES (?, ?, ?, ?)"
    tx.execute(sql, (str(peer), what, tx.now_ms, clean(reason, _WORDS_MOST)))


def skipped(db: sqlite3.Connection, what: str, now_ms: int) -> dict[PeerId, str]:
    """Who is not looked at now, and why it failed.

    Args:
        db: the store.
        what: is looked for.
        now_ms: wall time; what seems to have failed later than that, because a clock fell, does not count.
    """
    sql = "SELECT peer, reason FROM failed_providers WHERE what = ? AND failed_ms > ? AND failed_ms <= ?"
    rows = db.execute(sql, (what, now_ms - SKIP_MS, now_ms))
    return {PeerId.parse(str(peer)): str(reason) for peer, reason in rows}
