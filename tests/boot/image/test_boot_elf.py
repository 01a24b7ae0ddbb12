"""Which libraries programs need, in a tree that is not this machine's."""

import platform
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.image.elf import Elf, closure, read_elf, resolve
from runtime.errors import FailedError
from tests.boot.image.small_elf import ARM64, linked

LOADER = "/lib64/ld-linux-x86-64.so.2"
AT = "usr/lib/x86_64-linux-gnu"


def put(tree: Path, name: str, content: bytes = b"") -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_bytes(content)


def test_a_file_says_its_machine_its_loader_and_what_it_needs_in_order() -> None:
    found = read_elf(linked(["libz.so.1", "libc.so.6"], LOADER))
    assert found == Elf("x86_64", ("libz.so.1", "libc.so.6"), LOADER)
    assert read_elf(linked([], machine=ARM64)) == Elf("arm64", (), "")
    assert read_elf(linked([], machine=8)).machine == ""


def test_the_interpreter_that_runs_this_test_is_read_too() -> None:
    found = read_elf(Path(sys.executable).resolve().read_bytes())
    assert found.machine == {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    assert "ld-linux" in found.interpreter
    assert any(name.startswith("libc.so") for name in found.needed)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_whatever_is_no_sound_file_is_refused_in_words(tail: bytes, cut: int) -> None:
    whole = linked(["libc.so.6"], LOADER)
    for content in (tail, b"\x7fELF\x02\x01" + tail, whole[: min(cut, len(whole) - 1)]):
        with pytest.raises(FailedError, match="no sound ELF file"):
            read_elf(content)


def test_absolute_links_mean_the_root_of_the_tree(tmp_path: Path) -> None:
    put(tmp_path, "lib/x86_64-linux-gnu/ld.so", b"theirs")
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64/ld.so").symlink_to("/lib/x86_64-linux-gnu/ld.so")
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/lib").symlink_to("../lib")
    assert resolve(tmp_path, "/lib64/ld.so") == tmp_path / "lib/x86_64-linux-gnu/ld.so"
    assert resolve(tmp_path, "usr/lib/x86_64-linux-gnu/ld.so") == tmp_path / "lib/x86_64-linux-gnu/ld.so"


def test_no_link_leads_out_of_the_tree_and_none_for_ever(tmp_path: Path) -> None:
    (tmp_path / "shell").symlink_to("/bin/sh")
    (tmp_path / "up").symlink_to("../../../../../../../../bin/sh")
    (tmp_path / "loop").symlink_to("loop")
    assert [resolve(tmp_path, name) for name in ("shell", "up", "loop", "nothing")] == [None] * 4


def test_the_closure_has_what_libraries_need_and_the_loader_under_the_names_that_are_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "lib/x86_64-linux-gnu/libz.so.1.2.13", linked(["libc.so.6"]))
    (tmp_path / "lib/x86_64-linux-gnu/libz.so.1").symlink_to("libz.so.1.2.13")
    put(tmp_path, f"{AT}/libc.so.6", linked(["ld-linux-x86-64.so.2"]))
    put(tmp_path, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", linked())
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64/ld-linux-x86-64.so.2").symlink_to("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    found = closure(tmp_path, "x86_64", [("python", linked(["libz.so.1"], LOADER))])
    assert set(found) == {"lib/x86_64-linux-gnu/libz.so.1", f"{AT}/libc.so.6", "lib64/ld-linux-x86-64.so.2"}
    assert found["lib/x86_64-linux-gnu/libz.so.1"] == linked(["libc.so.6"])


def test_a_library_that_no_package_has_is_named_with_who_needs_it(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match=r"kexec: needs libxenctrl\.so\.4\.17, which no package of the image has"):
        closure(tmp_path, "x86_64", [("kexec", linked(["libxenctrl.so.4.17"]))])


def test_a_library_for_another_machine_is_refused(tmp_path: Path) -> None:
    put(tmp_path, f"{AT}/libc.so.6", linked(machine=ARM64))
    with pytest.raises(FailedError, match=r"libc\.so\.6: is made for arm64, not for x86_64"):
        closure(tmp_path, "x86_64", [("python", linked(["libc.so.6"]))])


def test_what_wheels_bring_beside_them_is_not_looked_for(tmp_path: Path) -> None:
    assert closure(tmp_path, "x86_64", [("x.so", linked(["libown-1.so"]))], brought={"libown-1.so"}) == {}
