import hashlib
import time

import pytest
import wasmtime

from runtime.sandbox.call import instantiate, run
from runtime.sandbox.engine import EpochTicker, job_engine, limit_job_store
from runtime.sandbox.outcome import Outcome
from runtime.sandbox.wasi import JobWorld, job_linker
from tests.hostile import JOBS, job, job_exits, job_wat, wat

WORLD, STILL_WORLD = JobWorld(), JobWorld()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    WORLD.begin(deadline=time.monotonic() + 60)
    STILL_WORLD.begin(deadline=0.0)


def ends(wasm: bytes, *, deterministic: bool = False, limit_ms: int = 10_000) -> Outcome:
    engine = job_engine(deterministic=deterministic)
    linker = job_linker(engine, STILL_WORLD if deterministic else WORLD, deterministic=deterministic)
    ticker = EpochTicker(engine)
    store = wasmtime.Store(engine)
    store.set_fuel(10**12)
    limit_job_store(store, 1 << 24)
    store.set_wasi(wasmtime.WasiConfig())
    made, outcome = instantiate(store, lambda: linker.instantiate(store, wasmtime.Module(engine, wasm)), ticker, 10_000)
    assert made is not None, outcome
    func = made.exports(store)["_start"]
    assert isinstance(func, wasmtime.Func)
    try:
        return run(func, store, ticker, limit_ms)
    finally:
        store.close()
        ticker.close()


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("code", [0, 3, 125, 126, 255, 256, 4_294_967_295])
def test_every_exit_code_arrives(code: int, deterministic: bool) -> None:
    outcome = ends(job_exits(code), deterministic=deterministic)
    assert (outcome.kind, outcome.exit_code) == ("exit", code)
    assert outcome.detail == f"exit code {code}"


def test_a_short_sleep_returns() -> None:
    assert ends(job("sleeps_10ms")).kind == "returned"


def test_a_long_sleep_ends_with_the_deadline_of_the_job() -> None:
    WORLD.begin(deadline=time.monotonic() + 0.02)
    assert ends(job("sleeps_an_hour")).kind == "returned"
    WORLD.begin(deadline=time.monotonic() - 1)
    assert ends(job("sleeps_an_hour")).kind == "returned"


def test_many_short_sleeps_end_with_the_epoch() -> None:
    assert ends(job("sleeps_in_a_loop"), limit_ms=20).kind == "deadline"


def test_a_sleep_ends_when_it_is_told_to() -> None:
    WORLD.stop.set()
    assert ends(job("sleeps_an_hour")).kind == "returned"


def test_a_deterministic_job_sleeps_without_time_passing() -> None:
    assert ends(job("sleeps_an_hour"), deterministic=True).kind == "returned"
    assert STILL_WORLD.advance(0) == (1_577_836_800 + 3_600) * 10**9


@pytest.mark.parametrize(("name", "errno"), [("polls_nothing", 28), ("polls_outside", 21)])
def test_a_wrong_poll_gets_an_error_number(name: str, errno: int) -> None:
    assert ends(job(name)).exit_code == errno


def test_too_many_subscriptions_are_refused() -> None:
    wasm = wat(
        job_wat(
            "(call $proc_exit (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1025) (i32.const 0)))",
            wasi=("poll_oneoff", "proc_exit"),
            memory="9",
        )
    )
    assert ends(wasm).exit_code == 28


def polls(*subscriptions: tuple[int, int, int, int, int]) -> bytes:
    """Exits with 16 x the number of events + the first's user data; subscriptions are user, tag, clock, ns, flags."""
    stores = "".join(
        f"(i64.store (i32.const {48 * i}) (i64.const {user})) (i32.store8 (i32.const {48 * i + 8}) (i32.const {tag}))"
        f"(i32.store (i32.const {48 * i + 16}) (i32.const {clock}))"
        f"(i64.store (i32.const {48 * i + 24}) (i64.const {ns}))"
        f"(i32.store16 (i32.const {48 * i + 40}) (i32.const {flags}))"
        for i, (user, tag, clock, ns, flags) in enumerate(subscriptions)
    )
    count = len(subscriptions)
    return wat(
        job_wat(
            f"{stores} (if (call $poll_oneoff (i32.const 0) (i32.const 1024) (i32.const {count}) (i32.const 2048))"
            "(then unreachable)) (call $proc_exit (i32.add"
            "(i32.mul (i32.const 16) (i32.load (i32.const 2048))) (i32.load (i32.const 1024))))",
            wasi=("poll_oneoff", "proc_exit"),
        )
    )


HOUR = 3_600 * 10**9


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(
    ("subscriptions", "code"),
    [
        ([(7, 0, 1, HOUR, 0), (3, 0, 1, 1_000, 0)], 16 + 3),
        ([(7, 0, 1, HOUR, 0), (5, 1, 0, 0, 0)], 16 + 5),  # a stream is ready at once
        ([(7, 2, 1, 0, 0), (5, 1, 0, 0, 0)], 32 + 7),
        ([(9, 0, 0, 1, 1)], 16 + 9),  # an absolute time long ago
        ([(9, 0, 1, 1, 1)], 16 + 9),
    ],
)
def test_the_soonest_subscription_decides(
    subscriptions: list[tuple[int, int, int, int, int]], code: int, deterministic: bool
) -> None:
    assert ends(polls(*subscriptions), deterministic=deterministic).exit_code == code


def reads(call: str, *, size: int = 4) -> bytes:
    """Exits with the first 32 bits that `call` put at 0, or traps when it gives an error."""
    load = "i32.load" if size == 4 else "i32.wrap_i64 (i64.div_u (i64.load (i32.const 0)) (i64.const 1000000000))"
    value = f"({load} (i32.const 0))" if size == 4 else f"({load})"
    wasi = ("proc_exit", "random_get", "clock_time_get")
    return wat(job_wat(f"(if {call} (then unreachable)) (call $proc_exit {value})", wasi=wasi))


CLOCK = "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0))"
RANDOM = "(call $random_get (i32.const 0) (i32.const 4))"


def test_the_clock_of_a_deterministic_job_stands_where_it_began() -> None:
    assert ends(reads(CLOCK, size=8), deterministic=True).exit_code == 1_577_836_800
    assert STILL_WORLD.advance(0) == 1_577_836_800 * 10**9 + 1_000
    now = ends(reads(CLOCK, size=8)).exit_code
    assert now is not None
    assert abs(now - time.time()) < 3_600


def test_random_bytes_of_a_deterministic_job_follow_from_its_seed() -> None:
    def first(seed: bytes) -> int | None:
        STILL_WORLD.begin(deadline=0.0, seed=seed)
        return ends(reads(RANDOM), deterministic=True).exit_code

    block = hashlib.shake_256(bytes(32) + bytes(8)).digest(4)
    assert first(bytes(32)) == first(bytes(32)) == int.from_bytes(block, "little")
    assert first(b"\1" * 32) != first(bytes(32))


def test_the_random_stream_goes_on_between_calls() -> None:
    whole = JobWorld().random(10_000)
    world = JobWorld()
    assert world.random(3) + world.random(4_093) + world.random(0) + world.random(5_904) == whole
    assert whole[4_096:4_100] == hashlib.shake_256(bytes(32) + (1).to_bytes(8)).digest(4)


@pytest.mark.parametrize(
    ("call", "errno"),
    [
        ("(call $clock_time_get (i32.const 4) (i64.const 0) (i32.const 0))", 28),
        ("(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 65532))", 21),
        ("(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const -4))", 21),
        ("(call $random_get (i32.const 65530) (i32.const 16))", 21),
        ("(call $random_get (i32.const 0) (i32.const -1))", 28),
        ("(call $clock_res_get (i32.const 4) (i32.const 0))", 28),
        ("(call $clock_res_get (i32.const 0) (i32.const -1))", 21),
        ("(call $clock_res_get (i32.const 0) (i32.const 0))", 0),
    ],
)
def test_wrong_calls_of_a_deterministic_job_get_an_error_number(call: str, errno: int) -> None:
    extra = '(import "wasi_snapshot_preview1" "clock_res_get" (func $clock_res_get (param i32 i32) (result i32)))'
    text = job_wat(f"(call $proc_exit {call})", wasi=("proc_exit", "random_get", "clock_time_get"))
    assert ends(wat(text.replace("(module ", f"(module {extra}")), deterministic=True).exit_code == errno


def test_a_guest_without_an_exported_memory_gets_an_error_number() -> None:
    text = job_wat(
        "(call $proc_exit (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)))",
        wasi=("proc_exit", "poll_oneoff"),
    )
    assert ends(wat(text.replace('(export "memory")', ""))).exit_code == 21


HANGS = {"spin", "spin_start", "fills_in_a_loop", "random_10mib_loop", "sleeps_an_hour", "sleeps_in_a_loop"}
FLOODS = {"floods_stdout", "floods_stderr", "floods_both", "reads_forever", "writes_one_byte_at_a_time"}
UNSOUND = {"no_start", "start_is_a_global", "unknown_import", "unknown_wasi", "wasi_unstable", "wrong_wasi_type"}
ODD = {"start_with_params", "start_with_result", "imported_memory", "min_257_pages", "data_outside"}


@pytest.mark.parametrize("name", sorted(JOBS.keys() - HANGS - FLOODS - UNSOUND - ODD))
def test_every_other_hostile_job_ends_by_itself(name: str) -> None:
    assert ends(job(name)).kind in {"returned", "exit", "trap", "stack", "host"}


@pytest.mark.parametrize("name", sorted((FLOODS | HANGS) - {"spin_start", "sleeps_an_hour"} - {"random_10mib_loop"}))
def test_the_endless_ones_end_at_the_deadline(name: str) -> None:
    outcome = ends(job(name), limit_ms=20)
    assert outcome.kind in {"deadline", "returned"}
    assert (outcome.kind == "returned") == (name == "writes_one_byte_at_a_time")
