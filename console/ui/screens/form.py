"""What all dialogs with fields are: labels and inputs, the command line that they make, what is wrong, two buttons."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from console.ui.actions import Actions
from console.ui.bound import keys_of
from console.ui.once import only_newest
from console.ui.widgets.chosen import Chosen
from console.ui.widgets.path_input import PathInput
from console.ui.widgets.pick import Pick
from console.ui.widgets.tick import Tick
from runtime.sanitise import clean

__all__ = ["Box", "Choose", "Element", "Field", "FormScreen", "Note", "Several"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A labelled line of text."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    path: bool = False
    suffix: str = ""
    """Of files that completion offers."""
    known: Sequence[str] = ()
    """Texts that `→` completes."""
    secret: bool = False
    """Whether its characters are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box to tick."""

    name: str
    label: str
    ticked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words between the fields."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """One of a few words."""

    name: str
    label: str
    choices: tuple[str, ...]
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Things that a list of their own is opened for."""

    name: str
    label: str
    words: str
    """What is chosen now."""


Element = Field | Box | Choose | Note | Several
"""What a dialog is made of."""


class _Fields(VerticalScroll, inherit_bindings=False):
    """The box. `↓` and `↑` go from field to field, also where it is higher than the screen: it follows the focus."""


class FormScreen(ModalScreen[bool]):
    """A dialog. A subclass says its fields and the command line that they make; answers whether that was run."""

    AUTO_FOCUS: ClassVar[str | None] = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="ui.form-cancel"),
        Binding("ctrl+s", "go", "Do it", id="ui.form-go"),
        Binding("down", "app.focus_next", "Next field", show=False, id="ui.form-next"),
        Binding("up", "app.focus_previous", "Previous field", show=False, id="ui.form-previous"),
    ]
    TITLE: ClassVar[str | None] = ""
    GO: ClassVar[str] = "Go"
    """The verb on the button."""

    def __init__(self, actions: Actions) -> None:
        super().__init__(classes="dialog")
        self.actions = actions

    # --- what a dialog gives ----------------------------------------------------------------------------------------

    def fields(self) -> Iterable[Element]:
        """The fields, top to bottom."""
        raise NotImplementedError

    def words(self) -> list[str]:
        """The command line behind `orlop`, as the fields stand now."""
        raise NotImplementedError

    def changed(self, name: str) -> None:
        """A field changed."""

    def asked(self, name: str) -> None:
        """The list behind a row is to be opened."""

    def equivalent(self) -> str:
        """The command line that does the same; empty where there is none."""
        words = self.words()
        return f"orlop {' '.join(shlex.quote(clean(word, 120)) for word in words)}" if words else ""

    async def carry_out(self) -> str:
        """Runs it; what is wrong, or an empty text."""
        result = await self.actions.line(self.words(), quiet=True)
        if result is None:
            return "nothing was done"
        return "" if result.ok else result.fault.line if result.fault else "it failed"

    # --- fields -----------------------------------------------------------------------------------------------------

    def value(self, name: str) -> str:
        """The text of a field, without spaces around it."""
        return self.query_one(f"#{name}", Input).value.strip()

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.query_one(f"#{name}", Tick).ticked

    def chosen(self, name: str) -> str:
        """The word that is chosen."""
        return self.query_one(f"#{name}", Pick).chosen

    def shows(self, name: str) -> bool:
        """Whether a field or box is there."""
        return bool(self._outer(name).display)

    def show_field(self, name: str, *, on: bool) -> None:
        """Shows or hides a field, with its label, or a box."""
        self._outer(name).display = on

    def _outer(self, name: str) -> Widget:
        found = self.query_one(f"#{name}")
        return found.parent if isinstance(found.parent, Horizontal) else found

    def note(self, name: str, text: str) -> None:
        """Changes the words between the fields."""
        words = self.query_one(f"#{name}", Static)
        words.update(text)
        words.display = bool(text)

    def compose(self) -> ComposeResult:
        """The box."""
        with _Fields(classes="box form", can_focus=False) as box:
            box.border_title = self.TITLE or ""
            keys = keys_of(self.app)
            go, cancel = keys.named("ui.form-go", "ctrl+s"), keys.named("ui.form-cancel", "esc")
            box.border_subtitle = f"{go} does it · {cancel} cancels"
            for each in self.fields():
                yield self._widget(each)
            with Vertical(classes="foot"):
                yield Static("", id="candidates", classes="candidates", markup=False)
                yield Static("", id="equivalent", classes="command", markup=False)
                yield Static("", id="problem", classes="problem", markup=False)
                with Horizontal(classes="buttons"):
                    yield Button("Cancel", id="cancel")
                    yield Button(self.GO, id="go", classes="go")

    def _widget(self, each: Element) -> Widget:
        if isinstance(each, Note):
            words = Static(each.text, id=each.name, classes="note", markup=False)
            words.display = bool(each.text)
            return words
        if isinstance(each, Box):
            return Tick(each.label, name=each.name, ticked=each.ticked)
        if isinstance(each, Choose):
            pick = Pick(each.choices, name=each.name, chosen=each.chosen)
            return Horizontal(Label(each.label, markup=False), pick, classes="field")
        if isinstance(each, Several):
            return Horizontal(
                Label(each.label, markup=False), Chosen(name=each.name, words=each.words), classes="field"
            )
        if each.path:
            line: Input = PathInput(name=each.name, suffix=each.suffix, placeholder=each.hint)
            line.value = each.value
        else:
            known = SuggestFromList(each.known, case_sensitive=False) if each.known else None
            line = Input(
                each.value,
                id=each.name,
                placeholder=each.hint,
                compact=True,
                suggester=known,
                password=each.secret,
            )
            line.cursor_blink = False
        return Horizontal(Label(each.label, markup=False), line, classes="field")

    def path_hint(self, file: str) -> str:
        """What an empty field for the path of a file says."""
        return f"path of {file}, {keys_of(self.app).named('ui.complete-path', 'tab')} completes"

    def on_mount(self) -> None:
        """Shows the command line of the fields as they are at first."""
        self.note("candidates", "")
        # Heard at once, unlike a message: the next key may move on to a field that this one shows or hides.
        for pick in self.query(Pick):
            self.watch(pick, "place", partial(self._changed, pick), init=False)
        for tick in self.query(Tick):
            self.watch(tick, "ticked", partial(self._changed, tick), init=False)
        self.preview()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.note("candidates", "")
        self.changed(event.input.id or "")
        self.preview()

    def _changed(self, widget: Pick | Tick) -> None:
        self.changed(widget.id or "")
        self.preview()

    @on(Chosen.Asked)
    def _asked(self, event: Chosen.Asked) -> None:
        event.stop()
        self.asked(event.chosen.id or "")

    @on(PathInput.Candidates)
    def _candidates(self, event: PathInput.Candidates) -> None:
        event.stop()
        names = event.matches.names
        more = f"  and {len(names) - 12} more" if len(names) > 12 else ""  # noqa: PLR2004 - as many as fit in two rows
        self.note("candidates", "  ".join(names[:12]) + more)

    def preview(self) -> None:
        """Shows the command line that the fields make now."""
        self.say("")
        self.note("equivalent", self.equivalent())

    def say(self, problem: str) -> None:
        """Shows what is wrong, in the dialog."""
        self.note("problem", f"✗ {clean(problem, 400)}" if problem else "")

    # --- keys -------------------------------------------------------------------------------------------------------

    @property
    def focus_chain(self) -> list[Widget]:
        """In the order in which they are written: a row that was only just shown has no place on the screen yet."""
        return [widget for widget in self.query(Widget) if widget.focusable and _is_shown(widget)]

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        """Does what the fields say."""
        self.query_one("#go", Button).disabled = True
        only_newest(self, self._go, "go")

    async def _go(self) -> None:
        problem = await self.carry_out()
        if problem:
            self.say(problem)
            self.query_one("#go", Button).disabled = False
        else:
            self.dismiss(result=True)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Does nothing."""
        self.dismiss(result=False)


def _is_shown(widget: Widget) -> bool:
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))
