"""From options to a core: the owner of the directory where one runs, else one of our own for one command."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from console import config
from console.cmdline import streams
from console.cmdline.options import Options
from runtime.errors import InUseError, UnavailableError, UsageError
from runtime.sanitise import clean
from runtime.statedir import StateDir, find, locate, owner_running

if TYPE_CHECKING:
    from console.client import CoreClient, Sink
    from console.core import CoreOptions
    from console.parts import ServedRelease

__all__ = ["connect", "core_options", "passphrase", "reach_shared", "state_path"]

_OWNER_S = 5.0
_POLL_S = 0.05
_PASSPHRASE_MAX = 4096
_DEMO = ".demo"


def state_path(options: Options, environ: Mapping[str, str]) -> Path:
    """Where the state directory is; `--demo` without another name uses `.demo` in the working directory.

    Args:
        options: the command line's.
        environ: the environment.

    Raises:
        UsageError: no name can be made of it.
    """
    if options.demo and options.state_dir is None and not environ.get("ORLOP_STATE_DIR"):
        return Path.cwd() / _DEMO
    return locate(options.state_dir, environ)


def core_options(options: Options, *, owner: bool, secret: bytes | None = None) -> "CoreOptions":
    """What a core in this process is started with.

    Args:
        options: the command line's.
        owner: whether it is to hold the directory alone.
        secret: the passphrase, where it was asked for; else it is read from its file.

    Raises:
        UsageError: the configuration is wrong, or a file that was named cannot be read.
        UnavailableError: a file cannot be read.
    """
    from console.core import CoreOptions

    path = state_path(options, os.environ)
    read = _config_reader(path, options)
    return CoreOptions(
        state_path=path,
        config=read(),
        owner=owner,
        demo=options.demo,
        passphrase=secret or passphrase(options.passphrase_file, os.environ),
        read_only=options.read_only,
        reload=read,
        debug=options.debug or bool(os.environ.get("ORLOP_DEBUG")),
        serve_boot=_served(options),
    )


def connect(options: Options, *, secret: bytes | None = None, sink: "Sink | None" = None) -> "CoreClient":
    """A core for one command.

    Args:
        options: the command line's.
        secret: as in `core_options`.
        sink: gets the events of a core of our own.

    Returns:
        The owner of the directory, through its socket; or a core of our own, which makes the directory if need be.

    Raises:
        OrlopError: neither can be had.
    """
    shared = reach_shared(options)
    if shared is not None:
        return shared
    path = state_path(options, os.environ)
    deadline = time.monotonic() + _OWNER_S
    while True:
        state = find(path)
        pid = owner_running(state) if state is not None else None
        if state is not None and pid is not None:
            client = _reach(state, pid, options, last=time.monotonic() > deadline)
            if client is not None:
                return client
        else:
            try:
                return _own(options, secret, sink, new=state is None)
            except InUseError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(_POLL_S)


def _shared_socket(options: Options, environ: Mapping[str, str]) -> Path | None:
    """The socket by which the members of a group reach the node of this machine.

    Args:
        options: the command line's.
        environ: the environment.

    Returns:
        None where there is none, or where the caller has a state directory of their own, or names one.

    Raises:
        UsageError: the configuration is wrong.
    """
    if options.state_dir is not None or options.demo or environ.get("ORLOP_STATE_DIR"):
        return None
    with contextlib.suppress(UsageError):  # who has no home directory has no state there either
        if find(locate(None, environ)) is not None:
            return None
    path = Path(config.load(config.config_file(options.config, environ), None, environ).control.socket)
    try:
        return path if path.is_socket() else None
    except OSError:
        return None


def passphrase(named: str | None, environ: Mapping[str, str]) -> bytes | None:
    """The passphrase of the vault: from the file that was named, else from the service manager's credentials.

    Args:
        named: the value of `--passphrase-file`.
        environ: the environment; `CREDENTIALS_DIRECTORY` is set by a service manager.

    Returns:
        Its bytes without the line end, or None.

    Raises:
        UsageError: the file cannot be read, or is empty.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY")
    file = Path(named) if named else Path(folder) / "orlop.passphrase" if folder else None
    if file is None or (named is None and not os.path.exists(file)):  # noqa: PTH110 - `Path.exists` raises for some
        return None
    try:
        with file.open("rb") as stream:
            content = stream.read(_PASSPHRASE_MAX + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror or "cannot be read") if isinstance(error, OSError) else "cannot be read"
        raise UsageError(why.lower(), what="--passphrase-file", where=clean(str(file), 200)) from error
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if not secret or len(content) > _PASSPHRASE_MAX:
        raise UsageError("holds no passphrase", what="--passphrase-file", where=clean(str(file), 200))
    return secret


def _served(options: Options) -> "ServedRelease | None":
    """The release of `--serve-boot`, and where it is served."""
    if options.serve_boot is None:
        if options.boot_bind is not None:
            raise UsageError("needs --serve-boot", where="--boot-bind")
        return None
    from console.cmdline.relay import parse_bind
    from console.parts import ServedRelease
    from console.syntax.boot_serving import BIND

    host, port = parse_bind(options.boot_bind or BIND, "--boot-bind")
    return ServedRelease(Path(options.serve_boot), host, port)


def _config_reader(path: Path, options: Options) -> Callable[[], config.Config]:
    def read() -> config.Config:
        file = config.config_file(options.config, os.environ)
        given = {"p2p.listen": " ".join(options.p2p_listen)} if options.p2p_listen else {}
        return config.load(file, StateDir(path).config_d, os.environ, given)

    return read


def _reach(state: StateDir, pid: int, options: Options, *, last: bool) -> "CoreClient | None":
    """The owner, or None while it is about to open its socket or to go away."""
    from console.remote import RemoteCore

    try:
        return RemoteCore(state.control_socket, client="cli", read_only=options.read_only)
    except UnavailableError as error:
        if last:
            who = f"process {pid}" if pid else "another process"
            why = f"in use by {who}, which does not answer"
            raise InUseError(why, where=clean(str(state.path), 200), hint=error.why) from error
        return None


def reach_shared(options: Options) -> "CoreClient | None":
    """The node of this machine, for who may come there and has no state directory of their own.

    Args:
        options: the command line's.

    Returns:
        None where there is none, or the caller may not.

    Raises:
        UsageError: the configuration is wrong.
    """
    path = _shared_socket(options, os.environ)
    if path is None:
        return None
    from console.remote import RemoteCore

    try:
        return RemoteCore(path, client="cli", read_only=options.read_only)
    except UnavailableError:
        return None  # nobody listens, or not for us


def _own(options: Options, secret: bytes | None, sink: "Sink | None", *, new: bool) -> "CoreClient":
    from console.local import LocalCore

    settings = core_options(options, owner=False, secret=secret)
    core = LocalCore(settings, face="cli")
    if sink is not None:
        core.subscribe(core.first_seq, sink)
    if new and not options.quiet:
        made = clean(str(settings.state_path), 200)
        streams.say(f"made the state directory {made}; orlop init says what is in it")
    return core
