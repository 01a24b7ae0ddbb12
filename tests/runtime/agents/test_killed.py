"""A process that is killed while agents run: what a call led to is there as a whole, or not at all."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.agents.keys import AgentKey
from runtime.agents.state import AgentStates, read_state
from runtime.clock import SystemClock
from runtime.statedir import StateDir
from runtime.store import Store
from runtime.vault import Vault
from tests.hostile import agent_wat, data, wat
from tests.runtime.agents.world import ROOM, TestRooms

EVENT = b'{"type":"task_created","taskId":"n0000","task":{}}'
AT = EVENT.index(b"0000")
DIGITS = "".join(
    f"(i32.store8 (i32.const {AT + place}) (i32.add (i32.const 48)"
    f" (i32.rem_u (i32.div_u (i32.load (i32.const 200)) (i32.const {10 ** (3 - place)})) (i32.const 10))))"
    for place in range(4)
)
COUNTS_AND_CREATES = wat(
    agent_wat(
        "(drop (call $host_get_state (i32.const 200) (i32.const 4)))"
        "(i32.store (i32.const 200) (i32.add (i32.load (i32.const 200)) (i32.const 1)))"
        f"{DIGITS}(call $host_emit_event (i32.const 0) (i32.const {len(EVENT)}))"
        "(call $host_set_state (i32.const 200) (i32.const 4))",
        hosts=("host_get_state", "host_emit_event", "host_set_state"),
        decls=data(0, EVENT),
    )
)

PROGRAM = """
import asyncio, sys
from pathlib import Path
from runtime.clock import ManualClock
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir
from runtime.store import Store
from runtime.vault import Vault
from tests.runtime.agents.world import World

async def main():
    clock, state = ManualClock(), StateDir(Path(sys.argv[1]))
    with Store.open(state.database, clock, owner=True) as store, Compiler(None) as compiler:
        world = World(state, store, clock, Vault(bytes(32)), compiler)
        await world.start()
        await world.run(Path(sys.argv[2]).read_bytes())
        while True:
            await world.tick()
            print("tick", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("ticks", [1, 7, 20])
def test_state_and_emissions_of_a_call_survive_a_kill_together(tmp_path: Path, ticks: int) -> None:
    guest = tmp_path / "guest.wasm"
    guest.write_bytes(COUNTS_AND_CREATES)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(guest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        for _ in range(ticks):
            assert process.stdout.readline() == b"tick\n"
        process.kill()
    vault = Vault(bytes(32))
    with Store.open(StateDir(tmp_path).database, SystemClock(), owner=True) as store:
        key = AgentKey(ROOM, "guest")
        found = store.read_now(lambda connection: read_state(connection, key))
        assert found is not None
        (count,) = struct.unpack("<I", AgentStates(vault).open(key, found))
        assert count >= ticks
        assert list(TestRooms(store, vault).tasks) == [f"n{number:04}" for number in range(1, count + 1)]
        sql = "SELECT count(*) FROM journal WHERE type = 'tick.completed' AND body LIKE '%\"trigger\":\"tick\"%'"
        assert store.read_now(lambda connection: connection.execute(sql).fetchone()) == (count,)
