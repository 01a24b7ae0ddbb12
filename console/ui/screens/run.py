"""Running a job: module, arguments, input, limits."""

import os
import shlex
from collections.abc import Callable, Iterable

from console.ui.actions import Actions
from console.ui.screens.form import Box, Field, FormScreen, Note

__all__ = ["RunScreen"]

_LIMITS = (
    ("memory", "Memory", "128MiB"),
    ("fuel", "Fuel", "more than its time can burn"),
    ("timeout", "Time", "30s"),
    ("max_output", "Output", "8MiB a stream"),
)


class RunScreen(FormScreen):
    """The run dialog. It closes when nothing is wrong with what it says; how the job ends is seen in the pane.

    Args:
        actions: runs it.
        started: called when the job is on its way.
    """

    TITLE = "Run a job"
    GO = "Run"

    def __init__(self, actions: Actions, started: Callable[[], None]) -> None:
        super().__init__(actions)
        self._started = started

    def fields(self) -> Iterable[Field | Box | Note]:
        """What runs, on what, how far."""
        yield Field(name="module", label="Module", hint=self.path_hint("the .wasm file"), path=True, suffix=".wasm")
        yield Field(name="args", label="Arguments", hint="of the guest, quoted as in a shell")
        yield Field(name="input", label="Input text", hint="its standard input, as typed")
        yield Field(name="stdin", label="Input file", hint="or a file instead", path=True)
        yield Note(name="limits", text="Limits; empty: the configured ones")
        for name, label, hint in _LIMITS:
            yield Field(name=name, label=label, hint=hint)

    def words(self) -> list[str]:
        """`jobs run …`."""
        words = ["jobs", "run", self.value("module")]
        if self.value("stdin") and not self._text():
            words += ["--stdin", self.value("stdin")]
        for name, _, _ in _LIMITS:
            if self.value(name):
                words += [f"--{name.replace('_', '-')}", self.value(name)]
        try:
            behind = shlex.split(self.value("args"))
        except ValueError:
            behind = [self.value("args")]
        return [*words, *(["--", *behind] if behind else [])]

    def _text(self) -> str:
        from textual.widgets import Input

        return self.query_one("#input", Input).value

    async def carry_out(self) -> str:
        """Checks what can be checked at once; the job itself outlives the dialog."""
        if not self.value("module"):
            return "no module: name a .wasm file"
        try:
            shlex.split(self.value("args"))
        except ValueError as error:
            return f"arguments: {error}"
        if self._text() and self.value("stdin"):
            return "input text or input file, not both"
        problem = await self.actions.check(self.words())
        if not problem:
            self._started()
            self.app.run_worker(self._run(self.words(), self._text()), group="action")
        return problem

    async def _run(self, words: list[str], typed: str) -> None:
        lend = {}
        if typed:
            # Typed input lies in memory only: nothing is written outside the state directory.
            descriptor = os.memfd_create("orlop-stdin", os.MFD_CLOEXEC)
            os.write(descriptor, typed.encode())
            os.lseek(descriptor, 0, os.SEEK_SET)
            lend["stdin"] = descriptor
        try:
            await self.actions.line(words, lend=lend)
        finally:
            for descriptor in lend.values():
                os.close(descriptor)
