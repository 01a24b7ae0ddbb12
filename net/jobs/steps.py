"""The steps of a job between two nodes, as each side tells its operator of them."""

from collections.abc import Callable
from typing import Literal

__all__ = ["StepName", "TellStep", "input_words", "module_words", "tell_nobody"]

StepName = Literal[
    "dialled",  # a connection to the worker stands; transport and address
    "offered",
    "accepted",
    "rejected",
    "sent",
    "started",
    "cut",
    "resumed",
    "result",  # the worker told of an end, which nobody has judged yet
    "verified",
    "leased",  # from here on the worker's side
    "received",
]
"""In the order in which they come. `offered` is told by both sides."""

TellStep = Callable[[str, StepName, str], None]
"""Told of a job's id, its step, and what there is to say of it: one line, in which words of a peer may stand."""


def tell_nobody(_job: str, _step: StepName, _detail: str) -> None:
    """Nobody listens."""


def module_words(size: int, there: int) -> str:
    """How much of a module is to be sent: `module 1,234 bytes`."""
    if there >= size:
        return "module known there"
    return f"module {size - there:,} bytes" + (f", {there:,} known there" if there else "")


def input_words(size: int | None) -> str:
    """How much input there is; None for as much as comes."""
    return "input as it comes" if size is None else f"input {size:,} bytes"
