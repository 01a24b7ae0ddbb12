"""`boot build`: what was typed, as an order for an image."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from boot.errors import BootRefusedError
from boot.folder import read_document_file
from boot.image.build import Built, Order
from boot.image.build import build as build_image
from boot.image.saying import say_nothing
from boot.image.secure import SigningKey, signing_key
from boot.trust.manifest import Arch, Channel
from boot.trust.root import pinned
from console.client import Json, Result
from console.cmdline import streams
from console.cmdline.verbline import Line
from console.registry import COMMANDS
from console.verbs.values import number
from net.errors import AddressError
from net.multiaddr import Multiaddr
from runtime.canonical import timestamp
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["build", "cache_folder", "signer_of"]

_COMMAND: Final = COMMANDS["boot build"]
_NAME: Final = re.compile(r"[A-Za-z0-9._+~-]{1,64}", re.ASCII)


def build(line: Line, told: Callable[[str], None] | None = None) -> Result:
    """`boot build`.

    Args:
        line: the command line.
        told: hears how it goes, on whatever thread that is; None for standard error.

    Raises:
        OrlopError: what is missing or wrong; then the folder is as it was.
    """
    quiet = line.options.quiet or line.options.json
    built = build_image(_order(line), told or (say_nothing if quiet else streams.say))
    return Result(ok=True, value=_document(built, line.paths["out"]))


def _order(line: Line) -> Order:
    version = number(_COMMAND, line.args, "version") or 1
    release = _word(line, "name") or str(version)
    if not _NAME.fullmatch(release):
        raise UsageError("1 to 64 letters, digits and . _ + ~ -", where="--name")
    channel, shell = cast("Channel", _word(line, "channel")), line.args.get("debug_shell") == "true"
    if shell and channel != "nightly":
        hint = "add --channel nightly"
        raise UsageError("an image with a shell is for the channel nightly", where="--debug-shell", hint=hint)
    return Order(
        out=Path(line.paths["out"]),
        cache=cache_folder(line),
        arch=cast("Arch", _word(line, "arch")),
        channel=channel,
        root=_root(Path(line.paths["root_key"])),
        version=version,
        release=release,
        kernel=_kernel(_word(line, "kernel")),
        bootstrap=_bootstrap(line),
        level=int(_word(line, "compression")),
        debug_shell=shell,
        signer=signer_of(line),
    )


def _word(line: Line, name: str) -> str:
    """What was given, or the default that help shows."""
    given = line.args.get(name)
    default = next(arg.default for arg in _COMMAND.args if arg.name == name)
    return given if isinstance(given, str) and given else default or ""


def _root(path: Path) -> bytes:
    raw = read_document_file(path)
    try:
        pinned(raw)
    except BootRefusedError as error:
        raise UsageError(f"is no root: {error.why}", where=clean(str(path), 300)) from None
    return raw


def _kernel(given: str) -> str:
    if given not in {"cloud", "full"} and not Path(given).is_file():
        raise UsageError(
            "no such file", where=clean(given, 300), hint="--kernel takes cloud, full or a kernel's package"
        )
    return given


def _bootstrap(line: Line) -> tuple[str, ...]:
    given = line.args.get("bootstrap") or ()
    texts = (given,) if isinstance(given, str) else tuple(given)
    for text in texts:
        try:
            Multiaddr.parse(text)
        except AddressError as error:
            raise UsageError(error.why, where="--bootstrap") from None
    return texts


def signer_of(line: Line) -> SigningKey | None:
    """The owner's key for Secure Boot, if one was given."""
    key, certificate = line.paths.get("secure_boot_key"), line.paths.get("secure_boot_cert")
    if key is None and certificate is None:
        return None
    if key is None or certificate is None:
        raise UsageError("--secure-boot-key and --secure-boot-cert belong together")
    return signing_key(Path(key), Path(certificate))


def cache_folder(line: Line) -> Path:
    """Where downloads are kept."""
    given = line.args.get("cache")
    if isinstance(given, str) and given:
        return Path(given)
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "orlop"


def _document(built: Built, out: str) -> dict[str, Json]:
    image = built.image
    return {
        "v": 1,
        "release": image.release,
        "version": image.floor,
        "channel": image.channel,
        "arch": image.arch,
        "kernel": image.kernel,
        "build_time": timestamp(image.built_ms),
        "out": clean(out, 1000),
        "files": [{"name": name, "size": size} for name, size in built.sizes.items()],
    }
