"""Guests on strings in a node of tests."""

from collections.abc import Mapping
from pathlib import Path

from runtime.components.installer import Install
from tests.runtime.components.components_here import Node, author
from tests.runtime.components.puppet import PUPPET, Puppet

__all__ = ["FULL", "NEVER", "puppet"]

FULL = 'world = "orlop:worlds/full"\n'
NEVER = '[supervision]\nrestart = "never"\n'
"""It stays where it fell, and starts when it is asked next."""


async def puppet(
    node: Node,
    place: Path,
    more: str = "",
    *,
    namespace: str = "local",
    mounts: Mapping[str, str] | None = None,
    wasm: bytes = PUPPET,
) -> Puppet:
    """Installs and starts one.

    Args:
        node: where.
        place: of its folder.
        more: lines of its manifest, after its world.
        namespace: its name is `namespace/puppet`.
        mounts: host folders by guest path.
        wasm: of another guest on the same strings.
    """
    made = author(place / f"made-{namespace}", FULL + more, namespace=namespace, wasm=wasm, name="puppet")
    await node.components.install(Install(folder=made, mounts=mounts or {}))
    name = f"{namespace}/puppet"
    await node.components.start(name)

    async def told(operation: str, given: bytes) -> object:
        ended = await node.components.execute(name, operation, given, 120_000, "test")
        return ended.value if ended.returned else f"{ended.kind} {ended.trap}".strip()

    return Puppet(told)
