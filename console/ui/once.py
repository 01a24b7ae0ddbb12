"""Work of which only the newest counts: what is begun later cancels it."""

from collections.abc import Awaitable, Callable

from textual.dom import DOMNode

__all__ = ["only_newest"]


def only_newest(node: DOMNode, work: Callable[[], Awaitable[None]], group: str) -> None:
    """Begins work and cancels what of its group is under way.

    The function, not its coroutine: one that is cancelled before it begins would never have been awaited.

    Args:
        node: whose work it is; it ends with that.
        work: what is to be done.
        group: what is cancelled.
    """
    node.run_worker(work, group=group, exclusive=True)
