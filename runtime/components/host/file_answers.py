"""How operations on files answer: what they return, or the error of the WIT for what went wrong."""

import functools
from collections.abc import Callable, Mapping
from typing import Concatenate, Final, ParamSpec, TypeAlias, TypeVar, get_args

from runtime.components.bindings.ext_filesystem_types import FilesystemError, ResourceExhausted
from runtime.components.host.file_errors import FileRefusedError, refusal_of
from runtime.components.host.handles import HandleLimitError
from runtime.components.values import Err, Ok, Result

__all__ = ["FileAnswer", "answering"]

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")

FileAnswer: TypeAlias = Result[T, FilesystemError]

_ERRORS: Final[Mapping[str, Callable[[str], FilesystemError]]] = {kind.case: kind for kind in get_args(FilesystemError)}


def answering(work: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], FileAnswer[T]]:
    """Makes a method answer `Ok` with what it returns, and `Err` for what it refuses or the system does.

    Args:
        work: raises `FileRefusedError`, `HandleLimitError` or `OSError`; anything else is a fault of ours.
    """

    @functools.wraps(work)
    def answer(self: S, /, *arguments: P.args, **named: P.kwargs) -> FileAnswer[T]:
        try:
            return Ok(work(self, *arguments, **named))
        except FileRefusedError as refusal:
            return Err(_ERRORS[refusal.case](refusal.text))
        except HandleLimitError as error:
            return Err(ResourceExhausted(str(error)))
        except OSError as error:
            told = refusal_of(error)
            return Err(_ERRORS[told.case](told.text))

    return answer
