"""What `components bindings` does: files of an author, where the command is given."""

from pathlib import Path

from console.call import Call
from console.client import Args, Result
from runtime.errors import UsageError

__all__ = ["bindings", "written"]

_HEADER = "orlop.h"


async def bindings(_core: object, call: Call) -> Result:
    """`components bindings`, from a face that has a core: it has no folder that the operator stands in."""
    raise UsageError("works on files where it is typed", hint=f"in a shell: orlop {call.command}")


def written(args: Args) -> Result:
    """Writes the bindings of a world.

    Args:
        args: of `components bindings`.

    Returns:
        The header of C where no folder is named, else what was written.

    Raises:
        OrlopError: see `runtime.components.authoring.languages`.
    """
    from runtime.components.authoring.languages import bindings_in_c, fresh_folder, write_bindings

    world, language = str(args["world"]), str(args.get("lang") or "c")
    into = args.get("into")
    if into is None:
        if language != "c":
            raise UsageError("needs a folder for what the language's own tool writes", hint="--into FOLDER")
        return Result(ok=True, value={"v": 1, "world": world, "language": language, "header": bindings_in_c(world)})
    folder = Path(str(into))
    if language == "c":
        header = bindings_in_c(world)
        fresh_folder(folder).joinpath(_HEADER).write_text(header, encoding="utf-8")
    else:
        write_bindings(language, world, folder)
    return Result(ok=True, value={"v": 1, "world": world, "language": language, "folder": str(folder)})
