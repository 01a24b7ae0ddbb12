"""How operations on files answer."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeVar, get_args

from runtime.components.bindings.ext_filesystem_types import FilesystemError
from runtime.components.host.answers import Answering
from runtime.components.host.file_errors import refusal_of
from runtime.components.values import Result

__all__ = ["FileAnswer", "answering"]

T = TypeVar("T")

FileAnswer: TypeAlias = Result[T, FilesystemError]

_ERRORS: Final[Mapping[str, Callable[[str], FilesystemError]]] = {kind.case: kind for kind in get_args(FilesystemError)}

answering: Final = Answering(_ERRORS, refusal_of)
"""Makes a method answer `Ok` with what it returns, and `Err` for what it refuses or the system does."""
