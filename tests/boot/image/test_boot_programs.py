"""Programs of others run in one environment, and one line says what was wrong with them."""

import pytest

from boot.image.programs import run
from runtime.errors import FailedError, UnavailableError

SAYS = "echo $TZ $LC_ALL ${SOURCE_DATE_EPOCH-none} $(umask); cat"


def test_nothing_of_the_callers_settings_reaches_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert run(["sh", "-c", SAYS], given=b"and this") == b"UTC C none 0022\nand this"
    assert run(["sh", "-c", SAYS], epoch=7).startswith(b"UTC C 7 ")


def test_a_missing_program_is_named_with_the_package_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boot.image.programs._PATH", "/nonexistent")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UnavailableError, match="install the package mtools"):
        run(["mformat"])


def test_the_last_line_of_a_program_that_failed_is_told_without_its_colours() -> None:
    with pytest.raises(FailedError, match=r"^sh: no space.{1,8} at all$"):
        run(["sh", "-c", "echo first >&2; printf 'no space\\033[31m at all\\n' >&2; exit 3"])
    with pytest.raises(FailedError, match="exit 4"):
        run(["sh", "-c", "exit 4"])
