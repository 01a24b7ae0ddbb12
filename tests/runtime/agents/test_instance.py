"""Instances and the shared linker: real modules, entered directly."""

import ctypes
import threading
from collections.abc import Iterator

import pytest
import wasmtime

from runtime.agents.abi import AgentLinker, AgentMemory
from runtime.agents.calls import failure_text, perform
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentInstance, AgentModule, Sandbox
from runtime.agents.interface import FUNCTIONS
from runtime.agents.manifest import Permission
from runtime.agents.view import AgentView
from runtime.sandbox.engine import EpochTicker, agent_engine
from tests.hostile import agent, agent_wat, data, wat

ENGINE = agent_engine()
LINKER = AgentLinker(ENGINE)
EVENT = b'{"type":"task_created"}'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    ticker = EpochTicker(ENGINE)
    yield Sandbox(ENGINE, LINKER, ticker, 200)
    ticker.close()


def module(wasm: bytes | str) -> AgentModule:
    return AgentModule.of(wasmtime.Module(ENGINE, agent(wasm) if isinstance(wasm, str) else wasm))


def host(state: bytes | None = None, event: bytes | None = None) -> HostCall:
    return HostCall(AgentView({}, ()), frozenset(Permission), state, lambda: 5, event)


def started(sandbox: Sandbox, wasm: bytes | str, call: HostCall | None = None) -> AgentInstance:
    instance, outcome = AgentInstance.start(sandbox, module(wasm), call or host())
    assert instance is not None, outcome
    return instance


@pytest.mark.parametrize("name", ["memory_min2", "memory_max10", "memory_max160", "memory_min0"])
def test_w36_the_memory_fits_the_import(sandbox: Sandbox, name: str) -> None:
    instance = started(sandbox, name)
    assert instance.call("on_tick", host()).kind == "returned"
    instance.close()


def test_w37_any_number_of_parameters_is_padded_and_results_are_ignored(sandbox: Sandbox) -> None:
    for name in ("event_two_params", "all_params"):
        instance = started(sandbox, name)
        assert instance.call("on_task_event", host()).kind == "returned"
        instance.close()


def test_an_event_can_be_read_twice_in_its_call_and_not_outside(sandbox: Sandbox) -> None:
    instance = started(sandbox, "event_twice")
    assert instance.call("on_task_event", host(event=EVENT)).kind == "returned"
    assert instance.call("on_tick", host()).kind == "returned"
    instance.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("trap_init", "trap"),
        ("trap_start", "trap"),
        ("spin_init", "deadline"),
        ("spin_start", "deadline"),
        ("recurse_start", "stack"),
    ],
)
def test_a_failed_start_leaves_no_instance(sandbox: Sandbox, name: str, kind: str) -> None:
    instance, outcome = AgentInstance.start(sandbox, module(name), host())
    assert instance is None
    assert outcome.kind == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("spin_tick", "deadline"),
        ("spin_on_host", "deadline"),
        ("grows_in_a_loop", "deadline"),
        ("fills_in_a_loop", "deadline"),
        ("trap_tick", "trap"),
        ("divides_by_zero", "trap"),
        ("loads_outside", "trap"),
        ("recurse_tick", "stack"),
        ("escape_in_function_name", "trap"),
    ],
)
def test_a_failed_call_gives_up_the_instance_and_says_why_in_one_line(sandbox: Sandbox, name: str, kind: str) -> None:
    call = host()
    done = perform(sandbox, module(name), started(sandbox, name), call, "tick", tasks={})
    assert (done.instance, done.outcome.kind, done.entry) == (None, kind, "on_tick")
    assert done.emissions.drafts == []
    text = failure_text(done, "tick")
    assert text.isprintable()
    assert 10 < len(text) < 200


def test_a_fresh_instance_is_made_when_there_is_none(sandbox: Sandbox) -> None:
    done = perform(sandbox, module("quiet"), None, host(), "tick", tasks={})
    assert done.ok
    assert done.instance is not None
    done.instance.close()
    failed = perform(sandbox, module("trap_init"), None, host(), "tick", tasks={})
    assert failure_text(failed, "tick").startswith("in init on a fresh instance: unreachable")


def test_a_start_section_may_use_the_host(sandbox: Sandbox) -> None:
    call = host()
    started(sandbox, "logs_in_start", call).close()
    assert call.log == ["start", "start"]


def test_w27_the_host_never_touches_a_memory_that_is_not_its_own(sandbox: Sandbox) -> None:
    call = host(state=b"state")
    wasm = agent_wat(
        "(if (call $host_get_state (i32.const 0) (i32.const 100)) (then unreachable))"
        "(if (i32.load (i32.const 0)) (then unreachable))",
        hosts=("host_get_state",),
        memory='(memory (export "memory") 1)',
    )
    instance = started(sandbox, wat(wasm), call)
    assert instance.call("on_tick", call).kind == "returned"
    assert list(call.notes) == ["host_get_state: out of bounds"]
    instance.close()


def test_agents_do_not_see_each_others_memory(sandbox: Sandbox) -> None:
    writes = wat(agent_wat("(i32.store (i32.const 0) (i32.const 77))"))
    reads = wat(agent_wat("(if (i32.load (i32.const 0)) (then unreachable))"))
    one, two = started(sandbox, writes), started(sandbox, reads)
    for _ in range(3):
        assert one.call("on_tick", host()).kind == "returned"
        assert two.call("on_tick", host()).kind == "returned"
    one.close()
    two.close()


def test_two_threads_serve_two_agents_without_mixing_them_up(sandbox: Sandbox) -> None:
    wasm = module(
        wat(
            agent_wat(
                "(local $i i32) (loop"
                "(call $host_set_state (i32.const 0) (call $host_get_state (i32.const 0) (i32.const 100)))"
                "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 300))))",
                hosts=("host_get_state", "host_set_state"),
            )
        )
    )
    ends: dict[bytes, tuple[str, bytes | None]] = {}

    def work(state: bytes) -> None:
        call = host(state)
        instance, _ = AgentInstance.start(sandbox, wasm, call)
        assert instance is not None
        outcome = instance.call("on_tick", call)
        instance.close()
        ends[state] = (outcome.kind, call.state)

    threads = [threading.Thread(target=work, args=(bytes([65 + n]) * (n + 1),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == {state: ("returned", state) for state in ends}
    assert len(ends) == 4


def test_two_threads_with_failing_host_functions_keep_their_own_failures(sandbox: Sandbox) -> None:
    """No exception may travel through the engine, which keeps those of all threads in one place."""
    faults: dict[int, list[str]] = {}

    class Broken(AgentView):
        def __init__(self, number: int) -> None:
            super().__init__({}, ())
            self.number = number

        @property
        def tasks_json(self) -> bytes:  # type: ignore[override]
            raise ValueError(f"broken {self.number}")

    wasm = module("tasks_to_state")

    def work(number: int) -> None:
        instance, _ = AgentInstance.start(sandbox, wasm, host())
        assert instance is not None
        found = []
        for _ in range(200):
            call = HostCall(Broken(number), frozenset(Permission), None, lambda: 0)
            assert instance.call("on_tick", call).kind == "returned"
            found.append(str(call.fault))
        instance.close()
        faults[number] = found

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == {number: [f"broken {number}"] * 200 for number in range(2)}


def test_the_base_of_the_memory_never_moves() -> None:
    store = wasmtime.Store(ENGINE)
    memory = AgentMemory(store, 1, None)
    before = memory._base
    memory.item.grow(store, 159)
    assert memory.write(160 * 65_536 - 3, b"end")
    assert memory.read(160 * 65_536 - 3, 3) == b"end"
    assert memory.item.read(store, 160 * 65_536 - 3) == b"end"
    assert not memory.write(160 * 65_536 - 2, b"end")
    assert memory.read(-1, 2) is None
    assert ctypes.addressof(memory.item.data_ptr(store).contents) == before
    store.close()


def test_none_of_the_host_functions_is_cryptography() -> None:
    assert len(FUNCTIONS) == 12
    assert not [name for name in FUNCTIONS if any(word in name for word in ("crypt", "key", "hash", "seal", "random"))]


def test_invalid_utf8_in_a_name_is_lenient(sandbox: Sandbox) -> None:
    wasm = agent_wat(
        "(call $host_emit_urgency (i32.const 0) (i32.const 3))", hosts=("host_emit_urgency",), decls=data(0, b"a\xffb")
    )
    call = host()
    instance = started(sandbox, wat(wasm))
    assert instance.call("on_tick", call).kind == "returned"
    instance.close()
    assert [getattr(one, "task_id", "") for one in call.requests] == ["a\ufffdb"]
