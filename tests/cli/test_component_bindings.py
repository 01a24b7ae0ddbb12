"""`components bindings` by the real program: a header is printed or written; other languages have their own tools."""

import asyncio
from pathlib import Path

import pytest

from console.call import Call
from console.verbs.bindings import bindings
from runtime.errors import UsageError
from tests.cli.program import inside, orlop


def test_a_header_of_c_is_printed_and_needs_no_state_directory(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "components", "bindings", "orlop:core/component")
    assert (ran.code, ran.talk) == (0, "")
    assert ran.text.startswith("// The world orlop:core/component 1.0.0 in C.")
    assert ran.text.endswith("#endif\n")
    assert list(tmp_path.iterdir()) == []


def test_a_header_in_a_folder_is_the_same_and_takes_the_place_of_nothing(tmp_path: Path) -> None:
    words = ["components", "bindings", "orlop:worlds/full"]
    printed = inside(tmp_path, [*words, "--json"], cwd=tmp_path).json
    ran = inside(tmp_path, [*words, "--into", "made"], cwd=tmp_path)
    assert (ran.code, ran.text) == (0, "orlop:worlds/full for c is in made\n")
    assert (tmp_path / "made/orlop.h").read_text() == printed["header"]
    again = inside(tmp_path, [*words, "--into", "made"], cwd=tmp_path)
    assert (again.code, again.talk) == (
        2,
        "orlop: components bindings: made: the folder is not empty; name a new one\n",
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("full", 2, "WORLD: `full` is none of orlop:core/component, orlop:worlds/full, "),
        ("orlop:worlds/full --lang rust", 2, "--lang: `rust` is none of c, python, js"),
        ("orlop:worlds/full --lang js", 2, "needs a folder for what the language's own tool writes; --into FOLDER"),
        ("orlop:worlds/full --lang js --into x", 1, "jco is not installed; npm install -g "),
    ],
)
def test_each_mistake_is_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, said: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = inside(tmp_path, ["components", "bindings", *words.split()], cwd=tmp_path)
    assert (ran.code, ran.out) == (code, b"")
    assert ran.talk.startswith(f"orlop: components bindings: {said}")
    assert ran.talk.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


async def test_a_face_without_a_folder_says_where_to_do_it() -> None:
    stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    call = Call(command="components bindings", args={}, files={}, interrupted=stop, uid=0, face="ui")
    with pytest.raises(UsageError, match="works on files where it is typed; in a shell: orlop components bindings"):
        await bindings(None, call)
