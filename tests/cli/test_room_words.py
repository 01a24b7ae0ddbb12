"""`rooms export`, `import` and `burn` and the PIN as they are typed: files, confirmations, what is left behind."""

from pathlib import Path

import pytest

from tests.cli.program import Owner, inside, orlop


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("correct horse\n")
    return path


def words(home: Path, *line: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    ran = inside(home, [str(word) for word in line], stdin=stdin, cwd=home)
    return ran.code, ran.text, ran.talk


def test_a_room_goes_into_a_file_and_comes_back(alone: Path, tmp_path: Path, secret: Path) -> None:
    out = tmp_path / "harbor.room"
    assert words(alone, "rooms", "create", "harbor")[0] == 0
    assert words(alone, "rooms", "say", "harbor", "hello")[0] == 0
    assert words(alone, "rooms", "export", "harbor", out, "--passphrase-file", secret)[::2] == (0, "")
    assert out.stat().st_mode & 0o777 == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".orlop")]
    code, _, talk = words(alone, "rooms", "export", "harbor", out, "--passphrase-file", secret)
    assert (code, "exists already" in talk) == (2, True)
    code, _, talk = words(alone, "rooms", "import", out, "--passphrase-file", secret)
    assert (code, "the room is here already" in talk) == (1, True)
    assert words(alone, "rooms", "burn", "harbor", "--yes")[0] == 0
    assert words(alone, "rooms", "import", out, "--passphrase-file", secret, "--name", "again")[0] == 0
    assert "hello" in words(alone, "rooms", "show", "again")[1]


def test_an_export_that_fails_leaves_no_file(alone: Path, tmp_path: Path, secret: Path) -> None:
    out = tmp_path / "none.room"
    assert words(alone, "rooms", "export", "nowhere", out, "--passphrase-file", secret)[0] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"secret"}


def test_burning_asks_for_the_name_where_somebody_can_answer(alone: Path) -> None:
    assert words(alone, "rooms", "create", "pier")[0] == 0
    code, _, talk = words(alone, "rooms", "burn", "pier", stdin=b"pier\n")
    assert (code, "asks for confirmation, and there is no terminal" in talk) == (2, True)
    assert "pier" in words(alone, "rooms", "list")[1]


def test_while_it_is_locked_every_process_is_refused_with_one_line(owner: Owner, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("493027\n")
    home = owner.home
    assert orlop(home, "rooms", "create", "locked-room").code == 0
    assert orlop(home, "pin", "set", "--pin-file", str(pin)).code == 0
    assert orlop(home, "lock").text == "locked\n"
    try:
        ran = orlop(home, "rooms", "show", "locked-room")
        assert (ran.code, ran.out) == (1, b"")
        assert ran.talk == "orlop: rooms show: the screen is locked; orlop unlock asks for the PIN\n"
        assert orlop(home, "jobs", "list").code == 0
    finally:
        assert orlop(home, "unlock", "--pin-file", str(pin)).text == "unlocked\n"
    assert orlop(home, "rooms", "show", "locked-room").code == 0
