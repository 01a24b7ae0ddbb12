"""The writer of packages: the same bytes for the same files, everything root's, parents before children."""

from tests.deb.package_reading import read_package
from tools.deb.archive import package
from tools.deb.tree import File

CONTROL = [File("control", b"Package: x\n"), File.program("postinst", b"#!/bin/sh\n")]
DATA = [File("usr/share/x/deep/odd", b"123"), File.program("usr/bin/x", b"#!/bin/sh\n"), File("etc/x", b"")]


def test_the_order_in_which_files_are_given_changes_nothing() -> None:
    first = package(CONTROL, DATA, epoch=1_700_000_000, level=0)
    assert package(CONTROL[::-1], DATA[::-1], epoch=1_700_000_000, level=0) == first


def test_what_was_put_in_is_read_again_with_modes_and_time() -> None:
    found = read_package(package(CONTROL, DATA, epoch=1_700_000_000, level=0))
    assert found.content == {file.path: file.content for file in DATA}
    assert {path: found.entries[path].mode for path in found.content} == {file.path: file.mode for file in DATA}
    assert found.control["control"] == b"Package: x\n"
    assert {entry.mtime for entry in found.entries.values()} == {1_700_000_000}


def test_everything_belongs_to_root_and_folders_are_open_to_readers() -> None:
    entries = read_package(package(CONTROL, DATA, epoch=0, level=0)).entries
    assert {(each.uid, each.gid, each.uname, each.gname) for each in entries.values()} == {(0, 0, "root", "root")}
    assert {entry.mode for entry in entries.values() if entry.isdir()} == {0o755}


def test_a_folder_comes_before_what_is_in_it() -> None:
    names = [*read_package(package(CONTROL, DATA, epoch=0, level=0)).entries]
    assert names.index("usr") < names.index("usr/share/x") < names.index("usr/share/x/deep/odd")
