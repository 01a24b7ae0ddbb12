"""`orlop doctor`: what this machine and this directory are like, and what to do where something is wrong.

Every check is a function that looks and changes nothing. `bad` is what keeps orlop from working; `info` is worth
knowing. Later packages add their checks to `CHECKS`.
"""

import os
import platform
import resource
import shutil
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from console import config
from console.client import Json
from console.config import key_map_file
from console.toml_file import read_toml
from runtime.errors import OrlopError
from runtime.jobs import confinement
from runtime.quantities import format_size
from runtime.sanitise import clean
from runtime.space import SpaceWatch, free_bytes
from runtime.statedir import StateDir, find, owner_running

__all__ = ["CHECKS", "Check", "examine", "report"]

_PYTHON = (3, 11)
_FILES = 1024
_ANSWER = 42
_PROBE = bytes.fromhex("0061736d010000000105016000017f030201000707010372756e00000a06010400412a0b")
"""A module whose `run` returns 42."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table. `state`: `ok`, `info` or `bad`; `todo` is empty unless there is something to do."""

    check: str
    state: str
    result: str
    todo: str = ""


def examine(path: Path, environ: Mapping[str, str]) -> list[Check]:
    """Runs every check.

    Args:
        path: where the state directory is or would be.
        environ: the environment.
    """
    found: list[Check] = []
    for name, check in CHECKS.items():
        try:
            found.append(check(path, environ))
        except OrlopError as error:
            found.append(Check(name, "bad", error.why, error.hint))
        except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the others
            found.append(Check(name, "bad", f"could not look: {type(error).__name__}: {clean(str(error), 200)}"))
    return found


def report(checks: Sequence[Check]) -> dict[str, Json]:
    """The checks as the document that `--json` prints.

    Args:
        checks: what `examine` found.
    """
    return {
        "v": 1,
        "ok": all(check.state != "bad" for check in checks),
        "items": [
            {"check": check.check, "state": check.state, "result": check.result, "todo": check.todo} for check in checks
        ],
    }


def _python(_path: Path, _environ: Mapping[str, str]) -> Check:
    said = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    if sys.version_info[:2] < _PYTHON:
        return Check("python", "bad", said, "install Python 3.11 or later")
    return Check("python", "ok", said)


def _sandbox(_path: Path, _environ: Mapping[str, str]) -> Check:
    """Compiles a module in a child, as every guest is, and calls it."""
    from importlib.metadata import version

    import wasmtime

    from runtime.sandbox.compile import Compiler
    from runtime.sandbox.engine import ENGINE_VERSION, agent_engine

    installed = version("wasmtime")
    if installed != ENGINE_VERSION:
        todo = f"pip install wasmtime=={ENGINE_VERSION}"
        return Check("sandbox", "bad", f"wasmtime {installed} is not the version that orlop was tested with", todo)
    engine = agent_engine()
    with Compiler(None) as compiler:
        module = compiler.module("agent", _PROBE, engine)
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    run = wasmtime.Instance(store, module, []).exports(store)["run"]
    if not isinstance(run, wasmtime.Func) or run(store) != _ANSWER:
        return Check("sandbox", "bad", f"wasmtime {installed} computes wrongly", "reinstall wasmtime")
    return Check("sandbox", "ok", f"wasmtime {installed} compiled and ran a module")


def _directory(path: Path, _environ: Mapping[str, str]) -> Check:
    shown = clean(str(path), 200)
    state = find(path)
    if state is None:
        return Check("directory", "info", f"{shown} does not exist yet", "orlop init makes it")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Check("directory", "bad", f"{shown} cannot be written", "chmod 700 it, or use another --state-dir")
    return Check("directory", "ok", f"{shown}, ours alone")


def _space(path: Path, environ: Mapping[str, str]) -> Check:
    there = path
    while not os.path.exists(there) and there != there.parent:  # noqa: PTH110 - `Path.exists` raises for some names
        there = there.parent
    settings = config.load(config.config_file(None, environ), StateDir(path).config_d, environ)
    space, _ = SpaceWatch(lambda: free_bytes(there)).look(settings.storage.min_free_bytes)
    said = f"{format_size(space.free)} free for the state directory"
    if space.low:
        wanted = format_size(space.wanted)
        return Check("space", "bad", said, f"free some: below {wanted} (storage.min_free) no new work is taken")
    return Check("space", "ok", said)


def _owner(path: Path, _environ: Mapping[str, str]) -> Check:
    pid = owner_running(StateDir(path))
    if pid is None:
        return Check("owner", "info", "no console runs on this directory")
    return Check("owner", "info", f"process {pid} runs on this directory; commands go through it")


def _keys(path: Path, _environ: Mapping[str, str]) -> Check:
    state = StateDir(path)
    said = []
    for name, file in (("identity.key", state.identity_key), ("vault.key", state.vault_key)):
        try:
            status = file.lstat()
        except FileNotFoundError:
            said.append(f"{name} not made yet")
            continue
        if stat.S_IMODE(status.st_mode) & 0o077:
            return Check("keys", "bad", f"{name} is open to others", f"chmod 600 {clean(str(file), 200)}")
        said.append(f"{name} private")
    return Check("keys", "ok", ", ".join(said))


def _lock(path: Path, _environ: Mapping[str, str]) -> Check:
    """Whether a PIN is set, and what protects the disk, which a PIN never does."""
    from runtime.pin import is_set
    from runtime.store import peek
    from runtime.vault import is_wrapped

    state = StateDir(path)
    if not peek(state.database, is_set):
        return Check("lock", "info", "no PIN is set: orlop cannot be locked", "orlop pin set sets one")
    if is_wrapped(state):
        return Check("lock", "ok", "a PIN locks orlop while it runs; the vault's passphrase protects the disk")
    said = "a PIN locks orlop while it runs; on the disk it protects nothing, since the vault has no passphrase"
    return Check("lock", "info", said, "keep the state directory on an encrypted disk")


def _terminal(_path: Path, environ: Mapping[str, str]) -> Check:
    if not all(os.isatty(number) for number in (0, 1, 2)):
        return Check("terminal", "info", "none here: the screen needs one, --no-ui and commands do not")
    term = environ.get("TERM", "")
    size = shutil.get_terminal_size()
    coding = (sys.stdout.encoding or "").lower()
    colours = "no colour" if environ.get("NO_COLOR") else environ.get("COLORTERM") or "256 or 16 colours"
    said = f"TERM={clean(term, 40)}, {size.columns}x{size.lines}, {clean(colours, 20)}, {clean(coding, 20)}"
    if environ.get("TMUX"):
        said += ", in tmux (copying needs: set -s set-clipboard on)"
    if term in {"", "dumb"}:
        return Check("terminal", "info", said, "the screen does not work on it: use --no-ui or another TERM")
    if "utf" not in coding:
        return Check("terminal", "info", said, "set a UTF-8 locale, or use --ascii")
    return Check("terminal", "ok", said)


def _key_map(_path: Path, environ: Mapping[str, str]) -> Check:
    """Whether there is one that can be read; what it says is checked where the keys are, when the screen opens."""
    file = key_map_file(None, environ)
    if file is None:
        return Check("key map", "info", "no keys.toml: all keys are the built-in ones")
    try:
        read_toml(file, what="key map")
    except OrlopError as error:
        return Check("key map", "bad", f"{error.where}: {error.why}", error.hint or "put it right or remove it")
    return Check("key map", "ok", f"{clean(str(file), 200)} rebinds keys; the screen checks them when it opens")


def _files(_path: Path, _environ: Mapping[str, str]) -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"{'unlimited' if soft == resource.RLIM_INFINITY else soft} open files allowed"
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        return Check("open files", "bad", said, f"ulimit -n {_FILES} (at most {hard})")
    return Check("open files", "ok", said)


def _kernel(_path: Path, _environ: Mapping[str, str]) -> Check:
    walls = confinement()
    said = f"{platform.system()} {clean(platform.release(), 60)}: "
    if walls.missing:
        todo = (
            "jobs and components run without; receipts say so. A kernel of 5.13 or later has both, unless they are"
            " switched off"
        )
        return Check("kernel", "info", f"{said}no {', no '.join(walls.missing)}", todo)
    ports = "" if walls.landlock >= _PORTS_SINCE else f"; it holds ports of components from version {_PORTS_SINCE} on"
    around = f"seccomp and Landlock {walls.landlock} stand around every job and component"
    return Check("kernel", "ok", f"{said}{around}{ports}")


_PORTS_SINCE = 4
"""The version of Landlock that knows ports."""

CHECKS: dict[str, Callable[[Path, Mapping[str, str]], Check]] = {
    "python": _python,
    "sandbox": _sandbox,
    "directory": _directory,
    "space": _space,
    "owner": _owner,
    "keys": _keys,
    "lock": _lock,
    "terminal": _terminal,
    "key map": _key_map,
    "open files": _files,
    "kernel": _kernel,
}
"""All checks by name, in the order of the table."""
