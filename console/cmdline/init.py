"""`orlop init`: the directory and its three secrets, with a passphrase for the vault where somebody can be asked."""

import os
import sys
from dataclasses import replace

from console.client import Json, Result
from console.cmdline.asking import asked_twice
from console.cmdline.connect import connect, passphrase
from console.cmdline.verbline import Line
from runtime.errors import NotFoundError, ReadOnlyError
from runtime.sanitise import clean
from runtime.statedir import StateDir, locate

__all__ = ["init"]


def init(line: Line) -> Result:
    """Makes what is missing and says what there is.

    Args:
        line: the command line.

    Raises:
        OrlopError: it cannot be made.
    """
    options = line.options
    state = StateDir(locate(options.state_dir, os.environ))
    made = not os.path.exists(state.vault_key)  # noqa: PTH110 - `Path.exists` raises for some names
    secret = passphrase(options.passphrase_file, os.environ)
    asks = line.args.get("yes") != "true" and sys.stdin is not None and sys.stdin.isatty()
    if made and secret is None and asks:
        secret = _asked()
    turned = _rotated(state, line) if line.args.get("rotate_identity") == "true" else {}
    client = connect(replace(options, quiet=True, state_dir=str(state.path)), secret=secret)
    try:
        result = client.execute("init", {}).result.result()
    finally:
        client.close()
    if not result.ok or not isinstance(result.value, dict):
        return result
    return Result(ok=True, value=result.value | {"made": made} | turned)


def _rotated(state: StateDir, line: Line) -> dict[str, Json]:
    """Gives the node a new key; nobody else may use the directory meanwhile."""
    from runtime.clock import SystemClock
    from runtime.identity import peer_id_of
    from runtime.keys import rotate
    from runtime.statedir import acquire_owner, find
    from runtime.store import Store

    if line.options.read_only:
        raise ReadOnlyError("changes something, and this is --read-only", what="init --rotate-identity")
    if find(state.path) is None or not state.identity_key.exists():
        raise NotFoundError("there is no key to rotate", where=clean(str(state.path), 200))
    clock = SystemClock()
    with acquire_owner(state), Store.open(state.database, clock, owner=True) as store:
        _, link = rotate(state, store, clock, uid=os.geteuid(), face="cli")
    return {"previous_peer_id": peer_id_of(bytes.fromhex(link.old)), "key_number": link.number}


def _asked() -> bytes | None:
    """A passphrase, typed twice on the terminal; None for none."""
    sys.stderr.write("A passphrase can protect the vault's key. Without one it is only as safe as this directory.\n")
    return asked_twice("passphrase (empty for none)", again="orlop init") or None
