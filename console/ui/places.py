"""Where keys are bound: the sections of the reference page, and which of them a key press can reach at once."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from textual.binding import Binding
from textual.dom import DOMNode

from console.ui.app import OrlopApp
from console.ui.panes.agents import AgentsPane
from console.ui.panes.boot import BootPane
from console.ui.panes.chat import ChatLine
from console.ui.panes.components import ComponentsPane
from console.ui.panes.jobs import JobsPane
from console.ui.panes.log import LogPane
from console.ui.panes.pane import Pane
from console.ui.panes.peers import PeersPane
from console.ui.panes.receipts import ReceiptsPane
from console.ui.panes.rooms import RoomsPane
from console.ui.screens.auto_assign import AutoAssignScreen
from console.ui.screens.confirm import ConfirmScreen
from console.ui.screens.filter import FilterScreen
from console.ui.screens.first_run import FirstRunScreen
from console.ui.screens.form import FormScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.in_place import InPlaceScreen
from console.ui.screens.invite import InviteScreen
from console.ui.screens.lock import LockScreen
from console.ui.screens.menu import MenuScreen
from console.ui.screens.prompt import PromptScreen
from console.ui.screens.reading import SheetScreen
from console.ui.screens.safety import SafetyScreen
from console.ui.screens.several import SeveralScreen
from console.ui.widgets.chosen import Chosen
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.path_input import PathInput
from console.ui.widgets.pick import Pick
from console.ui.widgets.searched import Searched
from console.ui.widgets.sheet_view import SheetView
from console.ui.widgets.tick import Tick

__all__ = ["REACHES", "SECTIONS", "TYPING", "bindings_of", "sections"]

_Place = type[DOMNode]

SECTIONS: Mapping[str, _Place] = MappingProxyType(
    {
        "Everywhere": OrlopApp,
        "In every pane": Pane,
        "In tables": LiveTable,
        "In texts": SheetView,
        "While searching (//)": Searched,
        "Rooms (1)": RoomsPane,
        "Agents (2)": AgentsPane,
        "Peers (3)": PeersPane,
        "Jobs (4)": JobsPane,
        "Receipts (5)": ReceiptsPane,
        "Boot (6)": BootPane,
        "Log (7)": LogPane,
        "Components (8)": ComponentsPane,
        "In the chat line": ChatLine,
        "While typing a command": PromptScreen,
        "While typing a filter": FilterScreen,
        "In dialogs": FormScreen,
        "In a dialog's path": PathInput,
        "On a box to tick": Tick,
        "On a choice": Pick,
        "On a row with a list behind it": Chosen,
        "In questions": ConfirmScreen,
        "Before tasks are assigned": AutoAssignScreen,
        "In a list to tick": SeveralScreen,
        "While changing a cell": InPlaceScreen,
        "Over an invitation": InviteScreen,
        "Over a safety number": SafetyScreen,
        "While the screen is locked": LockScreen,
        "In menus": MenuScreen,
        "Over a text": SheetScreen,
        "In the help": HelpScreen,
        "On the welcome": FirstRunScreen,
    }
)
"""Every place that binds keys of its own, under its heading."""

_PANES: Mapping[str, _Place] = MappingProxyType(
    {
        "Rooms": RoomsPane,
        "Agents": AgentsPane,
        "Peers": PeersPane,
        "Jobs": JobsPane,
        "Receipts": ReceiptsPane,
        "Boot": BootPane,
        "Log": LogPane,
        "Components": ComponentsPane,
    }
)

REACHES: Mapping[str, tuple[_Place, ...]] = MappingProxyType(
    {
        **{name: (LiveTable, pane, OrlopApp) for name, pane in _PANES.items()},
        **{f"{name}, beside the table": (SheetView, pane, OrlopApp) for name, pane in _PANES.items()},
        "the chat line": (ChatLine, RoomsPane, OrlopApp),
        "the command line": (PromptScreen,),
        "the filter line": (FilterScreen,),
        "dialogs": (Tick, FormScreen),
        "a dialog's choice": (Pick, FormScreen),
        "a dialog's path": (PathInput, FormScreen),
        "a dialog's row with a list": (Chosen, FormScreen),
        "questions": (ConfirmScreen,),
        "the question of who gets a task": (AutoAssignScreen,),
        "a list to tick": (LiveTable, SeveralScreen),
        "a cell that is changed": (InPlaceScreen,),
        "the invitation": (InviteScreen,),
        "the safety number": (SafetyScreen,),
        "the locked screen": (LockScreen,),
        "menus": (LiveTable, MenuScreen),
        "texts": (SheetView, SheetScreen),
        "the help": (HelpScreen,),
        "the welcome": (FirstRunScreen,),
    }
)
"""What may take one key press, by the words for where that is; there two actions cannot share a key."""

TYPING: tuple[_Place, ...] = (
    ChatLine,
    PromptScreen,
    FilterScreen,
    FormScreen,
    PathInput,
    HelpScreen,
    InPlaceScreen,
    LockScreen,
)
"""Where one types: a key that types something would never arrive at their actions."""


def bindings_of(place: _Place) -> list[Binding]:
    """The bindings of a place with those that it inherits, single keys each."""
    found: list[Binding] = []
    for cls in place.__mro__:
        if cls.__module__.startswith("console.") and "BINDINGS" in vars(cls):
            found += Binding.make_bindings(vars(cls)["BINDINGS"])
            if cls is OrlopApp:  # its list holds those of its bases
                break
    return found


def sections() -> Iterator[tuple[str, list[Binding]]]:
    """Each section with the bindings of its own."""
    for title, place in SECTIONS.items():
        yield title, list(Binding.make_bindings(vars(place)["BINDINGS"]))
