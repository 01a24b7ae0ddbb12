"""The smallest Textual app: what a first frame costs at least. `python -m bench.floor_app`."""

from textual.app import App, ComposeResult
from textual.widgets import Static

__all__ = ["FloorApp"]


class FloorApp(App[int]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        """That line."""
        yield Static("floor")


if __name__ == "__main__":
    FloorApp().run()
