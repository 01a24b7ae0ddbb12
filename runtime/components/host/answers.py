"""How operations answer: `Ok` with what they return, or `Err` with the case of their interface for what went wrong."""

import functools
from collections.abc import Callable, Mapping
from typing import Concatenate, Generic, ParamSpec, TypeVar

from runtime.components.host.handles import HandleLimitError
from runtime.components.values import Err, Ok, Result

__all__ = ["Answering", "RefusedOperationError"]

S = TypeVar("S")
T = TypeVar("T")
E = TypeVar("E")
P = ParamSpec("P")


class RefusedOperationError(Exception):
    """An operation did not do what it was asked for; each interface has a subclass that knows its cases.

    Args:
        case: of the interface's error variant, as the WIT spells it.
        text: the reason, for the guest; it names nothing of the host.
    """

    def __init__(self, case: str, text: str) -> None:
        super().__init__(text)
        self.case = case
        self.text = text


class Answering(Generic[E]):
    """Makes methods answer instead of raising.

    Args:
        errors: makes an error from its reason, by its case; `resource-exhausted` is among them.
        of_system: what the guest is told of an error of the system.
    """

    def __init__(
        self, errors: Mapping[str, Callable[[str], E]], of_system: Callable[[OSError], RefusedOperationError]
    ) -> None:
        self._errors = errors
        self._of_system = of_system

    def __call__(self, work: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], Result[T, E]]:
        """Decorates a method that raises `RefusedOperationError`, `HandleLimitError` or `OSError`.

        Anything else is a fault of ours, and goes through.
        """

        @functools.wraps(work)
        def answer(self_: S, /, *arguments: P.args, **named: P.kwargs) -> Result[T, E]:
            try:
                return Ok(work(self_, *arguments, **named))
            except RefusedOperationError as refusal:
                return Err(self._errors[refusal.case](refusal.text))
            except HandleLimitError as error:
                return Err(self._errors["resource-exhausted"](str(error)))
            except OSError as error:
                told = self._of_system(error)
                return Err(self._errors[told.case](told.text))

        return answer
