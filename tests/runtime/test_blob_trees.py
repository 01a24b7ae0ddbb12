import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime import blob_trees
from runtime.blob_trees import Tree, TreeEntry, claim_tree, materialise, put_tree, read_tree
from runtime.blobs import GRACE_MS, Blob, BlobChangedError, BlobGoneError, Blobs
from runtime.clock import SystemClock
from runtime.errors import RefusedError, UnavailableError

LIMIT = 1 << 20
ONE = f'"sha256":"{hashlib.sha256(b"one").hexdigest()}","size":3,"type":"file"'


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some folders and files, one of them twice."""
    place = tmp_path / "given"
    (place / "a" / "deep" / "er").mkdir(parents=True)
    (place / "empty").mkdir()
    (place / "a" / "one").write_bytes(b"one")
    (place / "a" / "deep" / "also one").write_bytes(b"one")
    (place / "a!").write_bytes(b"\0" * 9)
    (place / "größe").write_bytes(b"")
    return place


def keep(blobs: Blobs, folder: Path, limit: int = LIMIT) -> Tree:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return put_tree(blobs, descriptor, limit=limit)
    finally:
        os.close(descriptor)


def content(folder: Path) -> dict[str, bytes | None]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: None if path.is_dir() else path.read_bytes() for name, path in found.items()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class TestPutTree:
    def test_the_listing_is_canonical_and_itself_a_blob(self, blobs: Blobs, folder: Path) -> None:
        tree = keep(blobs, folder)
        raw = blobs.read(tree.listing.hash, limit=LIMIT)
        assert raw.decode() == (
            '{"entries":[{"path":"a","type":"dir"},'
            f'{{"path":"a!","sha256":"{sha256(bytes(9))}","size":9,"type":"file"}},'
            '{"path":"a/deep","type":"dir"},'
            f'{{"path":"a/deep/also one",{ONE}}},'
            '{"path":"a/deep/er","type":"dir"},'
            f'{{"path":"a/one",{ONE}}},'
            '{"path":"empty","type":"dir"},'
            f'{{"path":"größe","sha256":"{sha256(b"")}","size":0,"type":"file"}}'
            '],"kind":"orlop-tree","v":1}'
        )
        assert tree == Tree(Blob(sha256(raw), len(raw)), files=4, size=15)

    def test_the_same_content_has_the_same_name_whatever_its_modes_and_times(
        self, blobs: Blobs, folder: Path, tmp_path: Path
    ) -> None:
        first = keep(blobs, folder)
        materialise(blobs, first.listing.hash, tmp_path / "copy")
        (tmp_path / "copy" / "a" / "one").chmod(0o755)
        os.utime(tmp_path / "copy" / "a!", (0, 0))
        assert keep(blobs, tmp_path / "copy") == first

    def test_an_empty_folder(self, blobs: Blobs, tmp_path: Path) -> None:
        (tmp_path / "none").mkdir()
        tree = keep(blobs, tmp_path / "none")
        assert (tree.files, tree.size) == (0, 0)
        materialise(blobs, tree.listing.hash, tmp_path / "again")
        assert content(tmp_path / "again") == {}

    @pytest.mark.parametrize(
        ("make", "what"),
        [
            (lambda path: path.symlink_to("/etc/passwd"), "is a symbolic link"),
            (lambda path: path.symlink_to("."), "is a symbolic link"),
            (os.mkfifo, "is a special file"),
            (lambda path: os.mknod(path, stat.S_IFSOCK | 0o600), "is a special file"),
        ],
        ids=["link to a file", "link to a folder", "fifo", "socket"],
    )
    def test_only_files_and_folders_are_kept_and_others_are_named(
        self, blobs: Blobs, folder: Path, make: Callable[[Path], None], what: str
    ) -> None:
        make(folder / "a" / "deep" / "odd")
        with pytest.raises(RefusedError) as refused:
            keep(blobs, folder)
        assert str(refused.value) == f"a/deep/odd: {what}; only regular files and folders can be kept"

    def test_a_name_that_is_not_utf_8_is_refused_and_shown_harmless(self, blobs: Blobs, folder: Path) -> None:
        (Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff\x1b[2J"))).write_bytes(b"")
        with pytest.raises(RefusedError, match="a name that is not UTF-8") as refused:
            keep(blobs, folder)
        assert "\x1b" not in str(refused.value)
        assert str(refused.value).isprintable()

    def test_bytes_are_bounded_together(self, blobs: Blobs, folder: Path) -> None:
        assert keep(blobs, folder, limit=15).size == 15
        with pytest.raises(RefusedError, match="the files together are larger than the limit"):
            keep(blobs, folder, limit=14)

    def test_names_are_bounded_across_all_folders(
        self, blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blob_trees, "_ENTRIES_MAX", 8)
        keep(blobs, folder)
        (folder / "empty" / "ninth").write_bytes(b"")
        with pytest.raises(RefusedError, match="empty: more than 8 names"):
            keep(blobs, folder)

    def test_depth_is_bounded(self, blobs: Blobs, tmp_path: Path) -> None:
        deepest = tmp_path / "given" / "/".join(["d"] * 32)
        deepest.mkdir(parents=True)
        (deepest / "file").write_bytes(b"x")
        tree = keep(blobs, tmp_path / "given")
        materialise(blobs, tree.listing.hash, tmp_path / "copy")
        assert content(tmp_path / "copy") == content(tmp_path / "given")
        (deepest / "d").mkdir()
        with pytest.raises(RefusedError, match="nested deeper than 32 levels"):
            keep(blobs, tmp_path / "given")

    def test_no_descriptor_is_left_open(self, blobs: Blobs, folder: Path) -> None:
        os.mkfifo(folder / "a" / "deep" / "odd")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(4):
            with pytest.raises(RefusedError):
                keep(blobs, folder)
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_what_cannot_be_read_is_named(self, blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that vanishes between its folder's listing and its opening."""
        names = blob_trees._Walk._names

        def and_one_more(walk: blob_trees._Walk, descriptor: int, path: str) -> list[str]:
            return [*names(walk, descriptor, path), "vanished"]

        monkeypatch.setattr(blob_trees._Walk, "_names", and_one_more)
        with pytest.raises(UnavailableError, match="a/deep/er/vanished: no such file or directory"):
            keep(blobs, folder)


class TestMaterialise:
    def test_it_makes_the_same_again_private_and_writable_by_us(
        self, blobs: Blobs, folder: Path, tmp_path: Path
    ) -> None:
        previous = os.umask(0)
        try:
            materialise(blobs, keep(blobs, folder).listing.hash, tmp_path / "copy")
        finally:
            os.umask(previous)
        assert content(tmp_path / "copy") == content(folder)
        assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
        modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "copy").rglob("*")}
        assert modes == {0o700, 0o600}

    def test_a_copy_has_nothing_to_do_with_the_store(self, blobs: Blobs, folder: Path, tmp_path: Path) -> None:
        tree = keep(blobs, folder)
        materialise(blobs, tree.listing.hash, tmp_path / "copy")
        (tmp_path / "copy" / "a" / "one").write_bytes(b"changed by a guest")
        materialise(blobs, tree.listing.hash, tmp_path / "again")
        assert content(tmp_path / "again") == content(folder)

    def test_a_changed_file_is_found_and_nothing_is_left(self, blobs: Blobs, folder: Path, tmp_path: Path) -> None:
        tree = keep(blobs, folder)
        digest = sha256(b"one")
        stored = tmp_path / "blobs" / "sha256" / digest[:2] / digest
        stored.write_bytes(b"two")
        with pytest.raises(BlobChangedError, match=digest[:12]):
            materialise(blobs, tree.listing.hash, tmp_path / "copy")
        stored.unlink()
        with pytest.raises(BlobGoneError, match=digest[:12]):
            materialise(blobs, tree.listing.hash, tmp_path / "copy")
        with pytest.raises(BlobGoneError, match=digest[:12]):
            claim_tree(blobs, tree.listing.hash)
        assert not (tmp_path / "copy").exists()

    def test_a_place_that_is_taken_is_left_as_it_is(self, blobs: Blobs, folder: Path) -> None:
        with pytest.raises(UnavailableError, match="file exists"):
            materialise(blobs, keep(blobs, folder).listing.hash, folder)
        assert (folder / "a" / "one").read_bytes() == b"one"

    @pytest.mark.parametrize(
        "listing",
        [
            "",
            "[]",
            '{"entries":[],"kind":"orlop-tree","v":2}',
            '{"entries":[],"kind":"other","v":1}',
            '{"entries":{},"kind":"orlop-tree","v":1}',
            '{"entries":[1],"kind":"orlop-tree","v":1}',
            '{"entries":[{"path":"a","type":"link"}],"kind":"orlop-tree","v":1}',
            '{"entries":[], "kind":"orlop-tree","v":1}',
            '{"entries":[],"extra":1,"kind":"orlop-tree","v":1}',
            '{"entries":[],"entries":[],"kind":"orlop-tree","v":1}',
            '{"entries":[{"mode":511,"path":"a","type":"dir"}],"kind":"orlop-tree","v":1}',
            '{"entries":[{"path":"a","type":"dir"},{"path":"a","type":"dir"}],"kind":"orlop-tree","v":1}',
            '{"entries":[{"path":"b","type":"dir"},{"path":"a","type":"dir"}],"kind":"orlop-tree","v":1}',
            f'{{"entries":[{{"path":"a",{ONE}}},{{"path":"a/b",{ONE}}}],"kind":"orlop-tree","v":1}}',
            '{"entries":[{"path":"a","sha256":"00","size":true,"type":"file"}],"kind":"orlop-tree","v":1}',
            '{"entries":[{"path":"a","sha256":"00","size":-1,"type":"file"}],"kind":"orlop-tree","v":1}',
            *(
                f'{{"entries":[{{"path":{json.dumps(path)},{ONE}}}],"kind":"orlop-tree","v":1}}'
                for path in ("", ".", "..", "../a", "a/../b", "/etc/passwd", "a/b", "a//b", "a\0b", "d/" * 33 + "f")
            ),
        ],
    )
    def test_what_is_no_listing_makes_nothing(self, blobs: Blobs, tmp_path: Path, listing: str) -> None:
        (tmp_path / "place").mkdir()
        blob = blobs.put(listing.encode(), limit=LIMIT)
        with pytest.raises(RefusedError):
            materialise(blobs, blob.hash, tmp_path / "place" / "copy")
        assert content(tmp_path / "place") == {}

    def test_a_hash_in_a_listing_leads_nowhere_else(self, blobs: Blobs, tmp_path: Path) -> None:
        entry = {"path": "a", "sha256": "../../../../etc/passwd", "size": 1, "type": "file"}
        raw = json.dumps({"entries": [entry], "kind": "orlop-tree", "v": 1}, separators=(",", ":")).encode()
        blob = blobs.put(raw, limit=LIMIT)
        with pytest.raises(RefusedError, match="not 64 lower-case"):
            materialise(blobs, blob.hash, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()


def test_reading_a_tree_gives_its_names_and_content(blobs: Blobs, folder: Path) -> None:
    entries = read_tree(blobs, keep(blobs, folder).listing.hash)
    assert entries[:2] == (TreeEntry("a", None), TreeEntry("a!", Blob(sha256(bytes(9)), 9)))
    assert len(entries) == 8


def test_a_claimed_tree_is_not_condemned_with_any_of_its_files(blobs: Blobs, folder: Path, tmp_path: Path) -> None:
    tree = keep(blobs, folder)
    before = SystemClock().wall_ms() - GRACE_MS
    for path in (tmp_path / "blobs" / "sha256").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    assert len(blobs.older_than(before)) == 4
    assert claim_tree(blobs, tree.listing.hash) == tree.listing
    assert blobs.older_than(before) == []
