"""What components may ask of the rest of this node."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runtime.components.answers import Asked

if TYPE_CHECKING:
    from console.parts import Parts

__all__ = ["outside"]


def outside(_parts: "Parts") -> Mapping[str, Asked]:
    """Who answers what.

    Args:
        _parts: of the node.
    """
    return {}
