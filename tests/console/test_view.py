"""The view model: a snapshot plus the events after it is the same wherever the cut is."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.client import Json, Snapshot
from console.rows import AgentRow, ComponentRow, JobRow, NodeRow, ReceiptRow
from console.view import LIMIT, Changes, View
from runtime import component_events, events
from runtime.agents.trust import SHIPPED
from runtime.codec import to_wire
from runtime.errors import RefusedError
from runtime.events import Event, Record

ROOM = "a" * 32
HASH = "sha256:" + "1" * 64
TOPICS = ("rooms", "agents", "jobs", "receipts", "peers", "components")
PEER = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"


def uploaded(agent: str = "balance") -> events.AgentUploaded:
    return events.AgentUploaded(
        room=ROOM, agent=agent, version="1.0", hash=HASH, size_bytes=10, permissions=("tasks:read",)
    )


def ticked(n: int = 1, trigger: str = "tick", us: int = 100) -> events.TickCompleted:
    return events.TickCompleted(
        room=ROOM, agent="balance", n=n, trigger=trigger, duration_us=us, emitted=2, state_bytes=7
    )


def failed(n: int, failures: int, message: str = "unreachable") -> events.TickFailed:
    return events.TickFailed(
        room=ROOM,
        agent="balance",
        n=n,
        trigger="tick",
        duration_us=5,
        kind="trap",
        message=message,
        failures=failures,
    )


def submitted(job: str = "j1") -> events.JobSubmitted:
    return events.JobSubmitted(
        job=job,
        kind="wasm",
        module=HASH,
        name="hello.wasm",
        submitter="me",
        where="local",
        memory_bytes=1,
        fuel=2,
        timeout_ms=3,
        max_output_bytes=4,
    )


def issued(receipt: str = "r1", job: str = "j1", number: int = 0) -> events.ReceiptIssued:
    return events.ReceiptIssued(
        receipt=receipt, job=job, worker="k", number=number, exit_code=0, outcome="exit", previous="0" * 64
    )


def records(*happened: Event, start: int = 1) -> list[Record]:
    return [Record(seq, 1000 + seq, event) for seq, event in enumerate(happened, start)]


def taken(view: View, seq: int, topics: Sequence[str] = TOPICS) -> Snapshot:
    values: dict[str, Json] = {
        "rooms": [to_wire(row) for row in view.rooms.values()],
        "agents": [to_wire(row) for row in view.agents.values()],
        "jobs": [to_wire(row) for row in reversed(view.jobs.values())],
        "receipts": [to_wire(row) for row in reversed(view.receipts.values())],
        "peers": [to_wire(row) for row in view.peers.values()],
        "components": [to_wire(row) for row in view.components.values()],
    }
    return Snapshot(seq, {topic: values[topic] for topic in topics})


def started() -> View:
    view = View()
    view.load(Snapshot(0, {"rooms": [], "agents": [], "jobs": [], "receipts": []}))
    view.apply(records(events.RoomCreated(room=ROOM, name="demo"), uploaded()))
    return view


def agent(view: View) -> AgentRow:
    return view.agents[(ROOM, "balance")]


def test_an_agents_life() -> None:
    view = started()
    assert agent(view).state == "off"
    assert agent(view).room_name == "demo"
    view.apply(
        records(
            events.AgentGranted(room=ROOM, agent="balance", permissions=("tasks:read",), by="operator"),
            events.AgentActivated(room=ROOM, agent="balance", hash=HASH),
            ticked(1, us=70),
            start=3,
        )
    )
    row = agent(view)
    assert (row.state, row.granted, row.calls, row.last_ms) == ("active", ("tasks:read",), 1, 1005)
    assert (row.last_trigger, row.last_duration_us, row.emitted, row.state_bytes) == ("tick", 70, 2, 7)
    assert (view.active, view.tripped) == (1, 0)


@pytest.mark.parametrize("breaker_first", [False, True])
def test_a_trip_keeps_its_reasons_whichever_event_comes_first(breaker_first: bool) -> None:
    view = started()
    trip = events.BreakerTripped(room=ROOM, agent="balance", trigger="tick", failures=3, reasons=("a", "b", "c"))
    off = events.AgentDeactivated(room=ROOM, agent="balance", reason="breaker")
    last = [trip, off] if breaker_first else [off, trip]
    view.apply(records(failed(1, 1, "a"), failed(2, 2, "b"), failed(3, 3, "c"), *last, start=3))
    row = agent(view)
    assert (row.state, row.failures, row.reasons) == ("tripped", 3, ("a", "b", "c"))
    assert view.tripped == 1
    closed = events.BreakerClosed(room=ROOM, agent="balance", by="operator")
    active = events.AgentActivated(room=ROOM, agent="balance", hash=HASH)
    view.apply(records(closed, active, start=8))
    assert (agent(view).state, agent(view).failures, agent(view).reasons) == ("active", 0, ())


def test_a_good_tick_ends_a_row_of_failures_of_its_own_kind() -> None:
    view = started()
    view.apply(records(failed(1, 2), ticked(2, trigger="event"), start=3))
    assert agent(view).failures == 2
    view.apply(records(ticked(3), start=5))
    assert (agent(view).failures, agent(view).reasons) == (0, ())


def test_a_failed_activation_and_a_pause_say_why() -> None:
    view = started()
    view.apply(records(events.AgentFailed(room=ROOM, agent="balance", reason="init trapped"), start=3))
    assert (agent(view).state, agent(view).problem) == ("failed", "init trapped")
    view.apply(records(events.AgentPaused(room=ROOM, agent="balance", reason="disk full"), ticked(2), start=4))
    assert (agent(view).state, agent(view).problem) == ("active", "")


def test_a_deleted_agent_is_gone_and_counted_no_more() -> None:
    view = started()
    changes = view.apply(records(events.AgentDeleted(room=ROOM, agent="balance"), start=3))
    assert not view.agents
    assert changes.agents == {(ROOM, "balance")}
    assert changes.stale == {"rooms"}
    assert view.agent_states["off"] == 0
    assert not view.apply(records(ticked(9), start=4))


def test_a_jobs_life() -> None:
    view = started()
    view.apply(
        records(
            submitted(),
            events.JobState(job="j1", state="running", previous="queued"),
            events.JobOutput(job="j1", stream="stdout", offset=0, length=5),
            events.JobOutput(job="j1", stream="stderr", offset=0, length=2),
            start=3,
        )
    )
    row = view.jobs["j1"]
    assert (row.state, row.created_ms, row.started_ms, row.output_bytes) == ("running", 1003, 1004, 7)
    view.apply(
        records(
            events.JobUsage(job="j1", wall_ms=9, fuel=8, memory_peak_bytes=7, output_bytes=7, exit_code=0),
            issued(),
            events.JobState(job="j1", state="done", previous="running", reason="exit"),
            events.ReceiptVerified(receipt="r1", verdict="valid", steps=()),
            events.PeerFound(peer=PEER, source="lan", addresses=("/ip4/192.0.2.1/tcp/1",)),
            events.PeerConnected(peer=PEER, address="/ip4/192.0.2.1/tcp/1", transport="tcp", dialled=True),
            events.PeerDisconnected(peer=PEER, reason="idle"),
            events.PeerMeasured(peer=PEER, rtt_us=300),
            events.PeerTrusted(peer=PEER, worker=True, submitter=False),
            events.PeerBanned(peer=PEER, banned=True, reason="x"),
            events.PeerBanned(peer=PEER, banned=False, reason=""),
            events.PeerRan(peer=PEER, job="j1", proved=True, done=1, failed=0),
            events.PeerLied(peer=PEER, job="j1", reason="commitment"),
            events.PeerNamed(peer=PEER, name="ada"),
            start=7,
        )
    )
    row = view.jobs["j1"]
    assert (row.state, row.outcome, row.ended_ms, row.receipt, row.exit_code) == ("done", "exit", 1009, "r1", 0)
    assert view.receipts["r1"].verdict == "valid"
    assert +view.job_states == {"done": 1}


def test_only_the_newest_jobs_and_receipts_are_kept() -> None:
    view = started()
    many = [event for n in range(LIMIT + 2) for event in (submitted(f"j{n}"), issued(f"r{n}", f"j{n}", n))]
    changes = view.apply(records(*many, start=3))
    assert next(iter(view.jobs)) == "j2"
    assert len(view.jobs) == len(view.receipts) == LIMIT
    assert view.job_states["queued"] == LIMIT
    assert {"j0", "j1"} <= changes.jobs


def test_what_events_do_not_tell_is_asked_for() -> None:
    view = started()
    change = events.TaskChanged(room=ROOM, task="t", change="task_completed", actor="a")
    assert view.apply(records(change, start=3)).stale == {"rooms"}
    assert view.apply(records(events.StreamGap(first=4, to=9, reason="slow"), start=9)).stale >= set(TOPICS)


def test_whether_a_new_agent_of_orlop_is_built_in_is_asked_for() -> None:
    view = started()
    told = replace(uploaded("unblock"), signed_by=SHIPPED)
    assert "agents" in view.apply(records(told, start=3)).stale
    assert "agents" not in view.apply(records(told, uploaded("mine"), start=4)).stale


def test_a_snapshot_ahead_of_the_stream_hides_no_event_from_other_topics() -> None:
    view = started()
    view.load(Snapshot(10, {"rooms": []}))
    view.apply(records(ticked(5), submitted(), start=3))
    assert agent(view).calls == 5
    assert "j1" in view.jobs
    assert view.rooms == {}


def test_a_snapshot_behind_the_stream_gets_what_came_meanwhile() -> None:
    view = started()
    before = taken(view, 2)
    view.apply(records(ticked(5), start=3))
    view.load(before)
    assert agent(view).calls == 5


def test_a_row_of_another_shape_changes_nothing() -> None:
    view = started()
    with pytest.raises(RefusedError):
        view.load(Snapshot(5, {"rooms": [], "agents": [{"room": 1}]}))
    assert list(view.rooms) == [ROOM]
    with pytest.raises(RefusedError):
        view.load(Snapshot(5, {"agents": "x"}))


EVENTS = st.one_of(
    st.sampled_from(["balance", "unblock"]).map(uploaded),
    st.integers(1, 50).map(ticked),
    st.tuples(st.integers(1, 50), st.integers(1, 3)).map(lambda p: failed(*p)),
    st.sampled_from(
        [
            events.RoomCreated(room=ROOM, name="demo"),
            events.MemberJoined(room=ROOM, key="k"),
            events.AgentActivated(room=ROOM, agent="balance", hash=HASH),
            events.AgentDeleted(room=ROOM, agent="balance"),
            events.AgentDeactivated(room=ROOM, agent="balance", reason="operator"),
            events.BreakerTripped(room=ROOM, agent="balance", trigger="tick", failures=3, reasons=("x",)),
            events.BreakerClosed(room=ROOM, agent="balance", by="probe"),
            submitted("j1"),
            submitted("j2"),
            events.JobState(job="j1", state="running", previous="queued"),
            events.JobState(job="j2", state="lost", previous="running", reason="lost"),
            events.JobOutput(job="j1", stream="stdout", offset=0, length=3),
            issued("r1", "j1", 0),
            issued("r2", "j2", 1),
            events.ReceiptVerified(receipt="r1", verdict="valid", steps=()),
        ]
    ),
)


def rows(view: View) -> tuple[object, ...]:
    """Without the percentile, which needs the calls before the cut."""
    return (
        dict(view.rooms),
        {key: replace(row, p95_us=None) for key, row in view.agents.items()},
        dict(view.jobs),
        dict(view.receipts),
        dict(view.peers),
        dict(view.components),
        +view.agent_states,
        +view.job_states,
    )


@given(st.lists(EVENTS, max_size=40), st.data())
def test_every_cut_gives_the_same_rows(happened: list[Event], data: st.DataObject) -> None:
    stream = records(*happened)
    cut = data.draw(st.integers(0, len(stream)))
    late = data.draw(st.integers(0, len(stream)))
    whole = started_empty()
    snapshots = [taken(whole, 0)]
    for record in stream:
        whole.apply([record])
        snapshots.append(taken(whole, record.seq))
    other = View()
    other.load(snapshots[cut])
    other.apply(stream[cut:])
    assert rows(other) == rows(whole)
    part = data.draw(st.sets(st.sampled_from(TOPICS)))
    other.load(Snapshot(late, {topic: snapshots[late].topics[topic] for topic in part}))
    assert rows(other) == rows(whole)


def started_empty() -> View:
    view = View()
    view.load(Snapshot(0, {topic: [] for topic in TOPICS}))
    return view


@given(st.lists(EVENTS, max_size=20))
def test_folding_twice_changes_nothing(happened: list[Event]) -> None:
    view = started_empty()
    view.apply(records(*happened))
    before = rows(view)
    assert view.apply(records(*happened)) == Changes()
    assert rows(view) == before


def test_the_rows_are_of_the_declared_types() -> None:
    view = started()
    view.apply(records(submitted(), issued(), start=3))
    assert isinstance(view.jobs["j1"], JobRow)
    assert isinstance(view.receipts["r1"], ReceiptRow)


def test_a_room_shows_its_way_to_the_others_and_who_is_there() -> None:
    view = started()
    told: list[tuple[str, str, int, int, int]] = []
    for number, event in enumerate(
        [
            events.RoomConnected(room=ROOM),
            events.MemberJoined(room=ROOM, key="k"),
            events.RoomPresence(room=ROOM, present=("k", "other")),
            events.RoomReestablishing(room=ROOM, missing=("k",)),
            events.RoomDisconnected(room=ROOM, reason="the connection to the relay has ended", retries=True),
            events.MemberLeft(room=ROOM, key="k"),
            events.RoomDisconnected(room=ROOM, reason="the room was purged", retries=False),
        ]
    ):
        changes = view.apply(records(event, start=3 + number))
        assert changes.rooms == {ROOM}
        row = view.rooms[ROOM]
        told.append((row.link, row.problem, row.members, row.present, row.reestablishing))

    cut = "the connection to the relay has ended"
    assert told == [
        ("online", "", 0, 0, 0),
        ("online", "", 1, 0, 0),
        ("online", "", 1, 2, 0),
        ("online", "", 1, 2, 1),
        ("offline", cut, 1, 0, 0),
        ("offline", cut, 0, 0, 0),
        ("closed", "the room was purged", 0, 0, 0),
    ]


def test_what_happens_in_a_room_that_is_not_known_makes_no_row() -> None:
    view = View()
    view.apply(records(events.RoomConnected(room=ROOM), events.MemberLeft(room=ROOM, key="k")))

    assert view.rooms == {}


def test_a_peers_life() -> None:
    view = started_empty()
    place = "/ip4/192.0.2.1/udp/4001/quic-v1"
    told: list[tuple[str, str, bool, bool, str]] = []
    for number, event in enumerate(
        [
            events.PeerFound(peer=PEER, source="dht", addresses=(place,)),
            events.PeerTrusted(peer=PEER, worker=True, submitter=True),
            events.PeerConnected(peer=PEER, address=place, transport="quic", dialled=True),
            events.PeerLied(peer=PEER, job="j1", reason="commitment: is of other bytes"),
            events.PeerDisconnected(peer=PEER, reason="idle"),
            events.PeerTrusted(peer=PEER, worker=True, submitter=True),
            events.PeerBanned(peer=PEER, banned=True, reason="enough"),
            events.PeerTrusted(peer=PEER, worker=False, submitter=False),
            events.PeerBanned(peer=PEER, banned=False, reason=""),
        ]
    ):
        assert view.apply(records(event, start=1 + number)).peers == {PEER}
        row = view.peers[PEER]
        told.append((row.state, row.transport, row.worker, row.submitter, row.problem))
    lie = "commitment: is of other bytes"
    assert told == [
        ("known", "", False, False, ""),
        ("known", "", True, True, ""),
        ("connected", "quic", True, True, ""),
        ("connected", "quic", False, True, lie),
        ("known", "", False, True, lie),
        ("known", "", True, True, ""),
        ("banned", "", True, True, "enough"),
        ("banned", "", False, False, "enough"),
        ("known", "", False, False, ""),
    ]
    assert view.peers[PEER].address == place
    assert view.connected == 0


@pytest.mark.parametrize(
    ("event", "stale"),
    [
        (events.PeerNamed(peer=PEER, name="ada"), {"peers"}),
        (events.PeerBanned(peer=PEER, banned=False, reason=""), {"peers"}),
        (events.PeerBanned(peer=PEER, banned=True, reason="enough"), set()),
    ],
)
def test_notes_and_lies_before_a_ban_are_asked_for(event: Event, stale: set[str]) -> None:
    assert started_empty().apply(records(event)).stale == stale


def test_where_the_node_listens_is_told_by_its_event() -> None:
    node = NodeRow(
        name="n", peer_id=PEER, version="1", state_dir="/s", started_ms=0, mode="local", demo=False, read_only=False,
        tick_interval_ms=1,
    )  # fmt: skip
    view = View()
    view.load(Snapshot(0, {"node": to_wire(node)}))
    place = f"/ip4/192.0.2.1/tcp/4001/p2p/{PEER}"
    assert view.apply(records(events.NetListening(addrs=(place,)))).node
    assert view.node == replace(node, listen=(place,))


def test_a_fault_of_somebody_unknown_makes_no_row() -> None:
    view = started_empty()
    view.apply(records(events.PeerFault(peer="", address="/ip4/192.0.2.1/tcp/1", rule="bad-frame", reason="x")))
    assert view.peers == {}


def component() -> ComponentRow:
    return ComponentRow(
        component="acme/mirror", version="1.0.0", description="", hash=HASH, world="orlop:worlds/full",
        mark="unsigned", state="installed", reason="", status="unknown", detail="", restarts=0, calls=0, denied=0,
        mailbox=0, mailbox_max=256, memory_max=1, storage_max=1, handles_max=1, cpu_max_ms=1, rules_version=1,
    )  # fmt: skip


def test_a_components_life() -> None:
    view = started_empty()
    view.load(Snapshot(0, {"components": [to_wire(component())]}))
    name = "acme/mirror"
    happened: list[tuple[Event, str, object]] = [
        (
            component_events.ComponentState(
                component=name, version="1.0.0", state="failed", reason="trap: unreachable", restarts=2
            ),
            "reason",
            "trap: unreachable",
        ),
        (component_events.ComponentHealth(component=name, status="degraded", detail="slow"), "detail", "slow"),
        (component_events.ComponentMeasured(component=name, calls=3, denied=1, mailbox=2), "mailbox", 2),
        (component_events.ComponentPolicy(component=name, version=4, granted=(), revoked=()), "rules_version", 4),
    ]
    for seq, (event, field, value) in enumerate(happened, 1):
        assert view.apply(records(event, start=seq)).components == {name}
        assert getattr(view.components[name], field) == value
    row = view.components[name]
    assert (row.state, row.restarts, row.status, row.calls, row.denied) == ("failed", 2, "degraded", 3, 1)
    installed = component_events.ComponentInstalled(
        component="acme/other", version="1", hash=HASH, world="w", mark="unsigned", previous=""
    )
    assert view.apply(records(installed, start=9)).stale == {"components"}
    gone = view.apply(records(component_events.ComponentUninstalled(component=name), start=10))
    assert (gone.components, dict(view.components)) == ({name}, {})
