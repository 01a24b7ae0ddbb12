"""What `boot serve`, `stop` and `status` do in a running node; `boot fetch` and `discover` are for the command line."""

from typing import TYPE_CHECKING

from console.call import Call
from console.client import Json, Result
from console.syntax.boot_serving import BIND
from runtime.errors import NotFoundError, UsageError
from runtime.sanitise import clean
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["elsewhere", "serve", "status", "stop"]


async def elsewhere(_core: "Core", call: Call) -> Result:
    """From a face that has a core: it runs in the foreground, on files of whoever typed."""
    raise UsageError("runs in the foreground", hint=f"run orlop {call.command} on the command line")


async def serve(core: "Core", call: Call) -> Result:
    """`boot serve` in a node that runs: it serves until `boot stop`, or until it ends itself."""
    from console.boot_desk import Place, Shelf
    from console.cmdline.relay import parse_bind

    if not core.options.owner:
        raise UsageError("no node runs here", hint="orlop boot serve on the command line serves in the foreground")
    if call.text("receipts"):
        raise UsageError("a node keeps those of keys that it believes", where="--receipts")
    if "release" not in call.files:
        raise UsageError("the folder of a release is needed")
    host, port = parse_bind(call.text("bind") or BIND)
    shelf = Shelf.lent(call.files["release"], clean(call.text("release") or "release", 300))
    place = Place(host, port, mdns=not call.flag("no_mdns"), dht=not call.flag("no_dht"))
    row = await core.boot.serve(shelf, place)
    return Result(ok=True, value={"v": 1, "release": to_wire(row)})


async def stop(core: "Core", call: Call) -> Result:
    """`boot stop`."""
    if not core.built("boot"):
        raise NotFoundError("nothing is served here", hint="orlop boot serve does it, or orlop --no-ui --serve-boot")
    row = await core.boot.stop(call.text("release"))
    return Result(ok=True, value={"v": 1, "release": to_wire(row)})


async def status(core: "Core", call: Call) -> Result:
    """`boot status`."""
    session = call.text("session")
    releases: list[Json] = []
    machines: list[Json] = []
    if core.built("boot"):
        rows = core.boot.rows
        releases = [to_wire(row) for row in rows.releases.values()]
        machines = [to_wire(row) for key, row in rows.machines.items() if key.startswith(session or "")]
    if session and not machines:
        raise NotFoundError("no machine of this session asked here", where=clean(session, 40))
    return Result(ok=True, value={"v": 1, "releases": releases, "machines": machines})
