"""The demo's second node: another process with keys of its own, that runs some of the demo's jobs.

What is seen is real: an address, a key that is proven, an offer, a lease, and a receipt that the other one signs. It
listens on the loopback only, and ends with the demo.
"""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import replace
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from net.book import saying
from net.errors import AddressError
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.errors import FailedError, OrlopError
from runtime.jobs import JobRequest, Streams

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["FOLDER", "NAME", "live"]

NAME: Final = "pier-4"
FOLDER: Final = "pier"
"""Its state directory, inside the demo's."""

# The place of the code is told: a package's launcher alone knows it, and no environment has to.
_ROOT: Final = str(Path(__file__).resolve().parents[1])
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from console.pier_process import main; sys.exit(main(*sys.argv[2:]))"
)
_LINE_MAX: Final = 1 << 16
_ENDS_S: Final = 5.0
_BEGINS_S: Final = 30.0
_JOBS_S: Final = (2.0, 6.0, 11.0, 17.0, 23.0)
_JOBS_LATER_S: Final = 45.0
_SENTENCES: Final = (
    b"Over to pier 4",
    "Antwort von drüben".encode(),
    b"This one was run by somebody else, who signed for it",
)


async def live(core: "Core", module: bytes) -> None:
    """Has it run a job now and then, until this is cancelled; then it ends.

    Args:
        core: the demo's.
        module: what it runs, which turns its input round.

    Raises:
        FailedError: it does not come up.
        OrlopError: its directory cannot be used.
    """
    await _let_in(core)
    process = await _started(core)
    try:
        place = await _listening(process)
        peer = place.peer
        if peer is None:
            raise FailedError("listens without a name", where=NAME)
        await core.write(lambda tx: (saying.name(tx, peer, NAME), saying.trust(tx, peer)))
        await asyncio.gather(_drain(process), _work(core, peer, place, module))
    finally:
        await asyncio.shield(_end(process))


async def _work(core: "Core", peer: PeerId, place: Multiaddr, module: bytes) -> None:
    for pause, sentence in zip(chain(_JOBS_S, repeat(_JOBS_LATER_S)), cycle(_SENTENCES), strict=False):
        await asyncio.sleep(pause)
        request = JobRequest(name="hello.wasm")
        try:
            await core.mesh.jobs.run(peer, request, module=module, streams=Streams(stdin=sentence), address=place)
        except OrlopError as error:
            core.report("demo", error)


async def _let_in(core: "Core") -> None:
    """Puts the demo's key on the other one's list, while nobody owns its directory."""
    options = replace(
        core.options,
        state_path=core.state.path / FOLDER,
        owner=False,
        demo=False,
        passphrase=None,
        reload=None,
        config=replace(core.config, node=replace(core.config.node, name=NAME)),
    )
    other = await type(core).start(options)
    try:
        me = PeerId.parse(core.identity.peer_id)
        await other.write(lambda tx: saying.trust_submitter(tx, me))
    finally:
        await other.stop("prepared")


async def _started(core: "Core") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        _PROGRAM,
        _ROOT,
        str(os.getpid()),
        str(core.state.path / FOLDER),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_MAX,
        start_new_session=True,  # ctrl-c on the terminal is for the demo, which ends it in order
    )


async def _listening(process: asyncio.subprocess.Process) -> Multiaddr:
    """Where it says that it listens."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(ValueError, TimeoutError, KeyError, IndexError, AddressError):
        async with asyncio.timeout(_BEGINS_S):
            while line := json.loads(await process.stdout.readline()):
                if line["type"] == "net.listening":
                    return Multiaddr.parse(line["addrs"][0])
    raise FailedError(
        "the demo's second node did not come up", where=NAME, hint="its directory may be damaged: delete it"
    )


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Reads what it says on; nobody needs it, but a full pipe would stop it."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while await process.stdout.read(_LINE_MAX):
        pass


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_ENDS_S):
            await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
