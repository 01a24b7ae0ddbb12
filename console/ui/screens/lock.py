"""What stands on the screen while it is locked: nothing of what is in rooms, and a line for the PIN."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from console.ui.actions import Actions
from console.ui.bound import keys_of
from console.ui.once import only_newest
from console.ui.screens.pin import PIN_DIGITS, lent_secret
from console.ui.text.documents import flag, integer
from console.ui.text.rooms import left
from runtime.sanitise import clean

__all__ = ["LockScreen"]


class LockScreen(ModalScreen[None]):
    """Covers everything until the core says that it is unlocked; no key but those of this screen means anything.

    Args:
        actions: runs `unlock`.
    """

    AUTO_FOCUS: ClassVar[str | None] = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "other", "PIN or passphrase", id="ui.lock-other"),
        Binding("escape", "empty", "Empty the line", show=False, id="ui.lock-empty"),
    ]

    def __init__(self, actions: Actions) -> None:
        super().__init__(classes="locked")
        self._actions = actions
        self._by_passphrase = False

    def compose(self) -> ComposeResult:
        """A line, and nothing else."""
        with Vertical(classes="box") as box:
            box.border_title = "Locked"
            yield Static("", id="lock-asks", markup=False)
            line = Input(id="secret", password=True, compact=True)
            line.cursor_blink = False
            yield line
            yield Static("", id="lock-says", classes="problem", markup=False)
            yield Static("", id="lock-hint", classes="note", markup=False)

    def on_mount(self) -> None:
        """Says how it stands with the PIN."""
        self._ask()
        only_newest(self, self._look, "look")

    def _ask(self) -> None:
        keys = keys_of(self.app)
        other, leave = keys.named("ui.lock-other", "ctrl+t"), keys.named("ui.quit", "ctrl+q")
        self.query_one("#lock-asks", Static).update("Passphrase of the vault:" if self._by_passphrase else "PIN:")
        instead = "the PIN" if self._by_passphrase else "the passphrase"
        self.query_one("#lock-hint", Static).update(
            f"Jobs go on, agents rest. enter unlocks · {other} asks for {instead} instead · {leave} leaves"
        )

    async def _look(self) -> None:
        """Says how long no PIN is looked at, where that is so."""
        result = await self._actions.desk.ask("pin status", {})
        if not result.ok:
            return
        wait_ms = integer(result.value, "wait_ms") or 0
        if flag(result.value, "used_up"):
            way = "use the passphrase" if flag(result.value, "protected") else "leave and start orlop again"
            self._say(f"too many wrong PINs: none is looked at any more; {way}")
        elif wait_ms:
            self._say(f"the next PIN is looked at in {left(wait_ms)}")

    def _say(self, words: str) -> None:
        self.query_one("#lock-says", Static).update(f"✗ {clean(words, 300)}" if words else "")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if not self._by_passphrase and len(event.value) == PIN_DIGITS:
            self._try(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value and (self._by_passphrase or len(event.value) != PIN_DIGITS):
            self._try(event.value)

    def _try(self, typed: str) -> None:
        self.query_one(Input).value = ""
        self._say("")

        async def unlock() -> None:
            await self._unlock(typed)

        # Not of this screen: it is gone when the answer comes.
        only_newest(self.app, unlock, "unlock")

    async def _unlock(self, typed: str) -> None:
        words = ["unlock", "--passphrase"] if self._by_passphrase else ["unlock"]
        name = "passphrase" if self._by_passphrase else "pin_file"
        with lent_secret(typed) as descriptor:
            result = await self._actions.line(words, lend={name: descriptor}, quiet=True)
        if self.is_attached and result is not None and not result.ok:
            self._say(result.fault.line if result.fault else "it failed")

    def action_other(self) -> None:
        """Asks for the passphrase instead of the PIN, or the reverse."""
        self._by_passphrase = not self._by_passphrase
        self.query_one(Input).value = ""
        self._say("")
        self._ask()

    def action_empty(self) -> None:
        """Forgets what was typed."""
        self.query_one(Input).value = ""
