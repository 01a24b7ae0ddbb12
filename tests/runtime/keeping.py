"""State directories with something in them, for the tests of backup and restore."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from runtime.account import MemberAccount
from runtime.after_restore import Aftermath, begin_again
from runtime.archive import Index
from runtime.backup import Written, write_backup
from runtime.clock import ManualClock
from runtime.events import CoreReady
from runtime.identity import load_or_create
from runtime.restore import Restored, restore_backup
from runtime.sealed_stream import Cost
from runtime.statedir import StateDir, prepare
from runtime.store import Store, Transaction
from runtime.vault import Vault

SECRET = b"correct horse"
CHEAP = Cost(passes=1, kib=8)
MODULE = b"\0asm a module of an agent"
INPUT = b"an input of a job" * 100_000
JOB = "ab" * 32
CLOCK = ManualClock()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def name_of(folder: str, data: bytes) -> str:
    return f"{folder}/sha256/{digest(data)[:2]}/{digest(data)}"


def write(path: Path, data: bytes) -> None:
    for parent in reversed(path.parents):
        parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)


def a_job(tx: Transaction, job: str = JOB, state: str = "done", number: int = 1) -> None:
    tx.execute(
        "INSERT INTO jobs (job, number, name, module, submitter, place, manifest, state, outcome, reason, created_ms,"
        " usage, limits, receipt, runner_pid, runner_start) VALUES (?, ?, 'hello', '', '', 'local', '{}', ?, '', '', 5,"
        " '{}', '{}', '', 1, '')",
        (job, number, state),
    )


def an_agent(tx: Transaction, module: bytes = MODULE, name: str = "echo") -> None:
    tx.execute(
        "INSERT INTO main.agents VALUES ('r', ?, 0, '{}', ?, 1, 1, 'unsigned', '', 0, 1)", (name, digest(module))
    )


def fill(path: Path) -> StateDir:
    """A directory with keys, settings, an agent's module, a job with input and output, and things that are no part."""
    state = prepare(path)
    load_or_create(state)
    with Store.open(state.database, CLOCK, owner=True) as store:
        MemberAccount.load_or_create(store, Vault.load_or_create(state))

        def rows(tx: Transaction) -> None:
            an_agent(tx)
            a_job(tx)
            tx.execute("INSERT INTO blobs VALUES (?, ?, 1)", (digest(INPUT), len(INPUT)))
            tx.execute("INSERT INTO job_blobs VALUES (?, 'stdin', ?)", (JOB, digest(INPUT)))
            tx.emit(CoreReady(ms=1))

        store.write(rows).result()
    write(path / name_of("modules", MODULE), MODULE)
    write(path / name_of("modules", b"unused"), b"unused")
    write(path / name_of("blobs", INPUT), INPUT)
    write(path / "output" / JOB, b"orlop-o1\3\0\0\0\1x")
    write(path / "output" / ("cd" * 32), b"of no job")
    write(path / "config.d" / "50-set.toml", b'[node]\nname = "pier"\n')
    write(path / "cache" / "compiled" / "x", b"compiled")
    write(path / "foreign.txt", b"not ours")
    return state


def kept_names() -> set[str]:
    """What a backup of `fill` holds."""
    by_content = {name_of("modules", MODULE), name_of("blobs", INPUT), f"output/{JOB}"}
    return {"VERSION", "identity.key", "vault.key", "orlop.db", "config.d/50-set.toml"} | by_content


def back_up(
    state: StateDir, out: Path, *, secret: bytes = SECRET, stopped: Callable[[], bool] = lambda: False
) -> Written:
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return write_backup(state, descriptor, secret, now_ms=7, program="1", stopped=stopped, cost=CHEAP)
    finally:
        os.close(descriptor)


def put_back(
    backup: Path,
    path: Path,
    *,
    secret: bytes = SECRET,
    replace: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    clock: ManualClock = CLOCK,
) -> tuple[Restored, Aftermath]:
    told: list[Aftermath] = []

    def finish(state: StateDir, index: Index, sha256: str) -> None:
        told.append(begin_again(state, index, sha256, clock=clock, began=clock.seconds, uid=7, face="cli"))

    with backup.open("rb", buffering=0) as file:
        restored = restore_backup(file.fileno(), path, secret, replace=replace, finish=finish, stopped=stopped)
    return restored, told[0]


def files_of(path: Path) -> dict[str, bytes]:
    """Every file below a directory, by name."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
