"""What the console shows of agents, with and without a running executor."""

import subprocess
import sys

from console.rows import AgentRow
from runtime.agents.keys import AgentKey
from runtime.agents.rows import read_rows
from runtime.codec import from_wire
from tests.runtime.agents.world import ROOM, World

KEY = AgentKey(ROOM, "guest")


async def test_a_row_has_the_fields_of_the_consoles_row(world: World) -> None:
    await world.run("trap_tick")
    await world.tick(2)
    row = from_wire(AgentRow, await world.row(KEY) | {"room_name": "test"})
    assert (row.state, row.failures, len(row.reasons), row.calls) == ("active", 2, 2, 3)


async def test_without_an_executor_a_row_says_what_will_be_so(world: World) -> None:
    await world.run("trap_tick", "trapping")
    await world.run("quiet", "running")
    await world.upload("quiet", "resting")
    await world.tick(3)
    rows = world.store.read_now(read_rows)
    assert {row["agent"]: (row["state"], row["failures"]) for row in rows} == {
        "trapping": ("tripped", 3),
        "running": ("active", 0),
        "resting": ("off", 0),
    }
    assert [row["agent"] for row in world.store.read_now(lambda c: read_rows(c, None, "cd" * 16))] == []


async def test_the_document_of_an_agent(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick()
    document = await world.show(KEY)
    assert document["manifest"]["name"] == "guest"
    assert document["state_bytes"] == 4
    assert [run["ok"] for run in document["runs"]] == [True, True]
    assert document["breaker"] == {
        "state": "closed",
        "failures": {"tick": 0, "event": 0},
        "reasons": [],
        "tripped_ms": None,
        "probes": 0,
        "next_probe_ms": None,
    }
    (minute,) = document["minutes"]
    assert (minute["calls"], minute["failures"]) == (2, 0)
    assert [hour["calls"] for hour in document["hours"]] == [2]
    assert [one["upload_no"] for one in document["versions"]] == [1]


def test_rows_and_modules_load_no_engine() -> None:
    code = "import sys, runtime.agents.rows, runtime.agents.modules; assert 'wasmtime' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
