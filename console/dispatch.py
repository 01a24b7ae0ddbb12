"""From a command's name to its handler and back: lookup, checks, faults, the journal's note of who did what.

Every face comes through here, so that a refusal is the same for a key, a script and a stranger on the socket.
"""

import asyncio
import errno
import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from console.call import Call, Handler, checked_args
from console.client import Args, Fault, Result
from console.commands import Command
from runtime.errors import OrlopError, ReadOnlyError, UnavailableError, UsageError
from runtime.events import CommandDone
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Dispatcher", "fault_of"]


def fault_of(error: OrlopError, what: str = "") -> Fault:
    """An error as a face gets it.

    Args:
        error: what was raised.
        what: the command, where the error does not name the operation itself.
    """
    return Fault(error.code, error.why, error.what or what, error.where, error.hint)


class Dispatcher:
    """Runs commands on the core's loop.

    Args:
        core: what handlers get.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._running: dict[asyncio.Task[object], asyncio.Future[int]] = {}
        self._closed = ""
        self._hurry = asyncio.Event()

    async def execute(
        self,
        command: str,
        args: Args,
        files: Mapping[str, int],
        *,
        interrupted: asyncio.Future[int],
        uid: int,
        face: str,
        read_only: bool,
    ) -> Result:
        """Runs a command to its end.

        Args:
            command: its name.
            args: its arguments, not checked yet.
            files: descriptors by argument; closed here, however it ends.
            interrupted: done when it should end early.
            uid: who asked.
            face: through what.
            read_only: changing commands are refused.

        Returns:
            Its result; never raises but when the task itself is cancelled.
        """
        task = asyncio.current_task()
        if task is not None:
            self._running[task] = interrupted
        try:
            found = self._looked_up(command, read_only=read_only)
            given = checked_args(found, args, files)
            call = Call(
                command=command,
                args=given,
                files=files,
                interrupted=interrupted,
                uid=uid,
                face=face,
                read_only=read_only,
            )
            return await self._noted(found, call)
        except OrlopError as error:
            return Result(ok=False, fault=fault_of(error, command))
        finally:
            if task is not None:
                self._running.pop(task, None)
            for descriptor in files.values():
                os.close(descriptor)

    def refuse(self, reason: str) -> None:
        """Takes no changing command from now on."""
        self._closed = reason

    async def drain(self, seconds: float, code: int) -> None:
        """Waits for the commands that run, then interrupts them, then gives them up.

        Args:
            seconds: how long they may go on by themselves.
            code: what the interrupted ones end with.
        """
        await self._settled(seconds, self._hurry)
        for interrupted in self._running.values():
            if not interrupted.done():
                interrupted.set_result(code)
        await self._settled(_ENDING_S, asyncio.Event())
        for task in self._running:
            task.cancel()
        await self._settled(_ENDING_S, asyncio.Event())

    async def _settled(self, seconds: float, enough: asyncio.Event) -> None:
        """Until nothing runs any more, or it takes too long, or somebody says that it is enough."""
        if self._running:
            waits = {asyncio.ensure_future(asyncio.wait(tuple(self._running))), asyncio.ensure_future(enough.wait())}
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def hurry(self) -> None:
        """Ends the patience of `drain`."""
        self._hurry.set()

    def _looked_up(self, name: str, *, read_only: bool) -> Command:
        from console.registry import COMMANDS, nearest

        found = COMMANDS.get(name)
        if found is None:
            near = nearest(name.split())
            raise UsageError(f"no command `{clean(name, 60)}`", hint=f"did you mean `{near}`?" if near else "")
        if found.changes and read_only:
            raise ReadOnlyError("changes something, and this is --read-only")
        if found.changes and self._closed:
            raise UnavailableError(self._closed)
        self._core.lock.check(name)
        return found

    async def _noted(self, found: Command, call: Call) -> Result:
        """Runs the handler, and notes the end of what may have changed something."""
        clock = self._core.clock
        began = clock.monotonic()
        result = await self._handled(found, call)
        if found.changes and isinstance(result.value, Mapping) and (unsent := await self._core.online.unsent()):
            result = replace(result, value={**result.value, "notice": unsent})
        if found.changes:
            self._core.note(
                CommandDone(
                    command=found.name,
                    args=json.dumps(dict(call.args)),
                    uid=call.uid,
                    face=call.face,
                    ok=result.ok,
                    duration_ms=round((clock.monotonic() - began) * 1000),
                    error=result.fault.code if result.fault else "",
                )
            )
        return result

    async def _handled(self, found: Command, call: Call) -> Result:
        try:
            if found.grows:
                self._core.need_space()
            return await _handler(found)(self._core, call)
        except OrlopError as error:
            return Result(ok=False, fault=fault_of(error, found.name))
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the core, and is told
            self._core.report(found.name, error)
            if (short := _shortage(error)) is not None:
                return Result(ok=False, fault=Fault("unavailable", short, found.name, "", "ulimit -a shows the limits"))
            hint = "this is a mistake in orlop; the Log pane and stderr have more"
            return Result(ok=False, fault=Fault("failed", f"unexpected {type(error).__name__}", found.name, "", hint))


_ENDING_S = 1.0
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT})


def _shortage(error: BaseException) -> str | None:
    """What the host ran out of; None when that is not the reason."""
    if isinstance(error, MemoryError):
        return "there is no memory left"
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        return (error.strerror or "the host ran out of something").lower()
    return None


def _handler(command: Command) -> Handler:
    module, _, function = command.handler.partition(":")
    return cast("Handler", getattr(importlib.import_module(module), function))
