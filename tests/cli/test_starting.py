"""How the program starts and refuses to: nothing imported too early, no screen without a terminal, one line each."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from console._version import __version__
from tests.cli.program import ROOT, Ran, command, environment, modules_of, orlop

HEAVY = {"textual", "rich", "wasmtime", "cryptography", "vodozemac", "asyncio", "sqlite3"}


def test_the_version_loads_nothing(tmp_path: Path) -> None:
    assert orlop(tmp_path, "--version") == Ran(0, f"orlop {__version__}\n".encode(), b"")
    loaded = modules_of(tmp_path, "--version")
    assert {name for name in loaded if name.startswith(("console", "runtime"))} == {
        "console", "console.__main__", "console._version",
    }  # fmt: skip
    assert not loaded & (HEAVY | {"argparse", "dataclasses"})


@pytest.mark.parametrize("words", [["--help"], ["jobs", "run", "--help"], ["help", "rooms"], ["completion", "bash"]])
def test_help_loads_no_core(tmp_path: Path, words: list[str]) -> None:
    loaded = modules_of(tmp_path, *words)
    assert not loaded & (HEAVY - {"sqlite3"})
    assert "console.core" not in loaded


def test_status_loads_neither_engine_nor_cryptography(home: Path) -> None:
    assert not modules_of(home, "status", "--json") & (HEAVY - {"sqlite3"})


@pytest.mark.parametrize(
    "words",
    [["jobs", "run", str(ROOT / "assets/jobs/hello/hello.wasm")], ["jobs", "list"], ["--no-ui", "--for", "0s"]],
)
def test_nothing_but_the_screen_loads_textual(tmp_path: Path, words: list[str]) -> None:
    loaded = modules_of(tmp_path, *words)
    assert "console.core" in loaded
    assert not loaded & {"textual", "rich"}


def test_a_command_through_an_owner_loads_no_core(owned: Path) -> None:
    loaded = modules_of(owned, "jobs", "list")
    assert "console.remote" in loaded
    assert not loaded & (HEAVY - {"sqlite3", "asyncio"})
    assert "console.core" not in loaded


@pytest.mark.parametrize("term", ["xterm-256color", "dumb", ""])
def test_no_screen_without_a_terminal(tmp_path: Path, term: str) -> None:
    ran = orlop(tmp_path, env={"TERM": term})
    assert ran == Ran(2, b"", b"orlop: no terminal here; use --no-ui, or ssh -t; orlop --help lists commands\n")
    assert list(tmp_path.iterdir()) == []


def test_no_screen_on_a_dumb_terminal(tmp_path: Path) -> None:
    main, ours = os.openpty()
    process = subprocess.Popen(
        command(), stdin=ours, stdout=ours, stderr=ours, env=environment(tmp_path, TERM="dumb"), cwd=tmp_path
    )
    os.close(ours)
    assert process.wait(30) == 2
    said = os.read(main, 4096)
    os.close(main)
    assert said == b"orlop: this terminal cannot show a screen (TERM=dumb); use --no-ui, or ssh -t\r\n"


@pytest.mark.parametrize("flag", ["--until x", "--for 1s", "--events x", "--since 1", "--content", "--fail-on-trip"])
def test_options_of_the_stream_need_no_ui(tmp_path: Path, flag: str) -> None:
    ran = orlop(tmp_path, *flag.split())
    assert (ran.code, ran.talk) == (2, f"orlop: {flag.split(maxsplit=1)[0]}: needs --no-ui\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rom"], "orlop: rom: unknown command; did you mean rooms?\n"),
        (["--stat-dir", "x", "rooms", "list"], "orlop: --stat-dir: unknown option; did you mean --state-dir?\n"),
        (["rooms", "say", "x", b"\xff\xfe"], "orlop: rooms say: TEXT: not valid UTF-8\n"),
        ([b"\xff"], "orlop: \\udcff: unknown command; see orlop --help\n"),
        (["a\x1b[2Jb"], "orlop: a\\x1b[2Jb: unknown command; see orlop --help\n"),
    ],
)
def test_usage_errors_are_one_line_and_2(tmp_path: Path, words: list[str | bytes], said: str) -> None:
    assert orlop(tmp_path, *words) == Ran(2, b"", said.encode())
    ran = orlop(tmp_path, "--json", *words)
    assert (ran.code, ran.err) == (2, said.encode())
    assert set(ran.json["error"]) == {"code", "text", "hint"}
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_asked_without_a_terminal(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "agents", "delete", "x")
    assert (ran.code, ran.out) == (2, b"")
    assert ran.talk == "orlop: agents delete: asks for confirmation, and there is no terminal; --yes answers it\n"


def test_read_only_refuses_what_changes_anything(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "--read-only", "rooms", "create", "x")
    assert (ran.code, ran.talk) == (1, "orlop: rooms create: changes something, and this is --read-only\n")
    assert list(tmp_path.iterdir()) == []


def test_the_directory_is_made_once_and_said(tmp_path: Path) -> None:
    first = orlop(tmp_path, "jobs", "list")
    assert first.code == 0
    where = tmp_path / ".local/state/orlop"
    assert first.talk == f"orlop: made the state directory {where}; orlop init says what is in it\n"
    assert orlop(tmp_path, "jobs", "list").err == b""
    assert where.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == [".local"]


def test_init_makes_three_secrets_and_says_who_this_is(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "init", "--yes", "--json")
    document = ran.json
    assert (ran.code, ran.err, document["made"], document["protected"]) == (0, b"", True, False)
    assert document["peer_id"].startswith("12D3KooW")
    assert len(document["member"]) == 43
    again = orlop(tmp_path, "init", "--json")
    assert (again.code, again.json) == (0, document | {"made": False})


def test_a_passphrase_protects_the_vault(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    state = ["--state-dir", str(tmp_path / "state")]
    assert orlop(tmp_path, "init", *state, "--passphrase-file", str(secret), "--json").json["protected"] is True
    without = orlop(tmp_path, "init", *state)
    assert (without.code, without.out) == (1, b"")
    assert "is wrapped under a passphrase; name a file that holds it with --passphrase-file" in without.talk
    assert orlop(tmp_path, "init", *state, env={"CREDENTIALS_DIRECTORY": str(tmp_path)}).code == 1
    (tmp_path / "orlop.passphrase").write_text("correct horse")
    assert orlop(tmp_path, "init", *state, env={"CREDENTIALS_DIRECTORY": str(tmp_path)}).code == 0
    secret.write_text("wrong")
    assert orlop(tmp_path, "init", *state, "--passphrase-file", str(secret)).code == 1
    assert orlop(tmp_path, "init", *state, "--passphrase-file", "nowhere").code == 2
    assert orlop(tmp_path, "status", *state).code == 0


def test_status_of_nothing_makes_nothing(tmp_path: Path) -> None:
    document = orlop(tmp_path, "status", "--json").json
    assert list(document) == [
        "v", "running", "pid", "version", "state_dir", "node", "peer_id", "listen", "uptime_s", "seq", "agents",
        "jobs", "components", "receipts", "storage",
    ]  # fmt: skip
    assert (document["running"], document["listen"], document["peer_id"]) == (False, [], None)
    assert list(tmp_path.iterdir()) == []


def test_status_of_a_running_owner(owned: Path, request: pytest.FixtureRequest) -> None:
    owner = request.getfixturevalue("owner")
    document = orlop(owned, "status", "--json").json
    started = owner.records[0]
    assert (document["running"], document["pid"]) == (True, owner.process.pid)
    assert document["peer_id"] == started["peer_id"]
    assert document["seq"] >= started["seq"]


def test_a_second_owner_says_who_holds_the_directory(owned: Path, request: pytest.FixtureRequest) -> None:
    ran = orlop(owned, "--no-ui", "--for", "1s")
    assert (ran.code, ran.out) == (6, b"")
    assert f"in use by process {request.getfixturevalue('owner').process.pid}" in ran.talk


@pytest.mark.parametrize(
    ("words", "out"),
    [(["schema"], "json"), (["completion", "zsh"], "text"), (["completion", "fish"], "text"), (["doctor"], "text")],
)
def test_commands_without_a_directory_make_none(tmp_path: Path, words: list[str], out: str) -> None:
    ran = orlop(tmp_path, *words)
    assert (ran.code, ran.err) == (0, b"")
    assert ran.json if out == "json" else ran.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(tmp_path: Path, streams: str) -> None:
    line = " ".join(str(word) for word in command("init", "--yes"))
    environ = environment(tmp_path)
    done = subprocess.run(
        ["bash", "-c", f"{line} {streams}"], capture_output=True, env=environ, cwd=tmp_path, timeout=60, check=False
    )
    closed_out = ">&-" in streams.replace("2>&-", "")
    assert done.returncode == (1 if closed_out else 0)
    assert b"Traceback" not in done.stdout + done.stderr
    assert orlop(tmp_path, "status", "--json").json["peer_id"].startswith("12D3KooW")


def test_a_full_disk_behind_stdout_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("schema"), stdout=full, stderr=subprocess.PIPE, env=environment(tmp_path), timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"orlop: schema: standard output: could not be written: No space left on device\n"


def test_a_reader_who_leaves_is_no_error(tmp_path: Path) -> None:
    line = " ".join(str(word) for word in command("schema"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} | head -c 1"],
        capture_output=True,
        env=environment(tmp_path),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"{", b"")


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    assert b"Traceback" not in orlop(tmp_path, "rom").err
    assert b"Traceback" in orlop(tmp_path, "--debug", "rom").err
    assert b"Traceback" in orlop(tmp_path, "rom", env={"ORLOP_DEBUG": "1"}).err


def test_names_are_completed_live(home: Path) -> None:
    done = orlop(home, "jobs", "run", str(ROOT / "assets/jobs/hello/hello.wasm"), "--json")
    job = done.json["job"]
    assert orlop(home, "__complete", "job", job[:5]).text.split() == [job]
    assert orlop(home, "__complete", "job", "zz") == Ran(0, b"", b"")
    assert orlop(home, "__complete", "nothing", "") == Ran(0, b"", b"")
    assert orlop(home, "__complete") == Ran(0, b"", b"")


def test_completion_of_a_broken_directory_is_silent(tmp_path: Path) -> None:
    state = tmp_path / ".local/state/orlop"
    state.mkdir(parents=True, mode=0o700)
    (state / "orlop.db").write_bytes(b"junk")
    assert orlop(tmp_path, "__complete", "room", "") == Ran(0, b"", b"")


def test_schema_is_json_schema(tmp_path: Path) -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(json.loads(orlop(tmp_path, "schema").out))
