"""From a guest's path to an open thing that it may use: one order of steps for every request.

The text is brought to its normal form and held against the deny rules; the kernel resolves it beneath its mount; what
was found says where it really is, and *that* path is held against deny and allow rules. From then on only descriptors
are used, or a name in an open directory, never the path again: swapping a link meanwhile changes nothing. What cannot
be found is answered so that a guest learns nothing of paths that it may not ask about.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.components.host.beneath import open_beneath, where
from runtime.components.host.context import Context
from runtime.components.host.file_errors import FileCase, FileRefusedError, refusal_of
from runtime.components.host.mounts import Mount, Mounts
from runtime.components.permissions import Decision, Policy
from runtime.components.permissions.errors import InvalidRequestError
from runtime.components.permissions.paths import normalise
from runtime.components.permissions.rules import FileAction

__all__ = ["DELETE", "LIST", "READ", "SEE", "WRITE", "Found", "Paths", "Place", "Want", "must_be_writable"]


@dataclass(frozen=True, slots=True)
class Want:
    """What is asked of the policy about a path.

    Attributes:
        actions: what is to be done.
        one_suffices: one allowed action is enough; else all must be.
    """

    actions: tuple[FileAction, ...]
    one_suffices: bool = False

    def __and__(self, other: "Want") -> "Want":
        return Want(self.actions + other.actions)

    def decide(self, policy: Policy, path: str) -> Decision:
        """What the policy says to a path, in normal form and without links."""
        decision = policy.file(self.actions[0], path)
        for action in self.actions[1:]:
            if decision.allowed == self.one_suffices:
                break
            decision = policy.file(action, path)
        return decision

    def denied(self, policy: Policy, path: str) -> Decision | None:
        """What the deny rules alone say to the text of a path; None when nothing."""
        decisions = [policy.denied(action, path) for action in self.actions]
        against = [decision for decision in decisions if decision is not None]
        if not against or (self.one_suffices and len(against) < len(decisions)):
            return None
        return against[0]


READ: Final = Want(("read",))
WRITE: Final = Want(("write",))
DELETE: Final = Want(("delete",))
LIST: Final = Want(("list",))
SEE: Final = Want(("list", "read"), one_suffices=True)
"""That something is there, and its metadata."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is there and may be asked for.

    Attributes:
        descriptor: names it (`O_PATH`), for as long as the `with` lasts.
        mount: where it lies.
        path: its guest path, without links.
        status: what it is.
        rule: the permission that allowed it.
    """

    descriptor: int
    mount: Mount
    path: str
    status: os.stat_result
    rule: str | None

    @property
    def is_directory(self) -> bool:
        """Whether it is one."""
        return stat.S_ISDIR(self.status.st_mode)


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a directory, whether something is there or not; a link there is the link itself.

    Attributes:
        parent: the directory (`O_PATH`), for as long as the `with` lasts.
        name: in it.
        mount: where it lies.
        path: the guest path of the name, the directory's without links.
        rule: the permission that allowed it.
    """

    parent: int
    name: str
    mount: Mount
    path: str
    rule: str | None

    def status(self) -> os.stat_result:
        """What is there.

        Raises:
            FileNotFoundError: nothing.
        """
        return os.lstat(self.name, dir_fd=self.parent)

    def must_be_writable(self) -> None:
        """Checks that the mount may be changed.

        Raises:
            FileRefusedError: `read-only`.
        """
        must_be_writable(self.mount)


def must_be_writable(mount: Mount) -> None:
    """Checks that a mount may be changed.

    Raises:
        FileRefusedError: `read-only`.
    """
    if mount.read_only:
        raise FileRefusedError("read-only", "the directory was given for reading")


class Paths:
    """The paths of one instance.

    Args:
        context: whose calls these are.
        mounts: what it was given.

    Attributes:
        mounts: as given.
        directory: the instance's own working directory, a guest path.
    """

    def __init__(self, context: Context, mounts: Mounts) -> None:
        self._context = context
        self.mounts = mounts
        self.directory = "/"

    @contextlib.contextmanager
    def find(self, path: str, want: Want, *, follow: bool = True) -> Iterator[Found]:
        """Finds what a path names.

        Args:
            path: as the guest gave it.
            want: what it wants to do there.
            follow: whether a link at the end is followed; else it is found itself.

        Raises:
            FileRefusedError: it may not, or there is nothing.
        """
        text, mount, relative = self._enter(path, want)
        try:
            descriptor = open_beneath(mount.directory, relative, follow=follow)
        except OSError as error:
            raise self._not_there(error, text, mount, relative, want) from None
        try:
            place = where(mount.directory, descriptor)
            if place is None:
                gone = FileNotFoundError(errno.ENOENT, "")
                raise self._not_there(gone, text, mount, relative, want)
            real = mount.guest_path(_utf8(place))
            rule = self.decide(want, real)
            yield Found(descriptor, mount, real, os.fstat(descriptor), rule)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def place(self, path: str, want: Want) -> Iterator[Place]:
        """Finds the directory that a path's last name is in; it must be there, the name need not be.

        Args:
            path: as the guest gave it.
            want: what it wants to do with the name.

        Raises:
            FileRefusedError: it may not, there is no such directory, or the path is a mount itself (`busy`).
        """
        text, mount, relative = self._enter(path, want)
        if relative == ".":
            self.decide(want, text)
            raise FileRefusedError("busy", "this directory was given as a whole")
        above, _, name = relative.rpartition("/")
        try:
            parent = open_beneath(mount.directory, above or ".", directory=True)
        except OSError as error:
            raise self._not_there(error, text, mount, relative, want) from None
        try:
            place = where(mount.directory, parent)
            if place is None:
                gone = FileNotFoundError(errno.ENOENT, "")
                raise self._not_there(gone, text, mount, relative, want)
            real = mount.guest_path(name if place == "." else f"{_utf8(place)}/{name}")
            rule = self.decide(want, real)
            yield Place(parent, name, mount, real, rule)
        finally:
            os.close(parent)

    def exists(self, path: str) -> bool:
        """Whether a path that may be asked about resolves.

        Raises:
            FileRefusedError: it may not be asked about, or nobody can say.
        """
        try:
            with self.find(path, SEE):
                return True
        except FileRefusedError as refusal:
            if refusal.case in {"not-found", "not-a-directory"}:
                return False
            raise

    def normal(self, path: str) -> str:
        """A guest's path in normal form, absolute.

        Raises:
            FileRefusedError: it is none.
        """
        try:
            return normalise(path, self.directory)
        except InvalidRequestError as error:
            case: FileCase = "name-too-long" if error.why.endswith("too long") else "invalid-path"
            raise FileRefusedError(case, error.why) from None

    def _enter(self, path: str, want: Want) -> tuple[str, Mount, str]:
        """The normal form of a path, its mount and the path beneath it; deny rules on the text are kept."""
        text = self.normal(path)
        self._context.note(target=text)
        denied = want.denied(self._context.policy, text)
        if denied is not None:
            self._answer(denied, text)
        found = self.mounts.find(text)
        if found is None:
            self.decide(want, text)
            raise FileRefusedError("not-found", "no directory was given here")
        return text, *found

    def decide(self, want: Want, path: str) -> str | None:
        """Asks the policy about a path that is known to be free of links.

        Returns:
            The rule that allowed it.

        Raises:
            FileRefusedError: `permission-denied`.
        """
        return self._answer(want.decide(self._context.policy, path), path)

    def _answer(self, decision: Decision, path: str) -> str | None:
        if not self._context.allow(decision, path):
            raise FileRefusedError("permission-denied", decision.reason)
        return decision.rule

    def _not_there(self, error: OSError, text: str, mount: Mount, relative: str, want: Want) -> FileRefusedError:
        """The answer to a path that does not resolve: what is wrong with it only for who may ask about it."""
        if error.errno == errno.EXDEV:
            self._context.allow(Decision.never("a symlink leaves the mount"), text)
            return FileRefusedError("permission-denied", "a symlink leaves the mount")
        self.decide(want, self._nearest(mount, relative))
        return refusal_of(error)

    def _nearest(self, mount: Mount, relative: str) -> str:
        """The path of what is missing: the last directory on the way that is there, without links, and the rest."""
        names = relative.split("/")
        for count in range(len(names) - 1, -1, -1):
            try:
                descriptor = open_beneath(mount.directory, "/".join(names[:count]) or ".", directory=True)
            except OSError:
                continue
            try:
                place = where(mount.directory, descriptor)
            finally:
                os.close(descriptor)
            if place is not None:
                rest = "/".join(names[count:])
                return mount.guest_path(rest if place == "." else f"{_utf8(place)}/{rest}")
        return mount.guest_path(relative)


def _utf8(path: str) -> str:
    """A real path that can be told to a guest.

    Raises:
        FileRefusedError: `not-utf8`.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise FileRefusedError("not-utf8", "a name on the way is not UTF-8") from None
    return path
