"""Addresses of relays: what is kept, and what is refused before it is dialled."""

import pytest

from net.rooms.address import relay_address, room_url
from runtime.errors import UsageError


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ws://127.0.0.1:8484", "ws://127.0.0.1:8484"),
        ("http://127.0.0.1:8484/", "ws://127.0.0.1:8484"),
        ("https://relay.example", "wss://relay.example"),
        ("wss://relay.example/rooms//", "wss://relay.example/rooms"),
        ("WS://[::1]:8484", "ws://[::1]:8484"),
    ],
)
def test_an_address_is_kept_in_one_form(text: str, kept: str) -> None:
    assert relay_address(text) == kept
    assert relay_address(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "relay.example",
        "127.0.0.1:8484",
        "ftp://relay.example",
        "ws://",
        "ws://:8484",
        "ws://user@relay.example",
        "ws://relay.example?room=1",
        "ws://relay.example#x",
        "ws://relay.example:99999",
        "ws://relay.example:port",
        "ws://relay example",
        "ws://[::1",
        "ws://relay.example/\x1b[31m",
        "ws://rélay.example",
        "ws://" + "r" * 200,
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        relay_address(text)
    assert str(caught.value).isprintable()


def test_a_room_is_met_below_the_relay() -> None:
    assert room_url("wss://relay.example/x", "ab" * 16) == "wss://relay.example/x/room/" + "ab" * 16
