"""Members: reading them, and finding the one that an agent or a person means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import AmbiguousError, NotFoundError, RefusedError
from runtime.rooms.members import Member, agent_actor, member_to_json, parse_members, resolve_member, runner_of

ROOM = "0" * 32


def member(key: str, name: str = "") -> Member:
    return Member(identity_key=key, display_name=name or key)


def test_a_cut_key_is_resolved_in_full() -> None:
    keys = ["A" * 43, "B" * 43]
    assert resolve_member("B" * 36, map(member, keys)).identity_key == "B" * 43


def test_a_whole_key_wins_over_longer_ones_that_begin_like_it() -> None:
    assert resolve_member("bobb", [member("bobby"), member("bobb")]).identity_key == "bobb"


def test_several_with_the_same_beginning_are_ambiguous() -> None:
    with pytest.raises(AmbiguousError, match="bobby"):
        resolve_member("bobb", [member("bobby"), member("bobbi")])


@pytest.mark.parametrize("text", ["", "bo", "carol"])
def test_nobody_fits(text: str) -> None:
    with pytest.raises(NotFoundError, match="not a member"):
        resolve_member(text, [member("bobby")])


def test_names_count_only_when_asked() -> None:
    ann = member("K" * 43, "Ann")
    assert resolve_member("Ann", [ann], names=True) is ann
    with pytest.raises(NotFoundError):
        resolve_member("Ann", [ann])


def test_members_survive_json_and_names_are_cut() -> None:
    members = [member("a", "Ann"), member("b", "B" * 40)]
    assert parse_members([member_to_json(one) for one in members]) == (members[0], member("b", "B" * 32))


@pytest.mark.parametrize(
    "value",
    [
        {},
        "x",
        [1],
        [{}],
        [{"identityKey": "a"}],
        [{"identityKey": "", "displayName": ""}],
        [member_to_json(member("a"))] * 2,
    ],
)
def test_members_are_read_strictly(value: Any) -> None:
    with pytest.raises(RefusedError, match="members"):
        parse_members(value)


@pytest.mark.parametrize(
    ("actor", "runner"),
    [
        ("alice", "alice"),
        (agent_actor(ROOM, "auto-balance", "alice"), "alice"),
        (agent_actor("1" * 32, "auto-balance", "alice"), ""),
        (f"agent:{ROOM}:@alice", ""),
        (f"agent:{ROOM}@alice", ""),
        ("agent:alice", ""),
    ],
)
def test_who_answers_for_an_actor(actor: str, runner: str) -> None:
    assert runner_of(actor, ROOM) == runner


@given(st.text(max_size=80))
def test_only_a_well_formed_agent_has_another_runner(actor: str) -> None:
    assert runner_of(actor, ROOM) == actor or actor.startswith("agent:")
