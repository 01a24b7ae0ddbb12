"""How peers come into the book, and how those go of whom nobody spoke."""

from typing import Final

from net.limits import NetLimits
from net.peer_id import PeerId
from runtime.store import Transaction

__all__ = ["PEERS_MOST", "enter", "remember"]

PEERS_MOST: Final = NetLimits().peers_remembered

_FORGETTABLE: Final = "name = '' AND note = '' AND trusted_ms IS NULL AND banned_ms IS NULL AND lied_ms IS NULL"
"""Nobody said anything of it; submitters are looked at apart, since they are listed by key."""


def enter(tx: Transaction, peer: PeerId) -> None:
    """Puts a peer into the book unless it is there; nothing was seen of it."""
    sql = "INSERT OR IGNORE INTO peers VALUES (?, '', '', NULL, NULL, '', NULL, '', ?, NULL, 0, 0, NULL, '')"
    tx.execute(sql, (str(peer), tx.now_ms))
    _forget_one(tx)


def remember(tx: Transaction, peer: PeerId) -> None:
    """Something was seen of a peer: it comes into the book, or is no more the longest not seen there."""
    enter(tx, peer)
    tx.execute("UPDATE peers SET seen_ms = ? WHERE peer = ?", (tx.now_ms, str(peer)))


def _forget_one(tx: Transaction) -> None:
    """Makes room, when there are too many: each that comes lets one go, the longest not seen."""
    count = tx.one("SELECT count(*) FROM peers")
    if count is None or count[0] <= PEERS_MOST:
        return
    allowed = {key for (key,) in tx.execute("SELECT key FROM submitters")}
    for (text,) in tx.rows(f"SELECT peer FROM peers WHERE {_FORGETTABLE} ORDER BY seen_ms, peer"):  # noqa: S608 - constants
        if PeerId.parse(text).key.hex() not in allowed:
            tx.execute("DELETE FROM peer_addresses WHERE peer = ?", (text,))
            tx.execute("DELETE FROM failed_providers WHERE peer = ?", (text,))
            tx.execute("DELETE FROM peers WHERE peer = ?", (text,))
            return
