"""Which modules an image carries: those that are loaded, now or later, and no others."""

import sys
from pathlib import Path

import pytest

from boot.image import bytecode
from boot.image.bytecode import compile_tree
from boot.image.imports import deferred, loaded_modules
from runtime.errors import FailedError, UnavailableError

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = Path(sys.modules["os"].__file__ or "").parent


@pytest.fixture
def this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte code is that of whichever Python runs the tests."""
    monkeypatch.setattr(bytecode, "PYTHON", sys.version_info[:2])


def test_imports_inside_functions_are_found_and_those_for_types_are_not() -> None:
    source = """\
from typing import TYPE_CHECKING
import os
if TYPE_CHECKING:
    import textual
def one():
    import a.b
    def two():
        from c import d
async def three():
    from e.f import g as h
"""
    assert sorted(set(deferred(source))) == ["a.b", "c", "e.f"]


def test_what_ours_imports_only_when_it_needs_it_is_loaded_too(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/__init__.py").touch()
    (tmp_path / "boot/first.py").write_text("def later():\n    from boot import second\n    import boot.second\n")
    (tmp_path / "boot/second.py").write_text("def later():\n    import colorsys\n")
    (tmp_path / "boot/never.py").touch()
    names = {module.name for module in loaded_modules(["boot.first"], [LIBRARY, tmp_path])}
    assert {"boot", "boot.first", "boot.second", "colorsys", "encodings.utf_8"} <= names
    assert "boot.never" not in names


def test_the_verifier_needs_nothing_of_the_screen_or_the_engine() -> None:
    folders = [LIBRARY, ROOT, *(Path(name) for name in sys.path if name.endswith("site-packages"))]
    names = {module.name for module in loaded_modules(["boot.trust.verifier", "boot.fetch.release"], folders)}
    tops = {name.partition(".")[0] for name in names}
    assert {"boot", "runtime", "cryptography"} <= tops
    assert not {"console", "textual", "rich", "wasmtime", "aiohttp"} & tops


def test_a_module_that_is_missing_is_named() -> None:
    with pytest.raises(FailedError, match=r"modules of the image: .*No module named 'boot'"):
        loaded_modules(["boot.trust"], [LIBRARY])


@pytest.mark.usefixtures("this_python")
def test_byte_code_takes_the_place_of_sources_and_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    compiled = []
    for name in ("here", "there"):
        folder = tmp_path / name / "lib/orlop"
        folder.mkdir(parents=True)
        (folder / "one.py").write_text('"""Said."""\nNAMES = frozenset({"a", "b", "c", "d"})\nassert NAMES\n')
        compile_tree(tmp_path / name, "", alone=True)
        assert [file.name for file in folder.iterdir()] == ["one.pyc"]
        compiled.append((folder / "one.pyc").read_bytes())
    assert compiled[0] == compiled[1]
    assert b"/lib/orlop/one.py" in compiled[0]
    assert str(tmp_path).encode() not in compiled[0]
    assert b"Said." not in compiled[0]
    assert compiled[0][4:8] == b"\x01\0\0\0"  # by hash, never checked


@pytest.mark.usefixtures("this_python")
def test_byte_code_lies_beside_sources_that_stay(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text('"""Said."""\n')
    compile_tree(tmp_path, "usr/lib/orlop")
    compiled = tmp_path / f"__pycache__/one.{sys.implementation.cache_tag}.pyc"
    assert b"/usr/lib/orlop/one.py" in compiled.read_bytes()
    assert (tmp_path / "one.py").exists()


@pytest.mark.usefixtures("this_python")
def test_a_source_that_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def\n")
    with pytest.raises(FailedError, match="byte code"):
        compile_tree(tmp_path, "", alone=True)


def test_another_python_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "PYTHON", (3, 9))
    with pytest.raises(UnavailableError, match=r"is written by CPython 3\.11, this is cpython 3\.\d+; run orlop with"):
        compile_tree(tmp_path, "")
