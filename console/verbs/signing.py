"""What `agents keygen` and `agents sign` do: keys and signatures of manifests, without a core or a state directory.

So the machine that holds the key needs no node, no network and no agent: a manifest goes in, a signed one comes out.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Json, Result
from console.verbs.reading import read_sync, reading
from runtime import durable
from runtime.agents.manifest import ManifestRefusedError, read_manifest
from runtime.agents.signature import sign_manifest
from runtime.errors import RefusedError, UsageError
from runtime.identity import Identity, new_seed
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["keygen", "made_key", "manifest_text", "read_key", "sign", "signed"]

_SEED_BYTES: Final = 32
_MANIFEST_MAX: Final = 16 << 20
"""What is longer is not even read; below it the manifest's own check says what is wrong."""
_HINT: Final = "`orlop agents keygen FILE` makes one"


async def keygen(_core: "Core", _call: Call) -> Result:
    """`agents keygen`, from a face that has a core: a secret is not made on somebody else's behalf."""
    raise UsageError("makes a file of yours", hint="run orlop agents keygen FILE on the command line")


async def sign(_core: "Core", call: Call) -> Result:
    """`agents sign`, from a face that has a core, which is not used."""
    return await reading(call.interrupted, lambda stop: signed(call.args, call.files, stop))


def made_key(path: str) -> Result:
    """Makes a key of its own file, readable by its owner only, and says who it is.

    Args:
        path: as typed; nothing may be there.

    Raises:
        UsageError: something is there already.
        UnavailableError: it cannot be written.
    """
    seed = new_seed()
    if not durable.create(Path(path), seed):
        raise UsageError("exists already", where=clean(path, 200), hint="name another file; a key is never replaced")
    key = Identity(seed)
    return Result(ok=True, value={"v": 1, "key": key.public_hex, "out": clean(path, 1000)})


def signed(args: Mapping[str, object], files: Mapping[str, int], stop: int = -1) -> Result:
    """Signs a manifest with the key of a file.

    Args:
        args: what was typed, for the words of errors.
        files: descriptors of `manifest` and `key`.
        stop: as in `read_sync`.

    Returns:
        The signed manifest as its document.

    Raises:
        ManifestRefusedError: it does not pass.
        RefusedError: the key's file is none, or others may read it.
    """
    named = {name: clean(str(args.get(name, name)), 200) for name in ("manifest", "key")}
    if not {"manifest", "key"} <= set(files):
        raise UsageError("a manifest and the file of a key are needed")
    key = read_key(files["key"], named["key"], stop)
    raw = read_sync(files["manifest"], limit=_MANIFEST_MAX, what=named["manifest"], stop=stop)
    try:
        return Result(ok=True, value=sign_manifest(read_manifest(raw), key))
    except ManifestRefusedError as error:
        error.where = named["manifest"]
        raise


def manifest_text(document: Json) -> str:
    """A manifest as a file of people: one field a line."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_key(descriptor: int, where: str, stop: int) -> Identity:
    """The key in a file that nobody else may have read.

    Args:
        descriptor: of the file.
        where: its name, for errors.
        stop: as in `read_sync`.

    Raises:
        RefusedError: it is none, or others may read it.
    """
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        if status.st_uid != os.geteuid():
            raise RefusedError(f"belongs to user {status.st_uid}, not to us", where=where)
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            hint = "run chmod 600 on it if nobody else could"
            raise RefusedError(f"others may have read it (mode {mode:04o})", where=where, hint=hint)
    seed = read_sync(descriptor, limit=1024, what=where, stop=stop)
    if len(seed) != _SEED_BYTES:
        raise RefusedError(f"has {len(seed)} bytes, a key has {_SEED_BYTES}", where=where, hint=_HINT)
    return Identity(seed)
