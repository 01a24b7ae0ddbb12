"""`boot serve`: a server in the foreground. Events as lines of JSON on stdout with `--json`, else talk on stderr."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from boot.errors import BootRefusedError, BootUnavailableError
from boot.serve.announcing import Announcer, places_of
from boot.serve.announcing_dht import DhtAnnouncer, said_in_dht, starts_of
from boot.serve.server import BootServer
from console import config
from console._version import __version__
from console.client import Fault, Result
from console.cmdline.foreground import Serving, Talk, run
from console.cmdline.relay import parse_bind
from console.cmdline.verbline import Line
from console.cmdline.verify import believed_keys
from console.exit_codes import ExitCode
from console.syntax.boot_serving import BIND
from net.dht.contact import Contact
from runtime import durable
from runtime.boot_events import BootMachine, BootReceipt, BootReport, BootRequest, BootServing, BootStopped
from runtime.codec import to_wire
from runtime.errors import NetworkError
from runtime.events import Event
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["bootstrap", "fault_of", "serve"]


def serve(line: Line) -> Result:
    """Serves until a signal comes.

    Args:
        line: the command line.

    Returns:
        The end, with the exit status of the signal, or the refusal of a release that is none.

    Raises:
        UsageError: the address is none.
        NetworkError: it cannot be listened on.
        UnavailableError: the folder of receipts cannot be written.
    """
    host, port = parse_bind(str(line.args.get("bind", BIND)))
    talk = Talk(line.options.json, line.options.quiet)
    kept = line.args.get("receipts")
    folder = Path(kept) if isinstance(kept, str) else None
    if folder is not None:
        durable.make_directory(folder)
    accepts = believed_keys(line.options.state_dir, os.environ)
    ways = _Ways(
        link=line.args.get("no_mdns") != "true",
        starts=() if line.args.get("no_dht") == "true" else starts_of(bootstrap(line)),
    )

    async def work(serving: Serving) -> None:
        server = BootServer(
            Path(line.paths["release"]),
            lambda event: _tell(talk, event),
            accepts=accepts,
            keep=_keeper(folder),
            version=__version__,
        )
        await _serve(server, (host, port), serving, talk, ways)

    try:
        return run(work)
    except (BootRefusedError, BootUnavailableError) as error:
        return fault_of(error)


def fault_of(error: BootRefusedError | BootUnavailableError) -> Result:
    """A refusal or a failure in the words of the contracts: `boot: refused: …` or `boot: unavailable: …`."""
    if isinstance(error, BootRefusedError):
        fault = Fault(error.code, f"{error.step}: {error.why}", "boot: refused", error.where, error.hint)
        return Result(ok=False, fault=fault, exit_code=ExitCode.BOOT_REFUSED)
    fault = Fault(error.code, error.why, "boot: unavailable", error.where, error.hint)
    return Result(ok=False, fault=fault, exit_code=ExitCode.NETWORK)


@dataclass(frozen=True, slots=True)
class _Ways:
    """How others hear of a server: on the link, and in the DHT by these nodes."""

    link: bool
    starts: Sequence[Contact]


def bootstrap(line: Line) -> str:
    """The nodes with which the DHT is begun, as they are configured."""
    file = config.config_file(line.options.config, os.environ)
    return config.load(file, None, os.environ).p2p.bootstrap


async def _serve(server: BootServer, at: tuple[str, int], serving: Serving, talk: Talk, ways: _Ways) -> None:
    await server.open()
    bound, port = await server.listen(*at)
    places = places_of(bound)
    announcer = Announcer(places) if places and ways.link else None
    teller = DhtAnnouncer(ways.starts) if places and ways.starts else None
    try:
        if announcer is not None:
            with contextlib.suppress(NetworkError):
                server.announced = await announcer.start(server.contents, port)
        server.tell()
        if not places or (ways.link and not server.announced):
            talk.note(_silence(bound, places))
        if teller is not None:
            took = await teller.start(said_in_dht(server.contents, places, port))
            talk.note(f"{took} node{'' if took == 1 else 's'} of the DHT know{'s' if took == 1 else ''} of it")
        await serving.asked.wait()
    finally:
        if teller is not None:
            await teller.close()
        if announcer is not None:
            await announcer.close()
        await server.close()


def _silence(bound: str, places: list[str]) -> str:
    if places:
        return f"{', '.join(places)} cannot be announced on the link; machines have to be told the address"
    return f"{bound} is reached from this machine alone and is announced nowhere; --bind 0.0.0.0:8080 serves others"


def _keeper(folder: Path | None) -> Callable[[str, bytes], None]:
    def keep(receipt: str, raw: bytes) -> None:
        if folder is not None:
            durable.create(folder / f"{receipt}.json", raw, mode=0o644)

    return keep


def _tell(talk: Talk, event: Event) -> None:
    fields = to_wire(event)
    talk.tell(event.TYPE, {name: value for name, value in fields.items() if value is not None}, _words(event))


def _words(event: Event) -> str:
    """What a person is told; empty for what is of no interest."""
    match event:
        case BootMachine() | BootReport() | BootReceipt():
            return f"{event.address} machine {event.session[:8]} {_of_machine(event)}"
        case BootServing():
            what = f"release {event.release}, version {event.manifest_version}, {event.channel} {event.arch}"
            where = f", announced at {', '.join(event.announced)}" if event.announced else ""
            return f"serves {what}, at {', '.join(event.urls)}{where}; Ctrl-C ends it"
        case BootRequest(status=status) if status >= 400 and "/root/" not in event.path:  # noqa: PLR2004 - errors
            return f"{event.address} {event.method} {event.path}: {event.status}"
        case BootStopped():
            return f"the server has ended; {event.requests} requests, {format_size(event.bytes)}"
        case _:
            return ""


def _of_machine(event: BootMachine | BootReport | BootReceipt) -> str:
    match event:
        case BootMachine():
            have = f"{format_size(event.bytes)} of {format_size(event.size)}"
            return f"has {event.artifact or 'the manifest'}, {have}"
        case BootReport():
            return f"reports {event.step} {'ok' if event.ok else 'failed'}: {clean(event.detail, 200)}"
        case BootReceipt():
            found = {True: "valid", False: "false", None: "of a key that is not known"}[event.ok]
            return f"delivered receipt {event.receipt[:16]}: {found}"
