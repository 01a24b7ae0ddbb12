"""What a work is told about its end: true after the commit and before anybody hears of it, false when it was undone."""

from pathlib import Path
from typing import Any

import pytest

from runtime.clock import ManualClock
from runtime.errors import UnavailableError
from runtime.events import CoreReady
from runtime.store import Store, Transaction


class OnPurposeError(Exception):
    """A work fails."""


def test_hooks_hear_the_end_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []

    def work(name: str, *, fail: bool = False) -> Any:
        def run(tx: Transaction) -> None:
            tx.on_end(lambda kept: heard.append((f"{name}1", kept)))
            tx.on_end(lambda kept: heard.append((f"{name}2", kept)))
            tx.emit(CoreReady(ms=1))
            if fail:
                raise OnPurposeError

        return run

    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as store:
        store.publish_to(lambda batch: heard.append(len(batch)))
        store.write(work("a")).result()
        assert heard == [("a1", True), ("a2", True), 1]
        heard.clear()
        with pytest.raises(OnPurposeError):
            store.write(work("b", fail=True)).result()
        assert heard == [("b2", False), ("b1", False)]
        heard.clear()

        def full(_: Any) -> None:
            raise UnavailableError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(store._writer, "_seal", full)
            with pytest.raises(UnavailableError):
                store.write(work("c")).result()
        assert heard[:2] == [("c2", False), ("c1", False)]
