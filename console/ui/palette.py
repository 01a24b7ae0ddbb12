"""The palette over the registry: every command and every view of the screen, found by a few letters."""

from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.registry import COMMANDS

if TYPE_CHECKING:
    from console.ui.app import OrlopApp

__all__ = ["RegistryProvider"]

_VIEWS = (
    ("Theme: dark", "app.look('dark')", "Ink and brass"),
    ("Theme: light", "app.look('light')", "Paper and sepia"),
    ("Command log", "app.command_log", "What was run from this screen, as command lines"),
    ("Keys", "app.help", "Every key that works here"),
    ("Freeze", "app.freeze", "Stop the screen, not the core"),
    ("Quit", "app.leave", "Leave orlop"),
)


class RegistryProvider(Provider):
    """Hits open the prompt with the command and the row under the cursor filled in."""

    @property
    def _orlop(self) -> "OrlopApp":
        from console.ui.app import OrlopApp

        app = self.app
        if not isinstance(app, OrlopApp):
            raise TypeError(type(app))
        return app

    async def discover(self) -> Hits:
        """Everything, when nothing was typed."""
        for command in COMMANDS.values():
            yield DiscoveryHit(command.name, partial(self._orlop.open_command, command.name), help=command.help)
        for name, action, text in _VIEWS:
            yield DiscoveryHit(name, partial(self._orlop.run_action, action), help=text)

    async def search(self, query: str) -> Hits:
        """What fits the letters."""
        matcher = self.matcher(query)
        for command in COMMANDS.values():
            score = max(matcher.match(command.name), matcher.match(command.help) * 0.6)
            if score > 0:
                run = partial(self._orlop.open_command, command.name)
                yield Hit(score, matcher.highlight(command.name), run, help=command.help)
        for name, action, text in _VIEWS:
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), partial(self._orlop.run_action, action), help=text)
