"""`rooms relay`: a server in the foreground. Lines of JSON on stdout with `--json`, else talk on stderr."""

import asyncio
from typing import TYPE_CHECKING

from console.client import Result
from console.cmdline.foreground import Serving, Talk, run
from console.cmdline.verbline import Line
from console.verbs.values import number
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from net.rooms.relay import Relay

__all__ = ["parse_bind", "serve"]

_MINUTE_S = 60.0
_PORT_MAX = 65_535


def serve(line: Line) -> Result:
    """Serves until a signal comes.

    Args:
        line: the command line.

    Returns:
        The end, with the exit status of the signal.

    Raises:
        UsageError: the address is none.
        NetworkError: it cannot be listened on.
    """
    if line.command is None:
        raise UsageError("no command")
    host, port = parse_bind(str(line.args.get("bind", "127.0.0.1:8484")))
    most = number(line.command, line.args, "per_address") or 1
    talk = Talk(line.options.json, line.options.quiet)
    return run(lambda serving: _serve(host, port, most, serving, talk))


def parse_bind(text: str, option: str = "--bind") -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPv6]:PORT`.

    Args:
        text: as it was typed.
        option: of which it is the value.

    Raises:
        UsageError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") and host.endswith("]") else host
    fits = bare and (":" not in bare or bare is not host) and not any(char in bare for char in "[]/ ")
    if not (colon and fits and port.isascii() and port.isdigit() and int(port) <= _PORT_MAX):
        raise UsageError("is not HOST:PORT", where=f"{option} {clean(text, 60)}", hint="write 127.0.0.1:8484")
    return bare, int(port)


async def _serve(host: str, port: int, most: int, serving: Serving, talk: Talk) -> None:
    from net.rooms.exchange import Limits
    from net.rooms.relay import Relay

    relay = Relay(Limits(per_address=most))
    bound, at = await relay.start(host, port)
    shown = f"[{bound}]" if ":" in bound else bound
    try:
        url = f"ws://{shown}:{at}"
        talk.tell("relay.listening", {"url": url}, f"the relay listens on {url}; Ctrl-C ends it")
        await _watch(relay, serving, talk)
    finally:
        await relay.close()
    talk.tell("relay.stopped", {"messages": relay.passed}, f"the relay has ended; {relay.passed} messages were taken")


async def _watch(relay: "Relay", serving: Serving, talk: Talk) -> None:
    """Figures once a minute, when they changed, until a signal comes."""
    before = (0, 0, 0)
    while True:
        try:
            async with asyncio.timeout(_MINUTE_S):
                await serving.asked.wait()
            return
        except TimeoutError:
            now = (relay.rooms, relay.connections, relay.passed)
        if now != before:
            before = now
            figures = {"rooms": now[0], "connections": now[1], "messages": now[2]}
            talk.tell("relay.figures", figures, f"rooms {now[0]}, connections {now[1]}, messages so far {now[2]}")
