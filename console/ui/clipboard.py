"""To the operator's clipboard, through the terminal (OSC 52): it works over SSH, and no answer comes back."""

from typing import TYPE_CHECKING

from runtime.sanitise import clean_multiline

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["send"]

_MOST = 74_000
"""Characters that, as UTF-8 in base64, mostly stay below the 100 kB that tmux and xterm take."""


def send(app: "App[int]", text: str) -> None:
    """Sends harmless text to the clipboard and says so.

    Args:
        app: the application.
        text: what to copy.
    """
    shown = clean_multiline(text, _MOST)
    app.copy_to_clipboard(shown)
    first = shown.partition("\n")[0]
    app.notify(
        f"sent to the terminal's clipboard: {first[:60]}{'…' if len(shown) > len(first[:60]) else ''}",
        timeout=3,
        markup=False,
    )
