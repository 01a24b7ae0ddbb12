"""What generated bindings and host operations share: outcomes, operations, and the frame around every call. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

__all__ = ["Calls", "Err", "Handles", "Names", "Ok", "Operation", "Resource", "Result"]

T = TypeVar("T")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S", bound=str)
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """It worked; `value` is None where there is nothing to say."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Err(Generic[E_co]):
    """It did not; `error` is one of the cases of the package's error variant."""

    error: E_co


Result: TypeAlias = Ok[T] | Err[E]


@dataclass(frozen=True, slots=True)
class Names(Generic[S]):
    """The names of an enum or of flags, both ways between text and the engine's bytes."""

    by_bytes: Mapping[bytes, S]
    by_name: Mapping[S, bytes]

    @classmethod
    def of(cls, *names: S) -> "Names[S]":
        """All names, in the order of the WIT."""
        return cls({name.encode(): name for name in names}, {name: name.encode() for name in names})


@dataclass(frozen=True, slots=True)
class Operation:
    """One function of the WIT.

    Attributes:
        package: such as `orlop:ext-filesystem`.
        interface: such as `filesystem`.
        name: such as `open`, or `file.read` for a method.
        permission: what it needs, such as `fs.read or fs.write`; `own` for an operation on something that was opened
            under a permission still in force, `none` for one that needs none.
        note: when and for what, in words.
        exported: it is the component's, and the host calls it.
    """

    package: str
    interface: str
    name: str
    permission: str
    note: str = ""
    exported: bool = False

    @property
    def label(self) -> str:
        """As records name it: `filesystem.file.read`."""
        return f"{self.interface}.{self.name}"

    @property
    def hot(self) -> bool:
        """A guest may call it very often: its records are summed."""
        return self.permission in {"none", "own"}


class Resource(Protocol):
    """Something that a handle of a guest stands for."""

    def end(self, why: str) -> None:
        """Frees what it holds of the system; done twice, does nothing.

        Args:
            why: what its later operations answer.
        """


class Handles(Protocol):
    """The handles of one instance, by numbers of 32 bits that are never used again."""

    def number_of(self, resource: Resource) -> int:
        """The number of something that is in the table."""
        ...

    def resource(self, number: int) -> Resource:
        """What a number stands for.

        Raises:
            KeyError: nothing.
        """
        ...

    def take(self, number: int) -> Resource:
        """The guest gave a handle away: its number is gone, the resource lives on.

        Raises:
            KeyError: the number stands for nothing.
        """
        ...

    def drop(self, number: int) -> None:
        """The guest let go of a handle: the resource ends; an unknown number is passed by."""
        ...


class Calls(Protocol):
    """The frame around the calls of one instance to its host."""

    @property
    def handles(self) -> Handles:
        """What the instance holds open."""
        ...

    def call(self, op: str, work: Callable[[], T], failed: Callable[[str], T], *, hot: bool) -> T:
        """Runs one operation and records it.

        Args:
            op: its label.
            work: does it.
            failed: the answer to a fault of the host itself, from a text for the guest.
            hot: its records are summed.
        """
        ...
