"""The Boot pane: what is served to machines, and how far each machine is on its way to trust, by its own word."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from console.client import Args
from console.rows import MachineRow, ReleaseRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.frame import BOOT, table_status
from console.ui.panes.pane import Pane, command_binding
from console.ui.sheet import Span
from console.ui.text.boot import MACHINES, RELEASES, failed_step, machine_row, release_row
from console.ui.text.boot_sheet import machine_sheet, release_sheet
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.view import Changes
from runtime.events import Record
from runtime.sanitise import clean
from runtime.shapes import to_wire

__all__ = ["BootPane"]

_NOTHING = (
    "Nothing is served to machines.",
    "A release is a folder with kernel, initramfs and rootfs, signed by your key: keygen, build, sign, serve.",
    "orlop --no-ui --serve-boot FOLDER does the last from a shell.",
)


class BootPane(Pane):
    """Machines that asked, the last one first; above them what is served, at the side all about one of them."""

    NUMBER = BOOT
    NOUN = "machines"
    PARTS = ("machines", "releases", "boot-sheet")
    DETAIL = "boot-sheet"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("r", "serve", "boot serve", "serve"),
        command_binding("S", "stop", "boot stop", "stop"),
        command_binding("b", "build", "boot build", "build"),
        command_binding("i", "sign", "boot sign", "sign"),
        command_binding("K", "keygen", "boot keygen", "make a key"),
    ]

    def compose(self) -> ComposeResult:
        """Releases over machines, and at their side what there is to know about one."""
        with Horizontal():
            with Vertical(id="boot-left"):
                releases = LiveTable(
                    TableModel(RELEASES, sort="release"),
                    name="releases",
                    empty=(_NOTHING[0], self._serves()),
                    classes="part",
                )
                releases.border_title = "Served"
                yield releases
                machines = LiveTable(
                    TableModel(MACHINES, sort="seen", descending=True),
                    name="machines",
                    empty=self._empty(),
                    classes="part",
                )
                machines.border_title = "Machines"
                yield machines
            yield SheetView(name="boot-sheet", classes="part side")

    def _serves(self) -> str:
        return f"{self.keys.named('boot serve', 'r')} serves a release"

    def _empty(self) -> tuple[str, ...]:
        """What is said where no machine asked: what to type next."""
        served = [*self.desk.view.boot.releases.values()]
        if not served:
            return (*_NOTHING, self._serves())
        url = clean(served[0].url, 100)
        return (
            "No machine asked yet.",
            f"One that boots with orlop.provider={url} on its command line does.",
            f"{self.keys.named('ui.help', '?')} shows the keys",
        )

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def releases(self) -> LiveTable:
        """What is served."""
        return self.query_one("#releases", LiveTable)

    @property
    def release(self) -> ReleaseRow | None:
        """The release under the cursor."""
        return self.desk.view.boot.releases.get(self.releases.model.cursor or "")

    @property
    def machine(self) -> MachineRow | None:
        """The machine under the cursor."""
        return self.desk.view.boot.machines.get(self.main.model.cursor or "")

    def load(self) -> None:
        """Everything from the view."""
        boot = self.desk.view.boot
        self.main.empty = self._empty()
        self.releases.replace_rows(map(self._drawn_release, boot.releases.values()))
        self.main.replace_rows(map(self._drawn_machine, boot.machines.values()))

    def _drawn_release(self, row: ReleaseRow) -> Row:
        return release_row(row, self.desk.now_ms())

    def _drawn_machine(self, row: MachineRow) -> Row:
        return machine_row(row, self.desk.now_ms())

    def take(self, changes: Changes, records: Sequence[Record]) -> None:  # noqa: ARG002 - rows hold all that is shown
        """Repaints what changed."""
        boot = self.desk.view.boot
        if changes.releases:
            self.main.empty = self._empty()
            there = [boot.releases[key] for key in changes.releases if key in boot.releases]
            gone = [key for key in changes.releases if key not in boot.releases]
            self.releases.update_rows(map(self._drawn_release, there), gone)
            self.main.refresh()
        if changes.machines:
            found = [boot.machines[key] for key in changes.machines if key in boot.machines]
            lost = [key for key in changes.machines if key not in boot.machines]
            self.main.update_rows(map(self._drawn_machine, found), lost)
        if (changes.releases or changes.machines) and not self.frozen:
            self.show_detail()

    def second(self) -> None:
        """Ages, and how long releases are of use still."""
        if self.frozen:
            return
        boot = self.desk.view.boot
        for table, rows in (
            (self.releases, map(self._drawn_release, boot.releases.values())),
            (self.main, map(self._drawn_machine, boot.machines.values())),
        ):
            model = table.model
            older = [row for row in rows if row.key in model.rows and row.cells != model.rows[row.key].cells]
            if older:
                table.update_rows(older)

    def show_detail(self) -> None:
        """All about the machine under the cursor; about the release, while its table has the focus."""
        sheet = self.query_one("#boot-sheet", SheetView)
        boot, machine, release = self.desk.view.boot, self.machine, self.release
        if machine is not None and self._shows_machine:
            asked_for = next((row for row in boot.releases.values() if row.hash == machine.manifest), None)
            sheet.border_title = f"Machine {machine.session[:8]}"
            sheet.show(machine_sheet(machine, asked_for, self.desk.now_ms()))
        elif release is not None:
            asked = sum(row.manifest == release.hash for row in boot.machines.values())
            sheet.border_title = f"Release {clean(release.release, 40)}"
            sheet.show(release_sheet(release, asked, self.desk.now_ms()))
        else:
            sheet.border_title = ""
            sheet.show(())

    _shows_machine = True

    def _mark_current(self, part: str) -> None:
        super()._mark_current(part)
        about_machine = part == "machines" if part != self.DETAIL else self._shows_machine
        if about_machine != self._shows_machine:
            self._shows_machine = about_machine
            self.show_detail()

    def moved(self, table: LiveTable) -> None:
        """The cursor of a table stands on another row."""
        if table in {self.main, self.releases}:
            self.show_detail()

    def opened(self, table: LiveTable) -> None:
        """Also a release opens at the side."""
        if table in {self.main, self.releases}:
            self.focus_part(self.DETAIL)

    def status(self) -> tuple[Span, ...]:
        """How many releases are served and how many machines stopped, before what every table says."""
        boot = self.desk.view.boot
        stopped = sum(failed_step(row) is not None for row in boot.machines.values())
        failed: tuple[Span, ...] = ((f" · {stopped} stopped", "trip"),) if stopped else ()
        noun = "releases" if self.table is self.releases else self.NOUN
        told = table_status(self.table.model, noun)
        return ((f" {len(boot.releases)} served", ""), *failed, (" ·", "dim"), *told)

    def document(self, row: Row) -> object:
        """The row as `boot status` shows it."""
        boot = self.desk.view.boot
        found = boot.machines.get(row.key) or boot.releases.get(row.key)
        return super().document(row) if found is None else to_wire(found)

    def reference(self, row: Row) -> tuple[str, Args]:
        """`boot status`."""
        return "boot status", {"session": row.key} if row.key in self.desk.view.boot.machines else {}

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_serve(self) -> None:
        """Opens the dialog that serves a release from this node."""
        if self.actions.allowed("boot serve"):
            from console.ui.screens.boot import ServeScreen

            self.app.push_screen(ServeScreen(self.actions))

    def action_stop(self) -> None:
        """Serves the release under the cursor no more."""
        row = self.release
        if row is None:
            self.actions.refuse("nothing is served")
            return
        self.run_worker(self.actions.run("boot stop", [{"release": row.url}], names=[row.url]), group="action")

    def action_build(self) -> None:
        """Opens the dialog that builds a release."""
        from console.ui.screens.boot import BuildScreen

        self.app.push_screen(BuildScreen(self.actions))

    def action_sign(self) -> None:
        """Opens the dialog that signs a release."""
        from console.ui.screens.boot import SignScreen

        self.app.push_screen(SignScreen(self.actions))

    def action_keygen(self) -> None:
        """Opens the dialog that makes a key."""
        from console.ui.screens.boot import KeygenScreen

        self.app.push_screen(KeygenScreen(self.actions))
