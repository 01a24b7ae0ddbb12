"""Running a job: module, arguments, input, directories, on what terms and in which limits."""

import os
import shlex
from collections.abc import Callable, Iterable

from textual.widgets import Input

from console.registry import COMMANDS
from console.ui.actions import Actions
from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note
from console.ui.screens.run_words import LABELS, PRESETS, hint_of, limits_of, split

__all__ = ["RunScreen"]

_NOW, _QUEUE = "now", "in the queue"
_RUN, _SUBMIT = COMMANDS["jobs run"], COMMANDS["jobs submit"]
_TERMS = {arg.name: arg for arg in _SUBMIT.args if arg.group == "Queue"}
_OWN = {arg.name for arg in _RUN.args}
_LIMITS = limits_of(_RUN)


class RunScreen(FormScreen):
    """The run dialog. It closes when nothing is wrong with what it says; how the job ends is seen in the pane.

    Args:
        actions: runs it.
        started: called when the job is on its way.
    """

    AUTO_FOCUS = "#module"
    TITLE = "Run a job"
    GO = "Run"

    def __init__(self, actions: Actions, started: Callable[[], None]) -> None:
        super().__init__(actions)
        self._started = started

    def fields(self) -> Iterable[Element]:
        """What runs, on what, when, how far."""
        yield Field(name="module", label="Module", hint=self.path_hint("the .wasm file"), path=True, suffix=".wasm")
        yield Field(name="args", label="Arguments", hint="of the guest, quoted as in a shell")
        yield Field(name="input", label="Input text", hint="its standard input, as typed")
        yield Field(name="stdin", label="Input file", hint="or a file instead", path=True)
        yield Field(name="env", label="Environment", hint="K=V …, quoted as in a shell")
        yield Field(name="dir", label="Directories", hint="HOST:GUEST[:ro] …, quoted as in a shell")
        yield Choose(name="when", label="When", choices=(_NOW, _QUEUE))
        for name, arg in _TERMS.items():
            yield Field(name=name, label=LABELS[name], hint=hint_of(arg))
        yield Box(name="deterministic", label="deterministic: clock and random bytes are fixed")
        yield Box(name="keep_output", label="keep output, module and input by hash, to run it again")
        yield Choose(name="preset", label="Limits", choices=tuple(PRESETS))
        yield Note(name="limits", text="What is empty is as configured.")
        for arg in _LIMITS:
            yield Field(name=arg.name, label=LABELS[arg.name], hint=hint_of(arg))

    def on_mount(self) -> None:
        """The terms of the queue are hidden until it is chosen."""
        self._show_terms()
        super().on_mount()

    def changed(self, name: str) -> None:
        """A preset fills in limits; the queue has terms."""
        if name == "preset":
            for arg in _LIMITS:
                self.query_one(f"#{arg.name}", Input).value = PRESETS[self.chosen("preset")].get(arg.name, "")
        elif name == "when":
            self._show_terms()

    @property
    def _waits(self) -> bool:
        return self.chosen("when") == _QUEUE

    def _terms(self) -> list[str]:
        """Those that count for the command that will be run."""
        return [name for name in _TERMS if self._waits or name in _OWN]

    def _show_terms(self) -> None:
        for name in _TERMS:
            self.show_field(name, on=name in self._terms())

    def words(self) -> list[str]:
        """`jobs run …`, or `jobs submit …`."""
        words = ["jobs", "submit" if self._waits else "run", self.value("module")]
        if self.value("stdin") and not self._text():
            words += ["--stdin", self.value("stdin")]
        for name in ("env", "dir"):
            words += [word for each in split(self.value(name)) for word in (f"--{name}", each)]
        for name in ("deterministic", "keep_output"):
            words += [_flag(name)] if self.ticked(name) else []
        for name in (*self._terms(), *(arg.name for arg in _LIMITS)):
            words += [_flag(name), self.value(name)] if self.value(name) else []
        behind = split(self.value("args"))
        return [*words, *(["--", *behind] if behind else [])]

    def _text(self) -> str:
        return self.query_one("#input", Input).value

    async def carry_out(self) -> str:
        """Checks what can be checked at once; the job itself outlives the dialog."""
        if not self.value("module"):
            return "no module: name a .wasm file"
        for name, label in (("args", "arguments"), ("env", "environment"), ("dir", "directories")):
            try:
                shlex.split(self.value(name))
            except ValueError as error:
                return f"{label}: {error}"
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


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
