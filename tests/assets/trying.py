"""Runs a shipped agent by `orlop agents try`, as its author would."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.program import ROOT, inside

NOW = 1_700_000_000_000
HOUR, DAY = 3_600_000, 86_400_000
ANN, BOB = "A" * 43, "B" * 43
MEMBERS = [{"identityKey": ANN, "displayName": "Ann Lee"}, {"identityKey": BOB, "displayName": "Bob"}]


def task(name: str, **fields: Any) -> dict[str, Any]:
    """A task as agents read it; its title is its id unless said otherwise."""
    return {"id": name, "title": name, "status": "pending", "createdBy": ANN, "createdAt": 1, "updatedAt": 1} | fields


@dataclass(frozen=True)
class Tried:
    """The document of a run."""

    calls: list[dict[str, Any]]
    state: str | None

    def said(self, call: int = -1) -> list[tuple[str, str, dict[str, Any]]]:
        """What one call emitted: type, task and payload."""
        return [(one["type"], one["taskId"], one["task"]) for one in self.calls[call]["emitted"]]

    @property
    def log(self) -> list[str]:
        """All lines of all calls."""
        return [line for call in self.calls for line in call["log"]]


@dataclass(frozen=True)
class Kit:
    """Where the inputs of the runs are put."""

    folder: Path

    def tried(
        self,
        agent: str,
        tasks: list[dict[str, Any]],
        *,
        now: int = NOW,
        ticks: int = 1,
        state: str | None = None,
        event: dict[str, Any] | None = None,
        members: list[dict[str, Any]] = MEMBERS,
    ) -> Tried:
        """Every call is good, and nothing that it says is dropped; what is accepted changes the next call's tasks."""
        module = ROOT / "assets" / "agents" / agent / agent
        words = ["agents", "try", f"{module}.wasm", "--manifest", f"{module}.json", "--json", "--feedback"]
        words += ["--now", str(now), "--ticks", str(ticks)] + ([] if state is None else ["--state-hex", state])
        for name, value in {"tasks": tasks, "members": members, "event": event}.items():
            if value is not None:
                (self.folder / f"{name}.json").write_text(json.dumps(value))
                words += [f"--{name}", f"{name}.json"]
        ran = inside(self.folder, words, cwd=self.folder)
        assert ran.code == 0, ran.talk or ran.text
        document = ran.json
        assert [call["error"] for call in document["calls"]] == [None] * len(document["calls"])
        assert [call["dropped"] for call in document["calls"]] == [[]] * len(document["calls"])
        return Tried(document["calls"], document["state_hex"])
