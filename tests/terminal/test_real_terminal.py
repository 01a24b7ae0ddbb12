"""The program as an operator has it: in a real terminal, with real keys, on a demo of its own."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import assets
from tests.terminal.tmux import PROGRAM, Terminal

CURSOR = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"

pytestmark = pytest.mark.terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path) as terminal:
        yield terminal


@pytest.fixture
def demo(terminal: Terminal) -> Terminal:
    terminal.orlop("--demo")
    terminal.wait("quiet-harbor")
    return terminal


def outside(tmp_path: Path, *words: str) -> dict[str, object]:
    """What the command line says of the directory that the console holds."""
    command = [str(PROGRAM), "--state-dir", str(tmp_path / ".demo"), *words, "--json"]
    document = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert isinstance(document, dict)
    return document


def test_the_faulty_agent_trips_and_its_three_reasons_are_read(demo: Terminal) -> None:
    demo.wait("1 TRIPPED")
    demo.keys("2")
    demo.wait("faulty +quiet")
    demo.keys("g")
    shown = demo.wait("WHAT YOU CAN DO")
    for reason in ("out of bounds", "call stack", "unreachable"):
        assert reason in shown
    assert "probe" in shown


def test_a_job_is_run_from_the_dialog_and_its_receipt_verified(demo: Terminal) -> None:
    demo.keys("4")
    demo.wait("Jobs ")
    demo.keys("r")
    demo.wait("Run a job")
    demo.type(str(assets.path("jobs/hello/hello.wasm")))
    demo.wait(r"orlop jobs run \S+hello\.wasm")
    demo.focus("Down", "Where")
    demo.focus("Down", "Arguments")
    demo.focus("Down", "Input text")
    demo.type("Hello, World")
    demo.wait("Input text +Hello, World")
    demo.keys("C-s")
    demo.gone("Run a job")
    demo.wait("dlroW ,olleH")
    demo.keys("5")
    demo.wait("IT SAYS")
    demo.keys("V")
    demo.wait("✓ 8 chain")
    assert "valid: this worker says so" in demo.screen


def test_a_module_is_uploaded_activated_restarted_and_deleted(demo: Terminal, tmp_path: Path) -> None:
    demo.keys("2")
    demo.wait("faulty")
    demo.keys("u")
    demo.wait("Upload")
    demo.type(str(assets.path("agents/overdue/overdue.wasm")))
    demo.wait("It asks for read_tasks|It asks for emit_events")
    demo.keys("C-s")
    demo.gone("Upload an agent")
    demo.wait(r"○ overdue")
    demo.keys("/")
    demo.type("overdue")
    demo.keys("Enter")
    demo.wait(rf"{CURSOR} ○ overdue")
    demo.keys("Space")
    demo.wait(r"● overdue +\S+ +active")
    demo.keys("q")
    demo.wait("ended with 0")
    demo.orlop("--demo")
    demo.wait("quiet-harbor")
    demo.keys("2")
    demo.wait(r"● overdue +\S+ +active")
    demo.keys("/")
    demo.type("overdue")
    demo.keys("Enter")
    demo.wait(rf"{CURSOR} ● overdue")
    demo.keys("D")
    demo.wait("Delete")
    demo.keys("Tab", "Enter")
    demo.gone(r"● overdue +\S+ +active")
    items = outside(tmp_path, "agents", "list")["items"]
    assert isinstance(items, list)
    assert "overdue" not in [item["agent"] for item in items]


def test_what_is_built_in_is_listed_and_active_switched_off_and_on_and_never_deleted(demo: Terminal) -> None:
    demo.wait("1 TRIPPED")
    demo.keys("2")
    shown = demo.wait(r"[●◌] unblock +\S+ +(active|standby)")
    assert re.search(r"2 Agents +[1-3]/4", shown)
    assert "u uploads one" not in shown
    demo.keys("/")
    demo.type("unblock")
    demo.keys("Enter")
    demo.wait(rf"{CURSOR} [●◌] unblock")
    demo.wait("built in: part of orlop")
    demo.keys("Space")
    demo.wait(rf"{CURSOR} ○ unblock +\S+ +off")
    demo.keys("Space")
    demo.wait(rf"{CURSOR} [●◌] unblock +\S+ +(active|standby)")
    demo.keys("D")
    demo.wait("cannot be deleted")
    assert "Delete 1 agent" not in demo.screen


def test_the_terminal_is_given_back_as_it_was(demo: Terminal) -> None:
    assert demo.facts("#{alternate_on} #{mouse_any_flag}") == "1 1"
    demo.keys("q")
    demo.wait("ended with 0")
    assert demo.facts("#{alternate_on} #{mouse_any_flag} #{cursor_flag}") == "0 0 1"


def test_every_size_is_survived(demo: Terminal) -> None:
    demo.keys("2")
    demo.wait("auto-balance")
    for columns, rows in ((80, 24), (20, 5), (60, 15), (200, 60), (80, 24)):
        demo.resize(columns, rows)
    demo.wait("faulty")
    demo.resize(120, 40)
    demo.wait("BREAKER")
    demo.keys("q")
    demo.wait("ended with 0")


def test_a_second_one_says_who_holds_the_directory(demo: Terminal, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)", str(PROGRAM), "--demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"TERM": "xterm-256color", "PATH": "/usr/bin"},
    )
    assert run.returncode == 6
    assert "in use by process" in run.stdout


@pytest.mark.parametrize(
    ("environ", "wanted", "unwanted"),
    [
        ({"COLORTERM": "truecolor"}, "38;2;", "\x1b[31m"),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, "quiet-harbor", "38;"),
    ],
    ids=["truecolor", "NO_COLOR"],
)
def test_colours_follow_the_terminal(tmp_path: Path, environ: dict[str, str], wanted: str, unwanted: str) -> None:
    with Terminal(tmp_path, environ=environ) as terminal:
        terminal.orlop("--demo")
        terminal.wait("quiet-harbor")
        shown = terminal.colours
        assert wanted in shown
        assert unwanted not in shown
