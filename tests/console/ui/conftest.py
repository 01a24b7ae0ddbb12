"""The screen's waits, shortened: what is tested is that something happens, not when."""

import pytest

from console.ui.panes import pane
from console.ui.widgets import live_table


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.002)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", 0.0005)
    # A toast stays until the test has looked at it, however long a loaded machine takes.
    monkeypatch.setattr("textual.notifications.Notification.has_expired", False)
    monkeypatch.setattr("textual.notifications.Notification.time_left", 3600.0)
    monkeypatch.setattr(pane, "_REST_S", 0.001)
    monkeypatch.setattr(pane, "_EVERY_S", 0.01)
    monkeypatch.setattr(live_table, "_ARRANGE_EVERY_S", 0.01)
    monkeypatch.setattr(live_table, "_KEY_REST_S", 0.01)
