"""`boot release`: images of signed releases."""

import time
from pathlib import Path
from typing import Final, cast

from boot.errors import BootRefusedError, BootUnavailableError
from boot.image.gpt import MIB
from boot.image.loader import Loader, loader_for
from boot.image.planning import KINDS, Kind
from boot.image.release import Images, make_release
from boot.image.saying import say_nothing
from boot.trust.manifest import Arch
from console.client import Json, Result
from console.cmdline import streams
from console.cmdline.boot import many
from console.cmdline.boot_build import cache_folder, signer_of
from console.cmdline.boot_serve import fault_of
from console.cmdline.verbline import Line
from console.registry import COMMANDS
from console.verbs.boot_trust import read_key
from console.verbs.values import number
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["release"]

_SIZE: Final = 2 << 30


def release(line: Line) -> Result:
    """`boot release`.

    Raises:
        OrlopError: what is wrong; nothing was written.
    """
    command = COMMANDS["boot release"]
    say = say_nothing if line.options.quiet or line.options.json else streams.say
    images = Images(
        kinds=_kinds(line),
        size=(number(command, line.args, "size") or _SIZE) // MIB * MIB,
        timeout=number(command, line.args, "timeout") or 0,
        signer=signer_of(line),
        now_ms=time.time_ns() // 1_000_000,
    )
    cache = cache_folder(line)

    def loaders(arch: Arch) -> Loader:
        return loader_for(arch, cache, say)

    out, key = Path(line.paths["out"]), read_key(Path(line.paths["key"]))
    try:
        made = make_release(many(line, "release"), out, images, key=key, loaders=loaders, say=say)
    except (BootRefusedError, BootUnavailableError) as error:
        return fault_of(error)
    files: list[Json] = [{"name": name, "size": size, "sha256": sha256} for name, (size, sha256) in made.files.items()]
    return Result(
        ok=True,
        value={"v": 1, "release": made.release, "key": made.key, "out": clean(str(out), 1000), "files": files},
    )


def _kinds(line: Line) -> tuple[Kind, ...]:
    given = line.args.get("images")
    if not isinstance(given, str):
        return ()
    names = tuple(dict.fromkeys(given.split(",")))
    for name in names:
        if name not in KINDS:
            raise UsageError(f"`{clean(name, 40)}` is no kind of image", hint=f"they are {', '.join(KINDS)}")
    return cast("tuple[Kind, ...]", names)
