"""A room's settings: what its creator may change, into what, and what comes of it."""

from typing import Any

import pytest

from runtime.rooms.autodelete import Keep
from runtime.rooms.settings import ADMISSIONS, HISTORIES, RoomSettings, changed, fits, is_invite

SECRET = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"history": "all"},
        {"history": "joined"},
        {"invite": SECRET},
        {"invite": ""},
        {"auto_delete": True},
        {"require_signed": False},
        {"auto_delete": False, "require_signed": True, "history": "all", "invite": SECRET},
    ],
)
def test_a_creator_may_change(changes: dict[str, Any]) -> None:
    assert fits(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "other"},
        {"admission": "open"},
        {"ephemeral": True},
        {"burned": True},
        {"keep": None},
        {"history": "some"},
        {"history": None},
        {"invite": "short"},
        {"invite": None},
        {"auto_delete": 1},
        {"require_signed": "yes"},
        {"history": "all", "colour": "blue"},
    ],
)
def test_a_creator_may_not_change_one_thing_too_many(changes: dict[str, Any]) -> None:
    assert not fits(changes)


@pytest.mark.parametrize("text", ["", SECRET])
def test_a_secret_has_32_characters_or_none(text: str) -> None:
    assert is_invite(text)


@pytest.mark.parametrize("value", [None, 7, "ab", SECRET[:-1], SECRET + "0", SECRET.upper(), "g" * 32, "é" * 32])
def test_anything_else_is_no_secret(value: Any) -> None:
    assert not is_invite(value)


def test_a_change_leaves_the_rest_as_it_was() -> None:
    before = RoomSettings(name="harbor", history="joined", invite=SECRET, keep=Keep(5, None))
    after = changed(before, {"history": "all", "auto_delete": True})
    assert (after.history, after.auto_delete) == ("all", True)
    assert (after.name, after.invite, after.keep) == (before.name, before.invite, before.keep)
    assert before.history == "joined"


def test_all_of_them_are_in_the_canonical_state() -> None:
    settings = RoomSettings(name="harbor", invite=SECRET, keep=Keep(5, 9), burned=True)
    assert settings.to_json() == {
        "name": "harbor",
        "history": "joined",
        "ephemeral": False,
        "admission": "invite",
        "invite": SECRET,
        "auto_delete": False,
        "require_signed": False,
        "keep": {"ts_ms": 5, "until_ms": 9},
        "burned": True,
    }
    assert settings.to_json().keys() == set(RoomSettings.__slots__)


def test_a_new_room_lets_in_by_invitation_and_tells_newcomers_what_is_said_from_then_on() -> None:
    settings = RoomSettings()
    assert settings.history in HISTORIES
    assert settings.admission in ADMISSIONS
    assert (settings.history, settings.admission, settings.keep) == ("joined", "invite", None)
