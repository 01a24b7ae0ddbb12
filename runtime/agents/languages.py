"""What a template of an agent can be written in; data, so that the command line can say it without the kit."""

from typing import Final

__all__ = ["LANGUAGES"]

LANGUAGES: Final = ("c", "zig")
