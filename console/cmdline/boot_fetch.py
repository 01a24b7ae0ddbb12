"""`boot fetch` and `boot discover`: releases from servers that nobody trusts."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.keeping import Keeping
from boot.fetch.pace import Patience
from boot.fetch.release import Fetched, Listener, Order, fetch_release
from boot.folder import read_document_file
from boot.serve.looking import Found, look
from boot.stage1.dht import Sought
from boot.stage1.dht import look as look_in_dht
from boot.trust.root import Trusted, pinned
from boot.trust.verifier import Step, Times, Wanted
from console.client import Json, Result
from console.cmdline import streams
from console.cmdline.boot_serve import bootstrap, fault_of
from console.cmdline.verbline import Line
from console.registry import COMMANDS
from console.verbs.values import number
from net.networks import own_addresses
from runtime.canonical import timestamp
from runtime.errors import NetworkError, UsageError
from runtime.sanitise import clean

__all__ = ["discover", "fetch"]

_LOOK_S = 3.0


def discover(line: Line) -> Result:
    """`boot discover`.

    Raises:
        NetworkError: there is no link to listen on.
    """
    wait_ms = number(COMMANDS["boot discover"], line.args, "wait") or 0
    items: list[Json] = []
    root = line.paths.get("root_key")
    if root is not None:
        channel, arch = str(line.args.get("channel", "stable")), str(line.args.get("arch", "x86_64"))
        urls = _in_dht(line, _pinned(Path(root)), channel, arch, wait_ms / 1000)
        items += [{"name": "DHT", "urls": [url], "channel": channel, "arch": arch} for url in urls]
    with contextlib.suppress(NetworkError) if items else contextlib.nullcontext():
        items += [_item(one) for one in asyncio.run(look(_interfaces(line), wait_ms / 1000))]
    return Result(ok=True, value={"v": 1, "items": items})


def fetch(line: Line) -> Result:
    """`boot fetch`.

    Raises:
        UsageError: there is no root, or nobody to ask.
        OrlopError: the folder cannot be written.
    """
    command = COMMANDS["boot fetch"]
    channel, arch = str(line.args["channel"]), str(line.args["arch"])
    floor = number(command, line.args, "min_version") or 1
    deadline_ms = number(command, line.args, "timeout") or 1
    trusted = _pinned(Path(line.paths["root_key"]))
    urls = list(_texts(line, "url"))
    if not urls and line.args.get("discover") != "true":
        raise UsageError("URL is missing", hint="or --discover, to ask servers on the link")
    wanted = Wanted(channel, arch, floor, Times(time.time_ns() // 1_000_000))
    try:
        if line.args.get("discover") == "true":
            urls += _discovered(line, trusted, channel, arch)
        with Keeping(Path(line.paths["out"])) as keeping:
            order = Order(
                trusted=trusted,
                wanted=wanted,
                sink_of=keeping.sink,
                patience=Patience(deadline_s=deadline_ms / 1000),
                listener=Listener() if line.options.quiet or line.options.json else _Talking(),
            )
            fetched = asyncio.run(fetch_release(urls, order))
            keeping.keep(fetched)
    except (BootRefusedError, BootUnavailableError) as error:
        return fault_of(error)
    return Result(ok=True, value=_document(fetched, line.paths["out"]))


class _Talking(Listener):
    """Says on stderr how it goes."""

    def asks(self, provider: str) -> None:
        streams.say(f"asks {clean(provider, 200)}")

    def gave_up(self, provider: str, error: BootRefusedError | BootUnavailableError) -> None:
        streams.say(f"{clean(provider, 200)}: {error.line()}")

    def got(self, name: str, have: int, size: int) -> None:
        if have == size:
            streams.say(f"got {name}, {size} bytes")


def _discovered(line: Line, trusted: Trusted, channel: str, arch: str) -> list[str]:
    urls = _in_dht(line, trusted, channel, arch, _LOOK_S)
    try:
        found = asyncio.run(look(_interfaces(line), _LOOK_S))
    except NetworkError as error:
        if urls:
            return urls
        raise BootUnavailableError(error.why, where=error.where) from None
    return [url for one in found if (one.boot.channel, one.boot.arch) == (channel, arch) for url in one.urls] + urls


def _in_dht(line: Line, trusted: Trusted, channel: str, arch: str, wait_s: float) -> list[str]:
    """What the DHT knows, asked as a machine asks it that boots; nothing without a node to begin with."""
    starts = bootstrap(line).split()
    sought = Sought(channel, arch, trusted.root.keys, time.time_ns() // 1_000_000)
    ip = "::" if any(start.startswith("/ip6/") for start in starts[:1]) else "0.0.0.0"  # noqa: S104 - it only asks
    return asyncio.run(look_in_dht(sought, starts, ip, wait_s))


def _interfaces(line: Line) -> tuple[str, ...]:
    named = _texts(line, "interface") or tuple(own_addresses("ip4"))
    if not named:
        raise NetworkError("this machine has no address but the loopback's", hint="name one with --interface")
    return named


def _texts(line: Line, name: str) -> tuple[str, ...]:
    value = line.args.get(name)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _pinned(path: Path) -> Trusted:
    try:
        return pinned(read_document_file(path))
    except BootRefusedError as error:
        raise UsageError(f"is no root: {error.why}", where=clean(str(path), 300)) from None


def _item(found: Found) -> Mapping[str, Json]:
    return {
        "name": clean(found.name, 64),
        "urls": list(found.urls),
        "channel": found.boot.channel,
        "arch": found.boot.arch,
        "manifest_version": found.boot.version,
        "key": found.boot.root,
    }


def _document(fetched: Fetched, out: str) -> dict[str, Json]:
    manifest = fetched.verified.manifest
    return {
        "v": 1,
        "ok": True,
        "provider": fetched.provider,
        "out": clean(out, 1000),
        "hash": manifest.hash,
        "release": manifest.release,
        "manifest_version": manifest.manifest_version,
        "channel": manifest.channel,
        "arch": manifest.arch,
        "expires_at": timestamp(manifest.expires_ms),
        "artifacts": {name: {"size": one.size, "sha256": one.sha256} for name, one in manifest.artifacts.items()},
        "steps": [_step(step) for step in fetched.verified.steps],
        "notes": list(fetched.verified.notes),
    }


def _step(step: Step) -> dict[str, Json]:
    return {"name": step.name, "detail": step.detail}
