"""A small world for pictures and tests: two rooms, a tripped agent among others, jobs, receipts, a little history."""

from typing import Any

from console.client import Args, Json, Result
from console.rows import AgentRow, JobRow, NodeRow, ReceiptRow, RoomRow
from runtime import events
from runtime.events import Drop, Record, Step
from tests.console.ui import anchorage, quay, slipway
from tests.console.ui.fake_core import NOW, FakeCore

HARBOR = "3f9a51c07e2b4d68a1b2c3d4e5f60718"
PIER = "91cc20aa7e2b4d68a1b2c3d4e5f60718"
SELF = "Jd0xNq8mC4ruPp2vXkYbE1hZsTfGwLa7oI5uQ9cR3nM"
JO = "Zq4tWm1nBv8cXz2lKj7hGf5dSa9pOi3uYt6rEw0qAbC"
PEER = "12D3KooWQm4xRZ1bYkTnP6vJ8cLwE2hUaGdSfXoNiKtBy79fTa"
MODULE = "sha256:" + "7c3e" * 16
MINUTE = 60_000
GAVE_UP = "unreachable instruction executed (`__builtin_trap`, `abort` or a failed check in the guest)"
OUT_OF_BOUNDS = (
    "out of bounds memory access (a bad pointer or index, or the guest's own stack in linear memory overflowed)"
)
NO_RELAY = "the relay cannot be reached: connection refused"
EXHAUSTED = "call stack exhausted (recursion without an end)"


def node(*, read_only: bool = False, demo: bool = False, listen: tuple[str, ...] = ()) -> NodeRow:
    return NodeRow(
        name="ship-7",
        peer_id=PEER,
        version="0.1.0",
        state_dir="~/.local/state/orlop",
        started_ms=NOW - 124 * MINUTE,
        mode="local",
        demo=demo,
        read_only=read_only,
        tick_interval_ms=2_000,
        listen=listen,
    )


def room(number: str, name: str, **counts: Any) -> RoomRow:
    given = {"total": 9, "open": 5, "blocked": 2, "completed": 4, "members": 2, "agents": 3} | counts
    return RoomRow(room=number, name=name, **given)


def agent(name: str, **more: object) -> AgentRow:
    given: dict[str, object] = {
        "room": HARBOR,
        "room_name": "quiet-harbor",
        "agent": name,
        "version": "1.0.0",
        "hash": "dd3d7bdee4ba782d05a5417081e2a09f6550b951487d83ff4cd1e812cef7138f",
        "builtin": False,
        "mark": "unsigned",
        "state": "active",
        "permissions": ("read_tasks", "read_members", "emit_events"),
        "granted": ("read_tasks", "read_members", "emit_events"),
        "calls": 61,
        "last_ms": NOW - 2_000,
        "last_trigger": "tick",
        "last_duration_us": 412,
        "p95_us": 690,
        "emitted": 0,
        "dropped": 0,
        "failures": 0,
        "reasons": (),
        "problem": "",
        "state_bytes": 0,
    }
    return AgentRow(**(given | more))  # type: ignore[arg-type]


FAULTY = agent(
    "faulty",
    state="tripped",
    permissions=("persist_state",),
    granted=(),
    calls=3,
    last_ms=NOW - 62_000,
    last_duration_us=5_000_310,
    p95_us=5_000_310,
    failures=3,
    next_probe_ms=NOW + 238_000,
    minute=NOW // 60_000,
    used_calls=3,
    used_cpu_us=14_310_000,
    reasons=(
        GAVE_UP,
        OUT_OF_BOUNDS,
        EXHAUSTED,
    ),
)


def job(number: int, **more: object) -> JobRow:
    given: dict[str, object] = {
        "job": f"{number:04x}" + "5be1c9d2" * 7 + "0a1b",
        "name": "hello.wasm",
        "module": MODULE,
        "where": "local",
        "submitter": "self",
        "state": "done",
        "outcome": "exit",
        "reason": "",
        "created_ms": NOW - number * 7_000,
        "started_ms": NOW - number * 7_000 + 4,
        "ended_ms": NOW - number * 7_000 + 11,
        "exit_code": 0,
        "wall_ms": 7,
        "fuel": 214_377,
        "memory_peak_bytes": 1_114_112,
        "output_bytes": 15,
        "limit_memory_bytes": 134_217_728,
        "limit_fuel": 1_000_000_000,
        "limit_timeout_ms": 30_000,
        "limit_output_bytes": 8_388_608,
        "limit_cpu_ms": 30_000,
        "limit_stack_bytes": 1_048_576,
        "limit_table_elements": 10_000,
        "limit_open_files": 64,
        "limit_dir_bytes": 268_435_456,
        "receipt": "",
    }
    return JobRow(**(given | more))  # type: ignore[arg-type]


def receipt(number: int, **more: object) -> ReceiptRow:
    given: dict[str, object] = {
        "receipt": f"{number:04x}" + "a7c41e90" * 7 + "beef",
        "number": number,
        "job": f"{120 - number:04x}" + "5be1c9d2" * 7 + "0a1b",
        "worker": PEER,
        "own": True,
        "exit_code": 0,
        "outcome": "exit",
        "previous": f"{number - 1:04x}" + "a7c41e90" * 7 + "beef" if number else "0" * 64,
        "issued_ms": NOW - (120 - number) * 7_000,
        "verdict": "valid",
    }
    return ReceiptRow(**(given | more))  # type: ignore[arg-type]


STEPS = (
    Step(name="schema", ok=True, detail="version 1, no unknown field"),
    Step(name="canonical", ok=True, detail="690 bytes, SHA-256 3902a5…0142"),
    Step(name="key", ok=True, detail="this node's own key"),
    Step(name="signature", ok=True, detail="Ed25519 over prefix and canonical JSON"),
    Step(name="job_id", ok=True, detail="hash of the manifest that was signed here"),
    Step(name="module", ok=True, detail="sha256 of the module that was given"),
    Step(name="commitment", ok=True, detail="2 chunks, recomputed from the kept output"),
    Step(name="chain", ok=True, detail="previous is #117, same worker"),
)
TAMPERED = (
    *STEPS[:3],
    Step(name="signature", ok=False, detail="does not fit these bytes"),
    *STEPS[4:6],
    Step(name="commitment", ok=None, detail="the output is not kept any more"),
    STEPS[7],
)
UNCHECKED = (
    *STEPS[:2],
    Step(name="key", ok=None, detail="a stranger's key; --key says whose it should be"),
    *STEPS[3:],
)


def task(number: int, title: str, **more: Json) -> dict[str, Json]:
    given: dict[str, Json] = {
        "id": f"t{number:02d}",
        "title": title,
        "status": "pending",
        "createdBy": SELF,
        "createdAt": NOW - 90 * MINUTE + number,
        "updatedAt": NOW - 30 * MINUTE,
        "blocked": False,
        "progress": None,
    }
    return given | more


TASKS: list[dict[str, Json]] = [
    task(1, "Rotate the relay's keys", status="in_progress", assignee=SELF, dueAt=NOW + 120 * MINUTE, urgent=True),
    task(2, "Publish boot image 14", dueAt=NOW + 26 * 60 * MINUTE, blockedBy=["t01"], blocked=True),
    task(
        3, "Write the incident report", assignee=JO, progress=40, description="What happened on the night of the 19th."
    ),
    task(4, "Collect the logs of the night", parentId="t03", status="completed", assignee=JO),
    task(5, "Ask the pilots", parentId="t03", status="completed"),
    task(6, "Draw the time line", parentId="t03", status="in_progress", assignee=JO),
    task(7, "Renew the LAN certificate", assignee=JO, dueAt=NOW - 12 * MINUTE),
    task(8, "Test 日本語 titles and 🚢 in cells", dueAt=NOW + 4 * 24 * 60 * MINUTE),
    task(9, "Sweep the deck", status="completed", assignee=SELF),
]

ROOM: Json = {
    "v": 1,
    "room": HARBOR,
    "name": "quiet-harbor",
    "created_ms": NOW - 9 * 24 * 60 * MINUTE,
    "progress": {"total": 9, "completed": 3, "inProgress": 2, "pending": 4, "blocked": 1},
    "members": [
        {
            "identityKey": SELF,
            "displayName": "mara",
            "self": True,
            "present": True,
            "creator": True,
            "verified": False,
        },
        {
            "identityKey": JO,
            "displayName": "jo",
            "self": False,
            "present": True,
            "creator": False,
            "verified": False,
        },
    ],
    "link": {"state": "online", "problem": "", "reestablishing": []},
    "tasks": TASKS,
    "messages": [
        {
            "id": "m1",
            "author": JO,
            "name": "jo",
            "ts_ms": NOW - 5 * MINUTE,
            "text": "image 14 is signed, publishing after the rotation",
        },
        {
            "id": "m2",
            "author": SELF,
            "name": "mara",
            "ts_ms": NOW - 3 * MINUTE,
            "text": "then take the certificate too, it is late already",
        },
        {"id": "m3", "author": JO, "name": "jo", "ts_ms": NOW - MINUTE, "text": "on it"},
    ],
}

AGENT: Json = {
    "manifest": {
        "name": "faulty",
        "version": "1.0.0",
        "description": "Fails on purpose in every tick, to show the breaker.",
        "author": "orlop",
        "permissions": ["persist_state"],
    },
    "log": [
        {"ts_ms": NOW - 62_000, "text": "failing on purpose: calling myself without end"},
        {"ts_ms": NOW - 64_000, "text": "failing on purpose: reading outside my memory"},
        {"ts_ms": NOW - 66_000, "text": "failing on purpose: unreachable"},
    ],
    "drops": [],
    "runs": [
        {
            "ts_ms": NOW - 62_000,
            "trigger": "tick",
            "duration_us": 1_310,
            "ok": False,
            "reason": EXHAUSTED,
        },
        {
            "ts_ms": NOW - 64_000,
            "trigger": "tick",
            "duration_us": 96,
            "ok": False,
            "reason": OUT_OF_BOUNDS,
        },
        {
            "ts_ms": NOW - 66_000,
            "trigger": "tick",
            "duration_us": 88,
            "ok": False,
            "reason": GAVE_UP,
        },
        {"ts_ms": NOW - 68_000, "trigger": "init", "duration_us": 51, "ok": True, "reason": ""},
    ],
    "breaker": {
        "state": "open",
        "failures": {"tick": 3, "event": 0},
        "reasons": list(FAULTY.reasons),
        "tripped_ms": NOW - 62_000,
    },
    "limits": {"calls": 1200, "emissions": 1200, "log_bytes": 1 << 20, "cpu_ms": 20_000, "state_bytes": 1 << 20},
    "versions": [],
    "minutes": [
        {"from_ms": NOW - NOW % 60_000 - 60_000 * ago, "calls": 2 + ago % 3, "failures": 0, "p95_us": 400 + 90 * ago}
        for ago in range(40, 1, -1)
    ]
    + [{"from_ms": NOW - NOW % 60_000, "calls": 3, "failures": 3, "p95_us": 5_000_310}],
}

RECEIPT: Json = {
    "schema_version": 1,
    "job_id": "7f" * 32,
    "signature": "a2" * 64,
    "result": {
        "completion": "stop",
        "metrics": {
            "extra": {
                "exit_code": "0",
                "module_hash": MODULE,
                "orlop.engine": "wasmtime 50.0.1",
                "orlop.fuel_used": "214377",
                "orlop.limits": '{"fuel":1000000000,"memory_bytes":134217728,"timeout_ms":30000}',
            }
        },
    },
}

INVITATION: Json = {
    "v": 1,
    "room": HARBOR,
    "relay": "wss://relay.example",
    "invitation": f"orlop-room:1:{HARBOR}:d3NzOi8vcmVsYXkuZXhhbXBsZQ:{'5c' * 16}:{'a7' * 16}:cXVpZXQtaGFyYm9y",
}
"""What `rooms invite` answers."""

SAFETY: Json = {
    "v": 1,
    "room": HARBOR,
    "member": JO,
    "name": "jo",
    "numbers": [f"{number * 7919 % 100_000:05d}" for number in range(11, 23)],
    "words": [
        "anchor",
        "basket",
        "copper",
        "dolphin",
        "engine",
        "fabric",
        "glacier",
        "harbor",
        "island",
        "jungle",
        "kitchen",
        "ladder",
    ],
    "verified": False,
}
"""What `rooms verify --numbers` answers."""

JOBS = [
    job(
        1,
        state="running",
        outcome="",
        exit_code=None,
        wall_ms=None,
        ended_ms=None,
        fuel=None,
        memory_peak_bytes=None,
        name="sort.wasm",
        created_ms=NOW - 2_400,
        started_ms=NOW - 2_400,
        output_bytes=6_150,
    ),
    *(job(number, receipt=receipt(120 - number).receipt) for number in range(2, 6)),
    job(
        6,
        name="spin.wasm",
        state="failed",
        outcome="deadline",
        exit_code=124,
        wall_ms=30_000,
        fuel=981_220_114,
        reason="time limit of 30s reached",
        tripped="timeout_ms",
        receipt=receipt(114).receipt,
    ),
    job(
        7,
        name="hoard.wasm",
        state="failed",
        outcome="memory",
        exit_code=134,
        memory_peak_bytes=131_072_000,
        wall_ms=412,
        reason="memory limit of 128MiB reached (peak 125MiB): out of bounds memory access",
        tripped="memory_bytes",
        receipt=receipt(113).receipt,
    ),
    job(
        8,
        name="étude 日本.wasm",
        state="cancelled",
        outcome="cancelled",
        exit_code=137,
        wall_ms=1_204,
        receipt=receipt(112).receipt,
    ),
    job(9, receipt=receipt(111).receipt),
    job(
        10,
        name="index.wasm",
        state="queued",
        outcome="",
        exit_code=None,
        wall_ms=None,
        started_ms=None,
        ended_ms=None,
        fuel=None,
        memory_peak_bytes=None,
        output_bytes=0,
        priority=-5,
        retries=2,
        expires_ms=NOW + 10 * MINUTE,
    ),
]

RECEIPTS = [
    receipt(118),
    receipt(117, verdict=""),
    receipt(116, verdict=""),
    receipt(115),
    receipt(114, exit_code=124, outcome="deadline"),
    receipt(113, exit_code=134, outcome="memory", verdict="invalid"),
    receipt(
        112, exit_code=137, outcome="cancelled", verdict="unchecked", own=False, worker="12D3KooWRabcXYZ12345678e1Kd"
    ),
    *(receipt(number) for number in range(111, 99, -1)),
]


def history() -> list[Record]:
    told: list[tuple[int, events.Event]] = [
        (70_000, events.CoreStarted(version="0.1.0", pid=4711, state_dir="~/.local/state/orlop", peer_id=PEER)),
        (69_900, events.AgentActivated(room=HARBOR, agent="auto-balance", hash="ab" * 32)),
        (69_890, events.AgentActivated(room=HARBOR, agent="faulty", hash="dd" * 32)),
        (69_880, events.CoreReady(ms=412)),
        (
            66_000,
            events.TickFailed(
                room=HARBOR,
                agent="faulty",
                n=1,
                trigger="tick",
                duration_us=88,
                kind="trap",
                message=GAVE_UP,
                failures=1,
            ),
        ),
        (
            64_000,
            events.TickFailed(
                room=HARBOR,
                agent="faulty",
                n=2,
                trigger="tick",
                duration_us=96,
                kind="trap",
                message=OUT_OF_BOUNDS,
                failures=2,
            ),
        ),
        (
            62_000,
            events.TickFailed(
                room=HARBOR,
                agent="faulty",
                n=3,
                trigger="tick",
                duration_us=1_310,
                kind="stack",
                message=EXHAUSTED,
                failures=3,
            ),
        ),
        (
            61_999,
            events.BreakerTripped(
                room=HARBOR, agent="faulty", trigger="tick", failures=3, reasons=FAULTY.reasons, cause=47_976
            ),
        ),
        (
            60_000,
            events.TickCompleted(
                room=HARBOR,
                agent="auto-balance",
                n=5,
                trigger="tick",
                duration_us=412,
                emitted=1,
                dropped=(Drop(reason="assignee matches no member"),),
            ),
        ),
        *anchorage.history(),
        (
            14_000,
            events.JobSubmitted(
                job=JOBS[1].job,
                kind="wasm",
                module=MODULE,
                name="hello.wasm",
                submitter="self",
                where="local",
                memory_bytes=134_217_728,
                fuel=10**9,
                timeout_ms=30_000,
                max_output_bytes=8_388_608,
            ),
        ),
        (13_996, events.JobState(job=JOBS[1].job, state="running", previous="compiling")),
        (
            13_989,
            events.JobOutput(job=JOBS[1].job, stream="stdout", offset=0, length=15, data_b64="cm9icmFoICxvbGxlSAo="),
        ),
        (13_988, events.JobState(job=JOBS[1].job, state="done", previous="running", reason="exit")),
        (
            13_987,
            events.ReceiptIssued(
                receipt=RECEIPTS[0].receipt,
                job=JOBS[1].job,
                worker=PEER,
                number=118,
                exit_code=0,
                outcome="exit",
                previous=RECEIPTS[1].receipt,
            ),
        ),
        (13_000, events.ReceiptVerified(receipt=RECEIPTS[0].receipt, verdict="valid", steps=STEPS)),
        (12_000, events.ReceiptVerified(receipt=RECEIPTS[5].receipt, verdict="invalid", steps=TAMPERED)),
        (11_000, events.ReceiptVerified(receipt=RECEIPTS[6].receipt, verdict="unchecked", steps=UNCHECKED)),
        (8_000, events.MessagePosted(room=HARBOR, id="m3", author=JO, text="on it")),
        (
            2_400,
            events.JobOutput(
                job=JOBS[0].job,
                stream="stdout",
                offset=0,
                length=6,
                data_b64="c29ydGluZyA0MCwwMDAgbGluZXMKCm1lcmdlIHBhc3MgMSBvZiAzCm1lcmdlIHBhc3MgMiBvZiAz",
            ),
        ),
    ]
    first = 48_000 - len(told)
    return [Record(first + number + 1, NOW - before, event) for number, (before, event) in enumerate(told)]


CHAIN_REPORT: dict[str, Any] = {
    "v": 1,
    "ok": False,
    "receipts": 19,
    "pruned": 4,
    "chains": [
        {"worker": PEER, "key": True, "receipts": 18, "pruned": 4, "first": 100, "last": 118},
        {"worker": JO, "key": None, "receipts": 1, "pruned": 0, "first": 112, "last": 112},
    ],
    "faults": [
        {
            "kind": "removed",
            "worker": PEER,
            "number": 107,
            "at": "number 107",
            "why": "105 to 106 are missing before number 107",
        },
        {"kind": "altered", "worker": PEER, "number": 113, "at": "number 113", "why": "its signature does not fit"},
        {"kind": "altered", "worker": "", "number": None, "at": "a stored receipt", "why": "no receipt: not JSON"},
    ],
    "fault_count": 3,
}
"""What the verifier of whole chains found."""

RERUN: dict[str, Any] = {
    "v": 1,
    "receipt": RECEIPTS[0].receipt,
    "job": "7f" * 32,
    "rerun": "8a" * 32,
    "deterministic": True,
    "verdict": "different",
    "detail": "another output, and the job is deterministic: one of the two receipts does not tell what ran",
    "compared": [
        {"name": "output", "same": False, "was": "3902" * 16, "is": "77aa" * 16},
        {"name": "fuel", "same": True, "was": "214377", "is": "214377"},
        {"name": "exit", "same": None, "was": "0", "is": None},
    ],
}
"""A receipt's run and its rerun."""


def harbor(*, read_only: bool = False) -> FakeCore:
    """The core of this world."""
    core = FakeCore(
        node=node(read_only=read_only, listen=anchorage.LISTEN),
        rooms=[
            room(HARBOR, "quiet-harbor", link="online", present=1, creator=True),
            room(PIER, "north-pier", open=3, agents=0, completed=12),
        ],
        agents=[
            agent("auto-balance", p95_us=902, emitted=1, version="1.0.0", builtin=True),
            FAULTY,
            agent("unblock", last_duration_us=180, p95_us=301, builtin=True),
            agent(
                "notify",
                state="probing",
                last_duration_us=1_000,
                calls=12,
                state_bytes=2_048,
                failures=1,
                reasons=("divide by zero",),
            ),
            agent(
                "digest",
                room=PIER,
                room_name="north-pier",
                state="off",
                last_ms=None,
                last_duration_us=None,
                p95_us=None,
                calls=0,
                granted=("read_tasks",),
                permissions=("read_tasks", "emit_events"),
            ),
        ],
        jobs=JOBS,
        receipts=RECEIPTS,
        peers=anchorage.PEERS,
        components=quay.COMPONENTS,
        releases=slipway.RELEASES,
        machines=slipway.MACHINES,
        history=history(),
    )
    core.answers["components show"] = lambda args: quay.shown(core, args)
    core.answers["peers show"] = lambda args: anchorage.shown(core, args)
    core.answers["rooms show"] = _room
    core.answers["agents show"] = lambda args: Result(
        ok=True, value=AGENT if args["agent"] == "faulty" else {"runs": []}
    )
    core.answers["jobs show"] = lambda args: Result(ok=True, value={"job": args["job"]})
    core.answers["jobs logs"] = _logs
    core.answers["receipts show"] = lambda _args: Result(ok=True, value=RECEIPT)
    core.answers["receipts verify"] = _verify
    core.answers["receipts rerun"] = lambda _args: Result(ok=False, value=RERUN, exit_code=4)
    core.answers["agents logs"] = lambda _args: Result(
        ok=True,
        value={
            "v": 1,
            "items": [
                {"ts_ms": NOW - 66_000, "kind": "log", "text": "failing on purpose: unreachable"},
                {"ts_ms": NOW - 66_000, "kind": "failure", "text": "tick 1: unreachable instruction executed"},
                {"ts_ms": NOW - 64_000, "kind": "drop", "text": "assignee matches no member"},
            ],
        },
    )
    return core


def _room(args: Args) -> Result:
    if args["room"] == HARBOR:
        return Result(ok=True, value=ROOM)
    return Result(
        ok=True,
        value={"v": 1, "room": PIER, "name": "north-pier", "progress": {}, "members": [], "tasks": [], "messages": []},
    )


def _logs(args: Args) -> Result:
    text = "" if args.get("stderr") else "robrah ,olleH\n"
    return Result(ok=True, value={"v": 1, "job": args["job"], "stdout": text, "stderr": "", "truncated": False})


def _verify(args: Args) -> Result:
    if "chain" in args:
        return Result(ok=False, value=CHAIN_REPORT, exit_code=4)
    steps = {RECEIPTS[5].receipt: TAMPERED, RECEIPTS[6].receipt: UNCHECKED}.get(str(args["receipt"]), STEPS)
    found = [{"name": step.name, "ok": step.ok, "detail": step.detail} for step in steps]
    good = all(step.ok for step in steps[:4])
    return Result(ok=good, value={"ok": good, "steps": found}, exit_code=0 if good else 4)


PLAN: list[Json] = [
    {"task": "t08", "title": "Test 日本語 titles and 🚢 in cells", "assignee": JO, "name": "jo"},
    {"task": "t03", "title": "Write the incident report", "assignee": SELF, "name": "mara"},
]
"""Who would get which task."""
