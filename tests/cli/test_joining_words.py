"""`orlop rooms join` without an invitation on the command line, where every process of the machine could read it."""

import json
from pathlib import Path

import pytest

from runtime.rooms.invite import Invite
from tests.cli.program import orlop
from tests.cli.test_on_a_terminal import session

INVITE = Invite(room="ab" * 16, relay="ws://127.0.0.1:9", secret="cd" * 16, creator="ef" * 16, name="far-pier")
HINT = "it is the line that orlop rooms invite printed"


def joined(said: bytes) -> tuple[str, str]:
    document = json.loads(said)
    return document["room"], document["state"]


@pytest.mark.parametrize("given", [f"{INVITE}\n", f"  {INVITE}  ", f"{INVITE}\nnot looked at\n"])
def test_a_hyphen_reads_one_line_from_standard_input(tmp_path: Path, given: str) -> None:
    ran = orlop(tmp_path, "rooms", "join", "-", "--name", "mara", "--json", stdin=given.encode())
    assert (ran.code, joined(ran.out)) == (0, (INVITE.room, "waiting"))
    assert INVITE.secret not in ran.talk
    again = orlop(tmp_path, "rooms", "leave", "far-pier", "--yes", "--json")
    assert (again.code, again.json["room"]) == (0, INVITE.room)


@pytest.mark.parametrize(
    ("given", "code", "why"),
    [
        (b"", 2, f"standard input: no invitation came; {HINT}"),
        (b" \n" + str(INVITE).encode(), 2, f"standard input: no invitation came; {HINT}"),
        (str(INVITE).encode() + b"x" * 2048, 1, "invitation: is longer than 2,048 characters; paste one line only"),
        (b"orlop-room:1:" + bytes(1 << 20), 1, "invitation: is longer than 2,048 characters; paste one line only"),
        (b"\xff\xfe\x1b[2J\n", 1, "invitation: does not begin with `orlop-room:1:`; paste the whole line"),
    ],
    ids=["nothing", "an empty line", "too long", "a million bytes", "no text"],
)
def test_what_is_no_invitation_is_refused_in_one_line(tmp_path: Path, given: bytes, code: int, why: str) -> None:
    ran = orlop(tmp_path, "rooms", "join", "-", stdin=given)
    assert (ran.code, ran.out, ran.talk) == (code, b"", f"orlop: rooms join: {why}\n")
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "rooms", "join", stdin=f"{INVITE}\n".encode())
    why = "asks for an invitation, and there is no terminal; - reads it from stdin"
    assert (ran.code, ran.out, ran.talk) == (2, b"", f"orlop: rooms join: {why}\n")


def test_a_terminal_asks_for_it_and_does_not_show_it(tmp_path: Path) -> None:
    question = b"orlop: invitation (not shown): "
    code, said = session(tmp_path, "rooms", "join", "--json", answers=[(question, f"{INVITE}\n".encode())])
    assert code == 0
    assert b"waiting" in said
    assert INVITE.secret.encode() not in said
    code, said = session(tmp_path, "rooms", "join", answers=[(question, b"\n")])
    assert (code, said.splitlines()[-1]) == (2, f"orlop: rooms join: the terminal: no invitation came; {HINT}".encode())
