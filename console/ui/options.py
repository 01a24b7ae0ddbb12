"""What the terminal UI is started with; imports no Textual, so that the command line can build it cheaply."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from console.client import CoreClient
from console.ui.bound import Keys

__all__ = ["UiOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UiOptions:
    """How one run of the UI behaves."""

    connect: Callable[[], CoreClient]
    """Makes the client: starts the core or reaches it. Called on a thread of its own after the first frame was painted;
    an `OrlopError` that it raises ends the UI with that line and its exit code."""
    title: str = ""
    """Shown in the header until the node's own row is there."""
    read_only: bool = False
    """Changing commands are not offered; the core refuses them too."""
    first_run: bool = False
    """The state directory was made by this start: say what was made and what to press."""
    state_dir: str = ""
    """As shown on the first-run screen."""
    theme: str = ""
    """`dark` or `light`; empty: the one that was chosen on the screen last, else dark."""
    ascii: bool = False
    """No character beyond ASCII in frames and marks."""
    mouse: bool | None = None
    """None: as it was chosen on the screen last, else on."""
    memory: Path | None = None
    """The file in which the screen remembers what was chosen; None to remember nothing."""
    keys: Keys = field(default_factory=Keys)
    """What the operator's key map changes."""
    frames: int = 10
    """Most screen updates per second that events cause; 5 suits a slow line."""
    lock_after_s: float = 0
    """Seconds without a key or a click after which the screen locks; 0 for never."""
    debug: bool = False
    """An error of the UI itself is shown with its traceback."""
    attached: bool = False
    """The core is another process: leaving the UI stops nothing."""
