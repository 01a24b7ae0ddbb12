"""A `[[notify]]` with a bell rings the terminal's, once for what comes in one frame."""

import pytest

from console.ui.app import OrlopApp
from runtime.events import CoreReady, NotifyBell
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import opened, until


async def test_the_terminals_bell_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[bool] = []
    monkeypatch.setattr(OrlopApp, "bell", lambda _: rung.append(True))
    core = harbor()
    async with opened(core) as (app, pilot):
        core.emit(CoreReady(ms=1))
        core.emit(NotifyBell(rule="config.toml:1", cause=1), NotifyBell(rule="config.toml:2", cause=1))
        await until(pilot, lambda: bool(rung))
        assert rung == [True]
        assert isinstance(app, OrlopApp)
