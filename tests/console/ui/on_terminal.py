"""Runs the screen over the small world in a process of its own; `argv` names the world and options as JSON."""

import json
import sys
from typing import Any

from console.ui.app import run
from runtime import events
from runtime.events import Record
from tests.console.ui import anchorage
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import FakeCore


def main(spec: dict[str, Any]) -> int:
    core = {"harbor": world.harbor, "hostile": hostile, "broken": broken, "refused": world.harbor}[spec["world"]]()
    if spec["world"] == "refused":
        return run(core.options(connect=refuse))
    return run(core.options(**spec.get("options", {})))


def refuse() -> FakeCore:
    from runtime.errors import InUseError

    raise InUseError("another orlop uses this directory", where="~/.local/state/orlop", hint="it is process 4711")


def broken() -> FakeCore:
    """A world whose first document makes the screen fail."""
    core = world.harbor()

    def fail(_args: object) -> Any:
        secret = "the-secret-in-a-local"  # must not be seen anywhere
        raise KeyError(len(secret))

    core.answers["rooms show"] = fail
    return core


def hostile() -> FakeCore:
    """Every text that is not ours tries to reach the terminal."""
    text = "x\x1b]52;c;RVZJTA==\x07\x1b[31m\x9b32m\u202eevil\u2066\u200b\U000e0041\0\x7f\nend"
    core = world.harbor()
    core.agents = [
        world.agent(
            text, room_name=text, version=text, mark=text, state="tripped", reasons=(text,), problem=text, failures=3
        )
    ]
    core.rooms = [world.room(world.HARBOR, text)]
    core.jobs = [
        world.job(1, name=text, where=text, submitter=text, outcome=text, reason=text, state="failed", exit_code=1)
    ]
    core.receipts = [world.receipt(3, worker=text, own=False, outcome=text)]
    core.peers = [
        anchorage.peer(
            "x", name=text, note=text, agent=text, problem=text, address=text, transport=text, state="connected"
        )
    ]
    core.history.append(
        Record(48_000, 1, events.PeerFault(peer=core.peers[0].peer, address=text, rule=text, reason=text))
    )
    evil = {"ts_ms": 1, "text": text, "reason": text, "trigger": text, "name": text, "author": text, "id": text}
    from console.client import Result

    document = {"name": text, "members": [{"identityKey": text, "displayName": text, "self": True}], "messages": [evil],
                "tasks": [{"id": text, "title": text, "status": text, "assignee": text, "description": text}],
                "manifest": {"description": text, "author": text}, "log": [evil], "drops": [evil], "runs": [evil],
                "items": [evil], "stdout": text, "stderr": text, "note": text,
                "agent": text, "places": [{"address": text, "source": text}],
                "steps": [{"name": text, "ok": False, "detail": text}], "ok": False}  # fmt: skip
    for command in (
        "rooms show",
        "agents show",
        "agents logs",
        "jobs show",
        "jobs logs",
        "receipts show",
        "receipts verify",
        "peers show",
    ):
        core.answers[command] = lambda _args: Result(ok=True, value=document)
    core.refuse("agents activate", text, text)
    return core


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
