"""The three standard streams: data on stdout, talk on stderr, whatever state they were handed over in."""

import contextlib
import json
import os
import select
import sys
from typing import TextIO

from console.client import Fault, Json
from runtime.errors import FailedError
from runtime.sanitise import clean

__all__ = [
    "error_document",
    "fill_closed",
    "finish",
    "hung_up",
    "is_closed",
    "print_bytes",
    "print_json",
    "print_text",
    "say",
]

_LINE = 2000
_closed: set[int] = set()


def fill_closed() -> None:
    """Opens `/dev/null` on each standard descriptor that is closed.

    Without it the first file that the program opens becomes its standard output, and prints end in a database.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            _closed.add(descriptor)
            os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)  # print(file=None) would go to stdout
    for stream in (sys.stdout, sys.stderr):
        _lenient(stream)


def is_closed(descriptor: int) -> bool:
    """Whether a standard descriptor was closed when the program started."""
    return descriptor in _closed


def say(line: str) -> None:
    """One line for people, on stderr.

    Args:
        line: it, made harmless here.
    """
    try:
        print(f"orlop: {clean(line, _LINE)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _forget(2)


def print_text(text: str) -> None:
    """Text on stdout, as it is.

    Args:
        text: already made harmless where it came from elsewhere.

    Raises:
        FailedError: it could not be written.
        BrokenPipeError: the reader went away.
    """
    print_bytes(text.encode("utf-8", "backslashreplace"))


def print_bytes(data: bytes) -> None:
    """Bytes on stdout, unchanged; raises as `print_text`."""
    if is_closed(1):
        raise FailedError("is closed", where="standard output")
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:
            select.select((), (1,), ())  # somebody else made the pipe non-blocking
        except BrokenPipeError:
            raise
        except OSError as error:
            raise FailedError(f"could not be written: {error.strerror}", where="standard output") from error


def print_json(value: Json) -> None:
    """One JSON document and a line end, in ASCII, so that no terminal acts on it."""
    print_text(json.dumps(value, separators=(",", ":")) + "\n")


def error_document(fault: Fault) -> Json:
    """What `--json` prints for an error."""
    return {"v": 1, "error": {"code": fault.code, "text": clean(fault.text, _LINE), "hint": clean(fault.hint, _LINE)}}


def finish() -> None:
    """After the reader of stdout went away: nothing more is written there, and nothing complains at exit."""
    _forget(1)


def hung_up() -> None:
    """After the terminal went away: nothing is written to it any more, and nothing complains at exit."""
    for descriptor in (1, 2):
        _forget(descriptor)


def _forget(descriptor: int) -> None:
    """What waits to be written goes nowhere; else the interpreter fails at its end, with a status of its own."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)


def _lenient(stream: TextIO | None) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
