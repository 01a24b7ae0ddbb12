"""Keys that mean the same in every pane: filter, sort, copy, marks, help, the prompt and the log of commands."""

import json
import shlex
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from console.client import Result
from console.registry import COMMANDS
from console.table_rows import Row
from console.ui.actions import Actions
from console.ui.desk import Desk
from console.ui.panes.pane import Pane
from console.ui.spelling import command_line
from runtime.rooms.invite import PREFIX
from runtime.sanitise import clean

__all__ = ["TableKeys"]

_KEPT_LINES = 500


class TableKeys(App[int], inherit_bindings=False):
    """What a key does to the table that has the focus. A subclass says which pane is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter rows; // searches in them", id="ui.filter"),
        Binding("colon", "prompt", "Command; ctrl+r finds earlier ones", id="ui.prompt"),
        Binding("question_mark", "help", "help", id="ui.help"),
        Binding("ctrl+p", "command_palette", "Palette: any command by a few letters", show=False, id="ui.palette"),
        Binding("s", "sort", "Sort menu", show=False, id="ui.sort"),
        Binding("less_than_sign", "sort_beside(-1)", "Sort by the previous column", show=False, id="ui.sort-previous"),
        Binding("greater_than_sign", "sort_beside(1)", "Sort by the next column", show=False, id="ui.sort-next"),
        Binding("I", "invert", "Invert the order", show=False, id="ui.invert"),
        Binding("y", "copy", "Copy menu", show=False, id="ui.copy"),
        Binding("Y", "copy_id", "Copy the id", show=False, id="ui.copy-id"),
        Binding("J", "json", "The row as JSON", show=False, id="ui.json"),
        Binding("x", "menu", "All actions on the row", show=False, id="ui.menu"),
        Binding("at", "command_log", "What was run from here", show=False, id="ui.command-log"),
    ]

    desk: Desk
    actions: Actions
    lines: list[str]
    """Lines of the prompt, oldest first. Kept while the program runs and nowhere else: words in them may be secret."""

    @property
    def pane(self) -> Pane | None:
        """The pane that is shown."""
        raise NotImplementedError

    def draw_keys(self) -> None:
        """Other keys work now."""
        raise NotImplementedError

    # --- the prompt -------------------------------------------------------------------------------------------------

    def action_prompt(self, text: str = "") -> None:
        """Opens the `:` line."""
        from console.ui.panes.rooms import RoomsPane
        from console.ui.screens.prompt import PromptScreen

        tasks = self.pane.tasks_document if isinstance(self.pane, RoomsPane) else None
        self.push_screen(PromptScreen(self.desk.view, tasks, self.lines, text), self._typed)

    def _typed(self, line: str | None) -> None:
        if not line:
            return
        if PREFIX not in line and line not in self.lines[-1:]:  # an invitation is a secret
            self.lines.append(line)
            del self.lines[:-_KEPT_LINES]
        words = shlex.split(line)
        own = {"q": "leave", "quit": "leave", "help": "help"}.get(words[0])
        if own is not None:
            self.call_later(self.run_action, own)
        elif words[:2] == ["pin", "set"] and self.actions.allowed("pin set"):
            from console.ui.screens.pin import PinScreen

            self.push_screen(PinScreen(self.actions))
        elif words == ["rooms", "join"] and self.actions.allowed("rooms join"):
            from console.ui.screens.invite import JoinScreen

            self.push_screen(JoinScreen(self.actions))
        elif words[:2] == ["agents", "rollback"]:
            self.run_worker(self._roll_back(words), group="action")
        elif words[:2] == ["components", "install"]:
            from console.ui.screens.component_install import install_line

            if not install_line(self.actions, words):
                self.run_worker(self._run_line(words), group="action")
        elif words[0] == "theme":
            self.call_later(self.run_action, f"look({words[1] if len(words) > 1 else ''!r})")
        else:
            self.run_worker(self._run_line(words), group="action")

    async def _roll_back(self, words: list[str]) -> None:
        from console.ui.screens.roll_back import roll_back_line

        if not await roll_back_line(self.actions, words):
            await self._run_line(words)

    async def _run_line(self, words: list[str]) -> None:
        result = await self.actions.line(words)
        if result is not None and result.value is not None:
            self._show_result(words, result)

    def _show_result(self, words: list[str], result: Result) -> None:
        from console.cmdline.render import render
        from console.registry import find
        from console.ui.screens.reading import SheetScreen
        from console.ui.sheet import line
        from console.ui.text.documents import item

        command, _ = find(words)
        if command is not None and command.name == "rooms invite":
            from console.ui.screens.invite import show_invitation

            show_invitation(self.actions, result.value)
        if command is not None and command.name == "rooms verify" and not {"--yes", "--off"} & {*words}:
            from console.ui.screens.safety import compare

            compare(self.actions, result.value)
        if command is not None and command.name == "components run" and item(result.value).get("output"):
            from console.ui.screens.components import output_screen

            self.push_screen(output_screen(result.value))
        if command is None or command.changes:
            return
        text = render(command.name, result.value)
        lines = [line(clean(row, 500)) for row in text.rstrip("\n").split("\n")]
        self.push_screen(SheetScreen(title=command.name, lines=lines))

    def open_command(self, name: str) -> None:
        """Runs a command that needs no words, or opens the prompt with it and the row under the cursor."""
        command = COMMANDS[name]
        pane = self.pane
        row = pane.main.model.current if pane is not None else None
        given: list[str] = []
        if pane is not None and row is not None:
            _, args = pane.reference(row)
            given = [shlex.quote(str(args[arg.name])) for arg in command.args if not arg.option and arg.name in args]
            given += [f"--{name} {args[name]}" for name in ("room",) if command.needs == "agent" and name in args]
        if not any(arg.required or arg.option for arg in command.args):
            self.run_worker(self._run_line(name.split()), group="action")
        else:
            self.action_prompt(" ".join([name, *given, ""]))

    def action_command_log(self) -> None:
        """Shows what was run from this screen as command lines."""
        from console.ui.screens.reading import SheetScreen, command_log

        self.push_screen(SheetScreen(title="Run from this screen", lines=command_log([*self.desk.done]), tail=True))

    def action_help(self) -> None:
        """Shows every key that works here."""
        from console.ui import keys
        from console.ui.screens.help import HelpScreen

        pane = self.pane
        if pane is not None:
            self.push_screen(HelpScreen(keys.help_entries(self.screen, pane, type(pane).__name__.removesuffix("Pane"))))

    # --- the table --------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Opens the `/` line; a second `/` makes it a search in the part that has the focus."""
        from console.ui.screens.filter import FilterScreen

        if self.pane is not None:
            text = self.pane.table.model.filter.text
            self.push_screen(FilterScreen(self.pane.searched, self.pane.filter, text), lambda _: self.draw_keys())

    def action_sort(self) -> None:
        """Opens the menu of columns."""
        from console.ui.screens.menu import Choice, MenuScreen

        if self.pane is None:
            return
        model = self.pane.table.model
        choices = [Choice("", "as they come")]
        choices += [Choice(column.name, column.title) for column in model.columns if column.title.strip("!")]
        self.push_screen(MenuScreen("Sort by", choices, model.sort), self._sort_by)

    def _sort_by(self, name: str | None) -> None:
        if name is None or self.pane is None:
            return
        table = self.pane.table
        same = name == table.model.sort
        table.model.sort_by(name, descending=not table.model.descending if same else False)
        table.rearranged()

    def action_sort_beside(self, step: int) -> None:
        """Sorts by the column beside."""
        if self.pane is not None:
            table = self.pane.table
            names = ["", *(column.name for column in table.model.columns)]
            place = (names.index(table.model.sort) + step) % len(names)
            table.model.sort_by(names[place], descending=table.model.descending)
            table.rearranged()

    def action_invert(self) -> None:
        """Sorts the other way round."""
        if self.pane is not None:
            table = self.pane.table
            table.model.sort_by(table.model.sort, descending=not table.model.descending)
            table.rearranged()

    # --- copying ----------------------------------------------------------------------------------------------------

    def _current(self) -> Row | None:
        return None if self.pane is None else self.pane.table.model.current

    def action_copy_id(self) -> None:
        """Copies the id of the row."""
        from console.ui.clipboard import send

        row = self._current()
        if row is not None and self.pane is not None:
            send(self, self.pane.identity(row))

    def action_copy(self) -> None:
        """Opens the menu of what can be copied of the row."""
        from console.ui.clipboard import send
        from console.ui.screens.menu import Choice, MenuScreen

        pane, row = self.pane, self._current()
        if pane is None or row is None:
            return
        command, args = pane.reference(row)
        texts = {
            "id": pane.identity(row),
            "row": "\t".join(cell.strip() for cell in row.cells),
            "json": json.dumps(pane.document(row), ensure_ascii=True),
            "command line": command_line(COMMANDS[command], args),
            **pane.texts(row),
        }
        for column, cell in zip(pane.table.model.columns, row.cells, strict=True):
            if column.title.strip() and cell.strip():
                texts[column.title.lower()] = cell.strip()
        choices = [Choice(name, name, clean(text, 200)) for name, text in texts.items()]
        self.push_screen(MenuScreen("Copy", choices), lambda name: send(self, texts[name]) if name else None)

    def action_json(self) -> None:
        """Shows the row as JSON."""
        from console.ui.screens.reading import SheetScreen
        from console.ui.text.json_lines import json_sheet

        pane, row = self.pane, self._current()
        if pane is not None and row is not None:
            document = json.loads(json.dumps(pane.document(row)))
            self.push_screen(SheetScreen(title="JSON", lines=json_sheet(document)))

    def action_menu(self) -> None:
        """Opens the menu of all actions of the pane, for those who know no keys."""
        from console.ui import keys
        from console.ui.screens.menu import Choice, MenuScreen

        pane = self.pane
        if pane is None:
            return
        entries = [each for each in keys.help_entries(self.screen, pane, "pane") if each.section == "pane"]
        entries = [each for each in entries if each.binding_id not in keys.PLACES]
        actions = {active.binding.id: active.binding.action for active in self.screen.active_bindings.values()}
        choices = [
            Choice(actions[each.binding_id], each.does, each.keys) for each in entries if each.binding_id in actions
        ]

        def run(action: str | None) -> None:
            if action:
                self.call_later(self.run_action, action, pane)

        self.push_screen(MenuScreen("Actions", choices), run)
