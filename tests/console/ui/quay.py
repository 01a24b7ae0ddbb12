"""Components of the small world: one that runs, one that rests, one that fell, one that is given up, one at rest."""

from console.client import Args, Json, Result
from console.rows import ComponentRow
from runtime import component_events as events
from runtime.shapes import to_wire
from tests.console.ui.fake_core import NOW, FakeCore

SIGNER = "9f3c" * 16
DIGEST = "3f0c" * 16


def component(name: str, **more: object) -> ComponentRow:
    given: dict[str, object] = {
        "component": name,
        "version": "1.0.0",
        "description": "",
        "hash": DIGEST,
        "world": "orlop:core/component",
        "mark": "unsigned",
        "state": "running",
        "reason": "",
        "status": "healthy",
        "detail": "",
        "restarts": 0,
        "calls": 12,
        "denied": 0,
        "mailbox": 0,
        "mailbox_max": 256,
        "memory_max": 64 << 20,
        "storage_max": 16 << 20,
        "handles_max": 256,
        "cpu_max_ms": 20_000,
        "rules_version": 1,
    }
    return ComponentRow(**(given | more))  # type: ignore[arg-type]


COUNTER = component(
    "local/word-count",
    description="Counts the words of the files in /data",
    world="orlop:worlds/with-filesystem",
    status="degraded",
    detail="two files could not be read",
    calls=1_240,
    denied=3,
    mailbox=96,
    rules_version=4,
)
MIRROR = component(
    "acme/mirror",
    version="2.1.0-rc.1",
    mark=SIGNER,
    world="orlop:worlds/full",
    state="given-up",
    reason="wasm trap: out of bounds memory access",
    status="unknown",
    restarts=4,
)
FLAKY = component("local/flaky", state="failed", reason="deadline: over its deadline", status="unhealthy", restarts=2)
NOTIFY = component("local/notify", state="suspended", mailbox=256, calls=88, status="unknown")
IDLE = component("local/idle", state="installed", status="unknown", calls=0)
COMPONENTS = [MIRROR, COUNTER, FLAKY, IDLE, NOTIFY]

DENIALS: list[Json] = [
    {
        "seq": 47_900,
        "ts_ms": NOW - 20_000,
        "type": "component.denied",
        "component": COUNTER.component,
        "op": "filesystem.file.open",
        "target": "/data/private/keys.txt",
        "rule": "permissions.filesystem.deny.all[0]",
        "line": 17,
        "remedy": "--revoke 'filesystem.deny.all[0]'",
        "calls": 1,
        "rules_version": 4,
    },
    {
        "seq": 47_800,
        "ts_ms": NOW - 45_000,
        "type": "component.denied",
        "component": COUNTER.component,
        "op": "storage.set",
        "target": "word-count:totals/all",
        "rule": "",
        "line": 19,
        "remedy": "--grant storage.namespaces=word-count:totals:write",
        "calls": 2,
        "rules_version": 4,
    },
]
CALLED: list[Json] = [
    {
        "seq": 47_890,
        "ts_ms": NOW - 21_000,
        "type": "component.call",
        "component": COUNTER.component,
        "op": "filesystem.file.read",
        "target": "/data/report.txt",
        "rule": "permissions.filesystem.read[0]",
        "outcome": "ok",
        "calls": 4,
        "bytes": 245_760,
        "duration_us": 1_900,
        "rules_version": 4,
    },
    {
        "seq": 47_870,
        "ts_ms": NOW - 22_000,
        "type": "component.call",
        "component": COUNTER.component,
        "op": "filesystem.file.open",
        "target": "/data/report.txt",
        "rule": "permissions.filesystem.read[0]",
        "outcome": "not-found",
        "calls": 1,
        "bytes": 0,
        "duration_us": 84,
        "rules_version": 4,
    },
]


def rule(name: str, text: str, level: str = "plain", why: str = "", **more: Json) -> dict[str, Json]:
    """A rule as `components show` and `components inspect` have it."""
    given: dict[str, Json] = {"rule": f"permissions.{name}", "text": text, "level": level, "why": why}
    return given | {"in_force": True} | more


RULES: list[Json] = [
    rule("network.outbound[0]", "connects to * (any port)", "red", "any host there is", in_force=False),
    rule("filesystem.write[0]", "writes /data/out/**", "risky", "changes files of yours"),
    rule("filesystem.read[0]", "reads /data/**/*.txt"),
    rule("filesystem.list[0]", "lists /data/**"),
    rule("filesystem.deny.all[0]", "may never touch /data/private/**"),
]
ADDED: list[Json] = [
    rule("messaging.send[0]", "sends messages to local/notify") | {"rule": "operator.messaging.send[0]"}
]

FACTS: dict[str, Json] = {
    "authors": ["Mara Quist"],
    "license": "MIT",
    "installed_ms": NOW - 90_000_000,
    "stateful": True,
    "limits": {"call_timeout": 5_000, "open_files": 128, "sockets": 64, "children": 4},
    "autostart": False,
    "health_interval": 30_000,
    "restart": "on-failure",
    "max_restarts": 3,
    "window": 60_000,
    "mounts": [
        {"guest": "/data", "source": "operator", "read_only": False, "host": "/srv/texts"},
        {"guest": "/cache", "source": "temp", "read_only": False, "host": ""},
    ],
    "storage_used": 13 << 20,
    "asked": RULES,
    "added": ADDED,
    "denials": DENIALS,
    "audit": [*DENIALS[:1], *CALLED, *DENIALS[1:]],
    "log": [
        {"ts_ms": NOW - 23_000, "level": "info", "text": "counting /data"},
        {"ts_ms": NOW - 20_000, "level": "warn", "text": "left out private/keys.txt"},
    ],
}
PLAIN: dict[str, Json] = FACTS | {
    "asked": [], "added": [], "denials": [], "audit": [], "log": [], "mounts": [], "storage_used": 0,
}  # fmt: skip


def shown(core: FakeCore, args: Args) -> Result:
    """What `components show` answers."""
    row = next(one for one in core.components if one.component == args["component"])
    return Result(ok=True, value={"v": 1, **to_wire(row), **(FACTS if row.component == COUNTER.component else PLAIN)})


SEEN: dict[str, Json] = {
    "v": 1,
    "component": "acme/herald",
    "version": "0.3.0",
    "description": "Tells a page of the network what rooms decide",
    "world": "orlop:worlds/with-network",
    "hash": DIGEST,
    "folder_hash": DIGEST,
    "mark": "unsigned",
    "before": None,
    "imports": ["orlop:ext-network/socket"],
    "asked": [
        rule("network.outbound[0]", "connects to * (any port)", "red", "any host there is", new=True)
        | {"reason": "Finds the page by itself"},
        {"rule": "", "text": "nobody signed it", "level": "risky", "why": "whoever passed it on may have changed it"},
        rule("filesystem.write[0]", "writes /data/**", "risky", "changes files of yours", new=True),
        rule("filesystem.read[0]", "reads /data/**", new=True),
        {"rule": "", "text": "needs a directory of yours at /data", "level": "risky", "why": ""},
        {"rule": "", "text": "uses up to 64MiB of memory, 16MiB of storage", "level": "plain", "why": ""},
    ],
    "gone": [],
    "mounts": [{"guest": "/data", "source": "operator", "read_only": False, "host": ""}],
    "cuts": [{"key": "limits.memory", "asked": 1 << 30, "given": 64 << 20}],
}
NEWER: dict[str, Json] = SEEN | {
    "component": COUNTER.component,
    "version": "1.1.0",
    "before": "1.0.0",
    "asked": [
        rule("filesystem.delete[0]", "deletes /data/out/*.part", "risky", "changes files of yours", new=True),
        rule("filesystem.read[0]", "reads /data/**/*.txt", new=False),
        rule("filesystem.write[0]", "writes /data/out/**", "risky", "changes files of yours", new=False)
        | {"in_force": False},
    ],
    "gone": ["connects to * (any port)"],
    "mounts": [{"guest": "/data", "source": "operator", "read_only": False, "host": "/srv/texts"}],
    "cuts": [],
}


def denied(component: str = COUNTER.component) -> events.ComponentDenied:
    return events.ComponentDenied(
        component=component,
        op="storage.set",
        target="word-count:totals/all",
        rule="",
        line=19,
        remedy="--grant storage.namespaces=word-count:totals:write",
        calls=2,
        rules_version=4,
    )
