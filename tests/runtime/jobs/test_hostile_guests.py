"""The catalogue of hostile guests: each runs as a job on real workers, and each is held to its end.

One node runs all of them, one after another. A row says how the job must end; for every row it is also held that the
receipt says the same and verifies (or that there is none), that no process, file or descriptor is left, that nothing
outside the guest's folder was touched, and that the next job runs well.
"""

import asyncio
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil
import pytest
import pytest_asyncio

from runtime.canonical import encode
from runtime.jobs.ending import COMPLETIONS, STATES, TRIPPED, JobEnd, JobOutcome
from runtime.jobs.evidence import Evidence
from runtime.jobs.limits import JobLimits
from runtime.jobs.receipt_form import read_receipt
from runtime.jobs.spec import DirGrant
from runtime.jobs.streams import Streams
from runtime.sandbox.compile import Budget, Compiler
from tests.guests import guest, names
from tests.hostile import BOMBS, binary, job, job_exits, job_min_pages, job_wat, leb, section, vec, wat
from tests.runtime.jobs.jobs_node import HELLO, Node, open_node

in_one_loop = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
LIMITS = JobLimits.of(memory_bytes=16 * MIB, timeout_ms=60_000, max_output_bytes=MIB, fuel=1 << 60)
SHORT = JobLimits.of(memory_bytes=16 * MIB, timeout_ms=150, max_output_bytes=MIB, fuel=1 << 60)
LITTLE_CPU = replace(LIMITS, cpu_ms=50)
LITTLE_STACK = replace(LIMITS, stack_bytes=64 << 10)
FEW_ELEMENTS = replace(LIMITS, table_elements=500)
FEW_FILES = replace(LIMITS, open_files=5)
LITTLE_ROOM = replace(LIMITS, dir_bytes=MIB)
LITTLE_FUEL = JobLimits.of(memory_bytes=16 * MIB, timeout_ms=60_000, max_output_bytes=MIB, fuel=1_000_000)

Given = bytes | Literal["silent", "endless"] | None
"""Standard input: bytes, nothing, a pipe that nobody writes, or one that never ends."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A guest and the end that it must have."""

    guest: str | Callable[[], bytes]
    """A file of `tests/guests`, `job:` or `file:` and a name of `tests.hostile`, or what makes the bytes."""
    outcome: JobOutcome = "exit"
    code: int = 0
    words: str = ""
    stdout: bytes | None = b""
    stderr: bytes | None = b""
    limits: JobLimits = LIMITS
    stdin: Given = b"some input"
    folder: Literal["", "ro", "rw"] = ""
    made: Sequence[str] = ()
    tripped: str | None = None
    """The limit that struck; None is the one that belongs to the outcome."""

    @property
    def limit(self) -> str:
        """The name of the limit that must be said to have struck."""
        return TRIPPED.get(self.outcome, "") if self.tripped is None else self.tripped

    @property
    def module(self) -> bytes:
        """The guest's bytes."""
        if not isinstance(self.guest, str):
            return self.guest()
        kind, _, name = self.guest.rpartition(":")
        return {"": guest, "job": job, "file": binary}[kind](name)

    def __str__(self) -> str:
        """How the test is called."""
        text = self.guest if isinstance(self.guest, str) else self.guest.__name__
        more = (self.folder, self.stdin if isinstance(self.stdin, str) else "", self.outcome)
        return "-".join(part for part in (text, *more) if part)


def late(name: str | Callable[[], bytes], **more: object) -> Row:
    """A guest that is ended by the wall clock."""
    return Row(guest=name, outcome="deadline", code=124, words="time limit of 150ms reached", limits=SHORT, **more)  # type: ignore[arg-type]


def traps(name: str | Callable[[], bytes], words: str, outcome: JobOutcome = "trap") -> Row:
    """A guest that the engine ends."""
    return Row(guest=name, outcome=outcome, code=134, words=words)


def refused(name: str | Callable[[], bytes], words: str) -> Row:
    """A module that is never started."""
    return Row(guest=name, outcome="refused", code=125, words=words)


def kept_in(name: str, code: int, *, folder: Literal["ro", "rw"] = "rw", made: Sequence[str] = ()) -> Row:
    """A guest with a folder that ends with the error number of what it tried."""
    return Row(guest=name, code=code, folder=folder, made=made)


def ends(code: int) -> Row:
    """A guest that calls `proc_exit` with an unsigned 32-bit number."""
    words = f"exit code {code} is reported as 255" if code > 255 else ""

    def exits() -> bytes:
        return job_exits(code)

    exits.__name__ = f"exits_with_{code}"
    return Row(guest=exits, code=min(code, 255), words=words)


def thousand_exports() -> bytes:
    return wat(job_wat(decls="".join(f'(func (export "f{number}"))' for number in range(998))))


def many_exports() -> bytes:
    return wat(job_wat(decls="".join(f'(func (export "f{number}"))' for number in range(5_000))))


def four_gib() -> bytes:
    return job_min_pages(65_536)


def too_large() -> bytes:
    return HELLO + bytes(16 * MIB)


def full_of_data() -> bytes:
    """15 MiB of data in a memory of 16 MiB."""
    return as_job(binary("bare"), memory_pages=256, content=b"\xa5" * (15 * MIB))


def as_job(module: bytes, *, memory_pages: int = 1, content: bytes = b"") -> bytes:
    """A module with one type `() -> ()`, made a job: a memory, and its function 0 (or an empty one) as `_start`."""
    found = dict(sections(module))
    found.setdefault(1, vec([b"\x60\0\0"]))
    found.setdefault(3, vec([b"\0"]))
    found.setdefault(10, vec([b"\2\0\x0b"]))
    found[5] = vec([b"\0" + leb(memory_pages)])
    found[7] = vec([b"\x06_start\0\0", b"\x06memory\2\0"])
    if content:
        found[11] = vec([b"\0\x41\0\x0b" + leb(len(content)) + content])
    return b"\0asm\1\0\0\0" + b"".join(section(number, found[number]) for number in sorted(found))


def sections(module: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 8
    while at < len(module):
        number, size, shift = module[at], 0, 0
        while True:
            at += 1
            size |= (module[at] & 0x7F) << shift
            shift += 7
            if module[at] < 0x80:
                break
        found.append((number, module[at + 1 : at + 1 + size]))
        at += 1 + size
    return found


COMPUTING = [
    late("spins-on-the-clock"),
    late("yields-for-ever"),
    late("draws-random-bytes-for-ever"),
    late("copies-memory-for-ever"),
    late("fills-a-table-for-ever"),
    late("counts-rabbits"),
    late("spins-before-it-starts"),
    late("spins-behind-a-table"),
    late("job:spin"),
    late("job:random_10mib_loop"),
    Row(guest="counts-rabbits", outcome="fuel", code=134, words="fuel limit of 1000000 reached", limits=LITTLE_FUEL),
    Row(guest="spins-behind-a-table", outcome="fuel", code=134, words="fuel limit", limits=LITTLE_FUEL),
]

CPU = [
    Row(guest=name, outcome="deadline", code=124, words="cpu_ms", limits=LITTLE_CPU, tripped="cpu_ms")
    for name in ("job:spin", "counts-rabbits", "spins-before-it-starts", "copies-memory-for-ever", "spins-on-the-clock")
]

MEMORY = [
    Row(guest="takes-all-memory"),
    # It never came to be, so that nobody can say how large its memory was.
    traps("takes-all-memory-before-it-starts", "memory peak unknown of 16MiB"),
    traps("asks-for-4gib-at-once", "memory peak 64KiB of 16MiB"),
    traps("doubles-its-memory", "memory peak 9MiB of 16MiB"),
    traps("job:grows_and_traps", "memory limit of 16MiB reached (peak 16MiB)", "memory"),
    replace(refused("job:min_257_pages", "16.1MiB"), tripped="memory_bytes"),
]

STACK = [
    traps("recursion-with-large-frames", "stack may have run out", "stack"),
    traps("recursion-through-a-table", "stack may have run out", "stack"),
    traps("recursion-before-it-starts", "stack may have run out", "stack"),
    Row(guest="goes-two-thousand-deep"),
    Row(guest="goes-two-thousand-deep", outcome="stack", code=134, words="stack may have run out", limits=LITTLE_STACK),
    traps("two-that-call-each-other", "stack may have run out", "stack"),
    traps("job:c_stack_overflow", "stack in linear memory"),
]

TABLES = [
    Row(guest="grows-its-table", code=1),
    Row(guest="grows-its-table", code=0, limits=FEW_ELEMENTS),
    traps("grows-its-table-and-traps", "unreachable"),
    traps("element-outside-its-table", "out of bounds table access"),
    refused("five-tables", "5 tables"),
    refused("file:huge_table", "table"),
]

TRAPS = [
    traps("uses-dropped-data", "out of bounds memory access"),
    traps("stores-outside", "out of bounds memory access"),
    traps("job:loads_outside", "out of bounds memory access"),
    traps("job:data_outside", "out of bounds"),
    traps("names-its-functions-like-messages", "trap: unreachable instruction executed (memory peak"),
    traps("job:unreachable", "unreachable"),
    traps("job:divides_by_zero", "division by zero"),
    traps("job:integer_overflow", "integer overflow"),
    traps("job:bad_conversion", "conversion"),
    traps("job:null_call", "null"),
    traps("job:table_outside", "table"),
    traps("job:wrong_signature", "wrong type"),
]

ENDS = [
    *(ends(code) for code in (0, 1, 124, 125, 126, 127, 128, 134, 255, 256, 65_536, 2**31, 2**32 - 1)),
    Row(guest="exits-before-it-starts", code=7),
    Row(guest="exits-inside-a-call", code=9),
    Row(guest="raises-a-signal", code=5),
]

OUTPUT = [
    Row(guest="floods-in-vectors", outcome="output", code=134, words="output limit of 1MiB", stdout=b"x" * MIB),
    Row(guest="job:floods_stderr", outcome="output", code=134, words="output limit", stderr=b"x" * MIB),
    Row(guest="job:floods_both", outcome="output", code=134, words="output limit", stdout=None, stderr=None),
    Row(guest="a-million-tiny-writes", stdout=b"x" * 1_000_000),
    Row(guest="one-endless-line", stdout=b"." * MIB),
    Row(guest="one-byte-too-many", outcome="output", code=134, words="output limit", stderr=b"." * MIB),
    Row(guest="bytes-that-are-no-text", stdout=bytes(range(255, -1, -1))),
    Row(
        guest="orders-for-the-terminal",
        stderr=b"\x1b[2J\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[6n\x1b[21t\x1bP+q\x1b\\\xe2\x80\xae\x9b31m\r\n",
    ),
    Row(guest="half-a-character-at-a-time", stdout=b"\xe2\xac\x82", stderr=b"\x82\xe2\xac"),
    Row(guest="writes-where-it-may-not", code=8),
    Row(guest="closes-its-streams", code=8),
    Row(guest="swaps-its-streams", stderr=b"moved"),
    Row(guest="truncates-its-output"),
    Row(guest="vector-of-4gib", code=48),
    Row(guest="four-billion-vectors", code=48),
    traps("job:pointer_outside", "ointer out of bounds"),
]

INPUT = [
    Row(guest="reads-to-the-end", stdin=None),
    Row(guest="reads-to-the-end", stdin=b"y" * (3 * MIB + 1)),
    Row(guest="reads-past-the-end", stdin=None),
    late("reads-to-the-end", stdin="silent"),
    late("reads-to-the-end", stdin="endless"),
    Row(guest="leaves-its-input", code=3, stdin="endless"),
    Row(guest="leaves-its-input", code=3, stdin="silent"),
    traps("reads-into-nowhere", "ointer out of bounds"),
]

WAITING = [
    late("sleeps-for-584-years"),
    late("sleeps-until-2500"),
    late("polls-a-thousand-sleeps"),
    late("polls-in-a-circle", stdin="silent"),
    late("sleeps-before-it-starts"),
    late("job:sleeps_in_a_loop"),
    Row(guest="polls-four-billion", code=28),
]

NOT_ALLOWED, NO_TEXT, INVALID, CIRCLE, TOO_LARGE, TOO_MANY = 63, 25, 28, 32, 22, 29
"""Error numbers of WASI."""

FOLDER = [
    kept_in("climbs-out-with-dots", NOT_ALLOWED),
    kept_in("climbs-out-with-dots", NOT_ALLOWED, folder="ro"),
    kept_in("climbs-out-of-its-own-folder", NOT_ALLOWED, made=["own"]),
    kept_in("opens-an-absolute-path", NOT_ALLOWED),
    kept_in("opens-the-kernels-files", NOT_ALLOWED),
    kept_in("follows-a-given-link-out", NOT_ALLOWED),
    kept_in("follows-a-given-absolute-link", NOT_ALLOWED),
    kept_in("follows-its-own-link-out", NOT_ALLOWED, made=["mine"]),
    kept_in("follows-a-circle", CIRCLE),
    kept_in("walks-through-a-linked-folder", NOT_ALLOWED),
    kept_in("opens-a-name-with-a-nul", INVALID),
    kept_in("opens-a-name-that-is-no-text", NO_TEXT),
    late("opens-a-pipe", folder="rw"),
    kept_in("links-to-an-absolute-path", NOT_ALLOWED),
    kept_in("renames-out-of-its-folder", NOT_ALLOWED),
    kept_in("renames-into-its-folder", NOT_ALLOWED),
    kept_in("hard-links-into-its-folder", NOT_ALLOWED),
    kept_in("removes-what-is-outside", NOT_ALLOWED),
    kept_in("removes-the-folder-above", INVALID),
    kept_in("looks-at-what-is-outside", NOT_ALLOWED),
    kept_in("changes-times-outside", NOT_ALLOWED),
    kept_in("makes-a-folder-outside", NOT_ALLOWED),
    kept_in("takes-all-descriptors", TOO_MANY),
    kept_in("counts-its-descriptors", 1, folder="ro"),
    Row(guest="counts-its-descriptors", code=0, folder="ro", limits=FEW_FILES),
    Row(
        guest="fills-its-folder",
        outcome="output",
        code=134,
        words="dir_bytes",
        folder="rw",
        made=[f"f{chr(48 + number)}" for number in range(64)],
        limits=LITTLE_ROOM,
        tripped="dir_bytes",
    ),
    Row(
        guest="digs-folders-into-folders",
        outcome="output",
        code=134,
        words="dir_bytes",
        folder="rw",
        made=["/".join("d" * depth) for depth in range(1, 151)],
        limits=LITTLE_ROOM,
        tripped="dir_bytes",
    ),
    kept_in("a-file-of-an-exbibyte", TOO_LARGE, made=["huge"]),
    kept_in("writes-far-out", TOO_LARGE, made=["huge"]),
]

OTHER = [
    Row(guest="listens-on-a-socket", code=8),
    Row(guest="sends-to-a-socket", code=57),
    refused("imports-a-table", "env.table"),
    refused("imports-a-global", "env.stack_pointer"),
    refused("imports-threads", "wasi.thread-spawn"),
    refused("imports-a-shared-memory", "threads"),
    refused("job:imported_memory", "env.memory"),
    refused("job:unknown_wasi", "sock_connect"),
    refused("job:wasi_unstable", "wasi_unstable.proc_exit"),
    refused("job:wrong_wasi_type", "proc_exit"),
    refused("job:no_start", "no `_start`"),
    refused("memory-of-64-bits", "memory64"),
    refused("memory-is-a-table", "exports no memory"),
    refused("two-memories", "2 memories"),
    refused("uses-atomics", "threads support is not enabled"),
    refused("uses-garbage-collection", "garbage collection"),
    refused("uses-exceptions", "exceptions"),
    refused("uses-tail-calls", "tail calls support is not enabled"),
    refused("uses-relaxed-simd", "relaxed SIMD support is not enabled"),
    refused("uses-pages-of-one-byte", "custom page sizes"),
    refused("exports-orders-for-the-terminal", r"cannot be printed: \x1b[2Jgone"),
    refused("imports-with-orders-for-the-terminal", r"env\x1b[2J.nope⏎orlop: all is well, which jobs do not have"),
    refused("file:component", "component"),
]

SHAPES = [
    Row(guest=thousand_exports),
    refused(many_exports, "exports"),
    Row(guest=full_of_data),
    refused("file:data_above_memory", "data"),
    refused("file:many_data_segments", "data segments"),
    refused("file:many_functions", "functions"),
    refused("file:many_types", "types"),
    refused("file:many_imports", "imports"),
    refused("file:locals_of_one_function", "locals"),
    refused("file:export_name_10mb", "name"),
    refused("file:huge_count", "types"),
    replace(refused(four_gib, "4GiB"), tripped="memory_bytes"),
    Row(guest=too_large, outcome="refused", code=125, words="16MiB (module_bytes)", tripped="module_bytes"),
]

FILLS_ONE_FILE = Row(guest="fills-one-file", folder="rw", limits=LITTLE_ROOM)

CATALOGUE = [
    *COMPUTING,
    *CPU,
    *MEMORY,
    *STACK,
    *TABLES,
    *TRAPS,
    *ENDS,
    *OUTPUT,
    *INPUT,
    *WAITING,
    *FOLDER,
    *OTHER,
    *SHAPES,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> AsyncIterator[Node]:
    """One node with one worker for the whole catalogue; it has run a job already."""
    async with open_node(tmp_path_factory.mktemp("hostile") / "state", compiler) as made:
        await the_next_job_runs_well(made)
        yield made


@pytest.fixture(scope="module")
def at_first(house: Node) -> "Counter[str]":
    """What this process had open before the first hostile guest, when the node had run a job."""
    return descriptors()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    """What lies around a guest's folder, and traps in it; goes with all that guests wrote."""
    shared = tmp_path / "world" / "shared"
    shared.mkdir(parents=True)
    (tmp_path / "world" / "secret").write_bytes(b"secret")
    (shared / "in.txt").write_bytes(b"content")
    (shared / "relative").symlink_to("../secret")
    (shared / "absolute").symlink_to(tmp_path / "world" / "secret")
    (shared / "circle").symlink_to("circle")
    (shared / "up").symlink_to("..")
    os.mkfifo(shared / "pipe")
    yield tmp_path / "world"
    shutil.rmtree(tmp_path / "world")


@in_one_loop
@pytest.mark.parametrize("row", CATALOGUE, ids=str)
async def test_each_hostile_guest_comes_to_its_end_and_harms_nobody(
    house: Node, at_first: "Counter[str]", world: Path, row: Row
) -> None:
    outside = snapshot(world)
    end = await run(house, world, row)
    assert (end.outcome, end.state, end.exit_code) == (row.outcome, STATES[row.outcome], row.code), end.reason
    assert row.words in end.reason
    assert end.reason.isprintable()
    assert end.tripped == row.limit
    kept = await house.jobs.output(end.job)
    assert row.stdout in {None, kept.stdout}
    assert row.stderr in {None, kept.stderr}
    assert end.truncated is (row.limit == "max_output_bytes")
    await the_receipt_says_the_same(house, end, kept.stdout, kept.stderr)
    assert snapshot(world) == outside | {f"shared/{name}" for name in row.made}
    assert (world / "secret").read_bytes() == b"secret"
    await the_next_job_runs_well(house)
    await nothing_is_left(lambda: left_behind(house, end.job, has_output=bool(kept.stdout or kept.stderr)))
    await nothing_is_left(lambda: sorted((descriptors() - at_first).elements()))


async def run(node: Node, world: Path, row: Row) -> JobEnd:
    opened: list[int] = []
    given: int | bytes | None
    if row.stdin == "silent":
        given, writer = os.pipe2(os.O_CLOEXEC)
        opened += [given, writer]
    elif row.stdin == "endless":
        given = os.open("/dev/zero", os.O_RDONLY | os.O_CLOEXEC)
        opened.append(given)
    else:
        given = row.stdin
    grants: tuple[DirGrant, ...] = ()
    if row.folder:
        opened.append(os.open(world / "shared", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        grants = (DirGrant("/data", row.folder == "rw"),)
    try:
        streams = Streams(stdin=given, dirs=opened[-1:] if row.folder else ())
        return await node.run(row.module, limits=row.limits, streams=streams, dirs=grants)
    finally:
        for number in opened:
            os.close(number)


async def the_receipt_says_the_same(node: Node, end: JobEnd, stdout: bytes, stderr: bytes) -> None:
    if end.outcome not in COMPLETIONS:
        assert (end.receipt, end.receipt_document) == ("", None)
        return
    assert end.receipt_document is not None
    receipt = read_receipt(encode(end.receipt_document))
    assert receipt.completion == COMPLETIONS[end.outcome]
    assert (receipt.extra["orlop.outcome"], receipt.extra["exit_code"]) == (end.outcome, str(end.exit_code))
    assert json.loads(receipt.extra["orlop.limits"]).get("tripped", "") == end.tripped
    assert (await node.receipts.verify(end.receipt, Evidence(stdout=stdout, stderr=stderr))).ok is True


async def the_next_job_runs_well(node: Node) -> None:
    end = await node.run(HELLO, b"next")
    assert (end.outcome, end.exit_code, (await node.jobs.output(end.job)).stdout) == ("exit", 0, b"txen")


def left_behind(node: Node, job_id: str, *, has_output: bool) -> list[str]:
    """Processes that are dead or too many, folders without a worker, and output of a job without any."""
    pids = node.jobs.process_ids
    family = psutil.Process(pids[0]).children(recursive=True) if pids else []
    found = [f"zombie {one.pid}" for one in family if status(one) == psutil.STATUS_ZOMBIE]
    if len(family) > 1:
        found.append(f"{len(family)} workers")
    folders = [path for pool in node.state.run.iterdir() for path in pool.iterdir()]
    if len(folders) > 1:
        found.append(f"folders {[path.name for path in folders]}")
    if (node.state.output / job_id).exists() is not has_output:
        found.append("a file of output too many or too few")
    return found


def status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return "gone"


def descriptors() -> Counter[str]:
    """What this process has open, by kind, beside the database and the compiled modules, which are kept on purpose."""
    found: Counter[str] = Counter()
    for number in Path("/proc/self/fd").iterdir():
        try:
            target = str(number.readlink())
        except FileNotFoundError:
            continue
        if "orlop.db" not in target and not target.startswith("/memfd:"):
            found[target.partition(":")[0]] += 1
    return found


def snapshot(world: Path) -> set[str]:
    return {str(path.relative_to(world)) for path in world.rglob("*")}


async def nothing_is_left(look: Callable[[], list[str]]) -> None:
    """Lets the loop turn until nothing is left; what ends by itself is given time, what stays is named."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 30
    while (left := look()) and loop.time() < until:
        await asyncio.to_thread(os.sched_yield)
    assert left == []


def test_every_guest_of_the_folder_is_in_the_catalogue() -> None:
    rows = [*CATALOGUE, FILLS_ONE_FILE]
    assert names() == {row.guest for row in rows if isinstance(row.guest, str) and ":" not in row.guest}
    assert len(names()) >= 40  # the number that was promised


@in_one_loop
async def test_one_file_grows_past_the_quota_by_a_mebibyte_at_most(house: Node, world: Path) -> None:
    """It is refused there by the kernel, however fast the guest is; the quota is found to have been passed."""
    end = await run(house, world, FILLS_ONE_FILE)
    assert (end.outcome, end.exit_code, end.tripped) == ("output", 134, "dir_bytes")
    assert MIB < (world / "shared" / "huge").stat().st_size <= 2 * MIB


async def test_compile_bombs_of_every_shape_cost_their_budget_and_no_more(tmp_path: Path) -> None:
    """A second of CPU instead of the five that modules of this size would have; two compile at a time."""
    budget = Budget(cpu_s=1, wall_s=120.0)
    with Compiler(None, budget=lambda _kind, _size: budget) as strict:
        async with open_node(tmp_path / "state", strict, workers=2) as node:
            ends = await asyncio.gather(*(node.run(as_job(binary(name))) for name in sorted(BOMBS)))
            for end in ends:
                assert (end.outcome, end.exit_code, end.receipt) == ("refused", 125, "")
            assert sum("exceeds 1 s of CPU time" in end.reason for end in ends) >= 3, [end.reason for end in ends]
            await the_next_job_runs_well(node)


async def test_code_that_was_exchanged_between_check_and_use_is_not_run(tmp_path: Path) -> None:
    """What one module was compiled to is put in the place of another's: the run is that of its own module."""
    honest, other = job_exits(3), job_exits(4)
    folder = tmp_path / "compiled"
    with Compiler(folder, b"k" * 32) as compiler:
        async with open_node(tmp_path / "state", compiler) as node:
            assert (await node.run(honest)).exit_code == 3
            (of_honest,) = [path for path in folder.rglob("*") if path.is_file()]
            assert (await node.run(other)).exit_code == 4
            (of_other,) = [path for path in folder.rglob("*") if path.is_file() and path != of_honest]
    of_honest.write_bytes(of_other.read_bytes())
    with Compiler(folder, b"k" * 32) as compiler:
        async with open_node(tmp_path / "again", compiler) as node:
            end = await node.run(honest)
            assert (end.outcome, end.exit_code) == ("exit", 3)
            end = await node.run(other)
            assert (end.outcome, end.exit_code) == ("exit", 4)


@pytest.mark.parametrize("how", ["another module", "nothing", "a link"])
async def test_a_module_that_was_exchanged_while_it_waited_is_not_run(
    tmp_path: Path, compiler: Compiler, how: str
) -> None:
    """It was checked and kept by its hash when it came; it is hashed again when its turn comes."""
    honest, other = job_exits(3), job_exits(4)
    async with open_node(tmp_path / "state", compiler) as node:
        waiting = await node.submit(honest)
        digest = hashlib.sha256(honest).hexdigest()
        stored = node.state.blobs / "sha256" / digest[:2] / digest
        stored.unlink()
        if how == "another module":
            stored.write_bytes(other)
        elif how == "a link":
            (tmp_path / "other").write_bytes(other)
            stored.symlink_to(tmp_path / "other")
        await node.jobs.queue.take_all()
        record = await node.until_ended(waiting)
        assert record.state in {"refused", "lost"}
        assert (record.exit_code, record.receipt) == (125, "")
        assert "running" not in node.states(waiting)
        assert (await node.run(honest)).exit_code == 3
