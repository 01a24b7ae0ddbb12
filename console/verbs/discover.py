"""What `peers discover` does."""

from typing import TYPE_CHECKING

from console.call import Call
from console.client import Json, Result
from console.finding import find_workers
from console.registry import COMMANDS
from console.verbs.values import number
from net.book.entry import Known
from net.capabilities.ranking import Candidate, Need
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["discover"]


async def discover(core: "Core", call: Call) -> Result:
    """`peers discover`: proven peers that could do it, and those that proved nothing."""
    command = COMMANDS["peers discover"]
    memory, wait_ms = number(command, call.args, "memory") or 0, number(command, call.args, "wait") or 0
    need = Need(arch=call.text("arch"), kind=call.text("kind") or "wasm", memory=memory)
    found = await find_workers(core, need, wait_s=wait_ms / 1000, enough=call.interrupted)
    items: list[Json] = [_item(core, entry, candidate) for entry, candidate in found.best]
    unproven: list[Json] = [{"peer": str(one.peer), "reason": one.reason} for one in found.unproven]
    return Result(ok=True, value={"v": 1, "items": items, "unfit": found.unfit, "unproven": unproven})


def _item(core: "Core", entry: Known, candidate: Candidate) -> Json:
    said, connection = candidate.capabilities, core.mesh.connection(entry.peer)
    machine, offered = said.machine, said.offered
    runtimes: dict[str, Json] = {clean(name, 32): clean(version, 32) for name, version in offered.runtimes.items()}
    return {
        "peer": str(entry.peer),
        "name": entry.name,
        "worker": entry.worker,
        "address": "" if connection is None else str(connection.remote),
        "transport": "" if connection is None else connection.transport,
        "arch": machine.arch,
        "os": machine.os,
        "cpus": machine.cpus,
        "mem_free": machine.mem_free,
        "slots_free": offered.slots_free,
        "slots_total": offered.slots_total,
        "queue": offered.queue,
        "runtimes": runtimes,
        "rtt_us": round((candidate.latency_ms or 0) * 1000),
        "version": offered.version,
    }
