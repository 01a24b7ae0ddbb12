"""Who is to run a job: the peers with a box each, and why some of them get none."""

from collections.abc import Iterable, Sequence

from console.rows import PeerRow
from console.table_rows import Row
from console.ui.screens.several import SeveralScreen
from console.ui.text.workers import WORKER_COLUMNS, unfit, worker_rows

__all__ = ["WorkersScreen"]


class WorkersScreen(SeveralScreen):
    """Answers with the PeerIds of those that are ticked, or None.

    Args:
        peers: the book of peers.
        chosen: PeerIds that are ticked at first.
    """

    TITLE = "Who runs the job"
    NOUN = "peer"
    EMPTY = "No peer is known."
    OPENS = "takes it"
    COLUMNS = WORKER_COLUMNS

    def __init__(self, peers: Sequence[PeerRow], chosen: Iterable[str]) -> None:
        super().__init__(chosen, unfit(peers))
        self._peers = peers

    def rows(self) -> list[Row]:
        """All peers."""
        return worker_rows(self._peers, self.chosen)

    def opened(self, key: str) -> None:
        """One is taken at once, with those that are ticked already: mostly one is all that is wanted."""
        if key not in self.refused:
            self.dismiss(self.chosen | {key})
