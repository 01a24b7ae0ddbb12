"""The other process of the row `remote`: a whole program that runs jobs for one submitter.

Its arguments are the folder for its state and the PeerId of the submitter. It prints its multiaddrs, TCP and QUIC, in
one line, and ends when its standard input does.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from console.config import Config
from console.core import Core, CoreOptions
from console.p2p_settings import P2pConfig
from net.book import saying
from net.peer_id import PeerId

_ANYWHERE: Final = "/ip4/127.0.0.1/tcp/0 /ip4/127.0.0.1/udp/0/quic-v1"


async def _main(state: Path, submitter: PeerId) -> None:
    core = await Core.start(CoreOptions(state_path=state, owner=True, config=Config(p2p=P2pConfig(listen=_ANYWHERE))))
    try:
        await core.write(lambda tx: saying.trust_submitter(tx, submitter))
        core.jobs.warm()
        print(*core.mesh.host.listening(), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    finally:
        await core.stop("the end")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), PeerId.parse(sys.argv[2])))
