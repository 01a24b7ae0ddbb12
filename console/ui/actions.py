"""Commands that the operator runs from the screen: asked about where they cannot be undone, and reported."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.client import Args, Fault, Result
from console.commands import Command, Confirm
from console.registry import COMMANDS
from console.ui.by_face import BY_FACE, carry_out
from console.ui.desk import READ_ONLY_HINT, Desk, read_only_fault
from console.ui.spelling import command_line
from runtime.errors import OrlopError, ReadOnlyError, UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from textual.app import App

    from console.cmdline.files import Files
    from console.cmdline.verbline import Line

__all__ = ["Actions", "Question"]

_SAID = 400


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before a command runs, where the registry's words would not say enough."""

    title: str
    """Also the words of the button that goes on."""
    consequence: str


class Actions:
    """Runs commands for the keys, the dialogs and the prompt; every way goes through here.

    Args:
        app: the application, for dialogs and toasts.
        desk: the core's end.
    """

    def __init__(self, app: "App[int]", desk: Desk) -> None:
        self.app = app
        self.desk = desk

    def allowed(self, command: str) -> bool:
        """Whether a command may run here; says why when it may not."""
        if self.desk.read_only and COMMANDS[command].changes:
            self.refuse(read_only_fault(command).line)
            return False
        return True

    def refuse(self, line: str) -> None:
        """Says why a key does nothing."""
        self.app.notify(clean(line, _SAID), severity="warning", markup=False)

    def fail(self, line: str) -> None:
        """Says what went wrong and what to do about it."""
        self.app.notify(clean(line, _SAID), severity="error", timeout=10, markup=False)

    def tell(self, line: str) -> None:
        """Says what came of what the operator did, where the screen does not show it."""
        self.app.notify(clean(line, _SAID), markup=False)

    async def run(
        self,
        command: str,
        calls: Sequence[Args],
        *,
        names: Sequence[str] = (),
        ask: bool | None = None,
        question: Question | None = None,
        files: Mapping[str, int] | None = None,
        quiet: bool = False,
    ) -> list[Result]:
        """Runs a command once for each set of arguments.

        Args:
            command: its name.
            calls: arguments, one set for each target.
            names: what the targets are called, for the question.
            ask: whether to ask first; None: as the registry says.
            question: asked in any case, in these words.
            files: descriptors, for a single call.
            quiet: no toast when it fails; the caller shows the fault itself.

        Returns:
            The results; empty when the operator cancelled or the command is off.
        """
        entry = COMMANDS[command]
        if not calls or not self.allowed(command):
            return []
        must_ask = question is not None or (entry.confirm is not Confirm.NONE if ask is None else ask)
        if must_ask and not await self._confirmed(command, calls, names, question):
            return []
        results = []
        for args in calls:
            result = await self.desk.run(command, args, files)
            results.append(result)
            if not result.ok and not quiet:
                line = result.fault.line if result.fault else f"{command} failed"
                self.fail(line)
        return results

    async def line(
        self,
        words: Sequence[str],
        *,
        lend: Mapping[str, int] | None = None,
        quiet: bool = False,
        told: Callable[[str], None] = lambda _: None,
    ) -> Result | None:
        """Runs a command line, as it would be typed behind `orlop`: the prompt's and the dialogs' way.

        Args:
            words: the line's words.
            lend: descriptors of this process that go along, by argument.
            quiet: no toast when it fails; the caller shows the fault itself.
            told: hears how a long command goes that this process runs, on another thread.

        Returns:
            The end of the command; None when the operator cancelled or the command is off.
        """
        from console.cmdline.aftermath import write_outputs

        try:
            line, command = self._read(words)
            if command.name in BY_FACE:
                return await self._by_face(line, command, told, quiet=quiet)
            files = await _opened(line, command)
        except OrlopError as error:
            return self._refused(error, quiet=quiet)
        with files:
            for name, descriptor in (lend or {}).items():
                files.lend(name, descriptor)
            names = [str(value) for name, value in line.args.items() if name != "room"]
            ask = False if line.yes else None
            results = await self.run(
                command.name, [line.args], names=names, ask=ask, files=files.descriptors, quiet=quiet
            )
        if not results:
            return None
        try:
            silent = replace(line, options=replace(line.options, json=True, quiet=True))
            value = await asyncio.to_thread(write_outputs, command, silent, results[0])
        except OrlopError as error:
            return self._refused(error, quiet=quiet)
        return replace(results[0], value=value)

    async def _by_face(self, line: "Line", command: Command, told: Callable[[str], None], *, quiet: bool) -> Result:
        """Runs a command on files of the operator's in this process, and keeps what came of it."""
        result = await self.desk.follow(command_line(command, line.args), carry_out(line, told))
        if not result.ok and not quiet:
            self.fail(result.fault.line if result.fault else f"{command.name} failed")
        return result

    async def check(self, words: Sequence[str], judge: Callable[[Command, Args], object]) -> str:
        """What is wrong with a command line before anything is run; empty when nothing is.

        Args:
            words: the line's words.
            judge: raises what the handler would raise about arguments that do not fit together.
        """
        try:
            line, command = self._read(words)
            with await _opened(line, command):
                judge(command, line.args)
        except OrlopError as error:
            return str(error)
        return ""

    def _read(self, words: Sequence[str]) -> "tuple[Line, Command]":
        from console.cmdline.verbline import read_line
        from console.verbs.values import check_values

        line = read_line(words)
        command = line.command
        if command is None or line.help:
            keys = self.desk.options.keys
            hint = f"{keys.named('ui.help', '?')} lists the keys, {keys.named('ui.palette', 'ctrl+p')} the commands"
            raise UsageError("no command", hint=hint)
        check_values(command, line.args)
        if "-" in line.paths.values():
            raise UsageError("standard input and output are this screen", hint="name a file")
        if self.desk.read_only and command.changes:
            raise ReadOnlyError("changing commands are off", what=command.name, hint=READ_ONLY_HINT)
        return line, command

    def _refused(self, error: OrlopError, *, quiet: bool) -> Result:
        fault = Fault(error.code, error.why, error.what, error.where, error.hint)
        if not quiet:
            self.fail(fault.line)
        return Result(ok=False, fault=fault)

    async def _confirmed(
        self, command: str, calls: Sequence[Args], names: Sequence[str], question: Question | None
    ) -> bool:
        from console.ui.screens.confirm import ConfirmScreen

        entry = COMMANDS[command]
        verb = command.rsplit(maxsplit=1)[-1].capitalize()
        noun = entry.needs or "thing"
        asked = question or Question(f"{verb} {len(calls)} {noun}{'' if len(calls) == 1 else 's'}", entry.detail)
        screen = ConfirmScreen(
            title=asked.title,
            names=names,
            consequence=asked.consequence,
            line=command_line(entry, calls[0]) + (f"   (and {len(calls) - 1} more)" if len(calls) > 1 else ""),
            typed=names[0] if entry.confirm is Confirm.TYPE_NAME and names else "",
        )
        answer: bool = await self.app.push_screen_wait(screen)
        return answer


async def _opened(line: "Line", command: Command) -> "Files":
    """The files of a line. Opening one may wait, for a pipe or a slow disk: not on the screen's loop."""
    from console.cmdline.files import Files

    return await asyncio.to_thread(Files, command, line.paths)
