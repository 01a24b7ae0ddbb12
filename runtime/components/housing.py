"""What one component needs of the house that it lives in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.clock import Clock
from runtime.components.cpu_quota import CpuUse
from runtime.components.folder_account import FolderAccount
from runtime.components.house import Compiled
from runtime.components.installed import Installed
from runtime.components.permissions import Policy
from runtime.components.post import Post
from runtime.components.workers import HostMount, Workers
from runtime.events import Event

if TYPE_CHECKING:
    from runtime.components.unit import Unit

__all__ = ["Fall", "Housing"]


@dataclass(frozen=True, slots=True)
class Fall:
    """An end that nobody asked for."""

    reason: str
    innocent: bool = False


@dataclass(frozen=True, slots=True)
class Housing:
    """What a unit needs of the house.

    Attributes:
        workers: make instances.
        post: carries messages.
        clock: tells the time.
        code: compiled code of an installed component, whose bytes were hashed just now.
        folders: what its instance of that number sees of the file system; makes what is missing.
        tidy: empties what is temporary of them.
        cpu: what a component used of the processor, by its name.
        account: of what it keeps in its own folders, likewise.
        variables: of the host's environment that a policy lets be read.
        emit: says that something happened.
        fell: asks the supervisor about a fall.
    """

    workers: Workers
    post: Post
    clock: Clock
    code: Callable[[Installed], Awaitable[Compiled]]
    folders: Callable[[Installed, int], Awaitable[tuple[HostMount, ...]]]
    tidy: Callable[[Installed, int], Awaitable[None]]
    cpu: Callable[[str], CpuUse]
    account: Callable[[str], FolderAccount]
    variables: Callable[[Policy], Mapping[str, str]]
    emit: Callable[[Event], None]
    fell: Callable[["Unit", Fall], None]
