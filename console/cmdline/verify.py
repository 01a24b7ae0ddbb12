"""`receipts verify` of a file: without a core where none runs, without a state directory where there is none."""

import asyncio
import contextlib
import os
from dataclasses import replace

from console.client import Result
from console.cmdline.files import VERIFY, Files, names_file
from console.cmdline.verbline import Line
from console.registry import COMMANDS
from console.verbs.reading import read_sync, readable_inputs
from console.verbs.receipts import RECEIPT_MAX, evidence, verdict
from runtime.errors import NotFoundError, OrlopError
from runtime.jobs.verify import Evidence, Verification, verify
from runtime.statedir import StateDir, find, locate, owner_running

__all__ = ["verify_file"]


def verify_file(line: Line) -> Result | None:
    """Verifies the receipt that a command line names, unless a core has to.

    Args:
        line: the command line.

    Returns:
        The end of the command, or None when it is for a core: a stored receipt, or an owner that knows more.

    Raises:
        UsageError: a file cannot be opened or read.
        NotFoundError: a stored receipt is named, and there is no state directory.
    """
    state = _state(line)
    stored = [name for name in ("receipt", "previous") if name in line.paths and not names_file(line.paths[name])]
    if stored and state is None:
        raise NotFoundError(f"there is no receipt `{line.args[stored[0]]}`", hint="there is no state directory")
    if stored or (state is not None and owner_running(state) is not None):
        return None
    with Files(COMMANDS[VERIFY], line.paths) as files, readable_inputs():
        given = evidence(line.args, files.descriptors)
        raw = read_sync(files.descriptors["receipt"], limit=RECEIPT_MAX, what="receipt")
    return verdict(_verified(state, raw, given))


def _state(line: Line) -> StateDir | None:
    """The state directory, if there is one that can be used; a stranger's receipt needs none."""
    with contextlib.suppress(OrlopError):
        return find(locate(line.options.state_dir, os.environ))
    return None


def _verified(state: StateDir | None, raw: bytes, given: Evidence) -> Verification:
    if state is None or not state.identity_key.exists():
        return verify(raw, given)
    with contextlib.suppress(OrlopError):
        return asyncio.run(_with_store(state, raw, given))
    with contextlib.suppress(OrlopError):
        from runtime.identity import load_or_create

        given = replace(given, accepts=load_or_create(state).is_own)
    return verify(raw, given)


async def _with_store(state: StateDir, raw: bytes, given: Evidence) -> Verification:
    """Against what is stored here as well: the predecessor, the job's manifest and output."""
    from runtime.clock import SystemClock
    from runtime.database import open_reader
    from runtime.identity import load_or_create
    from runtime.jobs.receipts import Receipts
    from runtime.keys import ancestors, statements
    from runtime.store import Store

    open_reader(state.database).close()  # there is one, and opening it to read makes and changes nothing
    store = Store.open(state.database, SystemClock(), owner=False)
    try:
        present = load_or_create(state)
        own = load_or_create(state, ancestors(store.read_now(statements), present.public_hex))
        return await Receipts(store, own, state.output).verify("", given, raw=raw, keep=False)
    finally:
        store.close()
