"""What peers are called: by name, else by what tells a PeerId apart; harmless in any case."""

import pytest

from console.petnames import giver, job_place, petname, petname_with_id, short_peer
from net.peer_id import PeerId
from tests.console.ui.anchorage import key_of, peer_id

ADA = peer_id("ada")
SHORT = f"{ADA[8:12]}…{ADA[-4:]}"


def test_a_peer_is_called_by_its_name_else_by_a_part_of_its_peer_id() -> None:
    assert (short_peer(ADA), petname("", ADA), petname("ada", ADA)) == (SHORT, SHORT, "ada")


def test_where_there_is_room_the_peer_id_stands_beside_the_name() -> None:
    assert (petname_with_id("ada", ADA), petname_with_id("", ADA)) == (f"ada {SHORT}", SHORT)


def test_names_and_peer_ids_are_harmless() -> None:
    for said in (petname("a\x1b[31m", ADA), petname_with_id("a\x1b[31m", ADA), short_peer("\x1b[31mx")):
        assert "\x1b" not in said


@pytest.mark.parametrize(
    ("where", "submitter", "said"),
    [
        ("local", "self", "local"),
        (ADA, "self", f"<{ADA}>"),
        ("local", key_of("ada").hex(), f"← <{ADA}>"),
    ],
)
def test_a_job_is_here_at_a_peer_or_from_one(where: str, submitter: str, said: str) -> None:
    assert job_place(where, submitter, lambda peer: f"<{peer}>") == said


def test_only_a_key_gives_jobs() -> None:
    assert giver(key_of("ada").hex()) == str(PeerId(key_of("ada")))
    for other in ("self", "z" * 64, "00" * 31):
        assert giver(other) == ""
