import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.invite import Invite, InviteError, invite_proof, new_secret, parse_invite, proof_fits

ROOM, SECRET, CREATOR = "ab" * 16, "cd" * 16, "ef" * 16
INVITE = Invite(room=ROOM, relay="ws://127.0.0.1:8484", secret=SECRET, creator=CREATOR, name="harbor")


def test_an_invitation_is_one_line_that_is_read_back() -> None:
    text = str(INVITE)
    assert text == f"orlop-room:1:{ROOM}:d3M6Ly8xMjcuMC4wLjE6ODQ4NA:{SECRET}:{CREATOR}:aGFyYm9y"
    assert parse_invite(f"  {text}\n") == INVITE


@given(
    name=st.text(max_size=64).filter(lambda text: text.encode(errors="replace").decode() == text),
    relay=st.sampled_from(["", "ws://relay.example", "wss://relay.example:8443/deep/", "ws://[::1]:8484"]),
)
def test_any_name_and_any_relay_travel(name: str, relay: str) -> None:
    invite = Invite(room=ROOM, relay=relay, secret=SECRET, creator=CREATOR, name=name)
    assert parse_invite(str(invite)) == invite
    assert str(invite).isascii()
    assert "\n" not in str(invite)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin with `orlop-room:1:`"),
        ("https://example.org", "does not begin with"),
        (str(INVITE) + "x" * 3000, "is longer than 2,048 characters"),
        (str(INVITE).rpartition(":")[0], "has 4 parts"),
        (str(INVITE) + ":more", "has 6 parts"),
        (str(INVITE).replace(ROOM, ROOM.upper()), "its room has not 32"),
        (str(INVITE).replace(SECRET, SECRET[:-1]), "its secret has not 32"),
        (str(INVITE).replace(CREATOR, CREATOR + "0"), "its creator has not 32"),
        (str(INVITE) + "=", "its name is not base64url"),
        (str(INVITE).replace("d3M6", "!!!!"), "its relay is not base64url"),
    ],
)
def test_anything_else_is_refused_by_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(InviteError, match=f"invitation: {why}"):
        parse_invite(text)


@pytest.mark.parametrize(
    "relay",
    [
        "http://relay.example", "file:///etc/passwd", "ws://", "ws://a b", "ws://user@host", "ws://h:99999", "ws://[",
        "ws://h\u00e9", "ws://" + "x" * 600,
    ],
)  # fmt: skip
def test_a_relay_is_the_address_of_a_web_socket(relay: str) -> None:
    with pytest.raises(InviteError, match="its relay is not"):
        parse_invite(str(Invite(room=ROOM, relay=relay, secret=SECRET, creator=CREATOR, name="harbor")))


def test_the_secret_is_not_shown_by_accident() -> None:
    assert SECRET not in repr(INVITE)


def test_a_proof_is_good_for_one_secret_one_room_one_sender_and_one_target() -> None:
    ann, bea, cid = "A" * 43, "B" * 43, "C" * 43
    proof = invite_proof(SECRET, ROOM, ann, bea)
    assert proof_fits(proof, SECRET, ROOM, ann, bea)
    assert not proof_fits(proof, new_secret(), ROOM, ann, bea)
    assert not proof_fits(proof, SECRET, "00" * 16, ann, bea)
    assert not proof_fits(proof, SECRET, ROOM, bea, ann)
    assert not proof_fits(proof, SECRET, ROOM, ann, cid)
    assert not proof_fits("é", SECRET, ROOM, ann, bea)
    assert not proof_fits(invite_proof("", ROOM, ann, bea), "", ROOM, ann, bea)


def test_secrets_are_fresh() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
