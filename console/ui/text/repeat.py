"""The command line that runs a job once more, from what its row and its signed manifest say. Pure."""

import hashlib
import shlex
from collections.abc import Callable

from console.client import Json
from console.rows import JobRow
from console.ui.text.documents import flag, item, text, texts
from runtime.sanitise import clean

__all__ = ["UNKNOWN", "repeat_line"]

UNKNOWN = ("FILE", "HOST")
"""Stand in the line for paths, which no manifest names."""

_NO_INPUT = hashlib.sha256(b"").hexdigest()
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def _exact_size(amount: int) -> str:
    for factor, unit in _UNITS:
        if amount % factor == 0:
            return f"{amount // factor}{unit}"
    return str(amount)


def _exact_time(ms: int) -> str:
    return f"{ms // 1000}s" if ms % 1000 == 0 else f"{ms}ms"


def _limits(row: JobRow) -> dict[str, str]:
    """All limits as options of `jobs run`, so that the line says the same under another configuration."""
    given: dict[str, tuple[int, Callable[[int], str]]] = {
        "memory": (row.limit_memory_bytes, _exact_size),
        "fuel": (row.limit_fuel, str),
        "timeout": (row.limit_timeout_ms, _exact_time),
        "max_output": (row.limit_output_bytes, _exact_size),
        "cpu": (row.limit_cpu_ms, _exact_time),
        "dir_quota": (row.limit_dir_bytes, _exact_size),
        "open_files": (row.limit_open_files, str),
        "stack": (row.limit_stack_bytes, _exact_size),
        "table": (row.limit_table_elements, str),
    }
    return {name: words(value) for name, (value, words) in given.items() if value}


def repeat_line(row: JobRow, document: Json) -> str:
    """`orlop jobs run hello.wasm --memory 128MiB … -- args`, quoted for a shell and harmless to look at.

    Args:
        row: the job.
        document: the answer of `jobs show`, for arguments, environment and directories.
    """
    own = item(document, "manifest", "payload", "orlop")
    words = ["orlop", "jobs", "run", row.name or "FILE"]
    if row.where != "local":
        words += ["--on", row.where]
    # Input that was not known beforehand is in the receipt only.
    extra = item(document, "receipt_document", "result", "metrics", "extra")
    stdin = text(own, "stdin_sha256", limit=64) or text(extra, "orlop.stdin_sha256", limit=64)
    if stdin and stdin != _NO_INPUT:
        words += ["--stdin", "FILE"]
    for pair in texts(own, "env"):
        words += ["--env", pair]
    for grant in texts(own, "dirs"):
        guest, _, mode = grant.rpartition(":")
        words += ["--dir", f"HOST:{guest}{'' if mode == 'rw' else ':ro'}"]
    if flag(own, "deterministic"):
        words.append("--deterministic")
    for name, value in _limits(row).items():
        words += [f"--{name.replace('_', '-')}", value]
    args = texts(own, "argv")[1:]
    return " ".join(shlex.quote(clean(word, 400)) for word in [*words, *(["--", *args] if args else [])])
