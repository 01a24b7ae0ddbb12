"""Questions of host operations to the core, and its answers: `{"ok": value}` or `{"err": [case, reason]}`.

What the core says is read strictly all the same: a value of a wrong shape would end the guest's instance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from runtime.canonical import Json
from runtime.components.errors import CoreSilentError
from runtime.components.host.context import Context
from runtime.components.permissions import Decision
from runtime.components.values import Err, Ok, Result
from runtime.errors import OrlopError
from runtime.shapes import ShapeError

__all__ = ["PAYLOAD_MAX", "Desk", "count", "flag", "nothing", "text"]

T = TypeVar("T")
E = TypeVar("E")

PAYLOAD_MAX: Final = 1 << 20
"""Bytes that one operation may carry; more does not fit into a frame."""


@dataclass(frozen=True, slots=True)
class Desk(Generic[E]):
    """One interface's questions.

    Attributes:
        context: of the instance.
        cases: of the interface's error variant, by their names in the WIT.
        denied: the case for what is not permitted.
        silent: the case for what the core did not answer.
    """

    context: Context
    cases: Mapping[str, Callable[[str], E]]
    denied: Callable[[str], E]
    silent: Callable[[str], E]

    def ask(
        self, kind: str, fields: Mapping[str, Json], value: Callable[[Json], T], decision: Decision | None, target: str
    ) -> Result[T, E]:
        """Asks the core, once the policy allows it.

        Args:
            kind: `interface.operation`.
            fields: of the question.
            value: reads the core's value.
            decision: of the policy; None where nothing is permitted or denied.
            target: what it is about, for the record.
        """
        if decision is None:
            self.context.note(target)
        elif not self.context.allow(decision, target):
            return Err(self.denied(decision.reason))
        try:
            answer = self.context.core.request(kind, fields)
        except CoreSilentError as error:
            return Err(self.silent(error.why))
        return self._read(answer, value)

    def _read(self, answer: Json, value: Callable[[Json], T]) -> Result[T, E]:
        match answer:
            case {"ok": given}:
                try:
                    return Ok(value(given))
                except OrlopError:
                    return Err(self.silent("the host answered something else"))
            case {"err": [str() as case, str() as reason]}:
                return Err(self.cases.get(case, self.silent)(reason))
            case _:
                return Err(self.silent("the host answered something else"))


def nothing(value: Json) -> None:
    """Reads no value.

    Raises:
        ShapeError: there is one.
    """
    if value is not None:
        raise ShapeError("null is wanted")


def flag(value: Json) -> bool:
    """Reads yes or no.

    Raises:
        ShapeError: it is neither.
    """
    if not isinstance(value, bool):
        raise ShapeError("a boolean is wanted")
    return value


def count(value: Json) -> int:
    """Reads a number.

    Raises:
        ShapeError: it is none.
    """
    if type(value) is not int:
        raise ShapeError("an integer is wanted")
    return value


def text(value: Json) -> str:
    """Reads a text.

    Raises:
        ShapeError: it is none.
    """
    if not isinstance(value, str):
        raise ShapeError("a text is wanted")
    return value
