"""Paths beneath a directory: the kernel's resolver and ours on the same rows, and nothing outside, ever."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.components.host.beneath import open_beneath, open_by_kernel, open_by_walking, reopen, where

Resolver = Callable[..., int]
RESOLVERS = pytest.mark.parametrize("resolver", [open_by_kernel, open_by_walking])


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A secret beside the directory."""
    (tmp_path / "secret").write_text("secret")
    return tmp_path


@pytest.fixture
def root(outside: Path) -> Iterator[int]:
    """A directory with files, links that stay inside and links that do not."""
    top = outside / "top"
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/f").write_text("inside")
    (top / "f").write_text("at the top")
    for name, target in {
        "stays": "a/b/f",
        "a/up": "../f",
        "a/dir": "b",
        "leaves": "../secret",
        "absolute": str(top / "f"),
        "proc": "/proc/self/fd/0",
        "loop": "loop",
        "dangling": "nowhere",
        "roundabout": "a/../a/./b//f",
        "deep": "../top/f",
    }.items():
        (top / name).symlink_to(target)
    os.mkfifo(top / "pipe")
    descriptor = os.open(top, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@RESOLVERS
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a/b/f", "a/b/f"),
        ("a//b/./f", "a/b/f"),
        ("a/../a/b/f", "a/b/f"),
        (".", "."),
        ("a/..", "."),
        ("stays", "a/b/f"),
        ("a/up", "f"),
        ("a/dir/f", "a/b/f"),
        ("a/dir/", "a/b"),
        ("roundabout", "a/b/f"),
        ("pipe", "pipe"),
    ],
)
def test_what_stays_inside_is_found(resolver: Resolver, root: int, path: str, found: str) -> None:
    with _opened(resolver, root, path) as descriptor:
        assert where(root, descriptor) == found


@RESOLVERS
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../secret", errno.EXDEV),
        ("a/../../secret", errno.EXDEV),
        ("leaves", errno.EXDEV),
        ("absolute", errno.EXDEV),
        ("proc", errno.EXDEV),
        ("deep", errno.EXDEV),
        ("/f", errno.EXDEV),
        ("..", errno.EXDEV),
        ("loop", errno.ELOOP),
        ("missing", errno.ENOENT),
        ("dangling", errno.ENOENT),
        ("", errno.ENOENT),
        ("f/x", errno.ENOTDIR),
        ("f/", errno.ENOTDIR),
        ("f/..", errno.ENOTDIR),
        ("a/" + "n" * 256, errno.ENAMETOOLONG),
    ],
)
def test_what_leads_outside_or_nowhere_is_refused(resolver: Resolver, root: int, path: str, code: int) -> None:
    with pytest.raises(OSError, match=os.strerror(code)):
        resolver(root, path)


@RESOLVERS
def test_a_link_is_named_itself_when_it_is_not_followed(resolver: Resolver, root: int) -> None:
    with _opened(resolver, root, "leaves", follow=False) as descriptor:
        assert os.readlink("", dir_fd=descriptor) == "../secret"


@RESOLVERS
def test_a_directory_is_asked_for(resolver: Resolver, root: int) -> None:
    with _opened(resolver, root, "a/dir", directory=True) as descriptor:
        assert where(root, descriptor) == "a/b"
    with pytest.raises(NotADirectoryError):
        resolver(root, "f", directory=True)


def test_a_fifo_is_named_without_waiting_for_its_other_end(root: int) -> None:
    with _opened(open_beneath, root, "pipe") as descriptor:
        assert os.fstat(descriptor).st_size == 0


def test_what_was_deleted_is_nowhere(root: int, outside: Path) -> None:
    with _opened(open_beneath, root, "f") as descriptor:
        (outside / "top/f").unlink()
        assert where(root, descriptor) is None


def test_a_file_that_is_called_deleted_is_where_it_is(root: int, outside: Path) -> None:
    (outside / "top/f (deleted)").write_text("")
    with _opened(open_beneath, root, "f (deleted)") as descriptor:
        assert where(root, descriptor) == "f (deleted)"


def test_what_was_moved_outside_is_nowhere(root: int, outside: Path) -> None:
    with _opened(open_beneath, root, "f") as descriptor:
        (outside / "top/f").rename(outside / "moved")
        assert where(root, descriptor) is None


def test_a_neighbour_with_the_same_beginning_is_not_beneath(root: int, outside: Path) -> None:
    (outside / "topmost").write_text("")
    descriptor = os.open(outside / "topmost", os.O_PATH)
    try:
        assert where(root, descriptor) is None
    finally:
        os.close(descriptor)


def test_what_was_named_is_opened_for_use(root: int) -> None:
    with _opened(open_beneath, root, "a/b/f") as descriptor:
        used = reopen(descriptor, os.O_RDONLY)
        try:
            assert os.read(used, 99) == b"inside"
        finally:
            os.close(used)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_without_the_call_is_walked(root: int, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def missing(*_: object, **__: object) -> int:
        raise OSError(code, "filtered")

    monkeypatch.setattr("runtime.components.host.beneath.open_by_kernel", missing)
    with _opened(open_beneath, root, "stays") as descriptor:
        assert where(root, descriptor) == "a/b/f"
    with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
        open_beneath(root, "leaves")


_NAMES = st.sampled_from(["a", "b", "c"])
_STEPS = st.lists(st.sampled_from(["a", "b", "c", "..", ".", ""]), min_size=1, max_size=5).map("/".join)
_TARGETS = st.one_of(_STEPS, st.sampled_from(["/", "/etc", "../../..", "../outside", "../top/a", "../../x/top"]))
_THINGS = st.one_of(st.just("directory"), st.just("file"), st.tuples(st.just("link"), _TARGETS))
_TREES = st.lists(st.tuples(st.lists(_NAMES, min_size=1, max_size=3).map("/".join), _THINGS), max_size=10)


@given(tree=_TREES, paths=st.lists(_STEPS, min_size=1, max_size=4))
@example(tree=[("a", ("link", "../outside"))], paths=["a/kept"])
def test_both_resolvers_agree_on_any_tree_and_stay_inside(
    tmp_path: Path, tree: list[tuple[str, str | tuple[str, str]]], paths: list[str]
) -> None:
    place = tmp_path / "place"
    shutil.rmtree(place, ignore_errors=True)
    top = place / "top"
    top.mkdir(parents=True)
    (place / "outside").mkdir()
    (place / "outside/kept").write_text("outside")
    for name, thing in tree:
        with contextlib.suppress(OSError):
            _make(top / name, thing)
    root = os.open(top, os.O_PATH | os.O_DIRECTORY)
    try:
        for path in paths:
            for follow in (True, False):
                by_kernel = _answer(open_by_kernel, root, path, follow=follow)
                assert _answer(open_by_walking, root, path, follow=follow) == by_kernel
                assert by_kernel is not None
    finally:
        os.close(root)


SWAPPER = """
import os, sys
inside, outside, link = sys.argv[1:]
for number in range(10_000):
    os.symlink(outside if number % 2 else inside, link + ".new")
    os.rename(link + ".new", link)
"""


@RESOLVERS
def test_a_link_that_is_swapped_ten_thousand_times_never_leads_outside(
    resolver: Resolver, root: int, outside: Path
) -> None:
    link = outside / "top/a/swapped"
    swapper = subprocess.Popen([sys.executable, "-I", "-c", SWAPPER, "b/f", "../../secret", str(link)])
    answers: set[tuple[str, object]] = set()
    try:
        while swapper.poll() is None:
            kind, number = _answer(resolver, root, "a/swapped", follow=True)
            answers.add((kind, number))
    finally:
        swapper.kill()
        swapper.wait()
    assert swapper.returncode == 0
    assert answers <= {
        ("found", ("a/b/f", (outside / "top/a/b/f").stat().st_ino)),
        ("refused", errno.EXDEV),
        ("refused", errno.ENOENT),
        ("refused", errno.EAGAIN),
    }


def _make(path: Path, thing: str | tuple[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if thing == "directory":
        path.mkdir()
    elif thing == "file":
        path.write_text("file")
    else:
        path.symlink_to(thing[1])


def _answer(resolver: Resolver, root: int, path: str, *, follow: bool) -> tuple[str, object]:
    try:
        descriptor = resolver(root, path, follow=follow)
    except OSError as error:
        return "refused", error.errno
    try:
        place = where(root, descriptor)
        assert place is not None, "it is outside"
        return "found", (place, os.fstat(descriptor).st_ino)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(resolver: Resolver, root: int, path: str, **options: bool) -> Iterator[int]:
    descriptor = resolver(root, path, **options)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
