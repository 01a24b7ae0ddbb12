"""What a component does and may do: running an operation, reading its log, changing its permissions."""

import base64
import binascii
import json
import os
import shlex
from collections.abc import Iterable, Sequence

from console.client import Args, Json, Result
from console.cmdline.files import open_input
from console.registry import COMMANDS
from console.rows import ComponentRow
from console.ui.actions import Actions
from console.ui.desk import Desk
from console.ui.figures import millis, size
from console.ui.screens.form import Box, Element, Field, FormScreen, Note
from console.ui.screens.reading import SheetScreen
from console.ui.sheet import BLANK, Line, line, width_of
from console.ui.spelling import command_line
from console.ui.text.component_events import why_denied
from console.ui.text.component_sheet import log_line, rule_label, rule_words
from console.ui.text.components import short_name
from console.ui.text.documents import Object, flag, integer, item, objects, text
from console.ui.text.json_lines import json_sheet
from runtime.errors import UsageError
from runtime.sanitise import clean, clean_multiline

__all__ = ["ComponentLogScreen", "OperationScreen", "PermissionsScreen", "output_screen", "rule_box"]

_STDIN = "-"
_ROOM = 70
"""Cells for the words of a box, also at 80 columns."""
_SHOWN = 200_000
_GRANT = "--grant"
_STARTS = "Without an operation it is started, and runs until it is stopped."


# --- operations -----------------------------------------------------------------------------------------------------


class OperationScreen(FormScreen):
    """Starts a component, or runs one of its operations and shows what it returns.

    Args:
        actions: runs the command.
        row: the component.
    """

    TITLE = "Start or run"
    GO = "Run"

    def __init__(self, actions: Actions, row: ComponentRow) -> None:
        super().__init__(actions)
        self._row = row
        self.result: Result | None = None
        """What the operation came to; None where it was only started."""

    def fields(self) -> Iterable[Element]:
        """The operation and what it is given."""
        yield Note(name="what", text=f"{short_name(self._row.component)} is {clean(self._row.state, 12)}. {_STARTS}")
        yield Field(name="operation", label="Operation", hint="its name; empty: only start it")
        yield Field(name="input", label="Input text", hint="as typed")
        yield Field(name="file", label="Input file", hint="or a file instead", path=True)
        yield Field(name="timeout", label="Time", hint="such as 2s; its own limit holds too")

    def words(self) -> list[str]:
        """Not used: an input may look like an option."""
        return []

    def equivalent(self) -> str:
        """`components run …`."""
        line = command_line(COMMANDS["components run"], self._args())
        return f"{line} < {shlex.quote(clean(self.value('file'), 120))}" if self.value("file") else line

    def _args(self) -> Args:
        args = {"component": self._row.component}
        if self.value("operation"):
            args["operation"] = self.value("operation")
            if self.value("file") or self.value("input"):
                args["input"] = _STDIN if self.value("file") else self.value("input")
        if self.value("timeout"):
            args["timeout"] = self.value("timeout")
        return args

    async def carry_out(self) -> str:
        """Runs it, and waits for its end."""
        args = self._args()
        if self.value("input") and self.value("file"):
            return "an input text or an input file, not both"
        if "operation" not in args and (self.value("input") or self.value("file")):
            return "an input is for an operation: name one"
        try:
            files = {"stdin": open_input(self.value("file"))} if self.value("file") else {}
        except UsageError as error:
            return str(error)
        self.say("")
        self.note("what", "running …" if "operation" in args else "starting …")
        try:
            results = await self.actions.run("components run", [args], files=files, quiet=True)
        finally:
            for descriptor in files.values():
                os.close(descriptor)
        self.note("what", _STARTS)
        if not results:
            return "nothing was done"
        if not results[0].ok:
            return results[0].fault.line if results[0].fault else "it failed"
        self.result = results[0] if "operation" in args else None
        return ""


def output_screen(value: Json) -> SheetScreen:
    """What an operation returned, over the whole body.

    Args:
        value: the document of `components run`.
    """
    title = f"{text(value, 'operation', limit=60)} of {short_name(text(value, 'component', limit=140))}"
    data = _payload(value)
    figures = f"{size(len(data))} in {millis(integer(value, 'duration_us'))}"
    lines: list[Line] = [line(("returned ", "dim"), (figures, "ok")), BLANK, *_shown(data)]
    return SheetScreen(title=title, lines=lines)


def _shown(data: bytes) -> Sequence[Line]:
    if not data:
        return [line(("nothing", "faint"))]
    try:
        found = json.loads(data) if data[:1] in {b"{", b"["} else None
    except (ValueError, RecursionError):
        found = None
    if found is not None:
        return json_sheet(found)
    return [line(each) for each in clean_multiline(data.decode("utf-8", "replace"), _SHOWN).split("\n")]


def _payload(value: Json) -> bytes:
    coded = item(value).get("output")
    try:
        return base64.b64decode(coded) if isinstance(coded, str) else b""
    except (binascii.Error, ValueError):
        return b""


class ComponentLogScreen(SheetScreen):
    """All that is kept of what a component wrote, oldest first.

    Args:
        desk: asks for it.
        row: the component.
    """

    def __init__(self, desk: Desk, row: ComponentRow) -> None:
        super().__init__(title=f"Log of {short_name(row.component)}", lines=[line(("asking…", "dim"))], tail=True)
        self._desk = desk
        self._component = row.component

    def begin(self) -> None:
        """Asks for it."""
        self.run_worker(self._ask())

    async def _ask(self) -> None:
        result = await self._desk.ask("components logs", {"component": self._component, "limit": "1000"})
        if not result.ok:
            self.show([line((clean(result.fault.line) if result.fault else "no answer", "trip"))])
            return
        lines = [log_line(one) for one in objects(result.value, "items")]
        self.show(lines or [line(("nothing written", "dim"))])


# --- permissions ----------------------------------------------------------------------------------------------------


def rule_box(number: int, rule: Object, *, ticked: bool) -> Iterable[Element]:
    """The box of a rule, and all of its words below where it has no room for them.

    Args:
        number: in its name, `rule-NUMBER`.
        rule: as `components show` and `components inspect` have it.
        ticked: at first.
    """
    words = rule_words(rule)
    yield Box(name=f"rule-{number}", label=words, ticked=ticked)
    if width_of(words) > _ROOM:
        yield Note(name=f"whole-{number}", text=f"    {words}")


class PermissionsScreen(FormScreen):
    """What a component may do: a box for each rule, and a line for one more.

    Args:
        actions: runs the command.
        row: the component.
        document: as `components show` has it.
    """

    AUTO_FOCUS = "Tick"
    TITLE = "Permissions"
    GO = "Change at once"

    def __init__(self, actions: Actions, row: ComponentRow, document: Json) -> None:
        super().__init__(actions)
        self._row = row
        self._rules = [*objects(document, "asked"), *objects(document, "added")]
        self._denials = objects(document, "denials")

    def fields(self) -> Iterable[Element]:
        """The rules, what was denied last, and the rules to add."""
        named = f"{clean(self._row.component, 140)} {clean(self._row.version, 40)}"
        held = "what was opened under a rule that is taken away is closed"
        yield Note(name="of", text=f"{named}: a change holds from its next request on; {held}.")
        for number, rule in enumerate(self._rules):
            yield from rule_box(number, rule, ticked=flag(rule, "in_force") is not False)
        if not self._rules:
            yield Note(name="none", text="It asked for nothing beyond its own memory.")
        yield Note(name="denied", text=self._denied())
        known = self._remedies()
        hint = "GROUP=VALUE, such as filesystem.read=/data/more/**"
        yield Field(name="grant", label="Allow also", hint=f"such as {known[0]}" if known else hint, known=known)
        yield Field(name="deny", label="Never allow", hint="GROUP=VALUE, such as filesystem.read=/data/private/**")

    def _denied(self) -> str:
        if not self._denials:
            return ""
        last = self._denials[0]
        what = f"{text(last, 'op', limit=80)} {text(last, 'target', limit=200)}".rstrip()
        return f"Denied last: {what}: {why_denied(text(last, 'rule', limit=100), integer(last, 'line'))}."

    def _remedies(self) -> list[str]:
        """Rules that would have allowed what was denied last, as the field takes them."""
        found = []
        for denial in self._denials:
            try:
                words = shlex.split(text(denial, "remedy", limit=300))
            except ValueError:
                continue
            if words[:1] == [_GRANT] and len(words) > 1 and "=" in words[1] and words[1] not in found:
                found.append(words[1])
        return found

    def words(self) -> list[str]:
        """`components permissions …`."""
        words = ["components", "permissions", self._row.component]
        for number, rule in enumerate(self._rules):
            ticked, held = self.ticked(f"rule-{number}"), flag(rule, "in_force") is not False
            if ticked != held:
                words += ["--grant" if ticked else "--revoke", rule_label(text(rule, "rule", limit=100))]
        for name in ("grant", "deny"):
            if self.value(name):
                words += [f"--{name}", self.value(name).removeprefix(f"--{name} ").strip("'\"")]
        return words

    async def carry_out(self) -> str:
        """Changes them; what would change nothing is refused."""
        if len(self.words()) == len(("components", "permissions", "name")):
            return "nothing is changed yet: tick a box, or name a rule"
        return await super().carry_out()
