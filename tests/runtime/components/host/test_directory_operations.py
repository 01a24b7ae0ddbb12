"""Directories and trees: order, pages, limits, branches that may not be seen, and names that are no text."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.components.bindings.core_types import Timestamp
from runtime.components.values import Ok
from tests.runtime.components.host.frame import Files, RememberingCore, case_of, files_in, policy_of, value_of

ALL = {"read": ["/**"], "write": ["/**"], "delete": ["/**"], "list": ["/**"]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A small tree, given as `/`."""
    for name in ("b/two", "a/one", "a/deep/er", "ä"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/x.txt").write_bytes(b"12345")
    (tmp_path / "a/deep/y.txt").write_bytes(b"123")
    (tmp_path / "z.bin").write_bytes(b"1")
    os.link(tmp_path / "z.bin", tmp_path / "b/same.bin")
    (tmp_path / "b/loop").symlink_to("../b")
    return tmp_path


@pytest.fixture
def files(place: Path) -> Iterator[Files]:
    """An instance that may do all."""
    files = files_in({"/": place}, policy_of(**ALL))
    yield files
    files.close()


def test_a_directory_is_listed_in_the_order_of_bytes(files: Files) -> None:
    listing = value_of(files.metadata.list_directory("/", None))
    assert [(entry.name, entry.entry_type) for entry in listing.entries] == [
        ("a", "directory"),
        ("b", "directory"),
        ("z.bin", "regular"),
        ("ä", "directory"),
    ]
    assert (listing.directory_path, listing.next) == ("/", None)
    assert [entry.entry_type for entry in value_of(files.metadata.list_directory("/b", None)).entries] == [
        "symlink",
        "regular",
        "directory",
    ]
    assert case_of(files.metadata.list_directory("/z.bin", None)) == "not-a-directory"


def test_a_large_directory_comes_in_pages(files: Files, place: Path) -> None:
    (place / "many").mkdir()
    for number in range(2500):
        (place / f"many/{number:04}").touch()
    names, after, sizes = [], None, []
    while True:
        page = value_of(files.metadata.list_directory("/many", after))
        names += [entry.name for entry in page.entries]
        sizes.append(len(page.entries))
        after = page.next
        if after is None:
            break
    assert sizes == [1000, 1000, 500]
    assert names == [f"{number:04}" for number in range(2500)]


def test_a_name_that_is_no_text_is_shown_noted_and_not_opened(files: Files, place: Path) -> None:
    bad = os.fsencode(place) + b"/b/\xff.txt"
    Path(os.fsdecode(bad)).write_bytes(b"")
    Path(os.fsdecode(os.fsencode(place) + b"/b/\xfe")).mkdir()
    Path(os.fsdecode(os.fsencode(place) + b"/b/\xfe/inside")).write_bytes(b"")
    answer = files.context.call(
        "metadata.list-directory",
        lambda: files.metadata.list_directory("/b", None),
        lambda _: pytest.fail("a fault"),
        hot=False,
    )
    names = [entry.name for entry in value_of(answer).entries]
    assert names == ["loop", "same.bin", "two", "\ufffd", "\ufffd.txt"]
    files.context.audit.flush()
    core = files.context.core
    assert isinstance(core, RememberingCore)
    assert core.records()[-1]["target"] == "/b (2 names are not UTF-8)"
    assert case_of(files.filesystem.read_file("/b/\ufffd.txt")) == "not-found"
    assert case_of(files.filesystem.remove_directory_recursive("/b")) == "not-utf8"
    found = value_of(files.metadata.list_recursive("/b", 9, 99))
    assert [entry.path for entry in found.entries] == ["loop", "same.bin", "two", "\ufffd", "\ufffd.txt"]


def test_a_tree_is_listed_depth_first_and_no_link_is_followed(files: Files) -> None:
    listing = value_of(files.metadata.list_recursive("/", 64, 10_000))
    assert [(entry.path, entry.depth) for entry in listing.entries] == [
        ("a", 1),
        ("a/deep", 2),
        ("a/deep/er", 3),
        ("a/deep/y.txt", 3),
        ("a/one", 2),
        ("a/x.txt", 2),
        ("b", 1),
        ("b/loop", 2),
        ("b/same.bin", 2),
        ("b/two", 2),
        ("z.bin", 1),
        ("ä", 1),
    ]
    assert not listing.truncated


@pytest.mark.parametrize(
    ("depth", "limit", "count", "truncated"),
    [(0, 9, 0, False), (1, 9, 4, False), (64, 5, 5, True), (64, 12, 12, False)],
)
def test_a_tree_is_bounded(files: Files, depth: int, limit: int, count: int, truncated: bool) -> None:
    listing = value_of(files.metadata.list_recursive("/", depth, limit))
    assert (len(listing.entries), listing.truncated) == (count, truncated)


def test_a_tree_deeper_than_64_levels_is_cut_and_says_so(files: Files, place: Path) -> None:
    (place / "deep" / "/".join(["d"] * 70)).mkdir(parents=True)
    listing = value_of(files.metadata.list_recursive("/deep", (1 << 32) - 1, 10_000))
    assert (len(listing.entries), listing.truncated) == (64, True)


def test_more_than_ten_thousand_entries_are_cut_and_said_so(files: Files, place: Path) -> None:
    (place / "many").mkdir()
    directory = os.open(place / "many", os.O_RDONLY)
    for number in range(10_001):
        os.symlink("x", str(number), dir_fd=directory)
    os.close(directory)
    listing = value_of(files.metadata.list_recursive("/many", 9, (1 << 32) - 1))
    assert (len(listing.entries), listing.truncated) == (10_000, True)
    usage = value_of(files.metadata.directory_size("/many"))
    assert (usage.files, usage.truncated) == (10_000, True)
    assert case_of(files.filesystem.remove_directory_recursive("/many")) == "resource-exhausted"
    assert case_of(files.filesystem.rename("/many", "/more")) == "resource-exhausted"
    assert len(list((place / "many").iterdir())) == 10_001


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.txt", ["a/deep/y.txt", "a/x.txt"]),
        ("*.bin", ["z.bin"]),
        ("*/?.txt", ["a/x.txt"]),
        ("**", None),
        ("nothing", []),
    ],
)
def test_files_are_found_by_a_pattern(files: Files, pattern: str, found: list[str] | None) -> None:
    listing = value_of(files.metadata.find_files("/", pattern, 99))
    paths = [entry.path for entry in listing.entries]
    assert paths == found if found is not None else len(paths) == 12


@pytest.mark.parametrize("pattern", ["../x", "[a]", "/a", "a/", "**x"])
def test_a_pattern_that_is_none_is_refused(files: Files, pattern: str) -> None:
    assert case_of(files.metadata.find_files("/", pattern, 9)) == "invalid-argument"


def test_entries_of_a_type_are_found(files: Files) -> None:
    links = value_of(files.metadata.find_by_type("/", "symlink", 9))
    assert [entry.path for entry in links.entries] == ["b/loop"]
    cut = value_of(files.metadata.find_by_type("/", "directory", 2))
    assert (len(cut.entries), cut.truncated) == (2, True)


def test_a_branch_that_may_not_be_listed_is_left_out(place: Path) -> None:
    files = files_in({"/": place}, policy_of(**ALL, deny_list=["/a/**"]))
    try:
        listing = value_of(files.metadata.list_recursive("/", 9, 99))
        assert [entry.path for entry in listing.entries] == ["a", "b", "b/loop", "b/same.bin", "b/two", "z.bin", "ä"]
        assert value_of(files.metadata.directory_size("/")).bytes == 1
        assert case_of(files.metadata.list_directory("/a", None)) == "permission-denied"
    finally:
        files.close()


def test_a_size_counts_hard_links_once(files: Files) -> None:
    usage = value_of(files.metadata.directory_size("/"))
    assert (usage.bytes, usage.files, usage.directories, usage.truncated) == (9, 5, 7, False)


def test_a_canonical_path_has_neither_links_nor_dots(files: Files) -> None:
    assert value_of(files.metadata.canonical_path("/a/../b/loop/loop/./same.bin")) == "/b/same.bin"


def test_many_paths_are_answered_one_by_one(files: Files) -> None:
    answers = value_of(files.metadata.batch_metadata(("/z.bin", "/none", "/../x")))
    assert isinstance(answers[0], Ok)
    assert answers[0].value.size == 1
    assert [case_of(answer) for answer in answers[1:]] == ["not-found", "invalid-path"]
    assert value_of(files.metadata.all_exist(("/a", "/b"))) is True
    assert value_of(files.metadata.all_exist(("/a", "/none"))) is False
    assert value_of(files.metadata.all_exist(())) is True
    assert value_of(files.metadata.any_exist(("/none", "/b"))) is True
    assert value_of(files.metadata.any_exist(("/none",))) is False
    many = ("/a",) * 1001
    assert case_of(files.metadata.batch_metadata(many)) == "invalid-argument"
    assert case_of(files.metadata.all_exist(many)) == "invalid-argument"
    assert case_of(files.metadata.any_exist(many)) == "invalid-argument"


def test_a_refusal_among_many_paths_is_not_hidden(place: Path) -> None:
    files = files_in({"/": place}, policy_of(**ALL, deny_all=["/b/**"]))
    try:
        assert case_of(files.metadata.any_exist(("/a", "/b/two"))) == "permission-denied"
        assert case_of(files.metadata.all_exist(("/none", "/b/two"))) == "permission-denied"
        answers = value_of(files.metadata.batch_metadata(("/a", "/b/two")))
        assert case_of(answers[1]) == "permission-denied"
    finally:
        files.close()


def test_times_are_set_one_or_both_to_the_nanosecond(files: Files, place: Path) -> None:
    value_of(files.metadata.set_times("/z.bin", Timestamp(5, 6), Timestamp(-7, 8)))
    status = (place / "z.bin").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (5_000_000_006, -6_999_999_992)
    value_of(files.metadata.set_times("/z.bin", None, Timestamp(9, 0)))
    status = (place / "z.bin").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (5_000_000_006, 9_000_000_000)
    value_of(files.metadata.set_times("/z.bin", None, None))
    assert (place / "z.bin").stat().st_mtime_ns == 9_000_000_000
    assert case_of(files.metadata.set_times("/z.bin", Timestamp(0, 1_000_000_000), None)) == "invalid-argument"


def test_relative_paths_begin_in_the_components_own_directory(files: Files) -> None:
    before = Path.cwd()
    assert value_of(files.metadata.get_working_directory()) == "/"
    value_of(files.metadata.set_working_directory("b/loop"))
    assert value_of(files.metadata.get_working_directory()) == "/b"
    assert value_of(files.filesystem.read_file("../a/x.txt")) == b"12345"
    assert case_of(files.metadata.set_working_directory("same.bin")) == "not-a-directory"
    assert case_of(files.metadata.set_working_directory("none")) == "not-found"
    assert Path.cwd() == before
