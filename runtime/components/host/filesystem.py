"""`orlop:ext-filesystem/filesystem`: files and directories by their paths.

Every operation resolves its path first (`runtime.components.host.paths`), and then acts on what it found there by
descriptor, or on a name in an open directory.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from runtime.components.bindings.ext_filesystem_types import (
    FileMetadata,
    FileOpenOptions,
    FilePermissions,
    FilesystemQuota,
)
from runtime.components.host.beneath import reopen
from runtime.components.host.context import Context
from runtime.components.host.file_answers import answering
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.file_metadata import metadata_of
from runtime.components.host.file_moves import copy_file, move
from runtime.components.host.files import CHUNK, OpenFile, must_be_regular
from runtime.components.host.paths import DELETE, LIST, READ, SEE, WRITE, Found, Paths, Place, Want, must_be_writable
from runtime.components.host.quota import held, removing
from runtime.components.host.replacement import Replacement
from runtime.components.host.tree_removal import remove_tree
from runtime.components.permissions import Policy

__all__ = ["Filesystem"]

_MODES: Final = {"read": os.O_RDONLY, "write": os.O_WRONLY, "append": os.O_WRONLY, "read-write": os.O_RDWR}
_WANTS: Final = {"read": READ, "write": WRITE, "append": WRITE, "read-write": READ & WRITE}
_TRIES: Final = 8
_NEW_FILE: Final = 0o600
_LINK_BYTES: Final = 4095


class Filesystem:
    """The operations of one instance.

    Args:
        context: whose they are.
        paths: what it was given.
    """

    def __init__(self, context: Context, paths: Paths) -> None:
        self._context = context
        self._paths = paths

    @answering
    def open(self, path: str, options: FileOpenOptions) -> OpenFile:
        """Opens a regular file, and makes it where that is asked for."""
        writes = options.mode != "read"
        creates = options.create or options.create_new
        mode = _checked_mode(options.permissions)
        if options.truncate and not writes:
            raise FileRefusedError("invalid-argument", "truncate needs a mode that writes")
        want = _WANTS[options.mode] & WRITE if creates else _WANTS[options.mode]
        self._context.handles.room("file")
        if options.create_new:
            return self._create(path, options, want, mode)
        for _ in range(_TRIES):
            try:
                return self._open_existing(path, options, want)
            except FileRefusedError as refusal:
                if not options.create or refusal.case != "not-found":
                    raise
            with contextlib.suppress(FileExistsError):
                return self._create(path, options, want, mode)
        raise FileRefusedError("not-found", "a symlink that leads nowhere, or others make and remove it")

    @answering
    def read_file(self, path: str) -> bytes:
        """A whole file."""
        with self._paths.find(path, READ) as found:
            must_be_regular(found.status)
            descriptor = reopen(found.descriptor, os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(CHUNK + 1)
            if len(data) > CHUNK:
                raise FileRefusedError("invalid-argument", "the file is larger than 1 MiB; read it by read-text")
            self._context.note(size=len(data))
            return data

    @answering
    def write_file_atomic(self, path: str, data: bytes) -> None:
        """Replaces a file as a whole."""
        with self._paths.place(path, WRITE) as place:
            place.must_be_writable()
            mode = _NEW_FILE
            with contextlib.suppress(FileNotFoundError):
                status = place.status()
                if stat.S_ISDIR(status.st_mode):
                    raise FileRefusedError("is-a-directory", "a directory")
                mode = status.st_mode & 0o777 if stat.S_ISREG(status.st_mode) else _NEW_FILE
            with Replacement(self._context, place, mode) as replacement:
                replacement.write(data)
                replacement.commit()
            self._context.note(size=len(data))

    @answering
    def delete_file(self, path: str) -> None:
        """Removes a file, or a link itself."""
        with self._paths.place(path, DELETE) as place, held(place.mount.ledger):
            status = place.status()
            place.must_be_writable()
            if stat.S_ISDIR(status.st_mode):
                raise FileRefusedError("is-a-directory", "a directory")
            with removing(place.mount.ledger, status):
                os.unlink(place.name, dir_fd=place.parent)

    @answering
    def create_directory(self, path: str, permissions: FilePermissions) -> None:
        """Makes one directory."""
        mode = _checked_mode(permissions)
        with self._paths.place(path, WRITE) as place, _new_name(place):
            os.mkdir(place.name, 0o700, dir_fd=place.parent)
            descriptor = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.parent)
            try:
                if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    _chmod(descriptor, mode)
            finally:
                os.close(descriptor)

    @answering
    def remove_directory(self, path: str) -> None:
        """Removes an empty directory."""
        with self._paths.place(path, DELETE) as place, held(place.mount.ledger):
            status = place.status()
            place.must_be_writable()
            with removing(place.mount.ledger, status):
                os.rmdir(place.name, dir_fd=place.parent)

    @answering
    def remove_directory_recursive(self, path: str) -> int:
        """Removes a tree; every entry is checked before the first is removed."""
        with self._paths.place(path, LIST & DELETE) as place:
            if not stat.S_ISDIR(place.status().st_mode):
                raise FileRefusedError("not-a-directory", "not a directory")
            place.must_be_writable()
            return remove_tree(self._context, self._paths, place)

    @answering
    def rename(self, old_path: str, new_path: str) -> None:
        """Moves a file or a whole tree on one mount."""
        with self._paths.place(old_path, READ & DELETE) as old:
            status = old.status()
            with self._paths.place(new_path, WRITE) as new:
                old.must_be_writable()
                new.must_be_writable()
                move(self._context, self._paths, old, status, new)

    @answering
    def copy(self, src: str, dest: str, overwrite: bool) -> int:
        """Copies content and mode of a file; a link at the destination is replaced, not followed."""
        with self._paths.find(src, READ) as source:
            must_be_regular(source.status)
            with self._paths.place(dest, WRITE) as place:
                place.must_be_writable()
                return copy_file(self._context, source, place, overwrite=overwrite)

    @answering
    def exists(self, path: str) -> bool:
        """Whether a path resolves."""
        return self._paths.exists(path)

    @answering
    def get_metadata(self, path: str) -> FileMetadata:
        """Of what a path leads to."""
        with self._paths.find(path, SEE) as found:
            return metadata_of(found.descriptor, found.status, found.path)

    @answering
    def get_link_metadata(self, path: str) -> FileMetadata:
        """Of a link itself."""
        with self._paths.find(path, SEE, follow=False) as found:
            return metadata_of(found.descriptor, found.status, found.path)

    @answering
    def set_permissions(self, path: str, permissions: FilePermissions) -> None:
        """Sets the mode of a file or directory."""
        mode = _checked_mode(permissions)
        with self._paths.find(path, WRITE) as found:
            must_be_writable(found.mount)
            if not found.is_directory:
                must_be_regular(found.status)
            _chmod(found.descriptor, mode)

    @answering
    def create_symlink(self, target: str, link_path: str) -> None:
        """Makes a link to what may be read."""
        with self._paths.place(link_path, WRITE) as place:
            self._check_target(target, place)
            with _new_name(place):
                os.symlink(target, place.name, dir_fd=place.parent)

    @answering
    def read_symlink(self, path: str) -> str:
        """What is stored in a link; one that leads out by a path of the host is not told."""
        with self._paths.place(path, READ) as place:
            if not stat.S_ISLNK(place.status().st_mode):
                raise FileRefusedError("invalid-argument", "not a symlink")
            target = os.readlink(place.name, dir_fd=place.parent)
        if target.startswith("/"):
            raise FileRefusedError("permission-denied", "a symlink leaves the mount")
        try:
            target.encode()
        except UnicodeEncodeError:
            raise FileRefusedError("not-utf8", "the target is not UTF-8") from None
        return target

    def quota(self) -> FilesystemQuota:
        """Use and ceilings."""
        mounts = self._paths.mounts
        return FilesystemQuota(
            used_bytes=mounts.account.used,
            quota_bytes=mounts.quota,
            open_files=self._context.handles.count("file"),
            max_open_files=self._context.limits.open_files,
        )

    def _open_existing(self, path: str, options: FileOpenOptions, want: Want) -> OpenFile:
        with self._paths.find(path, want, follow=options.follow_final_symlink) as found:
            must_be_regular(found.status)
            if options.mode != "read":
                must_be_writable(found.mount)
            with held(found.mount.ledger):
                return self._hold(reopen(found.descriptor, _MODES[options.mode]), options, want, found)

    def _create(self, path: str, options: FileOpenOptions, want: Want, mode: int) -> OpenFile:
        with self._paths.place(path, want) as place, _new_name(place):
            flags = _MODES[options.mode] | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(place.name, flags, _NEW_FILE, dir_fd=place.parent)
            os.fchmod(descriptor, mode)
            return self._hold(descriptor, options, want, place)

    def _hold(self, descriptor: int, options: FileOpenOptions, want: Want, what: Found | Place) -> OpenFile:
        file = OpenFile(self._context, descriptor, options.mode, what.path, what.mount.ledger)

        def holds(policy: Policy) -> bool:
            return want.decide(policy, what.path).allowed

        try:
            if options.truncate:
                file.cut(0)
        except OSError:
            file.end("closed")
            raise
        self._context.handles.add("file", file, what.rule, holds)
        return file

    def _check_target(self, target: str, place: Place) -> None:
        """Checks what a new link leads to: the text now, and what it means again whenever the link is used."""
        if target.startswith("/"):
            raise FileRefusedError("invalid-argument", "the target must be relative")
        if len(target.encode(errors="surrogatepass")) > _LINK_BYTES:
            raise FileRefusedError("name-too-long", "the target is longer than 4095 bytes")
        above = place.path.rpartition("/")[0]
        meant = self._paths.normal(f"{above}/{target}") if target else self._paths.normal("")
        if place.mount.relative(meant) is None:
            raise FileRefusedError("permission-denied", "the target is outside the mount")
        try:
            with self._paths.find(meant, READ):
                pass
        except FileRefusedError as refusal:
            if refusal.case != "not-found":
                raise


@contextlib.contextmanager
def _new_name(place: Place) -> Iterator[None]:
    """Keeps the ledger right about a name that is being made."""
    place.must_be_writable()
    ledger = place.mount.ledger
    if ledger is None:
        yield
        return
    with ledger.held():
        ledger.add_entry()
        try:
            yield
        except BaseException:
            ledger.drop_entry()
            raise


def _checked_mode(permissions: FilePermissions) -> int:
    if permissions.mode > 0o777:  # noqa: PLR2004 - what the bits are
        raise FileRefusedError("permission-denied", "only the bits 0o777 can be set")
    return permissions.mode


def _chmod(descriptor: int, mode: int) -> None:
    """Sets the mode of what a descriptor names: `fchmod` does not take one of `O_PATH`.

    By `fchmodat`, as which `dir_fd` has it called: the plain call is not among those that a walled worker may make.
    """
    os.chmod(f"/proc/self/fd/{descriptor}", mode, dir_fd=descriptor)
