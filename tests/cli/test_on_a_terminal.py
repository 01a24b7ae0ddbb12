"""What is asked on a terminal, and what is shown on one: a real pseudo-terminal, the real program."""

from pathlib import Path

from tests import hostile
from tests.cli.program import ROOT, orlop
from tests.cli.terminal_session import session


def test_deleting_is_asked_for(tmp_path: Path) -> None:
    unblock = ROOT / "assets/agents/unblock"
    assert orlop(tmp_path, "rooms", "create", "harbor").code == 0
    words = ("agents", "upload", "harbor", str(unblock / "unblock.wasm"), "--manifest", str(unblock / "unblock.json"))
    assert orlop(tmp_path, *words, "--grant", "all").code == 0
    question = b"orlop: agents delete unblock? There is no undo. [y/N] "
    code, said = session(tmp_path, "agents", "delete", "unblock", answers=[(question, b"\n")])
    assert (code, said.splitlines()[-1]) == (1, b"orlop: agents delete: not confirmed, nothing was done")
    code, said = session(tmp_path, "agents", "delete", "unblock", answers=[(question, b"yes\n")])
    assert (code, said.splitlines()[-1]) == (0, b"unblock: deleted")


def test_init_asks_for_a_passphrase_twice_and_shows_none(tmp_path: Path) -> None:
    first, again = b"passphrase (empty for none): ", b"once more: "
    code, said = session(tmp_path, "init", answers=[(first, b"correct horse\n"), (again, b"wrong horse\n")])
    assert code == 2
    assert b"the two passphrases differ" in said
    code, said = session(tmp_path, "init", answers=[(first, b"correct horse\n"), (again, b"correct horse\n")])
    assert code == 0
    assert b"kept under a passphrase" in said
    assert b"horse" not in said
    (tmp_path / "secret").write_text("correct horse")
    assert orlop(tmp_path, "rooms", "create", "harbor", "--passphrase-file", "secret").code == 0


def test_init_takes_no_passphrase_for_an_answer(tmp_path: Path) -> None:
    code, said = session(tmp_path, "init", answers=[(b"(empty for none): ", b"\n")])
    assert code == 0
    assert b"kept without a passphrase" in said


def test_output_of_a_job_is_harmless_on_a_terminal_and_whole_on_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "escapes.wasm"
    path.write_bytes(hostile.job("writes_escapes"))
    job = orlop(tmp_path, "jobs", "run", str(path), "--json").json["job"]
    assert orlop(tmp_path, "jobs", "logs", job).out == b"\x1b[2J\x1b]0;pwn\x07\xff\xfe\r\n"
    code, said = session(tmp_path, "jobs", "logs", job, answers=[])
    assert code == 0
    assert said.startswith(b"\\x1b[2J\\x1b]0;pwn\\x07")
    assert b"\x1b" not in said
