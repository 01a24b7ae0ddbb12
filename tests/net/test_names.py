"""Names become addresses."""

import asyncio
import socket

import pytest

from net.multiaddr import Multiaddr
from net.names import resolve


def at(*texts: str) -> list[Multiaddr]:
    return [Multiaddr.parse(text) for text in texts]


async def test_addresses_stay_as_they_are() -> None:
    told = at("/ip4/203.0.113.1/tcp/1", "/ip6/2001:db8::1/udp/2/quic-v1")
    assert await resolve(told) == told


async def test_a_name_becomes_addresses_of_the_family_that_was_asked_for() -> None:
    assert await resolve(at("/dns4/localhost/tcp/4001")) == at("/ip4/127.0.0.1/tcp/4001")
    assert set(await resolve(at("/dns/localhost/udp/4001/quic-v1"))) <= set(
        at("/ip4/127.0.0.1/udp/4001/quic-v1", "/ip6/::1/udp/4001/quic-v1")
    )


async def test_a_name_that_is_not_found_becomes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def finds_nothing(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", finds_nothing)
    assert await resolve(at("/dns4/name.invalid/tcp/1", "/ip4/203.0.113.1/tcp/1")) == at("/ip4/203.0.113.1/tcp/1")
