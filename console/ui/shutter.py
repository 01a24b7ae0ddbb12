"""The shutter before the screen: shut while the core is locked, so that nothing of what is in rooms is to be seen."""

from typing import TYPE_CHECKING

from console.ui.actions import Actions
from console.ui.desk import Desk

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["Shutter"]


class Shutter:
    """Follows `core.locked` and `core.unlocked`.

    Args:
        app: the application, whose dialogs it closes.
        desk: knows whether the core is locked.
        actions: runs `unlock`.
    """

    def __init__(self, app: "App[int]", desk: Desk, actions: Actions) -> None:
        self._app = app
        self._desk = desk
        self._actions = actions
        self.closed = False
        """Whether the screen is covered."""

    def follow(self) -> bool:
        """Shuts or opens, as the core says now.

        Returns:
            Whether it was opened: what lies below is to be shown anew.
        """
        node = self._desk.view.node
        locked = node is not None and node.locked
        if locked == self.closed:
            return False
        self.closed = locked
        self._app.clear_notifications()
        self._app.use_command_palette = not locked
        self._clear()
        if locked:
            from console.ui.screens.lock import LockScreen

            self._app.push_screen(LockScreen(self._actions))
        return not locked

    def _clear(self) -> None:
        """Closes all dialogs, which may show content; what waits for their answers gets none."""
        for _ in range(len(self._app.screen_stack) - 1):
            self._app.screen.dismiss(None)
