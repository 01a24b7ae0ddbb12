"""The state directory: where it is, what lies in it, and who may use it at a time.

Nothing else is written outside it. `owner.lock` is held exclusively by a console or daemon and shared by one-shot
commands that work without one; the kernel lets go of it when its holder dies, however it dies.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runtime import durable
from runtime.errors import InUseError, RefusedError, UnavailableError, UsageError
from runtime.sanitise import clean

__all__ = [
    "LAYOUT",
    "OwnerLock",
    "StateDir",
    "acquire_owner",
    "acquire_shared",
    "find",
    "locate",
    "owner_running",
    "prepare",
]

LAYOUT = 1
"""Version of the directory's layout, the content of `VERSION`."""

_POLL_S = 0.05
_ELSEWHERE = "name another one with --state-dir"


@dataclass(frozen=True, slots=True)
class StateDir:
    """The paths of one state directory."""

    path: Path

    @property
    def identity_key(self) -> Path:
        """The node's Ed25519 seed."""
        return self.path / "identity.key"

    @property
    def identity_next(self) -> Path:
        """The seed of the key that comes next, while a rotation is under way."""
        return self.path / "identity.next"

    @property
    def vault_key(self) -> Path:
        """The vault's key, raw or wrapped."""
        return self.path / "vault.key"

    @property
    def database(self) -> Path:
        """Store and journal."""
        return self.path / "orlop.db"

    @property
    def control_socket(self) -> Path:
        """Where the owner is reached."""
        return self.path / "control.sock"

    @property
    def owner_lock(self) -> Path:
        """The lock file."""
        return self.path / "owner.lock"

    @property
    def modules(self) -> Path:
        """Modules of agents, by content."""
        return self.path / "modules"

    @property
    def blobs(self) -> Path:
        """Modules, inputs and kept outputs of jobs, by content."""
        return self.path / "blobs"

    @property
    def output(self) -> Path:
        """Output of jobs, one capped file each."""
        return self.path / "output"

    @property
    def run(self) -> Path:
        """Private folders of running jobs; emptied by the owner at its start."""
        return self.path / "run"

    @property
    def components(self) -> Path:
        """Private folders of components."""
        return self.path / "components"

    @property
    def compiled_cache(self) -> Path:
        """Compiled modules."""
        return self.path / "cache" / "compiled"

    @property
    def config_d(self) -> Path:
        """Settings written by `config set`."""
        return self.path / "config.d"

    @property
    def ui(self) -> Path:
        """What the screen remembers."""
        return self.path / "ui.toml"

    @property
    def version_file(self) -> Path:
        """The layout's version."""
        return self.path / "VERSION"


def locate(option: str | None, environ: Mapping[str, str]) -> Path:
    """Where the state directory is: the option, else `ORLOP_STATE_DIR`, else below the XDG state folder.

    Args:
        option: the value of `--state-dir`.
        environ: the environment; a relative `XDG_STATE_HOME` is passed over, as its specification wants.

    Returns:
        An absolute path; it need not exist.

    Raises:
        UsageError: an empty or impossible name, or no home directory.
    """
    for name, given in (("--state-dir", option), ("ORLOP_STATE_DIR", environ.get("ORLOP_STATE_DIR"))):
        if given is None or (given == "" and name != "--state-dir"):
            continue
        if not given or "\0" in given:
            raise UsageError("not a directory's name", where=name)
        return Path(os.path.abspath(given))  # noqa: PTH100 - Path.absolute keeps `..`, resolve follows links
    xdg = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(xdg):  # noqa: PTH117 - an empty Path is `.`
        return Path(xdg) / "orlop"
    home = environ.get("HOME", "")
    if not os.path.isabs(home):  # noqa: PTH117 - as above
        raise UsageError("no home directory is known", hint="name a state directory with --state-dir")
    return Path(home) / ".local" / "state" / "orlop"


def find(path: Path) -> StateDir | None:
    """A state directory that exists; nothing is made.

    Raises:
        RefusedError: something is there that cannot be one: no directory, not ours, open to others.
        UsageError: its layout is of a later version.
        UnavailableError: it cannot be looked at.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(_words(error), where=_shown(path), hint=_ELSEWHERE) from error
    _check(path, status)
    state = StateDir(path)
    _check_layout(state)
    return state


def prepare(path: Path) -> StateDir:
    """The state directory, made if there is none; what is in it already is left alone.

    Raises:
        RefusedError: something is there that cannot be one: no directory, not ours, open to others.
        UsageError: its layout is of a later version.
        UnavailableError: it cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UnavailableError("not a directory", where=_shown(path.parent), hint=_ELSEWHERE) from error
    except OSError as error:
        raise UnavailableError(_words(error), where=_shown(path.parent), hint=_ELSEWHERE) from error
    durable.make_directory(path)
    state = find(path)
    if state is None:
        raise UnavailableError("vanished while it was being made", where=_shown(path))
    if not os.access(path, os.W_OK | os.X_OK):
        raise UnavailableError("cannot be written", where=_shown(path), hint=f"run chmod 700 on it, or {_ELSEWHERE}")
    for part in (
        state.modules,
        state.output,
        state.run,
        state.compiled_cache.parent,
        state.compiled_cache,
        state.config_d,
    ):
        durable.make_directory(part)
    if not state.version_file.exists():
        durable.create(state.version_file, f"{LAYOUT}\n".encode())
    return state


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError("is not a directory", where=_shown(path))
    if status.st_uid != os.geteuid():
        why = f"belongs to user {status.st_uid}, not to us"
        raise RefusedError(why, where=_shown(path), hint=_ELSEWHERE)
    if status.st_mode & 0o077:
        why = f"is open to others (mode {stat.S_IMODE(status.st_mode):04o})"
        raise RefusedError(why, where=_shown(path), hint=f"run chmod 700 on it, or {_ELSEWHERE}")


def _check_layout(state: StateDir) -> None:
    text = (durable.read(state.version_file, limit=64) or b"").decode("ascii", "replace").strip()
    if text.isdecimal() and int(text) > LAYOUT:
        why = f"was written by a later version (layout {text}, this one knows {LAYOUT})"
        raise UsageError(why, where=_shown(state.path), hint="update orlop")


class OwnerLock:
    """A hold on `owner.lock`; ends with `close`, or with the process."""

    __slots__ = ("_descriptor", "exclusive")

    def __init__(self, descriptor: int, *, exclusive: bool) -> None:
        self._descriptor = descriptor
        self.exclusive = exclusive

    def close(self) -> None:
        """Lets go of the lock; does nothing the second time."""
        if self._descriptor >= 0:
            if self.exclusive:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def acquire_owner(state: StateDir, *, wait_s: float = 5.0) -> OwnerLock:
    """Becomes the owner, writes our pid into the lock file and empties `run/`.

    Args:
        state: the directory.
        wait_s: seconds for which running one-shot commands are waited for; another owner is not waited for.

    Raises:
        InUseError: another process holds the directory; its pid is named.
        UnavailableError: the lock file cannot be opened.
    """
    descriptor = _open(state)
    deadline = time.monotonic() + wait_s
    try:
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if not _try_lock(descriptor, fcntl.LOCK_SH):
                raise _in_use(state, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            if time.monotonic() >= deadline:
                raise _in_use(state, descriptor)
            time.sleep(_POLL_S)
        _check_place(state, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        _empty(state.run)
    except OSError as error:
        os.close(descriptor)
        raise UnavailableError(_words(error), where=_shown(state.owner_lock)) from error
    except BaseException:
        os.close(descriptor)
        raise
    return OwnerLock(descriptor, exclusive=True)


def acquire_shared(state: StateDir) -> OwnerLock:
    """Keeps owners away while a one-shot command works on the directory.

    Raises:
        InUseError: an owner runs; its pid is named. Ask it through `control.sock` instead.
        UnavailableError: the lock file cannot be opened.
    """
    descriptor = _open(state)
    try:
        if not _try_lock(descriptor, fcntl.LOCK_SH):
            raise _in_use(state, descriptor)
        _check_place(state, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return OwnerLock(descriptor, exclusive=False)


def owner_running(state: StateDir) -> int | None:
    """The pid of the owner, 0 when it cannot be told, None when there is no owner. Nothing is made."""
    try:
        descriptor = os.open(state.owner_lock, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return _holder(descriptor, exclusive=True)
    finally:
        os.close(descriptor)


def _open(state: StateDir) -> int:
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(state.owner_lock, flags, 0o600)
    except OSError as error:
        words = "is a symbolic link" if state.owner_lock.is_symlink() else _words(error)
        raise UnavailableError(words, where=_shown(state.owner_lock)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnavailableError("is not a regular file", where=_shown(state.owner_lock))
    return descriptor


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UnavailableError(f"cannot be locked: {_words(error)}") from error
    return True


def _check_place(state: StateDir, descriptor: int) -> None:
    """A restore may have put another directory in this one's place between the opening and the lock."""
    try:
        there = state.owner_lock.lstat()
    except FileNotFoundError:
        there = None
    if there is None or not os.path.samestat(there, os.fstat(descriptor)):
        raise InUseError("was replaced in this moment", where=_shown(state.path), hint="run it again")


def _in_use(state: StateDir, descriptor: int) -> InUseError:
    pid = _holder(descriptor, exclusive=False)
    who = f"process {pid}" if pid else "another process"
    return InUseError(f"in use by {who}", where=_shown(state.path), hint="end it, or name another --state-dir")


def _holder(descriptor: int, *, exclusive: bool) -> int:
    """The pid of somebody else who holds the lock: from the kernel's table, else as the owner wrote it."""
    status = os.fstat(descriptor)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            part = line.split()
            # Number, FLOCK, ADVISORY, WRITE, pid, device and inode, start, end; waiting ones have `->` second.
            if part[1] == "FLOCK" and part[5] == wanted and (part[3] == "WRITE" or not exclusive):
                pid = int(part[4])
                if pid > 0 and pid != os.getpid():
                    return pid
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() else 0


def _empty(directory: Path) -> None:
    import shutil

    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)  # noqa: PTH108 - a DirEntry's path


def _shown(path: Path) -> str:
    return clean(str(path), 200)


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
