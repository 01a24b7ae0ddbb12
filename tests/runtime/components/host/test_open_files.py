"""Open files: positions, limits, modes, quotas, and what is left when they are closed."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.bindings.ext_filesystem_types import FileOpenOptions, FilePermissions
from runtime.components.host.context import HostLimits
from tests.runtime.components.host.frame import Files, case_of, files_in, policy_of, value_of

ALL = {"read": ["/**"], "write": ["/**"], "delete": ["/**"], "list": ["/**"]}
MIB = 1 << 20


def options(mode: str = "read", **changed: Any) -> FileOpenOptions:
    """Options with everything off."""
    values = {"create": False, "create_new": False, "truncate": False, "follow_final_symlink": True} | changed
    return FileOpenOptions(mode=mode, permissions=FilePermissions(mode=0o640), **values)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory at `/data`."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def files(place: Path) -> Iterator[Files]:
    """An instance that may do all in a lent `/data`."""
    files = files_in({"/data": place}, policy_of(**ALL))
    yield files
    files.close()


@pytest.fixture
def kept(place: Path) -> Iterator[Files]:
    """An instance with 100 bytes of its own at `/data`, and two files open at most."""
    limits = HostLimits(filesystem=100, open_files=2)
    files = files_in({"/data": (place, "private")}, policy_of(**ALL), limits)
    yield files
    files.close()


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def opened(files: Files, path: str, mode: str = "read-write", **changed: Any) -> Any:
    """A file, made if it is not there."""
    return value_of(files.filesystem.open(path, options(mode, **({"create": mode != "read"} | changed))))


def test_what_was_written_is_read_from_the_position(files: Files, place: Path) -> None:
    file = opened(files, "/data/f")
    assert value_of(file.write(b"0123456789")).bytes_written == 10
    assert value_of(file.tell()) == 10
    assert value_of(file.seek(-4, "end")) == 6
    result = value_of(file.read(2))
    assert (result.data, result.end_of_file) == (b"67", False)
    result = value_of(file.read(9))
    assert (result.data, result.end_of_file) == (b"89", True)
    assert value_of(file.seek(-1, "current")) == 9
    assert (place / "f").read_bytes() == b"0123456789"


def test_reading_and_writing_at_an_offset_leaves_the_position(files: Files) -> None:
    file = opened(files, "/data/f")
    value_of(file.write_at(3, b"abc"))
    assert value_of(file.tell()) == 0
    assert value_of(file.read_at(2, 3)).data == b"\0ab"
    assert value_of(file.read_at(99, 3)).end_of_file
    assert value_of(file.read(6)).data == b"\0\0\0abc"


def test_two_handles_have_two_positions(files: Files) -> None:
    first, second = opened(files, "/data/f"), opened(files, "/data/f")
    value_of(first.write(b"abc"))
    assert value_of(second.read(9)).data == b"abc"
    assert value_of(first.read(9)).data == b""


def test_appending_always_goes_to_the_end(files: Files, place: Path) -> None:
    file = opened(files, "/data/log", "append")
    value_of(file.write(b"one "))
    (place / "log").write_bytes(b"one two ")
    value_of(file.write(b"three"))
    assert (place / "log").read_bytes() == b"one two three"
    assert case_of(file.write_at(0, b"x")) == "invalid-argument"
    assert case_of(file.read(1)) == "invalid-argument"


def test_the_mode_of_a_handle_bounds_it(files: Files, place: Path) -> None:
    (place / "f").write_bytes(b"abc")
    reading, writing = opened(files, "/data/f", "read"), opened(files, "/data/f", "write")
    refused = [reading.write(b"x"), reading.write_text("x", "utf8"), reading.set_length(0), writing.read(1)]
    assert {case_of(answer) for answer in refused} == {"invalid-argument"}
    assert (place / "f").read_bytes() == b"abc"


@pytest.mark.parametrize(("offset", "origin"), [(-1, "start"), (-1, "current"), (-4, "end"), ((1 << 63) - 1, "end")])
def test_a_position_out_of_the_file_systems_range_is_refused(files: Files, offset: int, origin: str) -> None:
    file = opened(files, "/data/f")
    value_of(file.write_at(0, b"abc"))
    assert case_of(file.seek(offset, origin)) == "invalid-argument"
    assert value_of(file.tell()) == 0


def test_offsets_beyond_the_systems_are_refused(files: Files) -> None:
    file = opened(files, "/data/f")
    answers = [file.read_at(1 << 63, 1), file.write_at((1 << 64) - 1, b"x"), file.set_length(1 << 63)]
    assert {case_of(answer) for answer in answers} == {"invalid-argument"}


def test_a_read_gives_at_most_one_mebibyte(files: Files, place: Path) -> None:
    (place / "f").write_bytes(bytes(MIB + 1))
    result = value_of(opened(files, "/data/f", "read").read((1 << 32) - 1))
    assert (len(result.data), result.end_of_file) == (MIB, False)


def test_text_is_never_cut_within_a_character(files: Files) -> None:
    file = opened(files, "/data/f")
    value_of(file.write_text("aé€😀", "utf8"))
    value_of(file.seek(0, "start"))
    read = []
    while True:
        result = value_of(file.read_text(4, "utf8"))
        read.append(result.text)
        if result.end_of_file:
            break
    assert read == ["aé", "€", "😀"]


@given(text=st.text("aé€😀\n", max_size=60), size=st.integers(4, 9))
def test_text_comes_back_whole_whatever_the_pieces(tmp_path: Path, text: str, size: int) -> None:
    files = files_in({"/": tmp_path}, policy_of(**ALL))
    try:
        file = opened(files, "/text", truncate=True)
        value_of(file.write_text(text, "utf8"))
        value_of(file.seek(0, "start"))
        pieces = []
        while not (result := value_of(file.read_text(size, "utf8"))).end_of_file:
            pieces.append(result.text)
        assert "".join([*pieces, result.text]) == text
    finally:
        files.close()


def test_text_that_is_none_or_does_not_fit_is_refused(files: Files, place: Path) -> None:
    (place / "latin").write_bytes("é".encode("latin-1"))
    (place / "cut").write_bytes("é".encode()[:1])
    (place / "long").write_text("😀")
    assert case_of(opened(files, "/data/latin", "read").read_text(9, "utf8")) == "not-utf8"
    assert case_of(opened(files, "/data/cut", "read").read_text(9, "utf8")) == "not-utf8"
    assert case_of(opened(files, "/data/long", "read").read_text(3, "utf8")) == "invalid-argument"


def test_bytes_travel_as_base64(files: Files, place: Path) -> None:
    file = opened(files, "/data/f")
    every = bytes(range(256))
    value_of(file.write_text(base64.b64encode(every).decode(), "base64"))
    assert (place / "f").read_bytes() == every
    value_of(file.seek(0, "start"))
    result = value_of(file.read_text(256, "base64"))
    assert (base64.b64decode(result.text), result.end_of_file) == (every, True)
    assert case_of(file.write_text("no base64!", "base64")) == "invalid-argument"


def test_the_length_is_set_and_made_durable(files: Files, place: Path) -> None:
    file = opened(files, "/data/f")
    value_of(file.write(b"abcdef"))
    value_of(file.set_length(2))
    value_of(file.set_length(4))
    value_of(file.sync())
    assert (place / "f").read_bytes() == b"ab\0\0"
    assert value_of(file.metadata()).size == 4
    assert value_of(file.metadata()).path == "/data/f"


def test_a_closed_file_answers_closed_to_everything(files: Files) -> None:
    file = opened(files, "/data/f")
    value_of(file.close())
    answers = [
        file.close(),
        file.read(1),
        file.read_at(0, 1),
        file.read_text(1, "utf8"),
        file.write(b""),
        file.write_at(0, b""),
        file.write_text("", "utf8"),
        file.seek(0, "start"),
        file.tell(),
        file.set_length(0),
        file.sync(),
        file.metadata(),
    ]
    assert {case_of(answer) for answer in answers} == {"closed"}
    assert files.context.handles.count("file") == 0


def test_a_file_that_is_dropped_twice_closes_once(files: Files) -> None:
    file = opened(files, "/data/f")
    number = files.context.handles.number_of(file)
    files.context.handles.drop(number)
    again = os.open("/", os.O_RDONLY)
    files.context.handles.drop(number)
    file.end("closed")
    os.fstat(again)
    os.close(again)
    assert case_of(file.read(1)) == "closed"


def test_a_deleted_file_lives_until_it_is_closed(kept: Files) -> None:
    file = opened(kept, "/data/f")
    value_of(file.write(bytes(90)))
    value_of(kept.filesystem.delete_file("/data/f"))
    assert kept.filesystem.quota().used_bytes == 90
    assert case_of(kept.filesystem.write_file_atomic("/data/g", bytes(20))) == "quota-exceeded"
    assert value_of(file.read_at(0, 9)).data == bytes(9)
    value_of(file.close())
    assert kept.filesystem.quota().used_bytes == 0


def test_only_so_many_files_are_open(kept: Files) -> None:
    first, second = opened(kept, "/data/a"), opened(kept, "/data/b")
    assert case_of(kept.filesystem.open("/data/c", options("write", create=True))) == "resource-exhausted"
    assert value_of(kept.filesystem.exists("/data/c")) is False
    value_of(first.close())
    opened(kept, "/data/c")
    assert kept.filesystem.quota().open_files == 2
    second.end("closed")


def test_the_quota_counts_what_files_grow_and_shrink_by(kept: Files, place: Path) -> None:
    file = opened(kept, "/data/f")
    value_of(file.write(bytes(60)))
    value_of(file.write_at(0, bytes(60)))
    assert kept.filesystem.quota().used_bytes == 60
    assert case_of(file.write(bytes(41))) == "quota-exceeded"
    assert (place / "f").stat().st_size == 60
    assert case_of(file.set_length(101)) == "quota-exceeded"
    value_of(file.set_length(10))
    assert kept.filesystem.quota().used_bytes == 10
    value_of(file.write_at(90, bytes(10)))
    assert kept.filesystem.quota().used_bytes == 100
    opened(kept, "/data/f", truncate=True)
    assert kept.filesystem.quota().used_bytes == 0


def test_the_quota_of_a_new_run_counts_what_the_last_one_left(kept: Files, place: Path) -> None:
    value_of(kept.filesystem.write_file_atomic("/data/f", bytes(70)))
    os.link(place / "f", place / "same")
    again = files_in({"/data": (place, "private")}, policy_of(**ALL), HostLimits(filesystem=100))
    try:
        assert again.filesystem.quota().used_bytes == 70
        assert case_of(again.filesystem.write_file_atomic("/data/g", bytes(31))) == "quota-exceeded"
        assert sorted(path.name for path in place.iterdir()) == ["f", "same"]
    finally:
        again.close()


def test_what_a_crash_left_of_a_write_is_gone_at_the_next_start(place: Path) -> None:
    left, young = place / ".orlop-0123456789abcdef.part", place / ".orlop-fedcba9876543210.part"
    for path in (left, young):
        path.write_bytes(bytes(50))
    os.utime(left, (0, 0))
    files = files_in({"/data": (place, "private")}, policy_of(**ALL))
    try:
        assert (left.exists(), young.exists()) == (False, True)
        assert files.filesystem.quota().used_bytes == 50
    finally:
        files.close()


def test_what_no_policy_would_open_any_more_is_closed(files: Files) -> None:
    kept, denied = opened(files, "/data/a"), opened(files, "/data/b")
    files.context.replace_policy(policy_of(2, **ALL, deny_all=["/data/b"]))
    assert files.context.adopt_policy() == 1
    value_of(kept.write(b"x"))
    answer = denied.write(b"x")
    assert case_of(answer) == "closed"
    assert answer.error.reason == "the permission that opened it was taken back"


def test_the_end_of_an_instance_closes_everything(place: Path) -> None:
    before = descriptors()
    files = files_in({"/data": place}, policy_of(**ALL))
    for number in range(5):
        opened(files, f"/data/{number}")
    files.close()
    assert descriptors() == before
