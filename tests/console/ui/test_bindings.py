"""Every key names a registered command or a view of the screen, no two of a place take one key, and help shows all."""

import ast
from pathlib import Path

import pytest
from textual.app import App
from textual.dom import DOMNode

from console.registry import COMMANDS
from console.ui.app import OrlopApp
from console.ui.keys import key_name
from console.ui.panes.agents import AgentsPane
from console.ui.panes.boot import BootPane
from console.ui.panes.components import ComponentsPane
from console.ui.panes.jobs import JobsPane
from console.ui.panes.log import LogPane
from console.ui.panes.pane import Pane, command_binding
from console.ui.panes.peers import PeersPane
from console.ui.panes.receipts import ReceiptsPane
from console.ui.panes.rooms import RoomsPane
from console.ui.places import REACHES, SECTIONS, bindings_of
from console.ui.widgets.live_table import LiveTable
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import opened, press

PLACES: tuple[type[DOMNode], ...] = tuple(SECTIONS.values())
UI = Path(__file__).parents[3] / "console" / "ui"


def hints() -> list[tuple[str, str]]:
    """Every action with the built-in key that a hint names for it: the calls of `Keys.named` with two literals."""
    calls = (node for file in UI.rglob("*.py") for node in ast.walk(ast.parse(file.read_text())))
    found = []
    for call in calls:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "named":
            texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
            if len(texts) == 2:
                found.append((str(texts[0]), str(texts[1])))
    return found


def test_hints_name_the_built_in_keys_as_they_are() -> None:
    keys: dict[str, set[str]] = {}
    for place in PLACES:
        for each in bindings_of(place):
            keys.setdefault(each.id or "", set()).add(key_name(each.key))
    assert len(hints()) > 20
    assert [(action, shown) for action, shown in hints() if shown not in keys.get(action, ())] == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_binding_names_a_command_or_a_view(place: type[DOMNode]) -> None:
    for each in bindings_of(place):
        assert each.id is not None, each.key
        assert each.id.startswith("ui.") or each.id.partition(".")[0] in COMMANDS, each.id
        assert each.description, each.id


@pytest.mark.parametrize("where", REACHES)
def test_no_two_actions_that_one_key_press_reaches_share_a_key(where: str) -> None:
    taken: dict[str, set[str | None]] = {}
    for place in REACHES[where]:
        for each in bindings_of(place):
            taken.setdefault(each.key, set()).add(each.id)
    assert {key: ids for key, ids in taken.items() if len(ids) > 1} == {}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_binding_has_its_action(place: type[DOMNode]) -> None:
    for each in bindings_of(place):
        name = each.action.partition("(")[0]
        owner = App if name.startswith("app.") else place
        assert hasattr(owner, f"action_{name.removeprefix('app.')}"), each.action


def test_a_key_for_a_command_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        command_binding("z", "zap", "agents zap", "zap")


@pytest.mark.parametrize(
    ("key", "pane"),
    [
        ("1", RoomsPane),
        ("2", AgentsPane),
        ("3", PeersPane),
        ("4", JobsPane),
        ("5", ReceiptsPane),
        ("7", LogPane),
        ("6", BootPane),
        ("8", ComponentsPane),
    ],
)
async def test_help_shows_every_binding_of_the_place(key: str, pane: type[Pane]) -> None:
    from console.ui.keys import help_entries

    async with opened(harbor()) as (app, pilot):
        await press(pilot, key)
        assert app.pane is not None
        shown = {entry.binding_id for entry in help_entries(app.screen, app.pane, "pane")}
        assert {each.id for each in bindings_of(pane)} <= shown
        assert {each.id for each in bindings_of(LiveTable)} <= shown
        assert {each.id for each in bindings_of(OrlopApp)} <= shown
