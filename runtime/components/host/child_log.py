"""What children write to their component's log: whole lines, cut, and not more of them than the log takes."""

import time
from collections.abc import Callable
from typing import Final

from runtime.components.host.context import CoreLine
from runtime.components.host.log_pace import LogPace
from runtime.sanitise import clean

__all__ = ["ChildLog"]

_LINE_BYTES: Final = 4096


class ChildLog:
    """The lines of all children of one instance.

    Args:
        core: takes them; from another thread than the instance's.
        rate: lines a second.
    """

    def __init__(self, core: CoreLine, rate: int) -> None:
        self._core = core
        self._pace = LogPace(rate)

    def sink(self, name: str) -> Callable[[bytes], None]:
        """Takes what one stream of a child brings; nothing at its end.

        Args:
            name: of the stream, for the log.
        """
        waiting = bytearray()

        def take(data: bytes) -> None:
            nonlocal waiting
            waiting += data
            *lines, rest = waiting.split(b"\n")
            if not data or len(rest) > _LINE_BYTES:
                lines, rest = [*lines, rest], bytearray()
            waiting = bytearray(rest)
            for line in lines:
                if line:
                    self._tell(name, bytes(line[:_LINE_BYTES]))

        return take

    def _tell(self, name: str, line: bytes) -> None:
        left_out = self._pace.line(time.monotonic())
        if left_out is None:
            return
        if left_out:
            self._say("warn", f"{left_out} lines of children were left out: more than limits.log_rate allows", name)
        self._say("info", line.decode(errors="replace"), name)

    def _say(self, level: str, text: str, name: str) -> None:
        self._core.notify("log", {"level": level, "message": clean(text, _LINE_BYTES), "fields": [["child", name]]})
