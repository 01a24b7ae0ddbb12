"""The lock of a running core: rooms and agents are shut until somebody knows the PIN, or the vault's passphrase.

While it is locked every command that would show or change a room is refused, no agent is called, and the keys of rooms
are forgotten. Jobs go on. It ends with the program: at the next start the vault's passphrase is asked for, where it has
one. A core that is nobody's screen, for one command, cannot be locked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.errors import LockedError, NotFoundError, RefusedError, UsageError
from runtime.events import CoreLocked, CoreUnlocked
from runtime.pin import TRIES, Answer, Outcome, PinKeeper
from runtime.quantities import format_duration_ms

if TYPE_CHECKING:
    from console.parts import Parts

__all__ = ["CoreLock", "PinStatus"]

OnLock = Callable[[bool], Awaitable[None]]
"""Called with true before the keys of rooms are forgotten, and with false after they may be read again."""

_SHUT: Final = frozenset({"rooms", "agents", "pin set", "pin clear", "backup", "config set"})
"""First words, or whole names, of commands that are refused while it is locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinStatus:
    """What anybody may know of the lock.

    Attributes:
        set: whether there is a PIN.
        locked: whether the core is locked.
        failures: wrong PINs in a row.
        wait_ms: until the next PIN is looked at.
        used_up: no PIN is looked at any more.
        protected: whether a passphrase protects the vault's key on the disk, which a PIN never does.
    """

    set: bool
    locked: bool
    failures: int
    wait_ms: int
    used_up: bool
    protected: bool


class CoreLock:
    """The lock of one core. Its methods belong to the loop's thread.

    Args:
        core: what is locked.
    """

    def __init__(self, core: "Parts") -> None:
        self._core = core
        self._door = asyncio.Lock()
        self._hooks: list[OnLock] = []
        self.locked = False
        """Whether rooms and agents are shut."""

    @property
    def keeper(self) -> PinKeeper:
        """The PIN."""
        return PinKeeper(self._core.store, self._core.vault, self._core.clock.wall_ms)

    def watch(self, hook: OnLock) -> None:
        """Has somebody told of every change, who holds content of rooms or their keys."""
        self._hooks.append(hook)

    def check(self, command: str) -> None:
        """Refuses what a locked core does not do.

        Args:
            command: its name.

        Raises:
            LockedError: it is locked, and this would show or change what is in rooms.
        """
        if self.locked and (command in _SHUT or command.partition(" ")[0] in _SHUT):
            raise LockedError("the screen is locked", hint="orlop unlock asks for the PIN")

    async def status(self) -> PinStatus:
        """What holds now.

        Raises:
            OrlopError: the PIN cannot be read.
        """
        pin = await asyncio.to_thread(self.keeper.load)
        return PinStatus(
            set=pin is not None,
            locked=self.locked,
            failures=pin.failures if pin else 0,
            wait_ms=pin.wait_ms(self._core.clock.wall_ms()) if pin and not pin.used_up else 0,
            used_up=pin is not None and pin.used_up,
            protected=self._core.vault.wrapped,
        )

    async def lock(self, by: str) -> bool:
        """Locks; returns when no agent runs and the keys of rooms are forgotten.

        Args:
            by: `command` or `idle`.

        Returns:
            False when it was locked already.

        Raises:
            UsageError: the core runs for one command only.
            NotFoundError: no PIN is set, so nobody could unlock it.
        """
        core = self._core
        async with self._door:
            if self.locked:
                return False
            if await asyncio.to_thread(self.keeper.load) is None:
                raise NotFoundError("no PIN is set, so nobody could unlock it", hint="orlop pin set sets one")
            if not core.options.owner:
                hint = "start it first; what is on the disk is protected by the vault's passphrase alone"
                raise UsageError("no orlop runs on this directory that could be locked", hint=hint)
            self.locked = True
            if core.built("agents"):
                await core.agents.rest()
            for hook in self._hooks:
                await hook(True)
            if core.built("rooms"):
                core.rooms.shut()
            core.note(CoreLocked(by=by))
            return True

    async def unlock(self, digits: str) -> bool:
        """Unlocks with the PIN.

        Args:
            digits: six.

        Returns:
            False when it was not locked; then the digits were not looked at.

        Raises:
            UsageError: not six digits.
            RefusedError: a wrong PIN, too early for another, or no PIN is looked at any more.
        """
        async with self._door:
            if not self.locked:
                return False
            answer = await asyncio.to_thread(self.keeper.try_pin, digits)
            if answer.outcome is not Outcome.RIGHT:
                raise _refusal(answer, protected=self._core.vault.wrapped)
            await self._open("pin")
            return True

    async def unlock_with_passphrase(self, passphrase: bytes) -> bool:
        """Unlocks with the passphrase of the vault, and forgets the failures.

        Args:
            passphrase: what somebody says it is.

        Returns:
            False when it was not locked.

        Raises:
            RefusedError: it does not fit, or the vault has none.
        """
        core = self._core
        async with self._door:
            if not self.locked:
                return False
            if not core.vault.wrapped:
                raise RefusedError("the vault has no passphrase", hint="end orlop and start it again")
            if not await asyncio.to_thread(core.vault.opens, core.state, passphrase):
                raise RefusedError("the passphrase does not fit")
            await asyncio.to_thread(self.keeper.forgive)
            await self._open("passphrase")
            return True

    async def _open(self, by: str) -> None:
        core = self._core
        if core.built("rooms"):
            core.rooms.reopen()
        self.locked = False
        for hook in self._hooks:
            await hook(False)
        if core.built("agents"):
            core.agents.go_on()
        core.note(CoreUnlocked(by=by))


def _refusal(answer: Answer, *, protected: bool) -> RefusedError:
    if answer.outcome is Outcome.USED_UP:
        way = (
            "orlop unlock --passphrase asks for the vault's passphrase" if protected else "end orlop and start it again"
        )
        return RefusedError(f"{TRIES} wrong PINs: none is looked at any more", hint=way)
    wait = format_duration_ms(answer.wait_ms) if answer.wait_ms else ""
    if answer.outcome is Outcome.WAIT:
        return RefusedError(f"too early: no PIN is looked at for another {wait}", hint=f"{answer.failures} were wrong")
    hint = f"the next one is looked at in {wait}" if wait else "try again"
    return RefusedError(f"wrong PIN, failure {answer.failures} of {TRIES}", hint=hint)
