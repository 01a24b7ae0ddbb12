"""What `agents new` and `agents build` do: files of an author, in the folder where the command is given."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from console.call import Call
from console.client import Args, Json, Result
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from runtime.agents.build import Built

__all__ = ["build", "build_agent", "new", "new_agent"]


async def new(_core: object, call: Call) -> Result:
    """`agents new`, from a face that has a core: it has no folder that the operator stands in."""
    _refuse(call)


async def build(_core: object, call: Call) -> Result:
    """`agents build`, likewise."""
    _refuse(call)


def _refuse(call: Call) -> NoReturn:
    raise UsageError("works on files where it is typed", hint=f"in a shell: orlop {call.command}")


def new_agent(args: Args) -> Result:
    """Makes a folder with an agent.

    Args:
        args: of `agents new`.

    Raises:
        OrlopError: see `runtime.agents.build.create`.
    """
    from runtime.agents.build import create

    name = str(args["name"])
    files = create(Path(name), name, str(args.get("lang") or "c"))
    value: dict[str, Json] = {
        "v": 1,
        "agent": name,
        "files": [str(path) for path in files],
        "next": f"orlop agents build {name}",
    }
    return Result(ok=True, value=value)


def build_agent(args: Args) -> Result:
    """Builds an author's folder.

    Args:
        args: of `agents build`.

    Raises:
        OrlopError: see `runtime.agents.build.build`.
    """
    from runtime.agents.build import build as build_folder

    folder = Path(str(args["folder"]))
    if not folder.is_dir():
        raise UsageError("is no folder", where=clean(str(folder), 200), hint="orlop agents new makes one")
    return Result(ok=True, value=_document(build_folder(folder)))


def _document(built: "Built") -> dict[str, Json]:
    manifest = built.manifest
    return {
        "v": 1,
        "agent": manifest.name,
        "module": str(built.module),
        "manifest": str(built.manifest_file),
        "symbols": None if built.symbols is None else str(built.symbols),
        "bytes": built.size,
        "hash": manifest.wasm_hash,
        "permissions": [one.value for one in manifest.permissions],
        "warnings": list(built.warnings),
    }
