"""What agents are, said once in a directory: when the first of them is there and nothing lies over the screen."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.ui.app import OrlopApp

__all__ = ["introduce"]

_SHOWN_S = 10


def introduce(app: "OrlopApp") -> None:
    """Says it where it was not said yet; never in the demo, whose room explains itself.

    Args:
        app: the application, of which it is remembered.
    """
    node, options = app.desk.view.node, app.desk.options
    known = app.kept.agents_told or options.memory is None or node is None or node.demo
    if known or not app.desk.view.agents or len(app.screen_stack) > 1:
        return
    app.kept = replace(app.kept, agents_told=True)
    pane = options.keys.named("ui.pane-2", "2")
    switch = options.keys.named("agents activate", "space")
    app.notify(
        f"They look after tasks by themselves, and do nothing that was not granted to them. {pane} shows what each one"
        f" may do and did; {switch} there switches it off.",
        title="There are agents here now",
        timeout=_SHOWN_S,
        markup=False,
    )
