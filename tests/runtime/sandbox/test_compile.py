import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import wasmtime

import runtime
from runtime.errors import RefusedError, UnavailableError
from runtime.sandbox import compile_process
from runtime.sandbox.cache import CompiledCache, entry_key
from runtime.sandbox.compile import Budget, Compiler, budget_for, load
from runtime.sandbox.compile_process import Answer
from runtime.sandbox.engine import EngineKind, agent_engine, job_engine
from runtime.sandbox.errors import CompilerUnavailableError, ModuleRefusedError, StaleModuleError
from runtime.sandbox.modulecheck import module_hash, strip_custom
from tests.hostile import BOMBS, agent, binary, job
from tests.open_twin import open_twin

SECRET = b"k" * 32
ROOMY = Budget(cpu_s=20, wall_s=60.0)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def shared() -> Iterator[Compiler]:
    """One compile process for the tests that only compile."""
    with Compiler(None, budget=lambda _kind, _size: ROOMY) as compiler:
        yield compiler


def limited(budget: Budget) -> Compiler:
    return Compiler(None, budget=lambda _kind, _size: budget)


def refused(compiler: Compiler, kind: EngineKind, wasm: bytes) -> ModuleRefusedError:
    with pytest.raises(ModuleRefusedError) as caught:
        compiler.compile(kind, wasm)
    return caught.value


def zygote(compiler: Compiler) -> psutil.Process:
    process = compiler._process._process
    assert process is not None
    return psutil.Process(process.pid)


def asking(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> list[EngineKind]:
    """Records what reaches the compile process."""
    asked: list[EngineKind] = []
    ask = compiler._process.ask

    def record(kind: EngineKind, wasm: bytes, budget: Budget) -> Answer:
        asked.append(kind)
        return ask(kind, wasm, budget)

    monkeypatch.setattr(compiler._process, "ask", record)
    return asked


def test_compiled_code_runs(shared: Compiler) -> None:
    module = shared.module("agent", agent("counts_ticks"), agent_engine())
    assert [export.name for export in module.exports] == ["init", "on_task_event", "on_tick"]
    for deterministic in (False, True):
        engine = job_engine(deterministic=deterministic)
        load(engine, shared.compile("deterministic" if deterministic else "job", job("echo")))


def test_code_for_another_engine_is_stale(shared: Compiler) -> None:
    compiled = shared.compile("agent", agent("quiet"))
    with pytest.raises(StaleModuleError, match="not usable"):
        load(job_engine(), compiled)
    with pytest.raises(StaleModuleError, match="not usable"):
        load(agent_engine(), b"junk")
    with pytest.raises(StaleModuleError):
        shared.module("agent", agent("quiet"), job_engine())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ill_typed", "type mismatch"),
        ("section_twice", "section out of order"),
        ("sections_out_of_order", "section out of order"),
        ("memory_too_many_pages", "65536-byte pages"),
        ("br_table", "implementation limit of 65520"),
        ("tail_call", "tail calls"),
        ("atomics", "threads"),
    ],
)
def test_the_engines_refusal_is_one_line(shared: Compiler, name: str, words: str) -> None:
    error = refused(shared, "job", binary(name))
    assert error.check == "invalid"
    assert words in str(error)
    assert "\n" not in str(error)


def test_the_caps_hold_here_too(shared: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asking(shared, monkeypatch)
    assert refused(shared, "agent", binary("text_format")).check == "text"
    assert refused(shared, "agent", binary("many_functions")).check == "size"
    assert refused(shared, "job", binary("many_functions")).check == "functions"
    assert asked == []


@pytest.mark.parametrize("name", sorted(BOMBS.keys() - {"locals_bomb"}))
def test_a_compile_bomb_dies_by_the_clock_of_its_cpu(name: str) -> None:
    wasm = binary(name)
    wasmtime.Module.validate(agent_engine(), wasm)
    with limited(Budget(cpu_s=1, wall_s=60.0)) as compiler:
        error = refused(compiler, "agent", wasm)
        assert error.check == "compile-cpu"
        assert "compiling exceeds 1 s of CPU time" in str(error)
        compiler.compile("agent", agent("quiet"))


def test_a_compilation_dies_by_its_memory(capfd: pytest.CaptureFixture[str]) -> None:
    with limited(Budget(cpu_s=20, wall_s=60.0, data_bytes=64 * MIB)) as compiler:
        error = refused(compiler, "job", binary("ten_thousand_functions"))
        assert error.check == "compile-memory"
        assert "compiling exceeds 64MiB of memory" in str(error)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_compiled_code_has_a_cap() -> None:
    with limited(Budget(cpu_s=20, wall_s=60.0, out_bytes=MIB)) as compiler:
        error = refused(compiler, "job", binary("ten_thousand_functions"))
        assert error.check == "compile-size"
        assert "exceeds 1MiB of compiled code" in str(error)


def test_a_child_that_takes_too_long_on_the_wall_is_killed_and_may_be_tried_again() -> None:
    budgets = iter([Budget(cpu_s=20, wall_s=0.05), ROOMY])
    with Compiler(None, budget=lambda _kind, _size: next(budgets)) as compiler:
        compiler._process.start()
        error = refused(compiler, "agent", binary("ten_thousand_functions"))
        assert (error.check, error.why) == ("compile-time", "compiling exceeds 0.05 s")
        assert compiler.compile("agent", binary("ten_thousand_functions"))


def test_a_refusal_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(ROOMY) as compiler:
        first = refused(compiler, "job", binary("ill_typed"))
        asked = asking(compiler, monkeypatch)
        second = refused(compiler, "job", binary("ill_typed"))
        assert (second.check, str(second)) == (first.check, str(first))
        assert asked == []
        compiler.forget("job", binary("ill_typed"))
        refused(compiler, "job", binary("ill_typed"))
        assert asked == ["job"]


def test_memory_of_refusals_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.sandbox.compile._REMEMBERED", 2)
    with limited(ROOMY) as compiler:
        for name in ("ill_typed", "section_twice", "sections_out_of_order"):
            refused(compiler, "job", binary(name))
        assert len(compiler._refused) == 2


def test_the_cache_spares_the_process(tmp_path: Path) -> None:
    with Compiler(tmp_path, SECRET) as first:
        compiled = first.compile("agent", agent("quiet"))
    with Compiler(tmp_path, SECRET) as second:
        assert second.compile("agent", agent("quiet")) == compiled
        assert second._process._process is None


def test_custom_sections_do_not_matter(tmp_path: Path) -> None:
    with Compiler(tmp_path, SECRET) as compiler:
        assert compiler.compile("job", binary("function_name_1mib")) == compiler.compile("job", job("unreachable"))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "spoil", [lambda raw: raw[:-1], lambda raw: raw[:40], lambda _: b"", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])]
)
def test_a_corrupt_entry_is_reported_and_compiled_again(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    reports: list[str] = []
    with Compiler(tmp_path, SECRET, on_corrupt=reports.append) as compiler:
        compiled = compiler.compile("agent", agent("quiet"))
        (entry,) = tmp_path.iterdir()
        sound = entry.read_bytes()
        entry.write_bytes(spoil(sound))
        assert compiler.compile("agent", agent("quiet")) == compiled
        assert entry.read_bytes() == sound
    assert len(reports) == 1
    assert "does not verify" in reports[0]


def test_an_entry_that_verifies_and_does_not_load_is_compiled_again(tmp_path: Path) -> None:
    key = entry_key("agent", module_hash(strip_custom(agent("quiet"))))
    CompiledCache(tmp_path, SECRET, pytest.fail).put(key, b"of another version")
    with Compiler(tmp_path, SECRET) as compiler:
        assert compiler.module("agent", agent("quiet"), agent_engine()).exports
        assert len((tmp_path / key).read_bytes()) > 10_000


def test_a_cache_without_a_secret_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="secret"):
        Compiler(tmp_path)


def test_threads_that_want_the_same_module_wait_for_one_child(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(ROOMY) as compiler:
        asked = asking(compiler, monkeypatch)
        barrier = threading.Barrier(6)
        results: list[bytes] = []
        failures: list[str] = []

        def work(wasm: bytes) -> None:
            barrier.wait()
            try:
                results.append(compiler.compile("job", wasm))
            except RefusedError as error:
                failures.append(str(error))

        for wasm in (binary("ten_thousand_functions"), job("returns")):
            threads = [threading.Thread(target=work, args=(wasm,)) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(results) == 12
        assert len(set(results)) == 2
        assert failures == []
        # The quick one may be done before a late thread asks; without a cache it is then compiled again.
        assert asked.count("job") < 12
        assert compiler._running == {}


def test_different_modules_compile_at_the_same_time(shared: Compiler) -> None:
    names = ["quiet", "counts_ticks", "reemits", "grows", "now_i64", "tasks_to_log"]
    results: dict[str, bytes] = {}
    threads = [
        threading.Thread(target=lambda name=name: results.update({name: shared.compile("agent", agent(name))}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({results[name] for name in names}) == len(names)


def test_the_process_is_started_again_when_it_was_killed() -> None:
    with limited(ROOMY) as compiler:
        compiler.compile("agent", agent("quiet"))
        before = zygote(compiler)
        before.kill()
        assert compiler.compile("agent", agent("counts_ticks"))
        assert zygote(compiler).pid != before.pid


def bombing(compiler: Compiler) -> tuple[threading.Thread, list[BaseException], psutil.Process]:
    """Starts a compilation that lasts, and waits until its child is confined."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            compiler.compile("agent", binary("if_chain_bomb"))
        except (RefusedError, UnavailableError) as error:
            errors.append(error)

    compiler.prepare()
    thread = threading.Thread(target=work)
    thread.start()
    return thread, errors, child_of(zygote(compiler))


def child_of(parent: psutil.Process) -> psutil.Process:
    while True:
        for child in parent.children():
            if child.rlimit(psutil.RLIMIT_NOFILE) == (64, 64):
                return child


def test_the_process_and_its_children_are_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_process, "_PROGRAM", open_twin(compile_process._PROGRAM))
    with limited(Budget(cpu_s=20, wall_s=60.0)) as compiler:
        thread, errors, child = bombing(compiler)
        parent = zygote(compiler)
        for process in (parent, child):
            assert process.environ() == {"LC_ALL": "C.UTF-8", "RUST_BACKTRACE": "0"}
            assert "NoNewPrivs:\t1" in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            assert process.cwd() == "/"
            assert process.num_threads() == 1
        assert os.getsid(parent.pid) == parent.pid
        assert child.rlimit(psutil.RLIMIT_CPU) == (20, 21)
        assert child.rlimit(psutil.RLIMIT_DATA) == (1024 * MIB, 1024 * MIB)
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (64 * MIB, 64 * MIB)
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert {int(entry.name) for entry in Path(f"/proc/{child.pid}/fd").iterdir()} >= {0, 1, 2}
        assert len(list(Path(f"/proc/{child.pid}/fd").iterdir())) == 5
        compiler.close()
        thread.join()
        assert not parent.is_running()
        assert not child.is_running()
        assert [type(error) for error in errors] == [CompilerUnavailableError]


def test_a_closed_compiler_says_so() -> None:
    compiler = limited(ROOMY)
    compiler.compile("agent", agent("quiet"))
    process = zygote(compiler)
    compiler.close()
    compiler.close()
    assert not process.is_running()
    with pytest.raises(CompilerUnavailableError, match="closed"):
        compiler.compile("agent", agent("quiet"))
    with pytest.raises(UnavailableError, match="closed"):
        compiler.prepare()


def test_killing_the_console_leaves_no_process_behind() -> None:
    root = str(Path(runtime.__file__).parent.parent)
    program = (
        "import sys, threading; sys.path.insert(0, sys.argv[1])\n"
        "from runtime.sandbox.compile import Budget, Compiler\n"
        "from tests.hostile import binary\n"
        "c = Compiler(None, budget=lambda k, s: Budget(60, 600.0))\n"
        "t = threading.Thread(target=c.prepare); t.start(); t.join()\n"
        "print(c._process._process.pid, flush=True)\n"
        "c.compile('agent', binary('if_chain_bomb'))\n"
    )
    console = subprocess.Popen([sys.executable, "-c", program, root], stdout=subprocess.PIPE, text=True)
    assert console.stdout is not None
    parent = psutil.Process(int(console.stdout.readline()))
    child = child_of(parent)
    watched = [os.pidfd_open(process.pid) for process in (parent, child)]
    console.send_signal(signal.SIGKILL)
    console.wait()
    console.stdout.close()
    for pidfd in watched:
        assert select.select([pidfd], [], [], 30)[0] == [pidfd]
        os.close(pidfd)


def test_killing_the_process_takes_its_children_along() -> None:
    with limited(Budget(cpu_s=20, wall_s=60.0)) as compiler:
        thread, errors, child = bombing(compiler)
        pidfd = os.pidfd_open(child.pid)
        first = zygote(compiler)
        first.kill()
        assert select.select([pidfd], [], [], 30)[0] == [pidfd]
        os.close(pidfd)
        # The request is tried once more, in a new process.
        while (second := compiler._process._process) is None or second.pid == first.pid:
            pass
        second.kill()
        thread.join()
        assert [type(error) for error in errors] == [CompilerUnavailableError]
        assert "the compile process ended" in str(errors[0])


def test_a_child_that_somebody_kills_says_nothing_about_the_module() -> None:
    with limited(Budget(cpu_s=20, wall_s=60.0)) as compiler:
        thread, errors, child = bombing(compiler)
        child.kill()
        thread.join()
        assert [str(error) for error in errors] == ["the compile child was killed by signal 9"]
        assert compiler._refused == {}


def test_an_interpreter_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with limited(ROOMY) as compiler, pytest.raises(CompilerUnavailableError, match="does not start: No such file"):
        compiler.compile("agent", agent("quiet"))


def test_a_process_that_ends_at_once_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_process, "_PROGRAM", "import sys; sys.exit('no \\x1b[2J wasmtime here')")
    with (
        limited(ROOMY) as compiler,
        pytest.raises(CompilerUnavailableError, match=r"ended: no \\x1b\[2J wasmtime here"),
    ):
        compiler.compile("agent", agent("quiet"))


@pytest.mark.parametrize(
    ("status", "talk", "check", "words"),
    [
        (signal.SIGSEGV, "", "compiler", "(SIGSEGV): no message"),
        (signal.SIGABRT, "thread panicked\nat \x1b[2Jcranelift", "compiler", r"(SIGABRT): at \x1b[2Jcranelift"),
        (12 << 8, "", "compile-memory", "exceeds 1GiB of memory"),
    ],
)
def test_other_ends_of_a_child(monkeypatch: pytest.MonkeyPatch, status: int, talk: str, check: str, words: str) -> None:
    with limited(ROOMY) as compiler:
        monkeypatch.setattr(compiler._process, "ask", lambda *_: Answer(int(status), late=False, out=b"", talk=talk))
        error = refused(compiler, "agent", agent("quiet"))
    assert error.check == check
    assert words in str(error)


def test_a_child_that_fails_by_itself_is_not_the_modules_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(ROOMY) as compiler:
        monkeypatch.setattr(
            compiler._process, "ask", lambda *_: Answer(1 << 8, late=False, out=b"", talk="OSError: [Errno 24]\n")
        )
        with pytest.raises(CompilerUnavailableError, match=r"status 1: OSError: \[Errno 24\]"):
            compiler.compile("agent", agent("quiet"))


@pytest.mark.parametrize(
    ("kind", "size", "cpu_s", "wall_s"),
    [
        ("agent", 512_000, 2, 10.0),
        ("job", 0, 2, 10.0),
        ("job", MIB, 8, 24.0),
        ("job", 500_000, 5, 15.0),
        ("deterministic", 16 * MIB, 60, 180.0),
    ],
)
def test_the_budget(kind: EngineKind, size: int, cpu_s: int, wall_s: float) -> None:
    assert budget_for(kind, size) == Budget(cpu_s, wall_s, 1024 * MIB, 64 * MIB)
