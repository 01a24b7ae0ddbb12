"""The kit with its compiler: what `agents new` makes builds with one command, and runs as a newcomer would expect.

Needs `ziglang`, which is 400 MB: run by `make test-kit`.
"""

import json
import re
from pathlib import Path

import pytest

import assets
from tests.assets.trying import ANN, HOUR, NOW, task
from tests.cli.program import Ran, orlop

pytestmark = pytest.mark.kit


def made(home: Path, name: str, *options: str) -> Path:
    assert orlop(home, "agents", "new", name, *options).code == 0
    return home / name


def tried(home: Path, name: str, *options: str) -> Ran:
    place = f"{name}/{name}"
    return orlop(home, "agents", "try", f"{place}.wasm", "--manifest", f"{place}.json", "--json", *options)


@pytest.mark.parametrize("language", ["c", "zig"])
def test_a_template_builds_with_one_command_and_runs(tmp_path: Path, language: str) -> None:
    folder = made(tmp_path, "mine", "--lang", language)
    ran = orlop(tmp_path, "agents", "build", "mine", "--json")
    assert (ran.code, ran.talk) == (0, "")
    assert ran.json["permissions"] == ["read_tasks", "emit_events"]
    (folder / "tasks.json").write_text(
        json.dumps([task("a", dueAt=NOW - HOUR), task("b", blockedBy=["a"]), task("c", blockedBy=["a"])])
    )
    ran = tried(tmp_path, "mine", "--tasks", "mine/tasks.json", "--now", str(NOW))
    assert ran.code == 0, ran.talk
    assert [one["taskId"] for one in ran.json["calls"][1]["emitted"]] == ["a"]


def test_the_command_makes_the_bytes_that_are_shipped(tmp_path: Path) -> None:
    folder = made(tmp_path, "overdue")
    assert orlop(tmp_path, "agents", "build", "overdue").code == 0
    assert (folder / "overdue.wasm").read_bytes() == assets.path("agents/overdue/overdue.wasm").read_bytes()
    assert (
        json.loads((folder / "overdue.json").read_text())["wasmHash"]
        in assets.path("agents/overdue/overdue.json").read_text()
    )


def test_two_builds_in_two_places_are_the_same(tmp_path: Path) -> None:
    modules = []
    for place in ("here", "there/deeper"):
        (tmp_path / place).mkdir(parents=True)
        orlop(tmp_path, "agents", "new", "mine", cwd=tmp_path / place)
        assert orlop(tmp_path, "agents", "build", f"{place}/mine").code == 0
        modules.append((tmp_path / place / "mine" / "mine.wasm").read_bytes())
    assert modules[0] == modules[1]


def test_a_trap_is_told_by_name_with_the_module_that_has_symbols(tmp_path: Path) -> None:
    folder = made(tmp_path, "mine")
    source = (
        '#include "orlop_agent.h"\nstatic __attribute__((noinline)) void deep(int *p) { if (*p) __builtin_trap(); }\n'
    )
    source += "ORLOP_EXPORT(init) void init(void) { int one = 1; deep(&one); }\n"
    source += "ORLOP_EXPORT(on_task_event) void on_task_event(void) {}\nORLOP_EXPORT(on_tick) void on_tick(void) {}\n"
    (folder / "mine.c").write_text(source)
    built = orlop(tmp_path, "agents", "build", "mine", "--json").json
    ran = tried(tmp_path, "mine", "--symbols", built["symbols"])
    assert ran.code == 1
    assert re.search(r"unreachable.* at deep", ran.json["calls"][0]["error"])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("int x", "expected ';' after top level declarator"),
        ('#include "nowhere.h"\n', "'nowhere.h' file not found"),
        (
            '#include "orlop_agent.h"\nORLOP_EXPORT(init) void init(void) { foo(); }',
            "call to undeclared function 'foo'",
        ),
    ],
)
def test_what_does_not_compile_is_said_in_one_line_under_the_compilers_own(
    tmp_path: Path, source: str, says: str
) -> None:
    folder = made(tmp_path, "mine")
    assert orlop(tmp_path, "agents", "build", "mine").code == 0
    before = (folder / "mine.wasm").read_bytes()
    (folder / "mine.c").write_text(source)
    ran = orlop(tmp_path, "agents", "build", "mine")
    assert (ran.code, ran.out) == (1, b"")
    last = ran.talk.splitlines()[-1]
    assert last.startswith("orlop: agents build: mine.c: does not compile: mine.c:")
    assert says in last
    assert (folder / "mine.wasm").read_bytes() == before, "nothing is written"


def test_an_agent_without_a_tick_is_refused_by_name(tmp_path: Path) -> None:
    folder = made(tmp_path, "mine")
    (folder / "mine.c").write_text('#include "orlop_agent.h"\nORLOP_EXPORT(init) void init(void) {}\n')
    ran = orlop(tmp_path, "agents", "build", "mine")
    assert ran.code == 1
    assert "Missing required export: on_task_event" in ran.talk
    assert not (folder / "mine.wasm").exists()


def test_a_file_in_the_folder_never_takes_the_place_of_the_compiler(tmp_path: Path) -> None:
    folder = made(tmp_path, "mine")
    (folder / "ziglang.py").write_text("raise SystemExit(3)")
    assert orlop(tmp_path, "agents", "build", "mine").code == 0


def test_kit_an_agent_written_from_the_documentation_alone_works(tmp_path: Path) -> None:
    """As a newcomer wrote it, from docs/reference/agent-abi.md and the comments of the header: all twelve functions."""
    folder = made(tmp_path, "newcomer")
    (folder / "newcomer.c").write_bytes((Path(__file__).parent / "kit" / "newcomer.c").read_bytes())
    built = orlop(tmp_path, "agents", "build", "newcomer", "--json")
    assert built.code == 0, built.talk
    assert built.json["permissions"] == ["read_tasks", "read_members", "emit_events", "persist_state"]
    (folder / "tasks.json").write_text(
        json.dumps([task("a", title='Say "hi"'), task("b", blockedBy=["a"], description="x"), task("c", assignee=ANN)])
    )
    (folder / "members.json").write_text(json.dumps([{"identityKey": ANN, "displayName": "Ann"}]))
    event = {"type": "task_created", "taskId": "a", "task": {"title": "t"}, "timestamp": NOW, "actorId": ANN}
    (folder / "event.json").write_text(json.dumps(event))
    files = [word for name in ("tasks", "members", "event") for word in (f"--{name}", f"newcomer/{name}.json")]
    ran = tried(tmp_path, "newcomer", *files, "--now", str(NOW), "--ticks", "2", "--feedback")
    assert ran.code == 0, ran.talk
    init, told, first, second = ran.json["calls"]
    assert init["log"] == ["hello, it is 1700000000000"]
    assert told["log"] == ["task_created of a"]
    assert [call["dropped"] for call in ran.json["calls"]] == [[], [], [], []]
    assert [(one["type"], one["taskId"], one["task"]) for one in first["emitted"]] == [
        ("task_urgency_changed", "a", {"urgent": True}),
        ("task_assigned", "a", {"assignee": ANN}),
        ("task_created", "tally", {"title": "3 tasks, 1 member", "description": 'first: Say "hi"'}),
    ]
    assert second["emitted"] == []
    assert second["log"] == ["tick 2"]
    assert ran.json["state_hex"] == "02000000"
