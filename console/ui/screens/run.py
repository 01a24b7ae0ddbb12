"""Running a job: module, who runs it, arguments, input, directories, on what terms and in which limits."""

import os
import shlex
from collections.abc import Callable, Iterable

from textual.widgets import Input

from console.registry import COMMANDS
from console.rows import PeerRow
from console.ui.actions import Actions
from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note, Several
from console.ui.screens.run_words import LABELS, PRESETS, hint_of, limits_of, split
from console.ui.text.workers import chosen_words, in_order, reference
from console.ui.widgets.chosen import Chosen
from console.ui.widgets.tick import Tick
from console.verbs.job_targets import targets_of

__all__ = ["RunScreen"]

_HERE, _PEER, _FOUND = "here", "at a peer", "at the best that is found"
_NOW, _QUEUE = "now", "in the queue"
_RUN, _SUBMIT = COMMANDS["jobs run"], COMMANDS["jobs submit"]
_TERMS = {arg.name: arg for arg in _SUBMIT.args if arg.group == "Queue"}
_OWN = {arg.name for arg in _RUN.args}
_LIMITS = limits_of(_RUN)
_COMPARED = "A deterministic job can run at several peers, to be compared."


class RunScreen(FormScreen):
    """The run dialog. It closes when nothing is wrong with what it says; how the job ends is seen in the pane.

    Args:
        actions: runs it.
        started: called when the job is on its way.
        on: PeerIds of those who run it; none: this node does, unless something else is chosen.
    """

    AUTO_FOCUS = "#module"
    TITLE = "Run a job"
    GO = "Run"

    def __init__(self, actions: Actions, started: Callable[[], None], on: Iterable[str] = ()) -> None:
        super().__init__(actions)
        self._started = started
        self._on = frozenset(on)

    def fields(self) -> Iterable[Element]:
        """What runs, where, on what, when, how far."""
        several = len(self._on) > 1
        yield Field(name="module", label="Module", hint=self.path_hint("the .wasm file"), path=True, suffix=".wasm")
        yield Choose(name="where", label="Where", choices=(_HERE, _PEER, _FOUND), chosen=_PEER if self._on else _HERE)
        yield Several(name="on", label="Peer", words=chosen_words(self._workers()))
        yield Box(name="any_peer", label="strangers as well: receipts are verified all the same")
        yield Field(name="args", label="Arguments", hint="of the guest, quoted as in a shell")
        yield Field(name="input", label="Input text", hint="its standard input, as typed")
        yield Field(name="stdin", label="Input file", hint="or a file instead", path=True)
        yield Field(name="env", label="Environment", hint="K=V …, quoted as in a shell")
        yield Field(name="dir", label="Directories", hint="HOST:GUEST[:ro] …, quoted as in a shell")
        yield Choose(name="when", label="When", choices=(_NOW, _QUEUE))
        for name, arg in _TERMS.items():
            yield Field(name=name, label=LABELS[name], hint=hint_of(arg))
        yield Box(name="deterministic", label="deterministic: clock and random bytes are fixed", ticked=several)
        yield Note(name="compared", text=_COMPARED)
        replicas = str(len(self._on)) if several else ""
        yield Field(
            name="replicas", label="Replicas", value=replicas, hint="one; 2 to 16 peers run it and are compared"
        )
        yield Field(name="agree", label="Agree", hint="more than half of them must sign for the same")
        yield Box(name="keep_output", label="keep output, module and input by hash, to run it again")
        yield Choose(name="preset", label="Limits", choices=tuple(PRESETS))
        yield Note(name="limits", text="What is empty is as configured.")
        for arg in _LIMITS:
            yield Field(name=arg.name, label=LABELS[arg.name], hint=hint_of(arg))

    def on_mount(self) -> None:
        """What does not count for the command is hidden."""
        self._show_what_counts()
        super().on_mount()

    def changed(self, name: str) -> None:
        """A preset fills in limits; where, when and how decide what else there is to say."""
        if name == "preset":
            for arg in _LIMITS:
                self.query_one(f"#{arg.name}", Input).value = PRESETS[self.chosen("preset")].get(arg.name, "")
        elif name in {"where", "when", "deterministic"}:
            self._show_what_counts()

    def _show_what_counts(self) -> None:
        """Hides the fields that the command that will be run does not take."""
        where, alike = self.chosen("where"), self.ticked("deterministic")
        here, elsewhere_now = where == _HERE, where != _HERE and not self._waits
        shown = {
            "on": where == _PEER,
            "any_peer": where == _FOUND,
            "dir": here,
            "when": where != _FOUND,
            **{name: here and (self._waits or name in _OWN) for name in _TERMS},
            "replicas": elsewhere_now and alike,
            "agree": elsewhere_now and alike,
            "keep_output": here,
        }
        for name, on in shown.items():
            self.show_field(name, on=on)
        self.note("compared", _COMPARED if elsewhere_now and not alike else "")

    @property
    def _waits(self) -> bool:
        """Whether it is left to the queue, or to an orlop that follows it: whoever is found is asked at once."""
        return self.chosen("when") == _QUEUE and self.chosen("where") != _FOUND

    # --- peers ------------------------------------------------------------------------------------------------------

    def _workers(self) -> list[PeerRow]:
        """Who is chosen, as far as they are known, in the order of the list."""
        return [row for row in in_order(self.actions.desk.view.peers.values()) if row.peer in self._on]

    def asked(self, name: str) -> None:  # noqa: ARG002 - there is one list
        """Opens the list of peers."""
        from console.ui.screens.workers import WorkersScreen

        self.app.push_screen(WorkersScreen([*self.actions.desk.view.peers.values()], self._on), self._take)

    def _take(self, chosen: frozenset[str] | None) -> None:
        """Several peers are there to be compared: then there are as many replicas."""
        if chosen is None:
            return
        self._on = chosen
        self.query_one("#on", Chosen).words = chosen_words(self._workers())
        self.query_one("#replicas", Input).value = str(len(chosen)) if len(chosen) > 1 else ""
        if len(chosen) > 1:
            self.query_one("#deterministic", Tick).ticked = True
        self.preview()

    # --- the command ------------------------------------------------------------------------------------------------

    def words(self) -> list[str]:
        """`jobs run …`, or `jobs submit …`."""
        words = ["jobs", "submit" if self._waits else "run", self.value("module"), *self._where()]
        if self.value("stdin") and not self._text():
            words += ["--stdin", self.value("stdin")]
        for name in ("env", "dir"):
            words += [word for each in split(self._given(name)) for word in (f"--{name}", each)]
        for name in ("deterministic", "keep_output"):
            words += [_flag(name)] if self.shows(name) and self.ticked(name) else []
        for name in ("replicas", "agree", *_TERMS, *(arg.name for arg in _LIMITS)):
            words += [_flag(name), self._given(name)] if self._given(name) else []
        behind = split(self.value("args"))
        return [*words, *(["--", *behind] if behind else [])]

    def _where(self) -> list[str]:
        if self.chosen("where") == _FOUND:
            return ["--discover", *(["--any-peer"] if self.ticked("any_peer") else [])]
        if self.chosen("where") == _PEER:
            return [word for row in self._workers() for word in ("--on", reference(row))]
        return []

    def _given(self, name: str) -> str:
        """The text of a field that counts."""
        return self.value(name) if self.shows(name) else ""

    def _text(self) -> str:
        return self.query_one("#input", Input).value

    async def carry_out(self) -> str:
        """Checks what can be checked at once; the job itself outlives the dialog."""
        problem = self._lacking() or await self.actions.check(self.words(), targets_of)
        if not problem:
            self._started()
            if self.chosen("where") == _FOUND:
                self.actions.tell("looking for peers that can run it")
            self.app.run_worker(self._run(self.words(), self._text()), group="action")
        return problem

    def _lacking(self) -> str:
        """What is wrong with the fields, before there is a command line to check."""
        if not self.value("module"):
            return "no module: name a .wasm file"
        if self.chosen("where") == _PEER and not self._workers():
            return "no peer: choose one in the row Peer"
        for name, label in (("args", "arguments"), ("env", "environment"), ("dir", "directories")):
            try:
                shlex.split(self._given(name))
            except ValueError as error:
                return f"{label}: {error}"
        return "input text or input file, not both" if self._text() and self.value("stdin") else ""

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
