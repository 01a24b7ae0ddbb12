"""Operations on paths: what each does, what each refuses, and that a refusal changes nothing."""

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.components.bindings.core_types import Timestamp
from runtime.components.bindings.ext_filesystem_types import FileOpenOptions, FilePermissions
from runtime.components.host.context import HostLimits
from runtime.components.values import Ok
from tests import tmpfs
from tests.runtime.components.host.frame import Files, case_of, files_in, policy_of, tree_of, value_of

ALL = {"read": ["/**"], "write": ["/**"], "delete": ["/**"], "list": ["/**"]}
MIB = 1 << 20
Operation = Callable[[Files], Any]


def options(mode: str = "read", **changed: Any) -> FileOpenOptions:
    """Options with everything off."""
    values = {
        "create": False,
        "create_new": False,
        "truncate": False,
        "follow_final_symlink": True,
        "permissions": FilePermissions(0o640),
    } | changed
    return FileOpenOptions(mode=mode, **values)


def furnish(place: Path) -> None:
    """Fills a directory."""
    (place / "tree/deep").mkdir(parents=True)
    (place / "empty").mkdir()
    (place / "f").write_bytes(b"content")
    (place / "tree/a").write_bytes(b"aa")
    (place / "tree/deep/b").write_bytes(b"bbb")
    (place / "link").symlink_to("f")
    (place / "tree/up").symlink_to("../f")
    (place / "dangling").symlink_to("nothing")
    (place / "absolute").symlink_to("/etc/passwd")
    (place / "leaves").symlink_to("../outside")
    (place / "self").symlink_to("/proc/self/environ")
    os.mkfifo(place / "fifo")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory at `/data`: files, a tree, links, and things that are no files."""
    place = tmp_path / "data"
    place.mkdir()
    furnish(place)
    (tmp_path / "outside").write_bytes(b"secret")
    return place


@pytest.fixture
def files(place: Path) -> Iterator[Files]:
    """An instance that may do all in a lent `/data`."""
    files = files_in({"/data": place}, policy_of(**ALL))
    yield files
    files.close()


def test_a_file_is_made_when_that_is_asked_for(files: Files, place: Path) -> None:
    assert case_of(files.filesystem.open("/data/new", options("write"))) == "not-found"
    value_of(files.filesystem.open("/data/new", options("write", create=True)))
    assert stat.S_IMODE((place / "new").stat().st_mode) == 0o640
    value_of(files.filesystem.open("/data/new", options("write", create=True)))
    assert case_of(files.filesystem.open("/data/new", options("write", create_new=True))) == "already-exists"
    value_of(files.filesystem.open("/data/newer", options("read-write", create_new=True, create=True)))


def test_a_file_is_emptied_only_by_a_mode_that_writes(files: Files, place: Path) -> None:
    assert case_of(files.filesystem.open("/data/f", options(truncate=True))) == "invalid-argument"
    value_of(files.filesystem.open("/data/f", options("write", truncate=True)))
    assert (place / "f").read_bytes() == b""


@pytest.mark.parametrize(
    ("path", "case"),
    [
        ("/data/fifo", "not-a-file"),
        ("/data/socket", "not-a-file"),
        ("/data/tree", "is-a-directory"),
        ("/data", "is-a-directory"),
        ("/data/dangling", "not-found"),
        ("/data/absolute", "permission-denied"),
        ("/data/leaves", "permission-denied"),
        ("/data/self", "permission-denied"),
        ("/data/f/x", "not-a-directory"),
        ("/data/" + "n" * 256, "name-too-long"),
        ("/data/" + "n/" * 2048, "name-too-long"),
        ("/data/a\0b", "invalid-path"),
        ("/../data/f", "invalid-path"),
        ("", "invalid-path"),
        ("/other/f", "not-found"),
        ("/data/\u0066\u200b", "not-found"),
        ("/data/\uff46", "not-found"),
        ("/DATA/f", "not-found"),
    ],
)
def test_what_is_no_file_is_not_opened(files: Files, place: Path, path: str, case: str) -> None:
    directory = os.open(place, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{directory}/socket")  # a path of its own may be too long for an address
        os.close(directory)
        assert case_of(files.filesystem.open(path, options())) == case
        assert case_of(files.filesystem.open(path, options("read-write"))) == case
        assert case_of(files.filesystem.read_file(path)) == case


def test_a_path_of_4096_bytes_is_taken_and_one_byte_more_is_not(files: Files) -> None:
    path = "/data/" + "./" * 2044 + "/f"
    assert len(path) == 4096
    assert value_of(files.filesystem.read_file(path)) == b"content"
    assert case_of(files.filesystem.read_file(path.replace("/data/", "/data//"))) == "name-too-long"


def test_a_device_is_not_opened() -> None:
    files = files_in({"/dev": Path("/dev")}, policy_of(**ALL))
    try:
        assert case_of(files.filesystem.open("/dev/null", options("read-write"))) == "not-a-file"
        assert case_of(files.filesystem.read_file("/dev/zero")) == "not-a-file"
    finally:
        files.close()


def test_a_link_is_followed_unless_the_guest_says_no(files: Files) -> None:
    assert value_of(value_of(files.filesystem.open("/data/link", options())).read(99)).data == b"content"
    answer = files.filesystem.open("/data/link", options(follow_final_symlink=False))
    assert case_of(answer) == "too-many-symlinks"


def test_a_whole_file_is_read_up_to_one_mebibyte(files: Files, place: Path) -> None:
    (place / "full").write_bytes(bytes(MIB))
    (place / "over").write_bytes(bytes(MIB + 1))
    assert len(value_of(files.filesystem.read_file("/data/full"))) == MIB
    assert case_of(files.filesystem.read_file("/data/over")) == "invalid-argument"


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(files: Files, place: Path) -> None:
    (place / "f").chmod(0o604)
    old = (place / "f").open("rb")
    value_of(files.filesystem.write_file_atomic("/data/f", b"new"))
    with old:
        assert old.read() == b"content"
    assert (place / "f").read_bytes() == b"new"
    assert stat.S_IMODE((place / "f").stat().st_mode) == 0o604
    value_of(files.filesystem.write_file_atomic("/data/link", b"no link"))
    assert not (place / "link").is_symlink()
    assert case_of(files.filesystem.write_file_atomic("/data/tree", b"")) == "is-a-directory"
    assert case_of(files.filesystem.write_file_atomic("/data/fifo", b"")) == "not-a-file"
    assert not [path for path in place.iterdir() if path.name.startswith(".orlop")]


def test_files_and_links_are_deleted_and_directories_are_not(files: Files, place: Path) -> None:
    value_of(files.filesystem.delete_file("/data/link"))
    assert (place / "f").exists()
    value_of(files.filesystem.delete_file("/data/f"))
    value_of(files.filesystem.delete_file("/data/dangling"))
    assert case_of(files.filesystem.delete_file("/data/f")) == "not-found"
    assert case_of(files.filesystem.delete_file("/data/tree")) == "is-a-directory"
    assert case_of(files.filesystem.delete_file("/data")) == "busy"


def test_directories_are_made_with_exactly_their_mode_and_removed_when_empty(files: Files, place: Path) -> None:
    value_of(files.filesystem.create_directory("/data/made", FilePermissions(0o751)))
    assert stat.S_IMODE((place / "made").stat().st_mode) == 0o751
    assert case_of(files.filesystem.create_directory("/data/made", FilePermissions(0o700))) == "already-exists"
    assert case_of(files.filesystem.create_directory("/data/no/x", FilePermissions(0o700))) == "not-found"
    assert case_of(files.filesystem.create_directory("/data/bits", FilePermissions(0o4755))) == "permission-denied"
    value_of(files.filesystem.remove_directory("/data/made"))
    assert case_of(files.filesystem.remove_directory("/data/tree")) == "directory-not-empty"
    assert case_of(files.filesystem.remove_directory("/data/f")) == "not-a-directory"
    assert case_of(files.filesystem.remove_directory("/data")) == "busy"


def test_a_tree_is_removed_and_what_its_links_lead_to_is_not(files: Files, place: Path) -> None:
    assert value_of(files.filesystem.remove_directory_recursive("/data/tree")) == 5
    assert not (place / "tree").exists()
    assert (place / "f").read_bytes() == b"content"
    assert case_of(files.filesystem.remove_directory_recursive("/data/f")) == "not-a-directory"
    assert case_of(files.filesystem.remove_directory_recursive("/data/link")) == "not-a-directory"


def test_a_tree_with_one_entry_that_must_stay_stays_whole(place: Path) -> None:
    before = tree_of(place)
    files = files_in({"/data": place}, policy_of(**ALL, deny_delete=["/data/tree/deep/b"]))
    try:
        assert case_of(files.filesystem.remove_directory_recursive("/data/tree")) == "permission-denied"
        assert tree_of(place) == before
    finally:
        files.close()


def test_a_tree_that_is_too_deep_stays_whole(files: Files, place: Path) -> None:
    (place / "tree" / "/".join(["d"] * 65)).mkdir(parents=True)
    before = tree_of(place)
    assert case_of(files.filesystem.remove_directory_recursive("/data/tree")) == "resource-exhausted"
    assert tree_of(place) == before


def test_a_file_and_a_tree_are_moved(files: Files, place: Path) -> None:
    value_of(files.filesystem.rename("/data/f", "/data/tree/a"))
    assert (place / "tree/a").read_bytes() == b"content"
    value_of(files.filesystem.rename("/data/tree", "/data/moved"))
    assert (place / "moved/deep/b").read_bytes() == b"bbb"
    assert case_of(files.filesystem.rename("/data/moved", "/data/moved/inside")) == "invalid-argument"
    assert case_of(files.filesystem.rename("/data/f", "/data/g")) == "not-found"
    assert case_of(files.filesystem.rename("/data", "/data/g")) == "busy"


def test_moving_a_tree_does_not_make_a_secret_in_it_readable(place: Path) -> None:
    before = tree_of(place)
    files = files_in({"/data": place}, policy_of(**ALL, deny_read=["/data/tree/deep/**"]))
    try:
        assert case_of(files.filesystem.rename("/data/tree", "/data/public")) == "permission-denied"
        assert tree_of(place) == before
    finally:
        files.close()


def test_between_two_directories_nothing_is_moved_but_copied(files: Files, place: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    both = files_in({"/data": place, "/other": (tmp_path / "other", "private")}, policy_of(**ALL))
    try:
        assert case_of(both.filesystem.rename("/data/f", "/other/f")) == "cross-device"
        assert value_of(both.filesystem.copy("/data/f", "/other/f", False)) == 7
        assert both.filesystem.quota().used_bytes == 7
    finally:
        both.close()


def test_a_copy_has_content_and_mode_and_overwrites_only_when_told(files: Files, place: Path) -> None:
    (place / "f").chmod(0o750)
    assert value_of(files.filesystem.copy("/data/link", "/data/copy", False)) == 7
    assert (place / "copy").read_bytes() == b"content"
    assert stat.S_IMODE((place / "copy").stat().st_mode) == 0o750
    assert case_of(files.filesystem.copy("/data/tree/a", "/data/copy", False)) == "already-exists"
    assert value_of(files.filesystem.copy("/data/tree/a", "/data/copy", True)) == 2
    assert (place / "copy").read_bytes() == b"aa"
    assert value_of(files.filesystem.copy("/data/copy", "/data/copy", True)) == 2
    assert case_of(files.filesystem.copy("/data/tree", "/data/other", False)) == "is-a-directory"
    assert case_of(files.filesystem.copy("/data/f", "/data/tree", True)) == "is-a-directory"
    assert case_of(files.filesystem.copy("/data/fifo", "/data/other", False)) == "not-a-file"
    assert not [path for path in place.iterdir() if path.name.startswith(".orlop")]


def test_what_exists_is_told_and_what_leads_out_is_refused(files: Files) -> None:
    assert value_of(files.filesystem.exists("/data/f")) is True
    assert value_of(files.filesystem.exists("/data/nothing")) is False
    assert value_of(files.filesystem.exists("/data/f/nothing")) is False
    assert value_of(files.filesystem.exists("/data/dangling")) is False
    assert case_of(files.filesystem.exists("/data/leaves")) == "permission-denied"


def test_metadata_tells_what_the_system_tells(files: Files, place: Path) -> None:
    os.utime(place / "f", ns=(-1_500_000_000, 2_000_000_003))
    (place / "f").chmod(0o4751)
    found = value_of(files.filesystem.get_metadata("/data/link"))
    assert (found.path, found.file_type, found.size, found.permissions.mode, found.links) == (
        "/data/f",
        "regular",
        7,
        0o751,
        1,
    )
    assert found.accessed_time == Timestamp(-2, 500_000_000)
    assert found.modified_time == Timestamp(2, 3)
    link = value_of(files.filesystem.get_link_metadata("/data/link"))
    assert (link.path, link.file_type, link.size) == ("/data/link", "symlink", 1)
    assert link.identity != found.identity
    assert value_of(files.filesystem.get_metadata("/data/fifo")).file_type == "fifo"
    assert value_of(files.filesystem.get_metadata("/data")).path == "/data"


def test_only_the_lower_mode_bits_are_set(files: Files, place: Path) -> None:
    value_of(files.filesystem.set_permissions("/data/link", FilePermissions(0o600)))
    assert stat.S_IMODE((place / "f").stat().st_mode) == 0o600
    assert case_of(files.filesystem.set_permissions("/data/f", FilePermissions(0o1000))) == "permission-denied"
    assert case_of(files.filesystem.set_permissions("/data/fifo", FilePermissions(0o600))) == "not-a-file"
    value_of(files.filesystem.set_permissions("/data/tree", FilePermissions(0o700)))


@pytest.mark.parametrize(
    ("target", "case"),
    [
        ("/data/f", "invalid-argument"),
        ("/etc/passwd", "invalid-argument"),
        ("../outside", "permission-denied"),
        ("../../../..", "invalid-path"),
        ("", "invalid-path"),
        ("n" * 256, "name-too-long"),
        ("./" * 2048, "name-too-long"),
        ("tree/../../outside", "permission-denied"),
        ("absolute", "permission-denied"),
    ],
)
def test_a_link_that_would_lead_out_is_not_made(files: Files, place: Path, target: str, case: str) -> None:
    assert case_of(files.filesystem.create_symlink(target, "/data/made")) == case
    assert not (place / "made").is_symlink()


def test_a_link_within_is_made_and_read(files: Files, place: Path) -> None:
    value_of(files.filesystem.create_symlink("../f", "/data/tree/made"))
    value_of(files.filesystem.create_symlink("not/there/yet", "/data/made"))
    assert (place / "tree/made").read_bytes() == b"content"
    assert value_of(files.filesystem.read_symlink("/data/tree/made")) == "../f"
    assert case_of(files.filesystem.create_symlink("f", "/data/made")) == "already-exists"
    assert case_of(files.filesystem.read_symlink("/data/f")) == "invalid-argument"
    assert case_of(files.filesystem.read_symlink("/data/absolute")) == "permission-denied"


def test_a_link_to_what_may_not_be_read_is_not_made(place: Path) -> None:
    files = files_in({"/data": place}, policy_of(**ALL, deny_read=["/data/tree/**"]))
    try:
        assert case_of(files.filesystem.create_symlink("tree/a", "/data/made")) == "permission-denied"
        assert not (place / "made").is_symlink()
    finally:
        files.close()


def test_a_link_to_a_denied_place_is_denied_on_the_resolved_path(place: Path) -> None:
    (place / "public").symlink_to("tree/deep")
    files = files_in({"/data": place}, policy_of(**ALL, deny_all=["/data/tree/deep/**"]))
    try:
        assert case_of(files.filesystem.read_file("/data/public/b")) == "permission-denied"
        assert case_of(files.metadata.list_directory("/data/public", None)) == "permission-denied"
        assert case_of(files.filesystem.write_file_atomic("/data/public/new", b"")) == "permission-denied"
    finally:
        files.close()


def test_a_link_to_an_allowed_place_is_allowed_though_its_own_path_is_not(place: Path) -> None:
    (place / "l").symlink_to("tree")
    files = files_in({"/data": place}, policy_of(read=["/data/tree/**"]))
    try:
        assert value_of(files.filesystem.read_file("/data/l/a")) == b"aa"
        assert case_of(files.filesystem.read_file("/data/l/none")) == "not-found"
        assert case_of(files.filesystem.read_file("/data/f")) == "permission-denied"
    finally:
        files.close()


def test_what_may_not_be_asked_about_looks_the_same_whether_it_is_there_or_not(place: Path) -> None:
    files = files_in({"/data": place}, policy_of(read=["/data/f"], deny_all=["/data/empty/**"]))
    try:
        for path in ("/data/tree/a", "/data/tree/none", "/data/none/none", "/data/empty/x", "/nowhere/x"):
            assert case_of(files.filesystem.read_file(path)) == "permission-denied"
            assert case_of(files.filesystem.exists(path)) == "permission-denied"
    finally:
        files.close()


def test_hard_links_are_the_operators_and_show_what_they_name(files: Files, place: Path) -> None:
    os.link(place / "f", place / "hard")
    assert value_of(files.metadata.same_file("/data/f", "/data/hard")) is True
    assert value_of(files.filesystem.get_metadata("/data/hard")).links == 2
    assert value_of(files.metadata.same_file("/data/f", "/data/tree/a")) is False


CHANGES: dict[str, Operation] = {
    "open.write": lambda files: files.filesystem.open("/data/f", options("write", truncate=True)),
    "open.create": lambda files: files.filesystem.open("/data/new", options("read", create=True)),
    "open.create-new": lambda files: files.filesystem.open("/data/new", options("append", create_new=True)),
    "write-file-atomic": lambda files: files.filesystem.write_file_atomic("/data/f", b"x"),
    "delete-file": lambda files: files.filesystem.delete_file("/data/f"),
    "create-directory": lambda files: files.filesystem.create_directory("/data/new", FilePermissions(0o700)),
    "remove-directory": lambda files: files.filesystem.remove_directory("/data/empty"),
    "remove-directory-recursive": lambda files: files.filesystem.remove_directory_recursive("/data/tree"),
    "rename": lambda files: files.filesystem.rename("/data/f", "/data/new"),
    "copy": lambda files: files.filesystem.copy("/data/f", "/data/new", True),
    "set-permissions": lambda files: files.filesystem.set_permissions("/data/f", FilePermissions(0o777)),
    "create-symlink": lambda files: files.filesystem.create_symlink("f", "/data/new"),
    "set-times": lambda files: files.metadata.set_times("/data/f", Timestamp(0, 0), Timestamp(0, 0)),
}
LOOKS: dict[str, Operation] = {
    "open.read": lambda files: files.filesystem.open("/data/f", options()),
    "read-file": lambda files: files.filesystem.read_file("/data/f"),
    "exists": lambda files: files.filesystem.exists("/data/f"),
    "get-metadata": lambda files: files.filesystem.get_metadata("/data/f"),
    "get-link-metadata": lambda files: files.filesystem.get_link_metadata("/data/link"),
    "read-symlink": lambda files: files.filesystem.read_symlink("/data/link"),
    "list-directory": lambda files: files.metadata.list_directory("/data", None),
    "list-recursive": lambda files: files.metadata.list_recursive("/data", 9, 99),
    "find-files": lambda files: files.metadata.find_files("/data", "**", 99),
    "find-by-type": lambda files: files.metadata.find_by_type("/data", "regular", 99),
    "directory-size": lambda files: files.metadata.directory_size("/data"),
    "same-file": lambda files: files.metadata.same_file("/data/f", "/data/link"),
    "canonical-path": lambda files: files.metadata.canonical_path("/data/link"),
    "all-exist": lambda files: files.metadata.all_exist(("/data/f",)),
    "any-exist": lambda files: files.metadata.any_exist(("/data/f",)),
    "set-working-directory": lambda files: files.metadata.set_working_directory("/data"),
}
NEEDS = {
    "open.write": ["write"],
    "open.create": ["read", "write"],
    "open.create-new": ["write"],
    "write-file-atomic": ["write"],
    "delete-file": ["delete"],
    "create-directory": ["write"],
    "remove-directory": ["delete"],
    "remove-directory-recursive": ["list", "delete"],
    "rename": ["read", "delete", "write"],
    "copy": ["read", "write"],
    "set-permissions": ["write"],
    "create-symlink": ["read", "write"],
    "set-times": ["write"],
    "open.read": ["read"],
    "read-file": ["read"],
    "read-symlink": ["read"],
    "list-directory": ["list"],
    "list-recursive": ["list"],
    "find-files": ["list"],
    "find-by-type": ["list"],
    "directory-size": ["list"],
    "set-working-directory": ["list"],
    "exists": ["list|read"],
    "get-metadata": ["list|read"],
    "get-link-metadata": ["list|read"],
    "same-file": ["list|read"],
    "canonical-path": ["list|read"],
    "all-exist": ["list|read"],
    "any-exist": ["list|read"],
}


@pytest.mark.parametrize(
    ("name", "missing"), [(name, needed) for name, all_needed in NEEDS.items() for needed in all_needed]
)
def test_without_its_permission_an_operation_is_denied_and_changes_nothing(
    place: Path, name: str, missing: str
) -> None:
    before = tree_of(place)
    granted = {group: patterns for group, patterns in ALL.items() if group not in missing.split("|")}
    files = files_in({"/data": place}, policy_of(**granted))
    try:
        assert case_of((CHANGES | LOOKS)[name](files)) == "permission-denied"
        assert tree_of(place) == before
        assert len(files.context.handles) == 0
    finally:
        files.close()


@pytest.mark.parametrize("name", NEEDS)
def test_with_just_its_permissions_an_operation_works(place: Path, name: str) -> None:
    needed = {group.partition("|")[0] for group in NEEDS[name]}
    files = files_in({"/data": place}, policy_of(**{group: ["/**"] for group in needed}))
    try:
        value_of((CHANGES | LOOKS)[name](files))
    finally:
        files.close()


@pytest.mark.parametrize("name", CHANGES)
def test_a_directory_given_for_reading_stays_as_it_is(place: Path, name: str) -> None:
    before = tree_of(place)
    files = files_in({"/data": (place, "operator", True)}, policy_of(**ALL))
    try:
        assert case_of(CHANGES[name](files)) == "read-only"
        assert tree_of(place) == before
    finally:
        files.close()


@pytest.mark.parametrize("name", ["open.create", "write-file-atomic", "create-directory", "copy", "create-symlink"])
def test_what_needs_more_than_the_quota_changes_nothing(place: Path, name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("runtime.components.host.quota.ENTRIES_MAX", 5)
    before = tree_of(place)
    files = files_in({"/data": (place, "private")}, policy_of(**ALL))
    try:
        used = files.filesystem.quota().used_bytes
        assert case_of(CHANGES[name](files)) == "quota-exceeded"
        assert tree_of(place) == before
        assert files.filesystem.quota().used_bytes == used
    finally:
        files.close()


@pytest.mark.parametrize("name", CHANGES)
def test_the_ledger_says_what_a_new_count_would(place: Path, name: str) -> None:
    files = files_in({"/data": (place, "private")}, policy_of(**ALL), HostLimits(filesystem=MIB))
    again = None
    try:
        value_of(CHANGES[name](files))
        again = files_in({"/data": (place, "private")}, policy_of(**ALL), HostLimits(filesystem=MIB))
        account, anew = files.mounts.account, again.mounts.account
        assert (account.used, account.entries) == (anew.used, anew.entries)
    finally:
        files.close()
        if again is not None:
            again.close()


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = tmpfs.mount(place, "size=64k,mode=700")
    if not mounted:
        monkeypatch.setattr(os, "write", _full(os.write))
        monkeypatch.setattr(os, "pwrite", _full(os.pwrite))
    files = files_in({"/data": place}, policy_of(**ALL))
    try:
        value_of(files.filesystem.write_file_atomic("/data/f", b"kept"))
        assert case_of(files.filesystem.write_file_atomic("/data/f", bytes(MIB))) == "no-space"
        file = value_of(files.filesystem.open("/data/g", options("write", create=True)))
        assert case_of(file.write(bytes(MIB))) == "no-space"
        assert value_of(files.filesystem.read_file("/data/f")) == b"kept"
        assert sorted(path.name for path in place.iterdir()) == ["f", "g"]
    finally:
        files.close()
        if mounted:
            tmpfs.unmount(place)


def test_a_file_system_mounted_for_reading_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "fixed"
    place.mkdir()
    mounted = tmpfs.mount(place, "size=64k,ro")
    if not mounted:
        monkeypatch.setattr(os, "mkdir", _refusing(OSError(errno.EROFS, "fixed")))
    files = files_in({"/data": place}, policy_of(**ALL))
    try:
        assert case_of(files.filesystem.create_directory("/data/d", FilePermissions(0o700))) == "read-only"
    finally:
        files.close()
        if mounted:
            tmpfs.unmount(place)


@pytest.mark.parametrize(
    ("code", "case"),
    [
        (errno.EDQUOT, "quota-exceeded"),
        (errno.EFBIG, "quota-exceeded"),
        (errno.EBUSY, "busy"),
        (errno.EIO, "io-error"),
        (errno.EACCES, "permission-denied"),
        (errno.EMFILE, "resource-exhausted"),
        (errno.EOPNOTSUPP, "unsupported"),
        (errno.ESTALE, "io-error"),
    ],
)
def test_what_the_system_says_has_a_case(files: Files, monkeypatch: pytest.MonkeyPatch, code: int, case: str) -> None:
    monkeypatch.setattr(os, "mkdir", _refusing(OSError(code, "the system's words", "/a/path/of/the/host")))
    answer = files.filesystem.create_directory("/data/d", FilePermissions(0o700))
    assert case_of(answer) == case
    assert "/a/path" not in repr(answer)


SWAPPER = """
import os, sys
public, private, link = sys.argv[1:]
for number in range(10_000):
    os.symlink(private if number % 2 else public, link + ".new")
    os.rename(link + ".new", link)
"""


def test_a_link_that_is_swapped_while_files_are_opened_never_gives_a_secret(place: Path) -> None:
    for name in ("public", "private"):
        (place / name).mkdir()
        (place / name / "x").write_text(name)
    granted = {**ALL, "deny_all": ["/data/private/**"]}
    files = files_in({"/data": place}, policy_of(**granted))
    command = [sys.executable, "-I", "-c", SWAPPER, "public", "private", str(place / "swapped")]
    swapper = subprocess.Popen(command)
    answers = set()
    try:
        while swapper.poll() is None:
            answer = files.filesystem.read_file("/data/swapped/x")
            answers.add(answer.value if isinstance(answer, Ok) else answer.error.case)
            written = files.filesystem.write_file_atomic("/data/swapped/y", b"")
            answers.add("written" if isinstance(written, Ok) else written.error.case)
    finally:
        swapper.kill()
        swapper.wait()
        files.close()
    assert swapper.returncode == 0
    assert answers <= {b"public", "written", "permission-denied", "not-found", "busy"}
    assert [path.name for path in (place / "private").iterdir()] == ["x"]


def test_no_answer_names_a_path_of_the_host(files: Files, place: Path) -> None:
    answers = [
        files.filesystem.read_file("/data/none"),
        files.filesystem.read_file("/data/absolute"),
        files.filesystem.read_file("/data/fifo"),
        files.filesystem.remove_directory("/data/tree"),
        files.filesystem.create_directory("/data/f/x", FilePermissions(0o700)),
        files.filesystem.rename("/data/tree", "/data/tree/x"),
    ]
    for answer in answers:
        assert str(place.parent) not in repr(answer)


def test_a_call_whose_time_is_over_stops_copying(files: Files, place: Path) -> None:
    (place / "big").write_bytes(bytes(MIB))
    files.context.deadline = 0.0
    assert case_of(files.filesystem.copy("/data/big", "/data/copy", False)) == "timeout"
    assert not (place / "copy").exists()
    assert case_of(files.metadata.list_directory("/data", None)) == "timeout"
    assert case_of(files.filesystem.remove_directory_recursive("/data/tree")) == "timeout"
    assert (place / "tree/deep/b").exists()


def _full(write: Callable[..., int]) -> Callable[..., int]:
    def limited(descriptor: int, data: bytes, *rest: int) -> int:
        if len(data) > 65_536:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data, *rest)

    return limited


def _refusing(error: OSError) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise error

    return refuse
