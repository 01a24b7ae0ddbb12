import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.capabilities.exchange import PROTOCOL, Exchange, ask
from net.capabilities.measured import Measured, measure
from net.capabilities.ranking import Candidate, Need, misfit, ranked
from net.capabilities.record import DOMAIN, LIFE_MS, Capabilities, Offered, make_record, read_record, worth_telling
from net.dht.record import RecordError
from net.dht.record import read_record as read_dht_record
from net.errors import PeerFaultError, UnreachableError
from net.limits import NetLimits
from net.memory import pair
from net.peer_id import PeerId
from net.stream import Connection, Protocols, Stream
from runtime.canonical import Json, decode, encode
from runtime.clock import ManualClock
from runtime.identity import Identity

NOW = 1_700_000_000_000
GIB = 1 << 30
ME, OTHER = Identity(b"1" * 32), Identity(b"2" * 32)
PEER = PeerId(ME.public)
MACHINE = Measured("x86_64", "linux", 8, 6500, 16 * GIB, 9 * GIB)
MAXIMA = {"module": 1 << 24, "input": 1 << 26, "output": 1 << 23, "memory": GIB, "wall_ms": 60_000, "fuel": 10**12}
OFFERED = Offered(
    slots_total=4, slots_free=3, queue=0, kinds=["wasm"], runtimes={"wasmtime": "50.0.1"}, abi={"jobs": 1, "rooms": 1},
    maxima=MAXIMA, relay=False, version="0.2.0",
)  # fmt: skip
PACKED = make_record(ME, MACHINE, OFFERED, seq=7, now_ms=NOW)


def changed(signer: Identity = ME, **changes: Json) -> bytes:
    document = decode(PACKED[64:], limit=8192)
    assert isinstance(document, Mapping)
    text = encode({**document, **changes})
    return signer.sign(DOMAIN, text) + text


def test_what_a_node_offers_is_read_as_it_was_said() -> None:
    read = read_record(PACKED, PEER, NOW)
    assert (read.machine, read.offered, read.seq) == (MACHINE, OFFERED, 7)
    assert len(PACKED) < 1000
    assert not read.is_stale(NOW + LIFE_MS - 1)
    assert read.is_stale(NOW + LIFE_MS)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2}, {"kind": "provider"}, {"peer": OTHER.peer_id}, {"more": 1}, {"cpus": 4097}, {"cpus": True},
        {"mem_free": (1 << 50) + 1}, {"mem_total": -1}, {"arch": "x" * 65}, {"arch": 1}, {"kinds": "wasm"},
        {"kinds": ["wasm"] * 17}, {"kinds": [1]}, {"runtimes": {"w": 1}}, {"runtimes": []}, {"abi": {"jobs": "1"}},
        {"max": {}}, {"max": MAXIMA | {"more": 1}}, {"relay": 1}, {"queue": None}, {"issued_ms": NOW + 300_001},
        {"expires_ms": NOW}, {"expires_ms": NOW + LIFE_MS + 1}, {"seq": -1},
    ],
)  # fmt: skip
def test_what_breaks_a_bound_is_refused(changes: dict[str, Json]) -> None:
    with pytest.raises(PeerFaultError):
        read_record(changed(**changes), PEER, NOW)


def test_a_record_of_another_key_or_another_spelling_is_refused() -> None:
    spelled = PACKED[64:].replace(b'"v":1', b'"v": 1')
    for raw in (changed(OTHER), PACKED[:64] + spelled, ME.sign(DOMAIN, spelled) + spelled, bytes(9000), b""):
        with pytest.raises(PeerFaultError):
            read_record(raw, PEER, NOW)
    with pytest.raises(PeerFaultError):
        read_record(PACKED, PeerId(OTHER.public), NOW)


def test_it_is_no_record_of_the_dht_though_the_domain_is_the_same() -> None:
    with pytest.raises(RecordError, match="no kind that is stored here"):
        read_dht_record(PACKED, NOW)


def test_texts_are_harmless() -> None:
    read = read_record(changed(version="1\x1b[2J"), PEER, NOW)
    assert read.offered.version == "1\\x1b[2J"


@given(st.binary(max_size=300))
def test_garbage_is_the_peers_fault(raw: bytes) -> None:
    with pytest.raises(PeerFaultError):
        read_record(raw, PEER, NOW)


# --- measuring


def machine_at(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 800 kB\n", "proc/loadavg": "0.50 0 0"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine_is_measured() -> None:
    found = measure()
    assert found.cpus >= 1
    assert 0 < found.mem_free <= found.mem_total
    assert found.arch
    assert found.os == "linux"


def test_without_control_groups_the_machine_is_the_limit(tmp_path: Path) -> None:
    found = measure(machine_at(tmp_path, {}), affinity=4)
    assert (found.cpus, found.cpu_free_milli, found.mem_total, found.mem_free) == (4, 3500, 1_024_000, 819_200)


@pytest.mark.parametrize(
    ("files", "cpus", "total", "free"),
    [
        (
            {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "200000 100000",
             "sys/fs/cgroup/a/b/cpu.max": "max 100000",
             "sys/fs/cgroup/a/b/memory.max": "500000", "sys/fs/cgroup/a/b/memory.current": "100000"},
            2, 500_000, 400_000,
        ),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1, 1_024_000, 819_200),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max"}, 4, 1_024_000, 819_200),
        (
            {"proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/x",
             "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "300000",
             "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "400000", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "300000",
             "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000"},
            3, 300_000, 0,
        ),
        ({"proc/self/cgroup": "2:cpu:/", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
          "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
         4, 1_024_000, 819_200),
    ],
)  # fmt: skip
def test_control_groups_limit_what_is_there(
    tmp_path: Path, files: dict[str, str], cpus: int, total: int, free: int
) -> None:
    found = measure(machine_at(tmp_path, files), affinity=4)
    assert (found.cpus, found.mem_total, found.mem_free) == (cpus, total, free)


def test_a_machine_that_tells_nothing_offers_nothing(tmp_path: Path) -> None:
    found = measure(tmp_path, affinity=2)
    assert (found.cpus, found.mem_total, found.mem_free) == (2, 0, 0)


# --- ranking


def candidate(
    number: int, *, machine: Measured = MACHINE, issued_ms: int = NOW, offered: Offered = OFFERED
) -> Candidate:
    said = Capabilities(
        peer=PeerId(bytes([number]) * 32), seq=1, issued_ms=issued_ms, expires_ms=issued_ms + LIFE_MS, machine=machine,
        offered=offered,
    )  # fmt: skip
    return Candidate(capabilities=said)


def test_the_better_candidate_comes_first_in_each_respect() -> None:
    plain = candidate(1)
    worse = [
        candidate(0, issued_ms=NOW - LIFE_MS),
        candidate(0, offered=replace(OFFERED, slots_free=0)),
        candidate(0, offered=replace(OFFERED, queue=3)),
        candidate(0, machine=replace(MACHINE, cpu_free_milli=10)),
        replace(candidate(0), failures=1),
        candidate(2),
    ]
    for other in worse:
        assert ranked([other, plain], Need(), NOW) == [plain, other]
    for better in (replace(candidate(2), trusted=True), replace(candidate(2), latency_ms=3.0)):
        assert ranked([plain, better], Need(), NOW) == [better, plain]


@pytest.mark.parametrize(
    ("need", "why"),
    [
        (Need(arch="aarch64"), "is x86_64, not aarch64"),
        (Need(kind="inference"), "runs no jobs of kind inference"),
        (Need(runtime="wasmer"), "has no wasmer"),
        (Need(cpus=9), "has 8 cores of 9"),
        (Need(memory=2 * GIB), "has too little memory"),
        (Need(module=1 << 25), "takes no module of this size"),
    ],
)
def test_who_cannot_do_it_is_left_out_with_the_reason(need: Need, why: str) -> None:
    assert misfit(candidate(1), need) == why
    assert ranked([candidate(1)], need, NOW) == []


def test_who_runs_no_jobs_of_others_is_left_out() -> None:
    assert misfit(candidate(1, offered=replace(OFFERED, slots_total=0)), Need()) == "runs no jobs of others"


@given(st.permutations(range(6)))
def test_the_order_does_not_depend_on_who_came_first(order: list[int]) -> None:
    found = ranked([candidate(number) for number in order], Need(), NOW)
    assert [one.capabilities.peer.key[0] for one in found] == list(range(6))


# --- telling anew


def test_a_tenth_more_or_less_is_told_anew_and_less_is_not() -> None:
    assert not worth_telling(MACHINE, OFFERED, replace(MACHINE, mem_free=MACHINE.mem_free * 91 // 100), OFFERED)
    assert worth_telling(MACHINE, OFFERED, replace(MACHINE, mem_free=MACHINE.mem_free * 89 // 100), OFFERED)
    assert worth_telling(MACHINE, OFFERED, replace(MACHINE, cpu_free_milli=0), OFFERED)
    for change in ({"slots_free": 0}, {"queue": 1}, {"relay": True}, {"kinds": []}, {"runtimes": {}}):
        assert worth_telling(MACHINE, OFFERED, MACHINE, replace(OFFERED, **change))  # type: ignore[arg-type]
    assert not worth_telling(MACHINE, OFFERED, MACHINE, OFFERED)


# --- asking


def served(packed: bytes) -> Connection:
    there = Protocols()
    exchange = Exchange(lambda: packed, ManualClock(NOW), asked=lambda _: None, heard=lambda _: None)
    there.serve(PROTOCOL, exchange.serve)
    return pair(PeerId(OTHER.public), PEER, Protocols(), there)[0]


async def test_a_peer_is_asked_and_its_answer_checked() -> None:
    connection = served(PACKED)
    assert (await ask(connection, lambda: NOW)).offered == OFFERED
    await connection.close()


@pytest.mark.parametrize("packed", [changed(OTHER), bytes(9000), b""])
async def test_an_answer_that_is_no_record_is_the_peers_fault(packed: bytes) -> None:
    connection = served(packed)
    with pytest.raises(PeerFaultError):
        await ask(connection, lambda: NOW)
    await connection.close()


async def test_who_says_nothing_is_waited_for_no_longer_than_that() -> None:
    async def silent(connection: Connection, _stream: Stream) -> None:
        await connection.wait_closed()

    there = Protocols()
    there.serve(PROTOCOL, silent)
    connection = pair(PeerId(OTHER.public), PEER, Protocols(), there)[0]
    with pytest.raises(UnreachableError, match="did not say what it offers within"):
        async with asyncio.timeout(60):
            await ask(connection, lambda: NOW, NetLimits(capabilities_s=0.05))
    await connection.close()
