"""The view model: rows as a pure fold of a snapshot and the events after it.

Every face that shows rows uses this fold, so that all of them show the same. It knows no screen, no clock and no core.
Each topic is true at a seq of its own (`load`); records at or before it change nothing in it, so folding twice is
harmless. What events do not tell (they carry no content and no totals) is named in `Changes.stale`: the face asks for a
snapshot of those topics, now and then, and loads it; records that were folded meanwhile are folded again on top.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from console.agent_folds import AgentKey, AgentRows
from console.boot_folds import BootRows
from console.client import Json, Snapshot
from console.component_folds import fold_component
from console.job_folds import JobRows
from console.row_folds import (
    TERMINAL,
    fold_peer,
    fold_receipt,
    fold_room,
    found_peer_row,
    issued_row,
)
from console.rows import (
    AgentRow,
    ComponentRow,
    JobRow,
    MachineRow,
    NodeRow,
    PeerRow,
    ReceiptRow,
    ReleaseRow,
    RoomRow,
)
from runtime import component_events, events
from runtime.codec import from_wire
from runtime.errors import RefusedError
from runtime.events import Record

__all__ = ["LIMIT", "TERMINAL", "TOPICS", "AgentKey", "Changes", "View"]

TOPICS = ("node", "rooms", "agents", "jobs", "receipts", "peers", "components", "releases", "machines")
"""All topics of `CoreClient.snapshot`."""

LIMIT = 1_000
"""Most jobs, and most receipts, that are kept: the newest."""

_RECENT = 4_096
_SHIPPED = "shipped"
"""The mark of agents that are part of orlop; where marks are made there is more than a face should load."""

_UNTOLD = (
    events.TaskChanged | events.AgentUploaded | events.AgentDeleted | events.MemberLeft | events.MemberRemoved
    | events.RoomBurned | events.RoomCreated | events.RoomImported
)  # fmt: skip
"""Events after which totals of a room are others, which they do not tell."""

_OF_PEERS = (
    events.PeerFound | events.PeerConnected | events.PeerDisconnected | events.PeerMeasured | events.PeerTrusted
    | events.PeerBanned | events.PeerLied | events.PeerNamed | events.PeerRan
)  # fmt: skip
"""Events that put a peer into the book, or change its row there."""

_RUNNING = ("active", "starting", "probing")
_LIVE = ("running", "suspended")

_Row = TypeVar("_Row", RoomRow, AgentRow, JobRow, ReceiptRow, PeerRow, ComponentRow, ReleaseRow, MachineRow)


@dataclass(slots=True)
class Changes:
    """What an `apply` or a `load` touched: keys by topic, those of gone rows included, and topics to ask for again."""

    node: bool = False
    rooms: set[str] = field(default_factory=set)
    agents: set[AgentKey] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    receipts: set[str] = field(default_factory=set)
    peers: set[str] = field(default_factory=set)
    components: set[str] = field(default_factory=set)
    releases: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether anything changed."""
        rows = self.rooms or self.agents or self.jobs or self.receipts or self.peers or self.components
        return bool(self.node or rows or self.releases or self.machines or self.stale)


class View:
    """All rows, by key. For one thread at a time."""

    def __init__(self) -> None:
        self.node: NodeRow | None = None
        self.seq = 0
        """Of the newest record or snapshot that went in."""
        self._rooms: dict[str, RoomRow] = {}
        self._agents = AgentRows()
        self._jobs = JobRows(LIMIT)
        self._receipts: dict[str, ReceiptRow] = {}
        self._peers: dict[str, PeerRow] = {}
        self._components: dict[str, ComponentRow] = {}
        self.boot = BootRows()
        """Releases that are served, and machines that ask for them."""
        self._true_at = dict.fromkeys(TOPICS, 0)
        self._folded = 0
        self._recent: deque[Record] = deque(maxlen=_RECENT)
        self._folds: dict[str, Callable[[Record, Changes], None]] = {
            "node": self._fold_node,
            "rooms": self._fold_rooms,
            "agents": self._fold_agents,
            "jobs": self._fold_jobs,
            "receipts": self._fold_receipts,
            "peers": self._fold_peers,
            "components": self._fold_components,
            "releases": self._fold_releases,
            "machines": self._fold_machines,
        }

    @property
    def rooms(self) -> Mapping[str, RoomRow]:
        """Rooms by id."""
        return MappingProxyType(self._rooms)

    @property
    def agents(self) -> Mapping[AgentKey, AgentRow]:
        """Agents by room and name."""
        return self._agents.rows

    @property
    def agent_states(self) -> Counter[str]:
        """How many agents are in each state."""
        return self._agents.states

    @property
    def jobs(self) -> Mapping[str, JobRow]:
        """Jobs by id, oldest first."""
        return self._jobs.rows

    @property
    def job_states(self) -> Counter[str]:
        """How many jobs are in each state."""
        return self._jobs.states

    @property
    def receipts(self) -> Mapping[str, ReceiptRow]:
        """Receipts by id, oldest first."""
        return MappingProxyType(self._receipts)

    @property
    def peers(self) -> Mapping[str, PeerRow]:
        """Peers by PeerId."""
        return MappingProxyType(self._peers)

    @property
    def components(self) -> Mapping[str, ComponentRow]:
        """Components by name, namespace included."""
        return MappingProxyType(self._components)

    @property
    def active(self) -> int:
        """How many agents run."""
        return sum(self.agent_states[state] for state in _RUNNING)

    @property
    def tripped(self) -> int:
        """How many agents' breakers are open."""
        return self.agent_states["tripped"]

    @property
    def connected(self) -> int:
        """How many peers are connected."""
        return sum(row.state == "connected" for row in self._peers.values())

    @property
    def live(self) -> int:
        """How many components run or rest."""
        return sum(row.state in _LIVE for row in self._components.values())

    @property
    def given_up(self) -> int:
        """How many components fell too often to be started again."""
        return sum(row.state == "given-up" for row in self._components.values())

    def load(self, snapshot: Snapshot) -> Changes:
        """Takes the topics of a snapshot in place of what was known of them.

        Args:
            snapshot: of any topics; those that this fold does not know, or knows from a newer snapshot, are left aside.

        Raises:
            RefusedError: a row does not have the shape of `console.rows`; nothing was taken.
        """
        known = self._true_at
        topics = {t: value for t, value in snapshot.topics.items() if known.get(t, snapshot.seq + 1) <= snapshot.seq}
        node = from_wire(NodeRow, topics["node"]) if "node" in topics else None
        rooms = _parsed(RoomRow, topics.get("rooms"))
        agents = _parsed(AgentRow, topics.get("agents"))
        jobs = _parsed(JobRow, topics.get("jobs"))
        receipts = _parsed(ReceiptRow, topics.get("receipts"))
        peers = _parsed(PeerRow, topics.get("peers"))
        components = _parsed(ComponentRow, topics.get("components"))
        releases = _parsed(ReleaseRow, topics.get("releases"))
        machines = _parsed(MachineRow, topics.get("machines"))
        changes = Changes()
        if node is not None:
            self.node = node
            changes.node = True
        if rooms is not None:
            changes.rooms |= self._rooms.keys()
            self._rooms = {row.room: row for row in rooms}
            changes.rooms |= self._rooms.keys()
        if agents is not None:
            changes.agents |= self.agents.keys()
            self._agents.load(agents)
            changes.agents |= self.agents.keys()
        if jobs is not None:
            changes.jobs |= self.jobs.keys()
            self._jobs.load(jobs)
            changes.jobs |= self.jobs.keys()
        if receipts is not None:
            changes.receipts |= self._receipts.keys()
            self._receipts = {row.receipt: row for row in reversed(receipts)}
            changes.receipts |= self._receipts.keys()
        if peers is not None:
            changes.peers |= self._peers.keys()
            self._peers = {row.peer: row for row in peers}
            changes.peers |= self._peers.keys()
        if components is not None:
            changes.components |= self._components.keys()
            self._components = {row.component: row for row in components}
            changes.components |= self._components.keys()
        self._put_boot(releases, machines, changes)
        self._catch_up(frozenset(topics), snapshot.seq, changes)
        return changes

    def apply(self, records: Iterable[Record]) -> Changes:
        """Folds records.

        Args:
            records: in order, as a subscription hands them out; those that were folded before change nothing.
        """
        changes = Changes()
        every = frozenset(TOPICS)
        for record in records:
            if record.seq > self._folded:
                self._folded = record.seq
                self._recent.append(record)
                self._fold(record, every, changes)
        self.seq = max(self.seq, self._folded)
        return changes

    # --- loading ----------------------------------------------------------------------------------------------------

    def _put_boot(self, releases: list[ReleaseRow] | None, machines: list[MachineRow] | None, changes: Changes) -> None:
        if releases is not None:
            changes.releases |= self.boot.releases.keys()
            self.boot.load_releases(releases)
            changes.releases |= self.boot.releases.keys()
        if machines is not None:
            changes.machines |= self.boot.machines.keys()
            self.boot.load_machines(machines)
            changes.machines |= self.boot.machines.keys()

    def _catch_up(self, loaded: frozenset[str], seq: int, changes: Changes) -> None:
        self._true_at.update(dict.fromkeys(loaded, seq))
        newer = [record for record in self._recent if record.seq > seq]
        if len(newer) == _RECENT:
            changes.stale |= loaded  # older ones may have been forgotten
        for record in newer:
            self._fold(record, loaded, changes)
        self.seq = max(self.seq, seq)

    # --- folding ----------------------------------------------------------------------------------------------------

    def _fold(self, record: Record, topics: frozenset[str], changes: Changes) -> None:
        if isinstance(record.event, events.StreamGap):
            changes.stale |= topics
            return
        for topic in topics:
            if record.seq > self._true_at[topic]:
                self._folds[topic](record, changes)

    def _fold_node(self, record: Record, changes: Changes) -> None:
        event = record.event
        if isinstance(event, events.CoreConfig):
            changes.stale.add("node")
        elif isinstance(event, events.CoreLocked | events.CoreUnlocked) and self.node is not None:
            self.node = replace(self.node, locked=isinstance(event, events.CoreLocked))
            changes.node = True
            changes.stale |= {"rooms", "agents"}  # there are none to see while it is locked
        elif isinstance(event, events.NetListening) and self.node is not None:
            self.node = replace(self.node, listen=event.addrs)
            changes.node = True
        elif isinstance(event, events.StorageLow | events.StorageOk) and self.node is not None:
            low = isinstance(event, events.StorageLow)
            self.node = replace(
                self.node, storage_low=low, free_bytes=event.free_bytes, min_free_bytes=event.min_free_bytes
            )
            changes.node = True

    def _fold_rooms(self, record: Record, changes: Changes) -> None:
        event = record.event
        if isinstance(event, events.RoomCreated) and event.room not in self._rooms:
            self._rooms[event.room] = RoomRow(
                room=event.room, name=event.name, total=0, open=0, blocked=0, completed=0, members=0, agents=0
            )
            changes.rooms.add(event.room)
        elif (before := self._rooms.get(getattr(event, "room", ""))) is not None:
            after = self._rooms[before.room] = fold_room(before, event)
            if after != before:
                changes.rooms.add(before.room)
        if isinstance(event, _UNTOLD):
            changes.stale.add("rooms")

    def _fold_agents(self, record: Record, changes: Changes) -> None:
        event = record.event
        room = self._rooms.get(getattr(event, "room", ""))
        if isinstance(event, events.AgentUploaded | events.AgentRollback) and event.signed_by == _SHIPPED:
            new = (event.room, event.agent) not in self.agents
            changes.stale |= {"agents"} if new else set()  # it does not tell whether the agent is built in
        changes.agents |= self._agents.fold(record, room.name if room else "")

    def _fold_jobs(self, record: Record, changes: Changes) -> None:
        changes.jobs |= self._jobs.fold(record)

    def _fold_receipts(self, record: Record, changes: Changes) -> None:
        event = record.event
        if isinstance(event, events.ReceiptIssued):
            self._put_receipt(issued_row(event, record.ts_ms), changes)
        elif isinstance(event, events.ReceiptVerified) and event.receipt in self._receipts:
            self._put_receipt(fold_receipt(self._receipts[event.receipt], event), changes)

    def _fold_peers(self, record: Record, changes: Changes) -> None:
        event = record.event
        if not isinstance(event, _OF_PEERS) or not event.peer:
            return
        before = self._peers.get(event.peer)
        after = fold_peer(found_peer_row(event.peer, record.ts_ms) if before is None else before, event, record.ts_ms)
        if after != before:
            self._peers[event.peer] = after
            changes.peers.add(event.peer)
        if isinstance(event, events.PeerNamed) or (isinstance(event, events.PeerBanned) and not event.banned):
            changes.stale.add("peers")  # it tells no note, and not whether there was a lie before the ban

    def _fold_components(self, record: Record, changes: Changes) -> None:
        event = record.event
        if isinstance(event, component_events.ComponentInstalled):
            changes.stale.add("components")  # it tells no limits
        before = self._components.get(getattr(event, "component", ""))
        if before is None:
            return
        if isinstance(event, component_events.ComponentUninstalled):
            del self._components[before.component]
            changes.components.add(before.component)
            return
        after = self._components[before.component] = fold_component(before, event)
        if after != before:
            changes.components.add(before.component)

    def _fold_releases(self, record: Record, changes: Changes) -> None:
        changes.releases |= self.boot.fold_releases(record.event)

    def _fold_machines(self, record: Record, changes: Changes) -> None:
        changes.machines |= self.boot.fold_machines(record.event, record.ts_ms)

    def _put_receipt(self, row: ReceiptRow, changes: Changes) -> None:
        self._receipts[row.receipt] = row
        changes.receipts.add(row.receipt)
        if len(self._receipts) > LIMIT:
            gone = next(iter(self._receipts))
            del self._receipts[gone]
            changes.receipts.add(gone)


def _parsed(shape: type[_Row], value: Json) -> list[_Row] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise RefusedError(f"a snapshot's {shape.__name__} list is no list")
    return [from_wire(shape, item) for item in value]
