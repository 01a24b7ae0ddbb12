"""What waits for one component: messages in the order of their arrival, within counts and bytes. Pure.

A full mailbox refuses (`reject`), or makes room by dropping its oldest plain messages (`drop-oldest`); a request is
never dropped, since its sender was promised an answer. Callbacks stand in the same row, so that nothing enters a
component that is in a call; they are bounded by the requests that their receiver has open, and never refused.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BYTES_MAX", "Callback", "Letter", "Mailbox", "Overflow"]

BYTES_MAX: Final = 4 << 20
"""Of the payloads in one mailbox."""

Overflow = Literal["reject", "drop-oldest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message on its way.

    Attributes:
        sender: id of the component, set by the host.
        content_type: as the sender gave it.
        payload: its bytes.
        sent_ms: wall time.
        request: number of the request that it is; None of a plain message.
        deadline: monotonic seconds after which nobody waits for the reply; None of a plain message.
        topic: it was published under; None of one that was sent to this component.
    """

    sender: str
    content_type: str
    payload: bytes
    sent_ms: int
    request: int | None = None
    deadline: float | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """The outcome of a request that the owner of the mailbox sent.

    Attributes:
        request: its number.
        reply: what came; None where it failed.
        failure: why it failed, empty where a reply came.
    """

    request: int
    reply: bytes | None
    failure: str = ""


class Mailbox:
    """The row of one component.

    Args:
        capacity: messages at most.
        overflow: what happens to one too many.

    Attributes:
        dropped: messages that made room for others, or whose sender no longer waited.
        open: whether it takes messages; a component that does not run has a closed one.
    """

    def __init__(self, capacity: int = 256, overflow: Overflow = "reject") -> None:
        self.capacity = capacity
        self.dropped = 0
        self.open = False
        self._overflow = overflow
        self._row: deque[Letter | Callback] = deque()
        self._letters = 0
        self._bytes = 0

    def __len__(self) -> int:
        """How many messages wait; callbacks do not count."""
        return self._letters

    @property
    def waiting(self) -> bool:
        """Whether anything is to be handed over."""
        return bool(self._row)

    def put(self, letter: Letter) -> tuple[bool, list[Letter]]:
        """Takes a message, if there is room or room can be made.

        Args:
            letter: the message.

        Returns:
            Whether it is in, and the messages that were dropped for it.
        """
        gone: list[Letter] = []
        if len(letter.payload) > BYTES_MAX or not self._room_for(letter, gone):
            return False, []
        self.dropped += len(gone)
        self._row.append(letter)
        self._count(letter, 1)
        return True, gone

    def call_back(self, callback: Callback) -> None:
        """Takes the outcome of a request.

        Args:
            callback: the outcome.
        """
        self._row.append(callback)

    def take(self, now: float) -> Letter | Callback | None:
        """Hands over the oldest that is still of use.

        Args:
            now: monotonic seconds.

        Returns:
            None when nothing waits.
        """
        while self._row:
            first = self._row.popleft()
            if isinstance(first, Callback):
                return first
            self._count(first, -1)
            if first.deadline is None or first.deadline > now:
                return first
            self.dropped += 1
        return None

    def hand_over(self) -> list[Letter]:
        """Ends it, but for the callbacks: they are for whoever sent the requests.

        Returns:
            The messages, oldest first.
        """
        callbacks = [one for one in self._row if isinstance(one, Callback)]
        letters = self.close()
        self._row.extend(callbacks)
        return letters

    def take_over(self, letters: Sequence[Letter]) -> None:
        """Takes the messages of one whose place it takes, however many it holds.

        Args:
            letters: oldest first.
        """
        for letter in letters:
            self._row.append(letter)
            self._count(letter, 1)

    def close(self) -> list[Letter]:
        """Ends it; the component takes no more.

        Returns:
            The messages that nobody will read, oldest first.
        """
        left = [one for one in self._row if isinstance(one, Letter)]
        self.open = False
        self._row.clear()
        self._letters = self._bytes = 0
        return left

    def _room_for(self, letter: Letter, gone: list[Letter]) -> bool:
        """Whether it fits; what has to go for it is put into `gone` and taken out of the row."""
        count, size = self._letters + 1 - self.capacity, self._bytes + len(letter.payload) - BYTES_MAX
        if count <= 0 and size <= 0:
            return True
        if self._overflow == "reject":
            return False
        for one in self._row:
            if isinstance(one, Letter) and one.request is None:
                gone.append(one)
                count, size = count - 1, size - len(one.payload)
                if count <= 0 and size <= 0:
                    break
        else:
            return False
        for one in gone:
            self._row.remove(one)
            self._count(one, -1)
        return True

    def _count(self, letter: Letter, step: int) -> None:
        self._letters += step
        self._bytes += step * len(letter.payload)
