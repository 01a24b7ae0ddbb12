"""`receipts verify` of a file: without a core where none runs, without a state directory where there is none."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from console.client import Result
from console.cmdline.files import VERIFY, Files, names_file
from console.cmdline.verbline import Line
from console.registry import COMMANDS
from console.verbs.reading import read_sync, readable_inputs
from console.verbs.receipts import (
    PROOF_MAX,
    chain_of,
    chain_verdict,
    evidence,
    refuse_beside_chain,
    verdict,
)
from runtime.errors import NotFoundError, OrlopError, UsageError
from runtime.jobs import Evidence, Verification, verify_evidence
from runtime.statedir import StateDir, find, locate, owner_running

__all__ = ["believed_keys", "verify_file"]


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
    if line.args.get("chain") == "true":
        return _chain(line, state)
    if "receipt" not in line.paths:
        raise UsageError("RECEIPT is missing", hint="or --chain for those that are stored here")
    stored = [name for name in ("receipt", "previous") if name in line.paths and not names_file(line.paths[name])]
    if stored and state is None:
        raise NotFoundError(f"there is no receipt `{line.args[stored[0]]}`", hint="there is no state directory")
    if stored or (state is not None and owner_running(state) is not None):
        return None
    with Files(COMMANDS[VERIFY], line.paths) as files, readable_inputs():
        given = evidence(line.args, files.descriptors)
        raw = read_sync(files.descriptors["receipt"], limit=PROOF_MAX, what="receipt")
    return verdict(_verified(state, raw, given))


def _chain(line: Line, state: StateDir | None) -> Result | None:
    """A file of receipts; the stored ones are for a core, and so is every line that is wrong."""
    path = line.paths.get("receipt")
    if path is None and state is None:
        raise NotFoundError("there are no receipts", hint="there is no state directory")
    if path is None or not names_file(path) or (state is not None and owner_running(state) is not None):
        return None
    with Files(COMMANDS[VERIFY], line.paths) as files, readable_inputs():
        refuse_beside_chain(line.args, files.descriptors)
        return chain_verdict(chain_of(line.args, files.descriptors["receipt"], _believed(state)))


def believed_keys(state_dir: str | None, environ: Mapping[str, str]) -> Callable[[str], bool]:
    """Which keys are this node's or a trusted peer's; none where there is no state directory.

    Args:
        state_dir: as it was named.
        environ: the environment.
    """
    with contextlib.suppress(OrlopError):
        return _believed(find(locate(state_dir, environ)))
    return lambda _key: False


def _believed(state: StateDir | None) -> Callable[[str], bool]:
    """Which keys are this node's or a trusted peer's, as far as that can be told."""
    from net.book.reading import listed
    from runtime.database import open_reader
    from runtime.identity import load_or_create
    from runtime.keys import ancestors, statements
    from runtime.readers import read_with

    if state is None or not state.identity_key.exists():
        return lambda _key: False
    with contextlib.suppress(OrlopError):
        present = load_or_create(state)
        with contextlib.suppress(OrlopError), contextlib.closing(open_reader(state.database)) as database:
            links = read_with(database, state.database, statements)
            own = load_or_create(state, ancestors(links, present.public_hex))
            book = read_with(database, state.database, listed)
            trusted = {entry.peer.key.hex() for entry in book if entry.worker}
            return lambda key: own.is_own(key) or key in trusted
        return present.is_own
    return lambda _key: False


def _state(line: Line) -> StateDir | None:
    """The state directory, if there is one that can be used; a stranger's receipt needs none."""
    with contextlib.suppress(OrlopError):
        return find(locate(line.options.state_dir, os.environ))
    return None


def _verified(state: StateDir | None, raw: bytes, given: Evidence) -> Verification:
    if state is None or not state.identity_key.exists():
        return verify_evidence(raw, given)
    with contextlib.suppress(OrlopError):
        return asyncio.run(_with_store(state, raw, given))
    return verify_evidence(raw, replace(given, accepts=_believed(state)))


async def _with_store(state: StateDir, raw: bytes, given: Evidence) -> Verification:
    """Against what is stored here as well: the predecessor, the job's manifest and output."""
    from net.book.reading import believed
    from runtime.clock import SystemClock
    from runtime.database import open_reader
    from runtime.identity import load_or_create
    from runtime.jobs import Receipts
    from runtime.keys import ancestors, statements
    from runtime.store import Store

    open_reader(state.database).close()  # there is one, and opening it to read makes and changes nothing
    store = Store.open(state.database, SystemClock(), owner=False)
    try:
        present = load_or_create(state)
        own = load_or_create(state, ancestors(store.read_now(statements), present.public_hex))
        return await Receipts(store, own, state, believed=believed).verify("", given, raw=raw, keep=False)
    finally:
        store.close()
