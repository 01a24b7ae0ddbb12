"""A setting that changes what this node offers is heard at once by those who are connected."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from console import config as configuration
from console.core import Core, CoreOptions
from net.capabilities.exchange import PROTOCOL as CAPABILITIES
from net.capabilities.exchange import Exchange, ask
from net.capabilities.record import Capabilities
from net.host import Host
from net.host_events import HostEvent, Identified
from net.jobs.terms import PROTOCOL as JOBS
from runtime.clock import SystemClock
from tests.net.nodes import PATIENT, identity

UNHURRIED = replace(PATIENT, capabilities_s=60.0, identify_s=60.0)


async def test_jobs_that_are_taken_no_more_are_announced_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.mesh.NetLimits", lambda: UNHURRIED)
    config = configuration.load(None, None, {"ORLOP_P2P_LISTEN": "/ip4/127.0.0.1/tcp/0"})
    core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True, config=config))
    told: asyncio.Queue[HostEvent] = asyncio.Queue()
    pushed: asyncio.Queue[Capabilities] = asyncio.Queue()
    friend = Host(identity(1), UNHURRIED, clock=SystemClock(), on_event=told.put_nowait)
    unasked = Exchange(lambda: b"", SystemClock(), asked=lambda _: None, heard=pushed.put_nowait, limits=UNHURRIED)
    friend.serve(CAPABILITIES, unasked.serve)
    connection = await friend.connect(core.mesh.host.peer, core.mesh.host.listening())
    assert (await ask(connection, SystemClock().wall_ms, UNHURRIED)).offered.slots_total > 0
    assert JOBS in core.mesh.host.describe().protocols

    core.config = replace(core.config, p2p=replace(core.config.p2p, accept_jobs=False))
    core.mesh.heed_settings()
    async with asyncio.timeout(60):
        assert (await pushed.get()).offered.slots_total == 0
        while True:
            event = await told.get()
            if isinstance(event, Identified):
                break
    assert JOBS not in event.said.protocols
    await friend.aclose()
    await core.stop("test")
