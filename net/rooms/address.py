"""Where a relay is: its URL, checked before anything is stored or dialled."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["relay_address", "room_url"]

_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_MOST: Final = 200
_HINT: Final = "write wss://relay.example, or ws://127.0.0.1:8484"


def relay_address(text: str) -> str:
    """A relay's URL as it is kept and passed on.

    Args:
        text: `ws://…` or `wss://…`; `http` and `https` mean the same. A path is kept, for relays behind a proxy.

    Returns:
        The URL without a slash at its end.

    Raises:
        UsageError: anything else, or more than 200 characters.
    """
    parts = _split(text)
    if parts is None or parts.scheme not in _SCHEMES or not parts.hostname:
        raise UsageError("is not the address of a relay", where=clean(text, 60), hint=_HINT)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError("has a user, a query or a fragment", where=clean(text, 60), hint=_HINT)
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"


def room_url(relay: str, room: str) -> str:
    """Where a room is met.

    Args:
        relay: as `relay_address` gives it.
        room: 32 hexadecimal characters.
    """
    return f"{relay}/room/{room}"


def _split(text: str) -> SplitResult | None:
    if len(text) > _MOST or not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is none
    except ValueError:
        return None
    return parts
