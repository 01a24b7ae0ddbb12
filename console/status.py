"""`orlop status`: what a state directory is and whether somebody runs on it, read from outside.

It makes nothing, waits for nobody, and loads neither engine nor cryptography beyond one public key: files, the lock,
the greeting of the control socket and the database, opened read-only.
"""

import contextlib
import json
import os
import socket
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from console import config
from console._version import __version__
from console.client import Json
from runtime import durable
from runtime.database import open_reader
from runtime.identity import peer_id_of
from runtime.jobs import is_running
from runtime.readers import read_with
from runtime.sanitise import clean
from runtime.space import SpaceWatch, free_bytes
from runtime.statedir import StateDir, find, owner_running

__all__ = ["status"]

_GREETING_S = 0.1
_GREETING_MAX = 1 << 16
_SEED = 32
_COUNTS = {
    "active": "SELECT count(*) FROM agents WHERE active",
    "tripped": "SELECT count(*) FROM agent_breakers WHERE json_extract(body, '$.tripped_by') IS NOT NULL",
    "receipts": "SELECT count(*) FROM receipts",
    "seq": "SELECT coalesce(max(seq), 0) FROM journal",
}
_COMPONENTS = {
    "installed": "SELECT count(*) FROM components",
    "wanted": "SELECT count(*) FROM components WHERE wanted = 1",
}
"""In a table that a directory of an earlier version has only from its next start on."""
_UNFINISHED = (
    "SELECT state = 'running', state = 'queued' AND detached = 1, runner_pid, runner_start, count(*) FROM jobs"
    " WHERE state IN ('queued', 'admitted', 'compiling', 'running') GROUP BY 1, 2, 3, 4"
)
_NOTHING: tuple[Mapping[str, int], Mapping[bool, int]] = dict.fromkeys(_COUNTS | _COMPONENTS, 0), {True: 0, False: 0}


def status(path: Path, named_config: str | None, environ: Mapping[str, str]) -> dict[str, Json]:
    """The document of `status --json`.

    Args:
        path: where the state directory is or would be.
        named_config: the value of `--config`.
        environ: the environment.

    Raises:
        RefusedError: something is at `path` that is no state directory of ours.
        UsageError: the configuration is wrong, or the directory is of a later version.
        UnavailableError: it cannot be read.
    """
    state = find(path)
    directory = state.config_d if state else None
    settings = config.load(config.config_file(named_config, environ), directory, environ)
    pid = owner_running(state) if state else None
    counts, jobs = _counts(state) if state else _NOTHING
    hello = _greeting(state) if state and pid is not None else {}
    seq = hello.get("seq")
    name = hello.get("node")
    return {
        "v": 1,
        "running": pid is not None,
        "pid": pid or None,
        "version": __version__,
        "state_dir": clean(str(path), 1000),
        "node": clean(name, 64) if isinstance(name, str) else settings.node_name,
        "peer_id": _peer_id(state) if state else None,
        "listen": _listening(hello),
        "uptime_s": _uptime_s(pid) if pid else None,
        "seq": seq if isinstance(seq, int) else counts["seq"],
        "agents": {"active": counts["active"], "tripped": counts["tripped"]},
        "jobs": {"queued": jobs[False], "running": jobs[True]},
        "components": {"installed": counts["installed"], "wanted": counts["wanted"]},
        "receipts": counts["receipts"],
        "storage": _storage(path, settings.storage.min_free_bytes) if state else None,
    }


def _storage(path: Path, wanted: int) -> dict[str, Json]:
    space, _ = SpaceWatch(lambda: free_bytes(path)).look(wanted)
    return {"free_bytes": space.free, "min_free_bytes": space.wanted, "low": space.low}


def _counts(state: StateDir) -> tuple[Mapping[str, int], Mapping[bool, int]]:
    """The counts by name, and those of jobs by whether they run; a job whose program died is in neither.

    What waits in the queue belongs to no program.
    """
    if not state.database.exists():
        return _NOTHING
    with contextlib.closing(open_reader(state.database)) as database:
        return read_with(database, state.database, _count)


def _count(database: sqlite3.Connection) -> tuple[Mapping[str, int], Mapping[bool, int]]:
    jobs = {True: 0, False: 0}
    for runs, waits, pid, mark, number in database.execute(_UNFINISHED):
        jobs[bool(runs)] += number if waits or is_running(int(pid), str(mark)) else 0
    known = database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'components'").fetchone() is not None
    queries = _COUNTS | (_COMPONENTS if known else {})
    counts = {name: int(database.execute(query).fetchone()[0]) for name, query in queries.items()}
    return dict.fromkeys(_COMPONENTS, 0) | counts, jobs


def _peer_id(state: StateDir) -> str | None:
    """The PeerId, from the seed by libsodium, which is at hand sooner than the library that signs."""
    seed = durable.read(state.identity_key, limit=1024, private=True)
    if seed is None or len(seed) != _SEED:
        return None
    from nacl.bindings import crypto_sign_seed_keypair

    return peer_id_of(crypto_sign_seed_keypair(seed)[0])


def _listening(hello: Mapping[str, object]) -> list[Json]:
    found = hello.get("listen")
    return [clean(one, 1000) for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _greeting(state: StateDir) -> Mapping[str, object]:
    """The first line of the control socket; empty when nobody says it at once."""
    with contextlib.suppress(OSError, ValueError):
        directory = os.open(state.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(_GREETING_S)
                sock.connect(f"/proc/self/fd/{directory}/{state.control_socket.name}")
                line = b""
                while not line.endswith(b"\n") and len(line) < _GREETING_MAX:
                    piece = sock.recv(4096)
                    if not piece:
                        break
                    line += piece
        finally:
            os.close(directory)
        hello = json.loads(line)
        return hello if isinstance(hello, dict) else {}
    return {}


def _uptime_s(pid: int) -> int | None:
    """Seconds since a process started, from the kernel's table."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        started = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        now = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return max(0, int(now - started))
