"""`agents try`: the document, byte for byte where it is a contract."""

import json
import struct
from typing import Any

import pytest

from runtime.agents.binary import module_digest
from runtime.agents.symbols import function_names, stack_text
from runtime.agents.trial import TrialRequest, run_trial
from runtime.clock import ManualClock
from runtime.errors import RefusedError
from tests.hostile import agent, agent_wat, emits, wat

NOW = 1_700_000_000_000
ACTOR = f"agent:{'0' * 32}:guest@try"


def a_task(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "status": "pending", "createdBy": "bob", "createdAt": 1, "updatedAt": 1} | fields


TASKS = [a_task("t1"), a_task("t2", urgent=True)]
MEMBERS = [{"identityKey": "alice", "displayName": "Alice"}, {"identityKey": "bob", "displayName": "Bob"}]


def trial(wasm: bytes | str, **options: Any) -> tuple[dict[str, Any], int]:
    raw = agent(wasm) if isinstance(wasm, str) else wasm
    manifest = {
        "name": "guest",
        "version": "1",
        "description": "",
        "author": "",
        "wasmHash": module_digest(raw),
        "permissions": ["read_tasks", "read_members", "emit_events", "persist_state"],
    } | options.pop("manifest", {})
    for name in ("tasks", "members", "event"):
        if name in options and not isinstance(options[name], bytes):
            options[name] = json.dumps(options[name]).encode()
    request = TrialRequest(wasm=raw, manifest=json.dumps(manifest).encode(), **({"now_ms": NOW} | options))
    document, code = run_trial(request, limit_ms=200)
    return json.loads(json.dumps(document)), code


def test_the_document_has_exactly_the_fields_of_the_contract() -> None:
    document, code = trial("quiet")
    assert code == 0
    assert document["calls"][1].pop("duration_us") >= 0
    assert document["calls"][0]["call"] == "init"
    assert document["calls"][1] == {
        "call": "on_tick",
        "ok": True,
        "error": None,
        "emitted": [],
        "dropped": [],
        "log": [],
    }
    del document["calls"]
    assert document == {"state_hex": None, "assignment_data_hex": "00" * 8, "dependency_data_hex": "00" * 4}


def test_the_order_of_calls() -> None:
    event = {"type": "task_created", "taskId": "t1", "task": {}, "timestamp": 1, "actorId": "x"}
    names = [call["call"] for call in trial("quiet", ticks=2, event=event)[0]["calls"]]
    assert names == ["init", "on_task_event", "on_tick", "on_tick"]
    assert [call["call"] for call in trial("quiet", ticks=0)[0]["calls"]] == ["init"]


def test_the_event_is_delivered_as_it_was_given() -> None:
    event = {"type": "task_assigned", "taskId": "tö", "task": {"assignee": "x"}, "timestamp": 1, "actorId": "y"}
    document, code = trial("event_to_state", event=event, ticks=0)
    assert code == 0
    assert bytes.fromhex(document["state_hex"]).decode() == json.dumps(event, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("guest", ["trap_init", "spin_init", "spin_start"])
def test_a_failed_init_ends_the_run(guest: str) -> None:
    document, code = trial(guest, ticks=3)
    assert code == 1
    (call,) = document["calls"]
    assert (call["call"], call["ok"]) == ("init", False)
    assert call["error"]


@pytest.mark.parametrize("guest", ["trap_tick", "recurse_tick", "spin_tick"])
def test_later_failures_do_not_and_no_breaker_is_applied(guest: str) -> None:
    document, code = trial(guest, ticks=5)
    assert code == 1
    assert [call["ok"] for call in document["calls"]] == [True] + [False] * 5


def test_a_failed_call_keeps_no_state_and_a_fresh_instance_follows() -> None:
    assert trial("state_then_trap", ticks=2)[0]["state_hex"] is None
    grows = trial("grows", ticks=2)[0]["state_hex"]
    assert struct.unpack("<iii", bytes.fromhex(grows)) == (-1, -1, 160)


def test_a_given_state_is_found_and_the_last_one_is_shown() -> None:
    document, _ = trial("counts_ticks", state_hex="05000000", ticks=3)
    assert document["state_hex"] == "08000000"
    assert trial("quiet", state_hex="")[0]["state_hex"] == ""


def test_now_stands_still_and_emissions_still_rise_by_one() -> None:
    events = ['{"type":"task_urgency_changed","taskId":"t1","task":{"urgent":true}}'] * 3
    document, code = trial(emits(*events), tasks=TASKS, ticks=2)
    assert code == 0
    emitted = [one for call in document["calls"] for one in call["emitted"]]
    assert [one["timestamp"] for one in emitted] == [NOW + n for n in range(6)]
    assert {one["actorId"] for one in emitted} == {ACTOR}
    assert struct.unpack("<q", bytes.fromhex(trial("now_i64")[0]["state_hex"]))[0] == NOW


def test_without_now_the_clock_counts() -> None:
    raw = agent("now_i64")
    manifest = {
        "name": "guest",
        "version": "",
        "description": "",
        "author": "",
        "wasmHash": module_digest(raw),
        "permissions": ["persist_state"],
    }
    request = TrialRequest(wasm=raw, manifest=json.dumps(manifest).encode())
    document, _ = run_trial(request, clock=ManualClock(now_ms=77))
    assert document["state_hex"] == struct.pack("<q", 77).hex()


def test_emissions_and_drops() -> None:
    document, code = trial("emits_mix", tasks=TASKS, members=MEMBERS)
    assert code == 0
    tick = document["calls"][1]
    assert [(one["type"], one["taskId"], one["task"]) for one in tick["emitted"]] == [
        ("task_assigned", "t1", {"assignee": "alice"}),
        ("task_created", "fresh", {"title": "fresh"}),
        ("task_urgency_changed", "t2", {"urgent": True}),
        ("task_assigned", "t2", {"assignee": "alice"}),
    ]
    reasons = {json.dumps(one["event"]): one["reason"] for one in tick["dropped"]}
    assert len(reasons) == 8
    assert reasons['"not json"'].startswith("Event is not valid JSON")
    assert reasons["[]"] == "Event is not an object"
    assert reasons['{"type": "room_burned", "taskId": "t1"}'] == "Disallowed event type: room_burned"
    assert all(isinstance(one["event"], dict | str | list) for one in tick["dropped"])


def test_without_feedback_each_call_sees_the_tasks_as_given() -> None:
    creates = emits('{"type":"task_created","taskId":"new","task":{"title":"x"}}')
    assert [len(call["emitted"]) for call in trial(creates, ticks=3)[0]["calls"]] == [0, 1, 1, 1]
    with_feedback = trial(creates, ticks=3, feedback=True)[0]["calls"]
    assert [len(call["emitted"]) for call in with_feedback] == [0, 1, 0, 0]
    assert "exists" in with_feedback[2]["dropped"][0]["reason"]


def test_feedback_is_seen_by_the_next_call() -> None:
    both = agent_wat(
        "(call $host_emit_event (i32.const 0) (i32.const 50))"
        "(call $host_set_state (i32.const 1000) (call $host_get_tasks (i32.const 1000) (i32.const 60000)))",
        hosts=("host_emit_event", "host_get_tasks", "host_set_state"),
        decls='(data (i32.const 0) "{\\22type\\22:\\22task_created\\22,\\22taskId\\22:\\22n\\22,\\22task\\22:{}}    ")',
    )
    document, _ = trial(wat(both), ticks=2, feedback=True)
    assert [one["id"] for one in json.loads(bytes.fromhex(document["state_hex"]))] == ["n"]


def test_only_the_permissions_of_the_manifest_are_granted() -> None:
    document, code = trial("tasks_to_state", tasks=TASKS, manifest={"permissions": ["persist_state"]})
    assert code == 0
    assert document["state_hex"] == ""
    document, _ = trial("emits_mix", tasks=TASKS, manifest={"permissions": []})
    assert document["calls"][1]["emitted"] == []
    assert {one["reason"] for one in document["calls"][1]["dropped"]} == {"host_emit_event: emit_events is not granted"}


def test_the_layouts_are_those_before_the_first_call() -> None:
    creates = emits('{"type":"task_created","taskId":"new","task":{}}', on="init")
    document, _ = trial(creates, tasks=TASKS, members=MEMBERS, feedback=True)
    data = bytes.fromhex(document["assignment_data_hex"])
    assert struct.unpack_from("<II", data) == (2, 2)
    assert len(data) == 8 + 2 * 37 + 2 * 44
    assert struct.unpack_from("<I", bytes.fromhex(document["dependency_data_hex"])) == (2,)


def test_members_are_taken_as_given() -> None:
    document, _ = trial("members_to_state", members=MEMBERS)
    assert json.loads(bytes.fromhex(document["state_hex"])) == MEMBERS


def test_log_lines() -> None:
    assert trial("tasks_to_log", tasks=[])[0]["calls"][1]["log"] == ["[]"]


class TestRefusals:
    def refused(self, wasm: bytes | str = "quiet", **options: Any) -> str:
        document, code = trial(wasm, **options)
        assert code == 2
        assert document.keys() == {"v", "error"}
        assert document["v"] == 1
        assert document["error"].isprintable()
        return document["error"]

    @pytest.mark.parametrize("guest", ["unknown_import", "wasi_import", "missing_tick", "memory_min161"])
    def test_modules(self, guest: str) -> None:
        assert self.refused(guest).startswith("Invalid WASM binary")

    @pytest.mark.parametrize("wasm", [b"", b"junk", b"(module)"])
    def test_files_that_are_no_modules(self, wasm: bytes) -> None:
        assert "Invalid WASM module" in self.refused(wasm)

    def test_a_module_that_does_not_validate(self) -> None:
        invalid = agent("trap_tick").replace(b"\x03\x00\x00\x0b", b"\x03\x00\xff\x0b")
        assert "Invalid WASM module" in self.refused(invalid)

    def test_manifests(self) -> None:
        assert self.refused(manifest={"name": 1}) == "Invalid agent manifest: Manifest.name must be a string"
        assert "Hash mismatch" in self.refused(manifest={"wasmHash": ""})

    @pytest.mark.parametrize("tasks", [b"", b"{", {}, "x", [1], [{}], [a_task("a"), a_task("a")]])
    def test_tasks(self, tasks: Any) -> None:
        assert "tasks" in self.refused(tasks=tasks)

    @pytest.mark.parametrize("members", [b"\xff", {}, [{}], [MEMBERS[0], MEMBERS[0]]])
    def test_members(self, members: Any) -> None:
        assert "members" in self.refused(members=members)

    @pytest.mark.parametrize("event", [[], {}, {"type": "x"}])
    def test_events(self, event: Any) -> None:
        assert self.refused(event=event)

    @pytest.mark.parametrize("state", ["x", "0", "00" * 1_048_577])
    def test_states(self, state: str) -> None:
        assert self.refused(state_hex=state).startswith("state: ")

    def test_symbols_of_another_module(self) -> None:
        assert "symbols" in self.refused(symbols=agent("trap_tick"))


def test_symbols_name_the_functions_of_a_trap() -> None:
    text = agent_wat("call $deep", decls="(func $deep call $deeper) (func $deeper unreachable)")
    symbols = wat(text)
    end = symbols.rindex(b"\x00", 0, symbols.rindex(b"name"))
    shipped = symbols[:end]
    document, _ = trial(shipped, symbols=symbols)
    assert document["calls"][1]["error"].endswith(", at deeper < deep < function 4")
    assert "deeper" not in trial(shipped)[0]["calls"][1]["error"]


class TestSymbols:
    shipped = b"\0asm\1\0\0\0"

    def section(self, payload: bytes) -> bytes:
        body = b"\4name" + payload
        return self.shipped + bytes([0, len(body)]) + body

    def test_names_are_harmless(self) -> None:
        found = function_names(self.section(b"\1\x08\2\1\1a\2\2\x1b\n"), self.shipped)
        assert found.keys() == {1, 2}
        assert all(name.isprintable() for name in found.values())

    def test_no_names(self) -> None:
        assert function_names(self.shipped, self.shipped) == {}
        assert function_names(self.section(b"\0\1x"), self.shipped) == {}
        assert function_names(self.shipped + b"\0\2\1x", self.shipped) == {}

    @pytest.mark.parametrize("payload", [b"\1\7\xff\xff\xff\xff\xff", b"\1\7\2\1\x40a", b"\1"])
    def test_damage(self, payload: bytes) -> None:
        with pytest.raises(RefusedError, match="damaged"):
            function_names(self.section(payload), self.shipped)

    def test_a_section_beyond_the_end(self) -> None:
        with pytest.raises(RefusedError, match="damaged"):
            function_names(self.shipped + b"\0\x7f", self.shipped)

    def test_a_long_stack_is_cut(self) -> None:
        text = stack_text({0: "f"}, tuple(range(20)))
        assert text == "f < function 1 < function 2 < function 3 < function 4 < …"
        assert stack_text({}, (1,)) == ""
