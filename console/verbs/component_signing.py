"""What `components sign` does: the signature of a component's folder, without a core or a state directory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Result
from console.verbs.reading import reading
from console.verbs.signing import read_key
from runtime.components.folder import read_folder
from runtime.components.manifest.against import check_hash
from runtime.components.manifest.signature import signed_text
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["sign", "signed"]


async def sign(_core: "Core", call: Call) -> Result:
    """`components sign`, from a face that has a core, which is not used."""
    return await reading(call.interrupted, lambda stop: signed(call.args, call.files, stop))


def signed(args: Mapping[str, object], files: Mapping[str, int], stop: int = -1) -> Result:
    """Signs the folder of a component with the key of a file.

    Args:
        args: what was typed, for the words of errors.
        files: descriptors of `folder` and `key`.
        stop: as in `read_sync`.

    Returns:
        The text of its manifest, with the signature at its end, and whose it is.

    Raises:
        ManifestError: the manifest does not pass, or is of another component.
        RefusedError: the key's file is none, or others may read it; the folder holds what none may.
    """
    if not {"folder", "key"} <= set(files):
        raise UsageError("a component's folder and the file of a key are needed")
    key = read_key(files["key"], clean(str(args.get("key", "key")), 200), stop)
    folder = read_folder(files["folder"])
    check_hash(folder.manifest, folder.wasm)
    text = signed_text(folder.manifest, folder.files, key)
    component = folder.manifest.package.full_name
    return Result(ok=True, value={"v": 1, "component": component, "manifest": text, "signer": key.public_hex})
