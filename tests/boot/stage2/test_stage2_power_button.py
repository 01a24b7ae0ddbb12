"""The power button: which device it is, and what of it counts. That PID 1 is woken by it, its own tests show."""

import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from boot.stage2.power_button import PowerButton

POWER, SLEEP = 116, 142
KEYS = "10000000000000 0"
"""Of a button: key 116, in the second word of 64 bits."""


@pytest.fixture(autouse=True)
def woken() -> Iterator[None]:
    """PID 1 takes the signal when it asks for it; here it would end whichever thread it comes to."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


def device(folder: Path, name: str, keys: str) -> int:
    """A device, as a pipe with a name; gives its other end."""
    place = folder / "sys" / name / "device/capabilities"
    place.mkdir(parents=True)
    (place / "key").write_text(f"{keys}\n")
    (folder / "dev").mkdir(exist_ok=True)
    os.mkfifo(folder / "dev" / name)
    return os.open(folder / "dev" / name, os.O_RDWR | os.O_NONBLOCK)


def event(code: int, value: int, kind: int = 1) -> bytes:
    return struct.pack("=qqHHi", 1, 2, kind, code, value)


def button_of(folder: Path) -> PowerButton:
    return PowerButton(folder / "dev", folder / "sys")


@pytest.mark.parametrize(
    ("events", "pressed"),
    [
        (event(POWER, 1), True),
        (event(POWER, 1) + event(0, 0, 0) + event(POWER, 0), True),
        (event(POWER, 0), False),
        (event(SLEEP, 1), False),
        (event(POWER, 1, 4), False),
        (event(POWER, 1)[:-1], False),
    ],
)
def test_the_key_counts_when_it_goes_down(tmp_path: Path, events: bytes, pressed: bool) -> None:
    there = device(tmp_path, "event0", KEYS)
    button = button_of(tmp_path)
    assert not button.pressed()
    os.write(there, events)
    assert button.pressed() is pressed
    assert not button.pressed()
    button.close()
    os.close(there)


def test_keyboards_are_not_listened_to(tmp_path: Path) -> None:
    there = device(tmp_path, "event0", "ffffffffffffffff")
    button = button_of(tmp_path)
    os.write(there, event(POWER, 1))
    assert not button.pressed()
    button.close()
    os.close(there)


def test_a_machine_without_a_button_or_with_one_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert not button_of(tmp_path).pressed()
    os.close(device(tmp_path, "event0", KEYS))
    (tmp_path / "dev/event0").unlink()
    os.close(device(tmp_path, "event1", "none"))
    assert not button_of(tmp_path).pressed()
