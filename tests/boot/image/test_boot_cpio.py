"""Archives for the kernel, read by another reader than the one that images are checked with."""

import stat
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.image.cpio import Entry, archive, device, directory, link, plain, program

NAMES = st.text("abcXYZ019._-é", min_size=1, max_size=12).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@dataclass(frozen=True)
class Read:
    name: str
    number: int
    mode: int
    owner: tuple[int, int]
    links: int
    time: int
    node: tuple[int, int]
    content: bytes


def read(raw: bytes) -> list[Read]:
    """As cpio(5) says it, field by field."""
    found, at = [], 0
    while True:
        assert raw[at : at + 6] == b"070701"
        number, mode, uid, gid, links, time, size, _, _, major, minor, length, check = (
            int(raw[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)
        )
        name = raw[at + 110 : at + 110 + length]
        assert name.endswith(b"\0")
        assert check == 0
        begin = (at + 110 + length + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            assert not raw[begin:].strip(b"\0")
            return found
        content = raw[begin : begin + size]
        found.append(Read(name[:-1].decode(), number, mode, (uid, gid), links, time, (major, minor), content))
        at = (begin + size + 3) // 4 * 4


def written(*entries: Entry) -> bytes:
    return b"".join(archive(entries))


def test_every_kind_of_entry_is_read_back_as_it_was_given() -> None:
    raw = written(
        plain("etc/root", b"key"),
        program("init", b"#!/bin/x\n"),
        link("usr/lib/ssl/cert.pem", "/etc/ssl/certs"),
        device("dev/console", 5, 1),
        directory("tmp", 0o1777),
    )
    entries = {entry.name: entry for entry in read(raw)}
    assert entries["etc/root"].content == b"key"
    assert entries["etc/root"].mode == stat.S_IFREG | 0o644
    assert entries["init"].mode == stat.S_IFREG | 0o755
    assert entries["usr/lib/ssl/cert.pem"].mode == stat.S_IFLNK | 0o777
    assert entries["usr/lib/ssl/cert.pem"].content == b"/etc/ssl/certs"
    assert (entries["dev/console"].mode, entries["dev/console"].node) == (stat.S_IFCHR | 0o600, (5, 1))
    assert (entries["tmp"].mode, entries["tmp"].links) == (stat.S_IFDIR | 0o1777, 2)


def test_folders_that_entries_need_are_made_and_come_before_them() -> None:
    names = [entry.name for entry in read(written(plain("usr/lib/x/y", b"")))]
    assert names == ["usr", "usr/lib", "usr/lib/x", "usr/lib/x/y"]


def test_nothing_of_the_building_machine_is_in_it() -> None:
    entries = read(written(plain("b", b"2"), plain("a", b"1")))
    assert [entry.name for entry in entries] == ["a", "b"]
    assert [entry.number for entry in entries] == [1, 2]
    assert {(entry.owner, entry.time) for entry in entries} == {((0, 0), 0)}


def test_an_archive_ends_at_a_block_of_512_bytes() -> None:
    assert len(written(plain("a", b"1" * 700))) % 512 == 0


@given(st.dictionaries(PATHS, st.binary(max_size=40), max_size=6), st.randoms())
def test_the_order_in_which_entries_come_does_not_matter(contents: dict[str, bytes], chance: Random) -> None:
    files = {name: content for name, content in contents.items() if not any(o.startswith(f"{name}/") for o in contents)}
    entries = [plain(name, content) for name, content in files.items()]
    first = written(*entries)
    chance.shuffle(entries)
    assert written(*entries) == first
    assert {entry.name: entry.content for entry in read(first) if stat.S_ISREG(entry.mode)} == files


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../b", "a//b", "a/", "", ".", "a\0b", "TRAILER!!!"])
def test_a_name_that_is_no_path_below_the_root_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match="no path in an archive"):
        written(plain(name, b""))


def test_a_name_that_comes_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="etc/x comes twice"):
        written(plain("etc/x", b"1"), plain("etc/x", b"2"))
