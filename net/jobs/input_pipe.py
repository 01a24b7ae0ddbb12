"""What a job reads its input from while that still comes over the network."""

import os

from runtime.jobs import writable

__all__ = ["InputPipe"]


class InputPipe:
    """A pipe. Belongs to the loop's thread.

    Attributes:
        reader: the job's end, until `given`.
        taken: bytes that the job was given, or did not want any more.
    """

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        self.taken = 0

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._writer < 0

    def given(self) -> None:
        """The job has its end: from now on it shows when the job closes that."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1

    async def write(self, data: bytes) -> None:
        """Gives the job the next bytes; returns when it took them, or wants no more."""
        view = memoryview(data)
        while view and self._writer >= 0:
            try:
                count = os.write(self._writer, view)
            except BlockingIOError:
                await writable(self._writer)
            except BrokenPipeError:
                self.end()
            else:
                self.taken += count
                view = view[count:]
        self.taken += len(view)

    def end(self) -> None:
        """No more will come. Nobody waits in `write`."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def close(self) -> None:
        """Lets go of both ends."""
        self.given()
        self.end()
