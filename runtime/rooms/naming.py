"""How a thing is named by people: its id, a unique beginning of it, or its unique name."""

from collections.abc import Iterable
from typing import Final

from runtime.errors import AmbiguousError, NotFoundError
from runtime.sanitise import clean

__all__ = ["PREFIX_CHARACTERS", "find"]

PREFIX_CHARACTERS: Final = 4
_SHOWN: Final = 8


def find(reference: str, things: Iterable[tuple[str, str]], *, kind: str) -> str:
    """The id of the thing that is meant.

    Args:
        reference: an id, a beginning of one (at least 4 characters), or a name.
        things: id and name of all there are.
        kind: what they are, in words.

    Raises:
        NotFoundError: nothing fits.
        AmbiguousError: several fit; they are named.
    """
    found = []
    for identity, name in things:
        if identity == reference:
            return identity
        begins = len(reference) >= PREFIX_CHARACTERS and identity.startswith(reference)
        if begins or name == reference:
            found.append((identity, name))
    where = clean(reference, 60)
    if not found:
        raise NotFoundError(f"no such {kind}", where=where)
    if len(found) > 1:
        shown = ", ".join(f"{identity} ({clean(name, 40)})" for identity, name in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise AmbiguousError(f"fits several: {shown}{more}", where=where)
    return found[0][0]
