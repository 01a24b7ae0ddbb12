"""Guests that misbehave, by name: agents, jobs and files that are no sound module at all.

`agent("spin_tick")`, `job("spin")` and `binary("memory64")` give bytes. Text is turned into bytes by wasmtime, which is
imported only then (after pytest's faulthandler, the right order). Agents import `env.memory` and only the host
functions that they name; every host function of the interface is in `HOST`.
"""

from collections.abc import Callable, Iterable
from functools import cache

__all__ = [
    "AGENTS",
    "BINARIES",
    "BOMBS",
    "HOST",
    "JOBS",
    "WASI",
    "agent",
    "agent_wat",
    "binary",
    "emits",
    "fails_before",
    "job",
    "job_exits",
    "job_min_pages",
    "job_wat",
    "leb",
    "module",
    "section",
    "vec",
    "wat",
]

PAGE = 65_536

HOST = {
    "host_get_tasks": "(param i32 i32) (result i32)",
    "host_get_members": "(param i32 i32) (result i32)",
    "host_get_now": "(result i32)",
    "host_get_event": "(param i32 i32) (result i32)",
    "host_emit_event": "(param i32 i32)",
    "host_get_state": "(param i32 i32) (result i32)",
    "host_set_state": "(param i32 i32)",
    "host_log": "(param i32 i32)",
    "host_get_assignment_data": "(param i32 i32) (result i32)",
    "host_emit_assignment": "(param i32 i32 i32 i32)",
    "host_get_dependency_data": "(param i32 i32) (result i32)",
    "host_emit_urgency": "(param i32 i32)",
}
"""The twelve imports of an agent, by name, with their types in text."""


@cache
def wat(text: str) -> bytes:
    """Text format to bytes; checks syntax only."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))


def imported(names: Iterable[str], **types: str) -> str:
    """Import clauses of host functions; `types` overrides a function's type."""
    return "".join(f'(import "env" "{n}" (func ${n} {types.get(n, HOST[n])}))' for n in names)


def data(at: int, content: bytes) -> str:
    """A data segment."""
    escaped = "".join(f"\\{byte:02x}" for byte in content)
    return f'(data (i32.const {at}) "{escaped}")'


def agent_wat(
    tick: str = "",
    *,
    init: str = "",
    event: str = "",
    event_type: str = "",
    hosts: Iterable[str] = (),
    types: dict[str, str] | None = None,
    imports: str = "",
    memory: str = '(import "env" "memory" (memory 1))',
    decls: str = "",
    start: bool = False,
    without: str = "",
) -> str:
    """The text of an agent; `without` leaves out one of its three exports."""
    bodies = {
        "init": f'(func $init (export "init") {init})',
        "on_task_event": f'(func (export "on_task_event") {event_type} {event})',
        "on_tick": f'(func (export "on_tick") {tick})',
    }
    functions = "".join(body for name, body in bodies.items() if name != without)
    return (
        f"(module {imported(hosts, **(types or {}))} {imports} {memory} {decls} {functions}"
        f"{'(start $init)' if start else ''})"
    )


SPIN = "(loop br 0)"
TRAP = "unreachable"
DEEP = "(func $deep call $deep)"


def _now(result: str, store: str) -> str:
    return agent_wat(
        f"(i32.const 0) (call $host_get_now) ({store}) (call $host_set_state (i32.const 0) (i32.const 8))",
        hosts=("host_get_now", "host_set_state"),
        types={"host_get_now": f"(result {result})"},
    )


def _copies(source: str, sink: str) -> str:
    return agent_wat(
        f"(call ${sink} (i32.const 0) (call ${source} (i32.const 0) (i32.const 65536)))", hosts=(source, sink)
    )


def fails_before(ms: int) -> bytes:
    """An agent whose ticks trap while `host_get_now` (as i64) is below `ms`: failures followed by success."""
    return wat(
        agent_wat(
            f"(if (i64.lt_s (call $host_get_now) (i64.const {ms})) (then unreachable))",
            hosts=("host_get_now",),
            types={"host_get_now": "(result i64)"},
        )
    )


def emits(*events: bytes | str, on: str = "tick") -> bytes:
    """An agent that hands these texts to `host_emit_event`, in this order, at every tick (or event, or init)."""
    segments, calls, at = [], [], 0
    for event in events:
        raw = event.encode() if isinstance(event, str) else event
        segments.append(data(at, raw))
        calls.append(f"(call $host_emit_event (i32.const {at}) (i32.const {len(raw)}))")
        at += len(raw)
    pages = max(1, -(-at // PAGE))
    return wat(
        agent_wat(
            **{on: "".join(calls)},  # type: ignore[arg-type]
            hosts=("host_emit_event",),
            memory=f'(import "env" "memory" (memory {pages}))',
            decls="".join(segments),
        )
    )


def emits_mix(member: str = "alice") -> bytes:
    """Honest and dishonest events about tasks `t1` and `t2`, which are known, and `ghost`, which is not.

    Args:
        member: to whom they are given.
    """
    assignee = f'"task":{{"assignee":"{member}"}}'
    return emits(
        f'{{"type":"task_assigned","taskId":"t1",{assignee}}}',
        '{"type":"task_created","taskId":"fresh","task":{"title":"fresh"}}',
        '{"type":"task_urgency_changed","taskId":"t2","task":{"urgent":true}}',
        '{"type":"task_created","taskId":"t1","task":{"title":"overwritten"}}',
        '{"type":"task_status_changed","taskId":"t2","task":{"id":"t9","createdBy":"mallory"}}',
        f'{{"type":"task_assigned","taskId":"ghost",{assignee}}}',
        '{"type":"task_updated","taskId":"t1","task":{"title":"renamed"}}',
        '{"type":"room_burned","taskId":"t1"}',
        '{"type":"task_urgency_changed","task":{"urgent":true}}',
        f'{{"type":"task_assigned","taskId":"t2","actorId":"mallory","timestamp":1,{assignee}}}',
        "not json",
        "[]",
    )


_OUT = (
    ("0x7fffffff", "16"),
    ("-1", "16"),
    ("16", "-1"),
    ("65535", "100"),
    ("0x80000000", "0x80000000"),
    ("65536", "1"),
    ("0", "0x7fffffff"),
)


def _out_of_bounds() -> str:
    reads = [name for name, kind in HOST.items() if "result" in kind and "param" in kind]
    writes = [name for name, kind in HOST.items() if "result" not in kind]
    calls = []
    for ptr, length in _OUT:
        if length != "0x7fffffff":  # a large buffer at 0 is in bounds: only the payload's length counts
            calls += [f"(if (call ${n} (i32.const {ptr}) (i32.const {length})) (then unreachable))" for n in reads]
        for name in writes:
            pair = f"(i32.const {ptr}) (i32.const {length})"
            calls.append(f"(call ${name} {pair} {pair})" if "emit_assignment" in name else f"(call ${name} {pair})")
    return agent_wat(
        "".join(calls) + "(call $host_log (i32.const 32) (i32.const 5))",
        init="(if (i32.eqz (call $host_get_state (i32.const 64) (i32.const 64)))"
        "(then (call $host_set_state (i32.const 16) (i32.const 4))))",
        hosts=HOST,
        decls=data(16, b"keep") + data(32, b"alive"),
    )


def _counts_ticks() -> str:
    return agent_wat(
        "(drop (call $host_get_state (i32.const 0) (i32.const 4)))"
        "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"
        "(call $host_set_state (i32.const 0) (i32.const 4))",
        hosts=("host_get_state", "host_set_state"),
    )


def _state_of(size: int) -> str:
    return agent_wat(
        f"(memory.fill (i32.const 0) (i32.const 97) (i32.const {size}))"
        f"(call $host_set_state (i32.const 0) (i32.const {size}))",
        hosts=("host_set_state",),
        memory='(import "env" "memory" (memory 17))',
    )


_MIB = 1024 * 1024

AGENTS: dict[str, Callable[[], str | bytes]] = {
    "quiet": agent_wat,
    "spin_init": lambda: agent_wat(init=SPIN),
    "spin_start": lambda: agent_wat(init=SPIN, start=True),
    "spin_tick": lambda: agent_wat(SPIN),
    "spin_event": lambda: agent_wat(event=SPIN),
    "spin_on_host": lambda: agent_wat("(loop (drop (call $host_get_now)) br 0)", hosts=("host_get_now",)),
    "trap_tick": lambda: agent_wat(TRAP),
    "trap_event": lambda: agent_wat(event=TRAP),
    "trap_init": lambda: agent_wat(init=TRAP),
    "trap_start": lambda: agent_wat(init=TRAP, start=True),
    "recurse_tick": lambda: agent_wat("call $deep", decls=DEEP),
    "recurse_start": lambda: agent_wat(init="call $deep", decls=DEEP, start=True),
    "divides_by_zero": lambda: agent_wat("(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
    "loads_outside": lambda: agent_wat("(drop (i32.load (i32.const 0x7ffffff0)))"),
    # Traps while the room has no task (`[]`), so that a test decides when it begins to succeed.
    "fails_while_no_tasks": lambda: agent_wat(
        "(if (i32.le_s (call $host_get_tasks (i32.const 0) (i32.const 65536)) (i32.const 2)) (then unreachable))",
        hosts=("host_get_tasks",),
    ),
    # Each stores what it read as 8 little-endian bytes of state.
    "now_i32": lambda: _now("i32", "i32.store"),
    "now_i64": lambda: _now("i64", "i64.store"),
    "now_f64": lambda: _now("f64", "f64.store"),
    "now_f32": lambda: _now("f32", "f32.store"),
    "memory_min2": lambda: agent_wat(memory='(import "env" "memory" (memory 2))'),
    "memory_max10": lambda: agent_wat(memory='(import "env" "memory" (memory 1 10))'),
    "memory_max160": lambda: agent_wat(memory='(import "env" "memory" (memory 1 160))'),
    "memory_min161": lambda: agent_wat(memory='(import "env" "memory" (memory 161))'),
    "memory_min0": lambda: agent_wat(memory='(import "env" "memory" (memory 0))'),
    "own_memory": lambda: agent_wat(
        "(call $host_log (i32.const 0) (i32.const 4))",
        hosts=("host_log",),
        memory='(memory (export "memory") 1)',
        decls=data(0, b"mine"),
    ),
    "no_memory": lambda: agent_wat(memory=""),
    "unknown_import": lambda: agent_wat(imports='(import "env" "host_launch" (func (param i32)))'),
    "unknown_module": lambda: agent_wat(imports='(import "sys" "host_log" (func (param i32 i32)))'),
    "wrong_import_type": lambda: agent_wat(imports='(import "env" "host_log" (func (param i64)))'),
    "wrong_import_kind": lambda: agent_wat(imports='(import "env" "host_log" (global i32))'),
    "memory_as_function": lambda: agent_wat(memory="", imports='(import "env" "memory" (func))'),
    "wasi_import": lambda: agent_wat(
        imports='(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))'
    ),
    "missing_init": lambda: agent_wat(without="init"),
    "missing_event": lambda: agent_wat(without="on_task_event"),
    "missing_tick": lambda: agent_wat(without="on_tick"),
    "tick_is_a_global": lambda: agent_wat(without="on_tick", decls='(global (export "on_tick") i32 (i32.const 0))'),
    "event_two_params": lambda: agent_wat(event_type="(param i32 i32)"),
    "all_params": lambda: agent_wat(
        event_type="(param i32 i64 f32 f64) (result i32 i64)", event="i32.const 1 i64.const 2"
    ),
    # State after each tick: three i32: grow by 159, grow by 1, size.
    "grows": lambda: agent_wat(
        "(i32.store (i32.const 0) (memory.grow (i32.const 159)))"
        "(i32.store (i32.const 4) (memory.grow (i32.const 1)))"
        "(i32.store (i32.const 8) (memory.size))"
        "(call $host_set_state (i32.const 0) (i32.const 12))",
        hosts=("host_set_state",),
    ),
    "grows_in_a_loop": lambda: agent_wat("(loop (drop (memory.grow (i32.const 1))) br 0)"),
    "fills_in_a_loop": lambda: agent_wat(
        "(drop (memory.grow (i32.const 159)))(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 10485760)) br 0)"
    ),
    # init stores the state `keep`; a tick that survives logs `alive`; it traps when a read gives anything but 0.
    "out_of_bounds": _out_of_bounds,
    "state_1mib": lambda: _state_of(_MIB),
    "state_1mib_plus1": lambda: _state_of(_MIB + 1),
    # First a state of 1 MiB of `a`, then a refused one of 1 MiB + 1 of `b`.
    "state_at_limit": lambda: agent_wat(
        f"(memory.fill (i32.const 0) (i32.const 97) (i32.const {_MIB}))"
        f"(call $host_set_state (i32.const 0) (i32.const {_MIB}))"
        f"(memory.fill (i32.const 0) (i32.const 98) (i32.const {_MIB + 1}))"
        f"(call $host_set_state (i32.const 0) (i32.const {_MIB + 1}))",
        hosts=("host_set_state",),
        memory='(import "env" "memory" (memory 17))',
    ),
    # Sets a state, then traps: nothing of a failed call may last.
    "state_then_trap": lambda: agent_wat(
        "(call $host_set_state (i32.const 0) (i32.const 4)) unreachable",
        hosts=("host_set_state",),
        decls=data(0, b"half"),
    ),
    "tasks_to_state": lambda: _copies("host_get_tasks", "host_set_state"),
    "members_to_state": lambda: _copies("host_get_members", "host_set_state"),
    "assignments_to_state": lambda: _copies("host_get_assignment_data", "host_set_state"),
    "dependencies_to_state": lambda: _copies("host_get_dependency_data", "host_set_state"),
    "tasks_to_log": lambda: _copies("host_get_tasks", "host_log"),
    "members_to_log": lambda: _copies("host_get_members", "host_log"),
    "tiny_buffer": lambda: agent_wat(
        "(if (call $host_get_tasks (i32.const 0) (i32.const 1)) (then unreachable))", hosts=("host_get_tasks",)
    ),
    "event_to_state": lambda: agent_wat(
        event="(call $host_set_state (i32.const 0) (call $host_get_event (i32.const 0) (i32.const 65536)))",
        hosts=("host_get_event", "host_set_state"),
    ),
    # An event can be read twice during its call, and never outside it.
    "event_twice": lambda: agent_wat(
        "(if (call $host_get_event (i32.const 0) (i32.const 65536)) (then unreachable))",
        event="(if (i32.ne (call $host_get_event (i32.const 0) (i32.const 32768))"
        "(call $host_get_event (i32.const 32768) (i32.const 32768))) (then unreachable))",
        hosts=("host_get_event",),
    ),
    "counts_ticks": _counts_ticks,
    "reemits": lambda: agent_wat(
        event="(call $host_emit_event (i32.const 0) (call $host_get_event (i32.const 0) (i32.const 65536)))",
        hosts=("host_get_event", "host_emit_event"),
    ),
    "emits_invalid_utf8": lambda: emits(b"\xff\xfe\x00", b'{"type":"task_created","taskId":"\xff"'),
    "emits_mix": emits_mix,
    "emits_flood": lambda: agent_wat(
        "(local $i i32) (loop"
        "(call $host_emit_urgency (i32.const 0) (i32.const 2))"
        "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))",
        hosts=("host_emit_urgency",),
        decls=data(0, b"t1"),
    ),
    "emits_empty_assignment": lambda: agent_wat(
        "(call $host_emit_assignment (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2))"
        "(call $host_emit_assignment (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 0))"
        "(call $host_emit_urgency (i32.const 0) (i32.const 0))",
        hosts=("host_emit_assignment", "host_emit_urgency"),
        decls=data(0, b"t1"),
    ),
    "emits_huge_event": lambda: agent_wat(
        "(drop (memory.grow (i32.const 100)))"
        "(memory.fill (i32.const 0) (i32.const 97) (i32.const 6000000))"
        "(call $host_emit_event (i32.const 0) (i32.const 6000000))",
        hosts=("host_emit_event",),
    ),
    "logs_flood": lambda: agent_wat(
        "(local $i i32) (loop"
        "(call $host_log (i32.const 0) (i32.const 4))"
        "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))",
        hosts=("host_log",),
        decls=data(0, b"line"),
    ),
    "logs_huge_line": lambda: agent_wat(
        "(memory.fill (i32.const 0) (i32.const 97) (i32.const 65536)) (call $host_log (i32.const 0) (i32.const 65536))",
        hosts=("host_log",),
    ),
    "logs_escapes": lambda: agent_wat(
        "(call $host_log (i32.const 0) (i32.const 24))",
        hosts=("host_log",),
        decls=data(0, b"\x1b[2J\x1b]0;owned\x07\r\nfake \xff\x00 "),
    ),
    "logs_in_start": lambda: agent_wat(
        init="(call $host_log (i32.const 0) (i32.const 5))", hosts=("host_log",), decls=data(0, b"start"), start=True
    ),
    "escape_in_function_name": lambda: agent_wat(
        "call $evil", decls='(func $evil (@name "\\1b[2J\\nfake line") unreachable)'
    ),
}
"""Agents by name: text or bytes. One per row of the table of required outcomes, and more."""


@cache
def agent(name: str) -> bytes:
    """The bytes of a hostile (or merely odd) agent."""
    made = AGENTS[name]()
    return wat(made) if isinstance(made, str) else made


WASI = {
    "proc_exit": "(param i32)",
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "poll_oneoff": "(param i32 i32 i32 i32) (result i32)",
    "random_get": "(param i32 i32) (result i32)",
    "clock_time_get": "(param i32 i64 i32) (result i32)",
}
"""WASI imports that the jobs below use, by name, with their types."""


def job_wat(start: str = "", *, wasi: Iterable[str] = (), memory: str = "1", decls: str = "", kind: str = "") -> str:
    """The text of a job: `start` is the body of `_start`, `kind` its type (empty, as it must be)."""
    imports = "".join(f'(import "wasi_snapshot_preview1" "{n}" (func ${n} {WASI[n]}))' for n in wasi)
    return (
        f'(module {imports} (memory (export "memory") {memory}) {decls} (func $start (export "_start") {kind} {start}))'
    )


def job_exits(code: int) -> bytes:
    """A job that calls `proc_exit` with an unsigned 32-bit number."""
    return wat(job_wat(f"(call $proc_exit (i32.const {code}))", wasi=("proc_exit",)))


def job_min_pages(pages: int) -> bytes:
    """A job whose memory has a minimum."""
    return wat(job_wat(memory=str(pages)))


def _writes(descriptor: int, length: int, *, forever: bool) -> str:
    call = f"(drop (call $fd_write (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8)))"
    return job_wat(
        f"(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const {length}))"
        f"(memory.fill (i32.const 1024) (i32.const 120) (i32.const {length}))"
        + (f"(loop {call} br 0)" if forever else call),
        wasi=("fd_write",),
        memory="2",
    )


def _sleeps(nanoseconds: int) -> str:
    """`poll_oneoff` with one relative clock subscription (48 bytes at 0), its event at 64."""
    return job_wat(
        f"(i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const {nanoseconds}))"
        "(if (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)) (then unreachable))",
        wasi=("poll_oneoff",),
    )


def _grow(then: str) -> str:
    return job_wat(f"(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) {then}", wasi=("proc_exit",))


_ECHO = (
    "(local $n i32) (i32.store (i32.const 0) (i32.const 1024))"
    "(block (loop (i32.store (i32.const 4) (i32.const 32768))"
    "(br_if 1 (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))"
    "(br_if 1 (i32.eqz (local.tee $n (i32.load (i32.const 8)))))"
    "(i32.store (i32.const 4) (local.get $n))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) br 0))"
)

JOBS: dict[str, Callable[[], str | bytes]] = {
    "returns": job_wat,
    "spin": lambda: job_wat(SPIN),
    "spin_start": lambda: job_wat(decls=f"(func $s {SPIN}) (start $s)"),
    "recursion": lambda: job_wat("call $deep", decls=DEEP),
    "c_stack_overflow": lambda: job_wat(
        "call $f",
        decls="(global $sp (mut i32) (i32.const 65536)) (func $f"
        "(global.set $sp (i32.sub (global.get $sp) (i32.const 4096)))"
        "(i32.store (global.get $sp) (i32.const 1)) call $f)",
    ),
    "unreachable": lambda: job_wat(TRAP),
    "divides_by_zero": lambda: job_wat("(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
    "integer_overflow": lambda: job_wat("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
    "bad_conversion": lambda: job_wat("(drop (i32.trunc_f64_s (f64.const nan)))"),
    "loads_outside": lambda: job_wat("(drop (i32.load (i32.const 0x7ffffff0)))"),
    "null_call": lambda: job_wat("(call_indirect (i32.const 0))", decls="(table 1 funcref)"),
    "table_outside": lambda: job_wat("(call_indirect (i32.const 9))", decls="(table 1 funcref)"),
    "wrong_signature": lambda: job_wat(
        "(drop (call_indirect (result i32) (i32.const 0)))",
        decls="(table funcref (elem $void)) (func $void)",
    ),
    "data_outside": lambda: job_wat(decls='(data (i32.const 65535) "ab")'),
    # Grow until refused, then: return; exit 7; trap (the outcome `memory`).
    "grows_and_returns": lambda: _grow(""),
    "grows_and_exits": lambda: _grow("(call $proc_exit (i32.const 7))"),
    "grows_and_traps": lambda: _grow(TRAP),
    # Grows a little and traps far from any limit: that is `trap`.
    "grows_little_and_traps": lambda: job_wat("(drop (memory.grow (i32.const 1))) unreachable"),
    "floods_stdout": lambda: _writes(1, 65_536, forever=True),
    "floods_stderr": lambda: _writes(2, 65_536, forever=True),
    "writes_100k": lambda: _writes(1, 100_000, forever=False),
    "floods_both": lambda: job_wat(
        "(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))"
        "(loop (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) br 0)",
        wasi=("fd_write",),
    ),
    "writes_one_byte_at_a_time": lambda: job_wat(
        "(local $i i32) (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 1))"
        "(i32.store8 (i32.const 1024) (i32.const 120))"
        "(loop (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))",
        wasi=("fd_write",),
    ),
    "writes_then_traps": lambda: job_wat(
        "(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 7))"
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) unreachable",
        wasi=("fd_write",),
        decls=data(16, b"before\n"),
    ),
    "writes_escapes": lambda: job_wat(
        "(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 16))"
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
        wasi=("fd_write",),
        decls=data(16, b"\x1b[2J\x1b]0;pwn\x07\xff\xfe\r\n"),
    ),
    "echo": lambda: job_wat(_ECHO, wasi=("fd_read", "fd_write")),
    "reads_forever": lambda: job_wat(
        "(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 64))"
        "(loop (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))) br 0)",
        wasi=("fd_read",),
    ),
    "sleeps_10ms": lambda: _sleeps(10_000_000),
    "sleeps_an_hour": lambda: _sleeps(3_600_000_000_000),
    "sleeps_in_a_loop": lambda: job_wat(
        "(i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 1000000))"
        "(loop (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))) br 0)",
        wasi=("poll_oneoff",),
    ),
    "polls_nothing": lambda: job_wat(
        "(call $proc_exit (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 128)))",
        wasi=("poll_oneoff", "proc_exit"),
    ),
    "polls_outside": lambda: job_wat(
        "(call $proc_exit (call $poll_oneoff (i32.const -64) (i32.const 64) (i32.const 9) (i32.const 128)))",
        wasi=("poll_oneoff", "proc_exit"),
    ),
    "random_4gib": lambda: job_wat("(drop (call $random_get (i32.const 0) (i32.const -1)))", wasi=("random_get",)),
    "random_10mib_loop": lambda: job_wat(
        "(loop (drop (call $random_get (i32.const 0) (i32.const 10485760))) br 0)", wasi=("random_get",), memory="161"
    ),
    "pointer_outside": lambda: job_wat(
        "(drop (call $fd_write (i32.const 1) (i32.const 0x7ffffff0) (i32.const 9) (i32.const 8)))", wasi=("fd_write",)
    ),
    # 2^24 rounds of one loop: about 10^8 units of fuel in well under a second.
    "fuel_heavy": lambda: job_wat(
        "(local $i i32) (loop (br_if 0 (i32.lt_u"
        "(local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 16777216))))"
    ),
    "fills_in_a_loop": lambda: job_wat(
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 10485760)) br 0)", memory="160"
    ),
    "no_start": lambda: '(module (memory (export "memory") 1))',
    "start_with_params": lambda: job_wat(kind="(param i32 i64)"),
    "start_with_result": lambda: job_wat("i32.const 5", kind="(result i32)"),
    "start_is_a_global": lambda: '(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))',
    "no_memory_export": lambda: (
        '(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32))) (memory 1)'
        '(func (export "_start") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))'
    ),
    "unknown_import": lambda: (
        '(module (import "env" "nope" (func)) (memory (export "memory") 1) (func (export "_start")))'
    ),
    "unknown_wasi": lambda: (
        '(module (import "wasi_snapshot_preview1" "sock_connect" (func (param i32) (result i32)))'
        '(memory (export "memory") 1) (func (export "_start")))'
    ),
    "wasi_unstable": lambda: (
        '(module (import "wasi_unstable" "proc_exit" (func (param i32)))'
        '(memory (export "memory") 1) (func (export "_start")))'
    ),
    "wrong_wasi_type": lambda: (
        '(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64)))'
        '(memory (export "memory") 1) (func (export "_start")))'
    ),
    "imported_memory": lambda: '(module (import "env" "memory" (memory 1)) (func (export "_start")))',
    "min_257_pages": lambda: job_wat(memory="257"),
}
"""Jobs by name: text or bytes."""


@cache
def job(name: str) -> bytes:
    """The bytes of a hostile (or merely odd) job."""
    made = JOBS[name]()
    return wat(made) if isinstance(made, str) else made


def leb(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if not value:
            return bytes([*out, byte])
        out.append(byte | 0x80)


def vec(items: Iterable[bytes]) -> bytes:
    """A counted vector of already encoded items."""
    listed = list(items)
    return leb(len(listed)) + b"".join(listed)


def section(number: int, payload: bytes) -> bytes:
    """One section."""
    return bytes([number]) + leb(len(payload)) + payload


def module(*sections: bytes) -> bytes:
    """Magic number, version 1, sections."""
    return b"\0asm\1\0\0\0" + b"".join(sections)


_VOID = section(1, vec([b"\x60\0\0"]))
_I32_I32 = section(1, vec([b"\x60\1\x7f\1\x7f"]))


def _bodies(bodies: Iterable[bytes], types: bytes = _VOID) -> bytes:
    listed = [leb(len(b)) + b for b in bodies]
    return module(types, section(3, vec([b"\0"] * len(listed))), section(10, vec(listed)))


def _exports(names: Iterable[bytes]) -> bytes:
    entries = [leb(len(n)) + n + b"\0\0" for n in names]
    return module(_VOID, section(3, vec([b"\0"])), section(7, vec(entries)), section(10, vec([b"\2\0\x0b"])))


def _custom(name: bytes, payload: bytes) -> bytes:
    return section(0, leb(len(name)) + name + payload)


def _name_section(function_name: bytes) -> bytes:
    names = vec([leb(0) + leb(len(function_name)) + function_name])
    return _custom(b"name", b"\1" + leb(len(names)) + names)


def _if_chain() -> bytes:
    """One function: `if` chains over 5 000 locals, 0.5 MB; valid, and over a minute to compile."""
    count = 5_000
    step = b"".join(
        b"\x20"
        + leb(i % count)
        + b"\x04\x40\x20"
        + leb((i * 7 + 1) % count)
        + b"\x21"
        + leb((i * 3 + 2) % count)
        + b"\x0b"
        for i in range(42_000)
    )
    return _bodies([vec([leb(count) + b"\x7f"]) + step + b"\x0b"])


def _nested_loops() -> bytes:
    """One function: 900 nested loops over 2 000 locals, 0.5 MB."""
    count, depth = 2_000, 900
    loops = b"\x03\x40" * depth
    work = b"".join(
        b"\x20" + leb(i % count) + b"\x20" + leb((i * 13 + 5) % count) + b"\x6a\x21" + leb((i * 7 + 1) % count)
        for i in range(48_000)
    )
    ends = b"".join(b"\x20" + leb(i % count) + b"\x0d\x00\x0b" for i in range(depth))
    return _bodies([vec([leb(count) + b"\x7f"]) + loops + work + ends + b"\x0b"])


def _call_indirects() -> bytes:
    """One function: 100 000 indirect calls, 0.5 MB."""
    body = b"\0" + b"\x41\0\x11\0\0" * 100_000 + b"\x0b"
    return module(
        _VOID,
        section(3, vec([b"\0"])),
        section(4, vec([b"\x70\0\1"])),
        section(10, vec([leb(len(body)) + body])),
    )


def _br_table() -> bytes:
    """A `br_table` with 499 800 targets: the engine refuses it only while it compiles."""
    body = b"\0\x41\0\x0e" + leb(499_800) + b"\0" * 499_801 + b"\x0b"
    return _bodies([body])


BOMBS: dict[str, Callable[[], bytes]] = {
    "if_chain_bomb": _if_chain,
    "nested_loops_bomb": _nested_loops,
    "call_indirect_bomb": _call_indirects,
    "locals_bomb": lambda: _bodies([vec([leb(49_999) + b"\x7f"]) + b"\x0b"] * 25_000),
}
"""Modules that are valid and take over a minute to compile; only a limit on CPU time (or a cap) stops them."""

BINARIES: dict[str, Callable[[], bytes]] = BOMBS | {
    "empty": lambda: b"",
    "four_bytes": lambda: b"\0asm",
    "version_2": lambda: b"\0asm\2\0\0\0",
    "junk": lambda: bytes(range(255, 0, -1)),
    "elf": lambda: b"\x7fELF\2\1\1" + bytes(57),
    "text_format": lambda: b'(module (func (export "_start")))',
    "component": lambda: b"\0asm\x0d\0\1\0",
    "bare": module,
    "truncated": lambda: agent("counts_ticks")[:-7],
    "cut_in_section_size": lambda: b"\0asm\1\0\0\0\1\x80",
    "trailing_bytes": lambda: module(_VOID) + b"\0",
    "section_twice": lambda: module(_VOID, _VOID),
    "sections_out_of_order": lambda: module(section(3, vec([])), _VOID),
    "unknown_section": lambda: module(section(14, b"")),
    "overlong_leb": lambda: module(b"\1" + b"\x80" * 5 + b"\0"),
    "huge_count": lambda: module(section(1, b"\xff\xff\xff\xff\x0f")),
    "huge_section": lambda: module(b"\1\xff\xff\xff\xff\x0f"),
    "ill_typed": lambda: wat('(module (func (export "_start") i32.add drop))'),
    "many_functions": lambda: _bodies([b"\0\x20\0\x0b"] * 110_000, _I32_I32),
    "agents_many_functions": lambda: _bodies([b"\0\x20\0\x0b"] * 20_001, _I32_I32),
    "ten_thousand_functions": lambda: _bodies([b"\0\x20\0\x0b"] * 10_000, _I32_I32),
    "many_types": lambda: module(section(1, vec([b"\x60\0\0"] * 100_001))),
    "many_exports": lambda: _exports(b"f%d" % i for i in range(10_000)),
    "thousand_exports": lambda: _exports(b"f%d" % i for i in range(1_000)),
    "many_imports": lambda: module(_VOID, section(2, vec([b"\3env\1f\0\0"] * 1_001))),
    "export_name_escape": lambda: _exports([b"\x1b[2Jgone"]),
    "export_name_newline": lambda: _exports([b"a\nfake line"]),
    "export_name_bidi": lambda: _exports(["a\u202eb".encode()]),
    "export_name_long": lambda: _exports([b"x" * 257]),
    "export_name_64k": lambda: _exports([b"x" * 65_536]),
    "export_name_10mb": lambda: _exports([b"x" * 10_000_000]),
    "export_name_invalid_utf8": lambda: _exports([b"\xff\xfe"]),
    "custom_10mb": lambda: module(_custom(b"x" * 10_000_000, b"")),
    "function_name_1mib": lambda: job("unreachable") + _name_section(b"n" * _MIB),
    "function_name_escape": lambda: job("unreachable") + _name_section(b"\x1b[2J\nfake line"),
    "huge_table": lambda: module(section(4, vec([b"\x70\0" + leb(4_000_000_000)]))),
    "table_10001": lambda: module(section(4, vec([b"\x70\0" + leb(10_001)]))),
    "many_tables": lambda: module(section(4, vec([b"\x70\0\1"] * 5))),
    "shared_memory": lambda: module(section(5, vec([b"\3\1\1"]))),
    "imported_shared_memory": lambda: module(section(2, vec([b"\3env\6memory\2\3\1\1"]))),
    "memory64": lambda: module(section(5, vec([b"\4\1"]))),
    "custom_page_size": lambda: module(section(5, vec([b"\x08\1\0"]))),
    "two_memories": lambda: module(section(5, vec([b"\0\1", b"\0\1"]))),
    "memory_4gib": lambda: module(section(5, vec([b"\0" + leb(65_536)]))),
    "memory_too_many_pages": lambda: module(section(5, vec([b"\0" + leb(65_537)]))),
    "many_data_segments": lambda: module(section(5, vec([b"\0\1"])), section(11, vec([b"\0\x41\0\x0b\1x"] * 1_001))),
    "data_above_memory": lambda: module(
        section(5, vec([b"\0\1"])), section(11, vec([b"\0\x41\0\x0b" + leb(65_537) + bytes(65_537)]))
    ),
    "locals_of_one_function": lambda: _bodies([vec([leb(10_001) + b"\x7f"]) + b"\x0b"]),
    "locals_in_groups": lambda: _bodies([vec([b"\1\x7f"] * 10_001) + b"\x0b"]),
    "br_table": _br_table,
    "gc_type": lambda: module(section(1, vec([b"\x5f\0"]))),
    "exception_tag": lambda: module(_VOID, section(13, vec([b"\0\0"]))),
    "atomics": lambda: wat("(module (memory 1 1) (func (drop (i32.atomic.load (i32.const 0)))))"),
    "relaxed_simd": lambda: wat(
        "(module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))"
    ),
    "tail_call": lambda: wat("(module (func $f (return_call $f)))"),
    "wide_arithmetic": lambda: wat("(module (func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 2))))"),
    "typed_reference": lambda: wat("(module (type $t (func)) (func (param (ref null $t))))"),
    "exceptions": lambda: wat("(module (tag $e) (func (throw $e)))"),
    "simd": lambda: wat("(module (func (param v128) (result v128) (i8x16.add (local.get 0) (local.get 0))))"),
}
"""Files by name that are no sound module, or only just."""


@cache
def binary(name: str) -> bytes:
    """The bytes of a file that a check, or a limit, must stop (`bare`, `thousand_exports`, `simd` … are sound)."""
    return BINARIES[name]()
