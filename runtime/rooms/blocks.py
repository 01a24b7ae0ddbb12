"""The block of sequence numbers in which this node writes its entries.

Whoever goes on from an older copy of a room's log does not know what it had said after that copy was made: it may have
used the next number already. So it begins a block that it has not used before.
"""

from typing import Final

from runtime.store import Transaction

__all__ = ["begin_block", "current_block"]

_KEY: Final = "room_block"
"""Of table `meta`."""

_EPOCH_S: Final = 1_577_836_800
"""2020-01-01: blocks have 31 bits, and last until 2088."""

_BLOCK_MAX: Final = 2**31 - 1


def current_block(tx: Transaction) -> int:
    """The block in which this node writes, at least."""
    return int(tx.meta(_KEY) or 0)


def begin_block(tx: Transaction, *, above: int = 0) -> int:
    """Begins a block that nobody has seen: one more would be the same at every restore of one backup.

    Args:
        tx: the transaction of the restore.
        above: a block that is known to be used.

    Returns:
        The block, which follows from the time.
    """
    block = min(max(current_block(tx) + 1, above + 1, tx.now_ms // 1000 - _EPOCH_S), _BLOCK_MAX)
    tx.set_meta(_KEY, block)
    return block
