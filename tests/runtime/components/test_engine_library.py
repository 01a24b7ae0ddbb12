"""What we rely on of the engine beyond its public API is looked at before it is used."""

import pytest

from runtime.components import engine_library


def test_an_engine_that_lays_values_out_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_library, "ENTRY_BYTES", 56)
    with pytest.raises(RuntimeError, match="lays out the values of components"):
        engine_library.library.__wrapped__()


def test_the_library_of_the_pinned_engine_is_as_we_know_it() -> None:
    assert engine_library.library() is engine_library.library()
