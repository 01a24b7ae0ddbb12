"""Who is told what a build does."""

from collections.abc import Callable

__all__ = ["Say", "say_nothing"]

Say = Callable[[str], None]
"""Takes a line about what is done now."""


def say_nothing(_line: str) -> None:
    """For callers that nobody watches."""
