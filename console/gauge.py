"""The demo's component: a tide gauge that breaks down on purpose, and is begun anew by its supervisor.

It is installed as it is shipped, with all that it asks for, which is nothing. Whatever was done to it, it runs again
after the next start of the demo.
"""

import asyncio
import os
from typing import TYPE_CHECKING, Final

import assets
from runtime.components.folder import Folder, read_folder
from runtime.components.installer import Install
from runtime.components.supervisor import at_rest
from runtime.errors import OrlopError

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["NAME", "live"]

NAME: Final = "local/tide-gauge"

_FOLDER: Final = "components/tide-gauge"


async def live(core: "Core") -> None:
    """Sees to it that it is there and runs; from then on its supervisor does.

    Args:
        core: the demo's.
    """
    try:
        await _begin(core)
    except OrlopError as error:
        core.report("demo", error)


async def _begin(core: "Core") -> None:
    components = await core.known_components()
    folder = await asyncio.to_thread(_shipped)
    units = {unit.name: unit for unit in components.units()}
    if NAME not in units or units[NAME].installed.hash != folder.manifest.component.sha256:
        await components.install(Install(folder=folder, upgrade=True))
    if at_rest(components.unit(NAME).life):
        await components.start(NAME)


def _shipped() -> Folder:
    directory = os.open(assets.path(_FOLDER), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return read_folder(directory)
    finally:
        os.close(directory)
