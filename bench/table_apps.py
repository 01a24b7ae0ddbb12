"""Programs with a table of many rows, to be run in a terminal: `python -m bench.table_apps KIND ROWS SECONDS FILE`.

KIND is `pane` (the whole screen of orlop over a core that is a script, its Agents pane shown), `live` (our table alone)
or `data` (Textual's). Each gets 500 updates a second, measures itself and writes FILE.
"""

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from textual.app import App, ComposeResult
from textual.widgets import DataTable

from bench.farm import Lag
from bench.measure import percentile
from bench.processes import ROOT
from console.client import Args, Execution, Json, Result, Sink, Snapshot, Subscription
from console.rows import AgentRow, NodeRow, RoomRow
from console.table import Column, Row, TableModel
from console.ui.app import OrlopApp
from console.ui.frame import AGENTS
from console.ui.options import UiOptions
from console.ui.themes import THEMES
from console.ui.widgets.live_table import LiveTable
from runtime.events import Record, TickCompleted
from runtime.shapes import to_wire

__all__ = ["main"]

_RATE: Final = 500
_FRAMES: Final = 10
_WARM_S: Final = 2.0
_ROOM: Final = "ab" * 16
_TITLES: Final = ("agent", "room", "state", "last", "took", "p95", "calls", "note")


def main() -> None:
    """Runs what the command line says."""
    kind, rows, seconds, into = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])
    if kind == "pane":
        _run_pane(rows, seconds, into)
        return
    app = (_LiveApp if kind == "live" else _DataApp)(rows, seconds, into)
    app.run()


async def _measured(seconds: float, into: Path, leave: Callable[[], object], script: "_Script | None" = None) -> None:
    """Measures this process and its loop, writes what came out, and leaves; the script's own work does not count."""
    await asyncio.sleep(_WARM_S)
    lag = Lag()
    watch = asyncio.get_running_loop().create_task(lag.watch())
    if script is not None:
        script.lag.late_ms.clear()
    began, used = time.monotonic(), _used_s(script)
    await asyncio.sleep(seconds)
    took, cpu = time.monotonic() - began, _used_s(script) - used
    watch.cancel()
    measured = {"cpu": cpu / took * 100, "lag_ms": percentile(lag.late_ms, 95)}
    if script is not None:
        measured["other_lag_ms"] = percentile(script.lag.late_ms, 95)
    into.write_text(json.dumps(measured))  # noqa: ASYNC240 - what was to be measured is over
    leave()


def _used_s(script: "_Script | None") -> float:
    return time.process_time() - (script.cpu_s if script is not None else 0.0)


def _cells(number: int) -> tuple[str, ...]:
    return (
        f"agent-{number:05d}",
        "harbour",
        "active",
        f"{number % 30} s",
        f"{random.randrange(20, 900)} µs",  # noqa: S311 - figures for a screen
        "310 µs",
        f"{number:,}",
        "ok",
    )


class _TableApp(App[int]):
    """A table and nothing else.

    Args:
        rows: how many.
        seconds: how long it is measured.
        into: the file.
    """

    def __init__(self, rows: int, seconds: float, into: Path) -> None:
        super().__init__()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES["dark"].name
        self.rows, self.seconds, self.into = rows, seconds, into
        self._tasks: list[asyncio.Task[None]] = []

    def on_mount(self) -> None:
        """Fills the table, begins to update and to measure."""
        self.fill()
        self.set_interval(1 / _FRAMES, self._frame)
        work: Awaitable[None] = _measured(self.seconds, self.into, self.exit)
        self._tasks.append(asyncio.ensure_future(work))

    def _frame(self) -> None:
        # Half of them in the window: updates that nobody sees would cost our table nothing.
        numbers = [random.randrange(30 if turn % 2 else self.rows) for turn in range(_RATE // _FRAMES)]  # noqa: S311
        self.change(numbers)

    def fill(self) -> None:
        """All rows."""
        raise NotImplementedError

    def change(self, numbers: Sequence[int]) -> None:
        """New figures for these rows."""
        raise NotImplementedError


class _LiveApp(_TableApp):
    def compose(self) -> ComposeResult:
        columns = [Column(name=title, title=title.title(), width=12) for title in _TITLES]
        yield LiveTable(TableModel(columns), name="table")

    def fill(self) -> None:
        self.query_one(LiveTable).replace_rows(map(_row, range(self.rows)))

    def change(self, numbers: Sequence[int]) -> None:
        self.query_one(LiveTable).update_rows(map(_row, numbers))


def _row(number: int) -> Row:
    cells = _cells(number)
    return Row(key=cells[0], cells=cells, values=cells)


class _DataApp(_TableApp):
    def compose(self) -> ComposeResult:
        yield DataTable()

    def fill(self) -> None:
        table = self.query_one(DataTable)
        for title in _TITLES:
            table.add_column(title.title(), key=title, width=12)
        for number in range(self.rows):
            cells = _cells(number)
            table.add_row(*cells, key=cells[0])

    def change(self, numbers: Sequence[int]) -> None:
        table = self.query_one(DataTable)
        for number in numbers:
            cells = _cells(number)
            table.update_cell(cells[0], "took", cells[4])


# --- the whole screen -----------------------------------------------------------------------------------------------


class _Execution:
    def __init__(self, result: Result) -> None:
        self.result: Future[Result] = Future()
        self.result.set_result(result)

    def interrupt(self, code: int) -> None:
        """Nothing runs."""


class _Script:
    """A core that is a script: agents that tick, on a thread and a loop of their own, as the real one's."""

    def __init__(self, rows: int) -> None:
        self.lag = Lag()
        self._rows = [_agent(number) for number in range(rows)]
        self._seq = 1
        self._sink: Sink | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._tick(),), daemon=True)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of its thread."""
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident or 0))

    def snapshot(self, *topics: str) -> "Future[Snapshot]":
        every: dict[str, Json] = {
            "node": to_wire(_node()),
            "rooms": [to_wire(_room(len(self._rows)))],
            "agents": [to_wire(row) for row in self._rows],
        }
        future: Future[Snapshot] = Future()
        future.set_result(Snapshot(self._seq, {topic: every.get(topic, []) for topic in topics}))
        return future

    def subscribe(self, since: int, sink: Sink, *, content: bool = False) -> Subscription:  # noqa: ARG002 - the protocol's
        self._sink = sink
        self._thread.start()
        return self

    def execute(self, command: str, args: Args, files: Mapping[str, int] | None = None) -> Execution:  # noqa: ARG002 - as above
        return _Execution(Result(ok=True, value={"v": 1}))

    def close(self) -> None:
        """Tells nobody any more."""
        self._sink = None

    async def _tick(self) -> None:
        watch = asyncio.get_running_loop().create_task(self.lag.watch())
        calls = 0
        while (sink := self._sink) is not None:
            records = []
            for turn in range(_RATE // 50):
                number = random.randrange(30 if turn % 2 else len(self._rows))  # noqa: S311 - figures for a screen
                calls += 1
                self._seq += 1
                records.append(Record(self._seq, time.time_ns() // 1_000_000, _ticked(number, calls)))
            sink(records)
            await asyncio.sleep(1 / 50)
        watch.cancel()


def _ticked(number: int, calls: int) -> TickCompleted:
    return TickCompleted(
        room=_ROOM,
        agent=f"agent-{number:05d}",
        n=calls,
        trigger="tick",
        duration_us=random.randrange(20, 900),  # noqa: S311 - figures for a screen
        emitted=0,
        dropped=(),
        state_bytes=0,
        state_changed=False,
    )


def _agent(number: int) -> AgentRow:
    return AgentRow(
        room=_ROOM,
        room_name="harbour",
        agent=f"agent-{number:05d}",
        version="1.0.0",
        hash="cd" * 32,
        builtin=False,
        mark="unsigned",
        state="active",
        permissions=("read_tasks",),
        granted=("read_tasks",),
        calls=number,
        last_ms=time.time_ns() // 1_000_000,
        last_trigger="tick",
        last_duration_us=300,
        p95_us=310,
        emitted=0,
        dropped=0,
        failures=0,
        reasons=(),
        problem="",
        state_bytes=0,
    )


def _node() -> NodeRow:
    return NodeRow(
        name="bench",
        peer_id="12D3KooWBench",
        version="0",
        state_dir="/tmp/bench",  # noqa: S108 - shown, not used
        started_ms=time.time_ns() // 1_000_000,
        mode="local",
        demo=False,
        read_only=False,
        tick_interval_ms=30_000,
    )


def _room(agents: int) -> RoomRow:
    return RoomRow(room=_ROOM, name="harbour", total=0, open=0, blocked=0, completed=0, members=1, agents=agents)


class _PaneApp(OrlopApp):
    """The program's screen, on its Agents pane."""

    CSS_PATH = str(ROOT / "console" / "ui" / "orlop.tcss")

    def __init__(self, script: _Script, seconds: float, into: Path) -> None:
        super().__init__(UiOptions(connect=lambda: script, title="bench"))
        self._script, self._seconds, self._into = script, seconds, into
        self._measure: asyncio.Task[Any] | None = None

    async def on_mount(self) -> None:
        """Shows the pane when the first frame is painted, and begins to measure."""
        self.set_timer(1.0, self._show)

    async def _show(self) -> None:
        await self.action_pane(AGENTS)
        self._measure = asyncio.ensure_future(_measured(self._seconds, self._into, self.exit, self._script))


def _run_pane(rows: int, seconds: float, into: Path) -> None:
    script = _Script(rows)
    app = _PaneApp(script, seconds, into)
    with suppress(SystemExit):
        app.run(mouse=False)
    app.desk.close()
    if app.fault is not None:
        sys.exit(app.fault.line)


if __name__ == "__main__":
    main()
