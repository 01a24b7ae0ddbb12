"""How documents about agents look to people."""

import json
from collections.abc import Callable, Mapping

from console.cmdline.render_trust import versions
from console.cmdline.render_use import last_hour
from console.output import (
    Column,
    Item,
    damaged,
    facts,
    items_of,
    list_of,
    listing,
    micros,
    moment,
    size,
    text,
    text_of,
    word,
)
from runtime.sanitise import clean

__all__ = ["AGENTS"]

_AGENTS = (
    Column("AGENT", word("agent")),
    Column("ROOM", word("room_name")),
    Column("STATE", word("state")),
    Column("LAST", moment("last_ms")),
    Column("P95", micros("p95_us"), right=True),
    Column("CALLS", word("calls"), right=True),
    Column("FAILED", word("failures"), right=True),
    Column("STATE SIZE", size("state_bytes"), right=True),
    Column("VERSION", word("version")),
    Column("SIGNED", word("mark")),
)


def _agents(value: Item) -> str:
    listed = listing(_AGENTS, "no agents yet: orlop agents upload ROOM MODULE --grant all adds one")(value)
    return listed + damaged(value, "agent", "problem")


def _agent(value: Item) -> str:
    breaker = value.get("breaker")
    tripped = breaker if isinstance(breaker, Mapping) else {}
    head = facts(
        [
            ("agent", f"{text(value, 'agent')} {text(value, 'version')}"),
            ("room", text(value, "room_name")),
            ("state", word("state")(value)),
            ("problem", word("problem")(value)),
            ("signed", word("mark")(value)),
            ("hash", word("hash")(value)),
            ("asks for", word("permissions")(value)),
            ("granted", word("granted")(value)),
            ("calls", word("calls")(value)),
            ("last", f"{moment('last_ms')(value)} {text(value, 'last_trigger')} {micros('last_duration_us')(value)}"),
            ("state size", size("state_bytes")(value)),
            ("breaker", word("state")(tripped)),
            ("next probe", moment("next_probe_ms")(value)),
            ("runs at", word("runner")(value)),
            ("last hour", last_hour(value)),
        ]
    )
    reasons = "".join(f"  {clean(text_of(reason), 200)}\n" for reason in list_of(tripped, "reasons"))
    drops = "".join(
        f"  {moment('ts_ms')(item)}  {clean(text(item, 'reason'), 200)}\n" for item in items_of(value, "drops")
    )
    log = "".join(f"  {moment('ts_ms')(item)}  {clean(text(item, 'text'))}\n" for item in items_of(value, "log"))
    parts = [("failures", reasons), ("versions", versions(value)), ("drops", drops), ("log", log)]
    return head + "".join(f"\n{name}\n{lines}" for name, lines in parts if lines)


def _agent_lines(value: Item) -> str:
    return "".join(
        f"{moment('ts_ms')(item)}  {text(item, 'kind'):<8}  {clean(text(item, 'text'))}\n"
        for item in items_of(value, "items")
    )


def _trial(value: Item) -> str:
    lines = []
    for call in items_of(value, "calls"):
        said = "ok" if call.get("ok") else f"failed: {text(call, 'error')}"
        lines.append(f"{text(call, 'call')}  {clean(said, 300)}  {micros('duration_us')(call)}\n")
        lines += [f"  log      {clean(text_of(line))}\n" for line in list_of(call, "log")]
        lines += [f"  emitted  {clean(json.dumps(event, ensure_ascii=False))}\n" for event in list_of(call, "emitted")]
        lines += [f"  dropped  {clean(text(drop, 'reason'), 300)}\n" for drop in items_of(call, "dropped")]
    state = value.get("state_hex")
    lines.append(f"state  {len(state) // 2} bytes\n" if isinstance(state, str) else "state  none\n")
    return "".join(lines)


def _agent_state(value: Item) -> str:
    return f"{clean(text(value, 'agent'), 60)}: {clean(text(value, 'state'), 40)}\n"


AGENTS: Mapping[str, Callable[[Item], str]] = {
    "agents list": _agents,
    "agents show": _agent,
    "agents activate": _agent_state,
    "agents deactivate": _agent_state,
    "agents delete": _agent_state,
    "agents probe": _agent_state,
    "agents logs": _agent_lines,
    "agents try": _trial,
}
"""By command."""
