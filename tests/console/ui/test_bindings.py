"""Every key names a registered command or a view of the screen, no two of a place take one key, and help shows all."""

from collections import Counter
from typing import Any

import pytest
from textual.binding import Binding
from textual.widget import Widget

from console.registry import COMMANDS
from console.ui.app import OrlopApp
from console.ui.panes.agents import AgentsPane
from console.ui.panes.jobs import JobsPane
from console.ui.panes.log import LogPane
from console.ui.panes.pane import Pane, command_binding
from console.ui.panes.receipts import ReceiptsPane
from console.ui.panes.rooms import ChatLine, RoomsPane
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.ui.widgets.tick import Tick
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import opened, press

PANES: tuple[type[Pane], ...] = (RoomsPane, AgentsPane, JobsPane, ReceiptsPane, LogPane)
PLACES: tuple[type[Any], ...] = (OrlopApp, LiveTable, SheetView, Tick, ChatLine, *PANES)


def bindings(place: type[Any]) -> list[Binding]:
    found: list[Binding] = []
    for cls in place.__mro__:
        if cls.__module__.startswith("console.") and "BINDINGS" in vars(cls):
            found += list(Binding.make_bindings(vars(cls)["BINDINGS"]))
            if cls is OrlopApp:
                break
    return found


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_binding_names_a_command_or_a_view(place: type[Any]) -> None:
    for each in bindings(place):
        assert each.id is not None, each.key
        assert each.id.startswith("ui.") or each.id.partition(".")[0] in COMMANDS, each.id
        assert each.description, each.id


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.__name__)
def test_no_two_bindings_of_a_pane_take_one_key(pane: type[Pane]) -> None:
    for inner in (LiveTable, SheetView):
        taken = Counter(each.key for cls in (pane, inner, OrlopApp) for each in bindings(cls))
        assert [key for key, count in taken.items() if count > 1] == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_binding_has_its_action(place: type[Any]) -> None:
    for each in bindings(place):
        name = each.action.partition("(")[0]
        assert hasattr(place, f"action_{name}") or hasattr(Widget, f"action_{name}"), each.action


def test_a_key_for_a_command_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        command_binding("z", "zap", "agents zap", "zap")


@pytest.mark.parametrize(
    ("key", "pane"), [("1", RoomsPane), ("2", AgentsPane), ("4", JobsPane), ("5", ReceiptsPane), ("7", LogPane)]
)
async def test_help_shows_every_binding_of_the_place(key: str, pane: type[Pane]) -> None:
    from console.ui.keys import help_entries

    async with opened(harbor()) as (app, pilot):
        await press(pilot, key)
        assert app.pane is not None
        shown = {entry.binding_id for entry in help_entries(app.screen, app.pane, "pane")}
        assert {each.id for each in bindings(pane)} <= shown
        assert {each.id for each in bindings(LiveTable)} <= shown
        assert {each.id for each in bindings(OrlopApp)} <= shown
