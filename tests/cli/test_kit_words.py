"""`agents new` and `agents build` by the real program: what they print, what they refuse, and that nothing is lost."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console.call import Call
from console.client import Result
from console.verbs.kit import build, new
from runtime.agents import toolchain
from runtime.errors import UsageError
from tests.cli.program import ROOT, inside, orlop

OVERDUE = ROOT / "assets/agents/overdue"


def test_a_folder_is_made_and_named_with_what_comes_next(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "agents", "new", "night-watch")
    assert (ran.code, ran.talk) == (0, "")
    assert ran.text.splitlines()[0] == "agent  night-watch"
    assert ran.text.splitlines()[2] == "next   orlop agents build night-watch"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night-watch"], "no state directory"
    document = inside(tmp_path, ["agents", "new", "z", "--lang", "zig", "--json"], cwd=tmp_path).json
    assert document["files"] == ["z/z.zig", "z/agent.toml", "z/tasks.json"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("agents new there", 1, "orlop: agents new: there: exists already, and nothing was changed\n"),
        ("agents new ../up", 1, 'orlop: agents new: Invalid agent manifest: Manifest.name "../up" must be 1 to 32 of'),
        ("agents new x --lang rust", 2, "orlop: agents new: --lang: `rust` is none of c, zig"),
        ("agents new x --read-only", 1, "orlop: agents new: changes something, and this is --read-only\n"),
        ("agents build nowhere", 2, "orlop: agents build: nowhere: is no folder; orlop agents new makes one\n"),
        ("agents build there", 1, "orlop: agents build: there/agent.toml: no such file; orlop agents new makes a "),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_and_changes_nothing(tmp_path: Path, words: str, code: int, said: str) -> None:
    (tmp_path / "there").mkdir()
    ran = inside(tmp_path, words.split(), cwd=tmp_path)
    assert (ran.code, ran.out) == (code, b"")
    assert ran.talk.startswith(said)
    assert ran.talk.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_without_the_compiler_one_line_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(tmp_path, ["agents", "new", "mine"], cwd=tmp_path)
    monkeypatch.setattr(toolchain, "PACKAGE", "no_such_package")
    ran = inside(tmp_path, ["agents", "build", "mine"], cwd=tmp_path)
    assert ran.code == 1
    assert ran.talk == (
        "orlop: agents build: the compiler no_such_package is not installed; "
        "pip install no_such_package==0.17.0, 400 MB, into the Python that runs orlop\n"
    )


def test_a_finished_module_of_another_compiler_is_taken_and_passes_the_same_checks(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(OVERDUE / "overdue.wasm", folder / "mine.wasm")
    (folder / "agent.toml").write_text('name = "mine"\nversion = "1"\ndescription = ""\nauthor = "Mara"\n')
    ran = inside(tmp_path, ["agents", "build", "mine", "--json"], cwd=tmp_path)
    assert ran.code == 0, ran.talk
    assert ran.json["symbols"] is None
    words = ["agents", "try", ran.json["module"], "--manifest", ran.json["manifest"], "--ticks", "2", "--json"]
    tried = inside(tmp_path, words, cwd=tmp_path)
    assert tried.code == 0
    assert len(tried.json["calls"]) == 3
    assert json.loads((folder / "mine.json").read_text())["author"] == "Mara"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = inside(tmp_path, ["agents", "build", "file"], cwd=tmp_path)
    assert ran.talk == "orlop: agents build: file: is no folder; orlop agents new makes one\n"


@pytest.mark.parametrize(("name", "handler"), [("new", new), ("build", build)])
async def test_another_face_is_sent_to_a_shell(name: str, handler: Callable[[object, Call], Awaitable[Result]]) -> None:
    """A core has no folder that the operator stands in, and opens no path that a client names."""
    call = Call(
        command=f"agents {name}",
        args={"name": "x", "folder": "x"},
        files={},
        interrupted=asyncio.get_running_loop().create_future(),
        uid=0,
        face="ui",
    )
    with pytest.raises(UsageError, match=f"works on files where it is typed; in a shell: orlop agents {name}"):
        await handler(None, call)
