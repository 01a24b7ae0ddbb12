"""Bad input to what people say about rooms with others: one clear line that names it, the right status, no change."""

from pathlib import Path

import pytest

from tests.cli.program import inside

ZEROS = "0" * 32
RELAY = "d3M6Ly94"
"""`ws://x` as an invitation has it."""

WHOLE = "paste the whole line"
ADDRESS = "write wss://relay.example, or ws://127.0.0.1:8484"
NAME = "none of them invisible, and no blanks around them"
JOIN = f"orlop-room:1:{ZEROS}:{RELAY}:{ZEROS}:{ZEROS}:eA"


@pytest.fixture(scope="module")
def harbor(home: Path) -> Path:
    """A home with the room `harbor`, which meets nowhere, and files beside it."""
    (home / "right").write_text("correct horse\n")
    (home / "wrong").write_text("another horse\n")
    (home / "none").write_text("")
    (home / "text").write_text("no room at all\n" * 100)
    (home / "letters").write_text("abcdef\n")
    (home / "short").write_text("12345\n")
    assert inside(home, ["rooms", "create", "harbor"], cwd=home).code == 0
    assert inside(home, ["rooms", "export", "harbor", "harbor.room", "--passphrase-file", "right"], cwd=home).code == 0
    whole = (home / "harbor.room").read_bytes()
    (home / "cut.room").write_bytes(whole[:-20])
    return home


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        # invitations
        (["rooms", "join", ""], 1, f"invitation: does not begin with `orlop-room:1:`; {WHOLE}"),
        (["rooms", "join", "nonsense"], 1, f"invitation: does not begin with `orlop-room:1:`; {WHOLE}"),
        (["rooms", "join", "x" * 5_000], 1, f"invitation: does not begin with `orlop-room:1:`; {WHOLE}"),
        (["rooms", "join", JOIN.replace(":1:", ":2:", 1)], 1, "invitation: does not begin with `orlop-room:1:`"),
        (["rooms", "join", "orlop-room:1:"], 1, f"invitation: has 1 parts behind its beginning, not 5; {WHOLE}"),
        (["rooms", "join", JOIN[:60]], 1, WHOLE),
        (["rooms", "join", JOIN.replace(RELAY, "!!!")], 1, f"invitation: its relay is not base64url; {WHOLE}"),
        (["rooms", "join", JOIN.replace(ZEROS, "XYZ", 1)], 1, "invitation: its room has not 32 hexadecimal characters"),
        (["rooms", "join", JOIN, "--name", "x" * 33], 2, f"--name: has 1 to 32 characters, {NAME}"),
        (["rooms", "join", JOIN, "--name", "a\x1b[2Jb"], 2, f"--name: has 1 to 32 characters, {NAME}"),
        # relays
        (["rooms", "create", "pier", "--relay", "ws://"], 2, f"ws://: is not the address of a relay; {ADDRESS}"),
        (["rooms", "create", "pier", "--relay", "nowhere"], 2, f"nowhere: is not the address of a relay; {ADDRESS}"),
        (["rooms", "create", "pier", "--relay", "ws://h:99999"], 2, f"is not the address of a relay; {ADDRESS}"),
        (["rooms", "create", "pier", "--relay", "ws://[::1"], 2, f"is not the address of a relay; {ADDRESS}"),
        (["rooms", "create", "pier", "--relay", "\x1b[2J"], 2, "\\x1b[2J: is not the address of a relay"),
        (["rooms", "create", "pier", "--relay", "ws://u:p@h"], 2, "has a user, a query or a fragment"),
        (["rooms", "create", "pier", "--relay", "ws://h/?x"], 2, "has a user, a query or a fragment"),
        (["rooms", "invite", "harbor", "--relay", "ftp://x"], 2, f"ftp://x: is not the address of a relay; {ADDRESS}"),
        (["rooms", "invite", "harbor"], 2, "harbor: has no relay, so nobody can meet there"),
        (["rooms", "rotate", "harbor"], 2, "harbor: has no relay, so nobody can meet there"),
        (["rooms", "relay", "--bind", "nowhere"], 2, "--bind nowhere: is not HOST:PORT; write 127.0.0.1:8484"),
        (["rooms", "relay", "--per-address", "0"], 2, "--per-address: `0` is too small"),
        # names
        (["rooms", "create", ""], 2, f"room name: must have 1 to 64 characters, {NAME}"),
        (["rooms", "create", "x" * 65], 2, f"room name: must have 1 to 64 characters, {NAME}"),
        (["rooms", "create", "a\x1bb"], 2, f"room name: must have 1 to 64 characters, {NAME}"),
        (["rooms", "invite", "nowhere"], 1, "nowhere: no such room"),
        (["rooms", "members", "nowhere"], 1, "nowhere: no such room"),
        (["rooms", "leave", "nowhere", "--yes"], 1, "nowhere: no such room"),
        (["rooms", "reclock", "nowhere"], 1, "nowhere: no such room"),
        (["rooms", "burn", "nowhere", "--yes"], 1, "nowhere: no such room"),
        (["rooms", "keep", "nowhere"], 1, "nowhere: no such room"),
        (["rooms", "undo", "nowhere"], 1, "nowhere: no such room"),
        (["rooms", "verify", "harbor", "nobody"], 1, "nobody: is not a member of the room"),
        (["rooms", "remove", "harbor", "nobody", "--yes"], 1, "nobody: is not a member of the room"),
        (["rooms", "set", "harbor", "colour=red"], 2, "colour"),
        (["rooms", "set", "harbor", "history=never"], 2, "history"),
        (["rooms", "set", "harbor", "history"], 2, "`'history'` is not K=V; write NAME=VALUE"),
        # files
        (
            ["rooms", "import", "harbor.room", "--passphrase-file", "wrong"],
            1,
            "the file: the passphrase does not fit",
        ),
        (["rooms", "import", "text", "--passphrase-file", "right"], 1, "the file: is no room of orlop"),
        (["rooms", "import", "cut.room", "--passphrase-file", "right"], 1, "the file: "),
        (["rooms", "import", "harbor.room", "--passphrase-file", "none"], 2, "none: holds no passphrase"),
        (["rooms", "import", "missing", "--passphrase-file", "right"], 2, "missing: no such file or directory"),
        (["rooms", "import", ".", "--passphrase-file", "right"], 2, "is a directory"),
        # PINs
        (["pin", "set", "--pin-file", "letters"], 2, "6 digits"),
        (["pin", "set", "--pin-file", "short"], 2, "6 digits"),
        (["pin", "set", "--pin-file", "missing"], 2, "missing: no such file or directory"),
        (["lock"], 1, "no PIN is set, so nobody could unlock it; orlop pin set sets one"),
    ],
)
def test_it_is_said_in_one_line_and_changes_nothing(harbor: Path, line: list[str], code: int, said: str) -> None:
    before = inside(harbor, ["rooms", "list", "--json"], cwd=harbor).json
    ran = inside(harbor, line, cwd=harbor)
    assert (ran.code, ran.out) == (code, b""), ran
    assert ran.talk.startswith("orlop: ")
    assert ran.talk.count("\n") == 1
    assert ran.talk[:-1].isprintable()
    assert said in ran.talk
    assert inside(harbor, ["rooms", "list", "--json"], cwd=harbor).json == before
