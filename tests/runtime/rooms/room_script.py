"""Rooms for tests of convergence: what members, honest or not, sign in the course of a script; and the plainest way to
the state that a set of entries comes to.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from runtime.canonical import Json, encode
from runtime.identity import verify
from runtime.rooms.autodelete import Keep
from runtime.rooms.cards import key_bytes, make_card
from runtime.rooms.chain import FUTURE_MS
from runtime.rooms.entries import NO_ENTRY, SignedEntry, block_of, number_of, place, sign_entry
from runtime.rooms.facts import Burning, Change, Keeping, Opening, fact_of, message_of, task_event_of
from runtime.rooms.members import agent_actor
from runtime.rooms.replica import Replica
from runtime.rooms.roster import Roster, Statement, opening_of, resolve, signer_of
from runtime.rooms.settings import RoomSettings, changed
from runtime.rooms.snapshots import Snapshot, newest_snapshot, snapshot_contents
from runtime.rooms.tasks import CREATIONS, Folding, TaskEvent, task_to_json
from tests.runtime.people import Person

ROOM = "ab" * 16
NOW = 1_750_000_000_000
"""The time of those who judge; scripts happen in the hour before."""

ANN, BOB, CAT, MAL = (Person(name) for name in ("ann", "bob", "cat", "mal"))
PEOPLE = (ANN, BOB, CAT, MAL)


def opening(person: Person = ANN, **fields: Json) -> dict[str, Json]:
    plain: dict[str, Json] = {
        "name": "harbor",
        "history": "joined",
        "ephemeral": False,
        "admission": "invite",
        "invite": "ab" * 16,
        "card": person.card.to_json(),
    }
    return plain | fields


def vouch(person: Person, after: int = 0) -> dict[str, Json]:
    return {"card": person.card.to_json(), "after": after}


def task(kind: str, task_id: str, **payload: Json) -> dict[str, Json]:
    return {"type": kind, "taskId": task_id, "task": payload}


@dataclass
class Pen:
    """One account that signs; it may be told to lie."""

    person: Person
    written: list[SignedEntry] = field(default_factory=list)
    block: int = 0

    @property
    def last(self) -> SignedEntry | None:
        return self.written[-1] if self.written else None

    def write(
        self,
        kind: str,
        content: Mapping[str, Json],
        *,
        at: int,
        actor: str = "",
        seq: int | None = None,
        prev: str | None = None,
        keep: bool = True,
        honest_time: bool = True,
    ) -> SignedEntry:
        last = self.last
        follows = last is not None and block_of(last.seq) == self.block
        entry = sign_entry(
            self.person,
            room=ROOM,
            seq=seq or (last.seq + 1 if last and follows else place(self.block, 1)),
            prev=prev or (last.id if last and follows else NO_ENTRY),
            ts_ms=max(at, last.ts_ms + 1) if last and honest_time else at,
            actor=actor or self.person.identity_key,
            kind=kind,
            content=content,
        )
        if keep:
            self.written.append(entry)
        return entry


class Script:
    """A room in the making: every step signs something; `entries` is all that was ever signed."""

    def __init__(self) -> None:
        self.pens = {person.name: Pen(person) for person in PEOPLE}
        self.at = NOW - 3_600_000
        self.entries: list[SignedEntry] = []
        self.add(self.pens["ann"].write("room", opening(), at=self.at))

    @property
    def owner(self) -> str:
        return ANN.card.fingerprint

    def add(self, *entries: SignedEntry) -> None:
        self.entries.extend(entries)

    def replica(self, entries: Iterable[SignedEntry] = ()) -> Replica:
        made = Replica(ROOM, self.owner)
        made.offer(entries, NOW)
        return made

    def step(self, what: str, who: int, x: int, y: int) -> None:
        self.at += 997
        pen = self.pens[PEOPLE[who].name]
        getattr(self, f"do_{what}")(pen, x, y)

    # --- what honest members do -------------------------------------------------------------------------------------

    def do_create(self, pen: Pen, x: int, y: int) -> None:
        waits: list[Json] = [f"t{y}"] if y % 2 else []
        self.add(pen.write("task", task("task_created", f"t{x}", title=f"{x} of {y}", blockedBy=waits), at=self.at + y))

    def do_change(self, pen: Pen, x: int, y: int) -> None:
        content = [
            task("task_updated", f"t{x}", title=f"anew {y}"),
            task("task_assigned", f"t{x}", assignee=PEOPLE[y % 4].identity_key),
            task("task_dependencies_changed", f"t{x}", blockedBy=[f"t{y}", f"t{x}", "nowhere"]),
            task("task_status_changed", f"t{x}", status="completed"),
            task("task_urgency_changed", f"t{x}", urgent=True),
        ][y % 5]
        self.add(pen.write("task", content, at=self.at - 500 * y))

    def do_agent(self, pen: Pen, x: int, y: int) -> None:
        actor = agent_actor(ROOM, "digest", pen.person.identity_key)
        made = task("task_created", f"d{x}", title="by an agent")
        anew = task("task_status_changed", f"d{x}", title=f"anew {y}")
        self.add(pen.write("task", made if y % 2 else anew, at=self.at, actor=actor))

    def do_say(self, pen: Pen, x: int, y: int) -> None:
        self.add(pen.write("message", {"text": f"{x} {y}"}, at=self.at + y))

    def do_keep(self, pen: Pen, x: int, _: int) -> None:
        self.add(pen.write("keep", {"until_ms": None if x == 0 else NOW + x}, at=self.at))

    def do_vouch(self, pen: Pen, x: int, y: int) -> None:
        other = self.pens[PEOPLE[x % 4].name]
        after = other.last.seq if other.last is not None and y % 2 else 0
        self.add(pen.write("member", vouch(other.person, after), at=self.at))

    def do_remove(self, pen: Pen, x: int, y: int) -> None:
        other = self.pens[PEOPLE[x % 4].name]
        upto = other.written[y % len(other.written)].seq if other.written else 0
        self.add(pen.write("remove", {"key": other.person.identity_key, "upto": upto}, at=self.at))

    def do_leave(self, pen: Pen, x: int, _: int) -> None:
        if pen.person != ANN or x == 0:
            self.add(pen.write("leave", {}, at=self.at))

    def do_set(self, pen: Pen, x: int, y: int) -> None:
        changes: dict[str, Json] = {"auto_delete": bool(x % 2)} if y % 2 else {"history": "all"}
        self.add(pen.write("settings", changes, at=self.at))

    def do_restore(self, pen: Pen, x: int, _: int) -> None:
        pen.block += x

    def do_snapshot(self, pen: Pen, x: int, y: int) -> None:
        seen = self.replica(self.entries[: len(self.entries) - (y if pen.person == ANN else 0)])
        heads = {
            (author, block): head.number
            for author, chain in seen.chains.items()
            for block, head in chain.heads(seen.end_of(author)).items()
        }
        last = pen.last
        if last is not None and block_of(last.seq) == pen.block:
            heads[pen.person.identity_key, pen.block] = number_of(last.seq)
        else:
            heads.pop((pen.person.identity_key, pen.block), None)
        state = seen.fold.folding.state()
        for content in snapshot_contents(x + 1, min(seen.fold.last_ms, self.at), heads, state):
            self.add(pen.write("snapshot", content, at=self.at))

    # --- what others do ---------------------------------------------------------------------------------------------

    def do_fork(self, pen: Pen, x: int, y: int) -> None:
        """Another entry in a place that is taken."""
        if pen.written:
            other = pen.written[x % len(pen.written)]
            self.add(
                pen.write(
                    "message" if y % 2 else "member",
                    {"text": f"fork {y}"} if y % 2 else vouch(PEOPLE[y % 4]),
                    at=other.ts_ms + y,
                    seq=other.seq,
                    prev=other.prev,
                    keep=False,
                    honest_time=False,
                )
            )

    def do_misfit(self, pen: Pen, x: int, y: int) -> None:
        """An entry that follows one which nobody has seen, or is not later than the one before it."""
        if pen.written:
            other = pen.written[x % len(pen.written)]
            self.add(
                pen.write(
                    "message",
                    {"text": f"misfit {y}"},
                    at=other.ts_ms - y,
                    seq=other.seq + 1,
                    prev=other.id if y % 2 else "ee" * 16,
                    keep=False,
                    honest_time=False,
                )
            )

    def do_ahead(self, pen: Pen, x: int, _: int) -> None:
        self.add(pen.write("message", {"text": "from the future"}, at=NOW + FUTURE_MS + x - 1))

    def do_backdate(self, pen: Pen, x: int, y: int) -> None:
        """As old as its own sequence allows: in a block of its own, before everything."""
        content = task("task_created" if y % 2 else "task_updated", f"t{x}", title="stolen")
        self.add(
            pen.write("task", content, at=x + 1, seq=place(90 + y, 1), prev=NO_ENTRY, keep=False, honest_time=False)
        )

    def do_rubbish(self, pen: Pen, x: int, y: int) -> None:
        content: Mapping[str, Json] = [
            task("task_created", f"t{x}", createdBy="mallory", title="x"),
            task("task_updated", f"t{x}", title="x" * 1_001),
            task("task_exploded", f"t{x}", title="x"),
            {"type": "task_created", "taskId": ["t1"], "task": {}},
            {"text": 7},
            {"card": {}, "after": "0"},
        ][y % 6]
        kinds = ["task", "task", "task", "task", "message", "member"]
        self.add(pen.write(kinds[y % 6] if x else "kind_of_tomorrow", content, at=self.at))

    def do_impostor(self, pen: Pen, x: int, y: int) -> None:
        """A card that has another's name for itself under keys of its own, and an entry that is signed with these."""
        other = PEOPLE[x % 4]
        false = _False(other, pen.person)
        self.add(
            pen.write("member", {"card": make_card(false, pen.person.node, "false").to_json(), "after": 0}, at=self.at)
        )
        self.add(
            sign_entry(
                false,
                room=ROOM,
                seq=place(0, 1 + y),
                prev=NO_ENTRY if y == 0 else "dd" * 16,
                ts_ms=self.at + 1,
                actor=other.identity_key,
                kind="message",
                content={"text": "it is me"},
            )
        )

    def do_circle(self, pen: Pen, x: int, y: int) -> None:
        for one, other in ((x, y), (y, x)):
            content = task("task_dependencies_changed", f"t{one}", blockedBy=[f"t{other}"])
            self.add(pen.write("task", content, at=self.at))


STEPS = sorted(name.removeprefix("do_") for name in vars(Script) if name.startswith("do_"))
HONEST = ["create", "change", "agent", "say", "keep", "vouch", "set", "snapshot", "create", "change", "circle"]


def played(steps: Sequence[tuple[str, int, int, int]]) -> Script:
    """Two members from the beginning, so that most of what follows counts."""
    script = Script()
    for who in (1, 3):
        script.step("vouch", 0, who, 0)
    for step in steps:
        script.step(*step)
    return script


def batches(entries: Sequence[SignedEntry], chance: Random) -> list[list[SignedEntry]]:
    """In any order, some of them several times, in pieces of any size."""
    again = [one for one in entries if chance.random() < 0.3]
    mixed = [*entries, *again]
    if chance.random() < 0.8:
        chance.shuffle(mixed)
    cuts = sorted(chance.randrange(len(mixed) + 1) for _ in range(chance.randrange(8)))
    return [mixed[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


@dataclass(frozen=True)
class _False:
    """Somebody under the name of another."""

    name_of: Person
    keys_of: Person

    @property
    def identity_key(self) -> str:
        return self.name_of.identity_key

    @property
    def ed25519_key(self) -> str:
        return self.keys_of.ed25519_key

    def sign(self, domain: bytes, message: bytes) -> bytes:
        return self.keys_of.sign(domain, message)


# --- the plainest way ------------------------------------------------------------------------------------------------


def plain_state(entries: Iterable[SignedEntry], owner: str, now_ms: int) -> bytes:
    """The state of a set of entries: everything sorted and folded from nothing, nothing remembered, nothing quick."""
    return encode(_Plain({entry.id: entry for entry in entries}, owner, now_ms).state())


class _Plain:
    def __init__(self, entries: Mapping[str, SignedEntry], owner: str, now_ms: int) -> None:
        self.entries = sorted(entries.values(), key=lambda one: (one.author, one.seq, one.id))
        self.owner = owner
        self.now_ms = now_ms
        self.keys: dict[str, str] = {}
        self.cuts: dict[str, int] = {}
        self.taken: dict[str, dict[int, SignedEntry]] = {}
        self.roster: Roster = Roster()
        self.snapshot: Snapshot | None = None
        self.opening: Statement | None = None

    def state(self) -> dict[str, Json]:
        opening = self._opening()
        while opening is not None:
            before = (dict(self.keys), self.snapshot)
            self._settle()
            if before == (self.keys, self.snapshot):
                break
        return self._document()

    def _opening(self) -> Statement | None:
        """Whoever signed the room's first entry is known by its fingerprint."""
        for entry in self.entries:
            fact = fact_of(entry)
            if entry.kind == "room" and entry.seq == 1 and isinstance(fact, Opening):
                card = fact.card
                if (
                    card.fingerprint == self.owner
                    and card.identity_key == entry.author
                    and entry.fits(card.ed25519_key)
                ):
                    self.keys[entry.author] = card.ed25519_key
                    return Statement(entry.author, 1, entry.ts_ms, entry.id, fact)
        return None

    def _settle(self) -> None:
        said = {}
        self.taken, self.cuts = {}, {}
        for author, key in self.keys.items():
            mine = [one for one in self.entries if one.author == author and _fits(one, key)]
            self._chain(author, mine)
        for author, taken in self.taken.items():
            facts = [(one, fact_of(one)) for _, one in sorted(taken.items())]
            said[f"{author} {self.keys[author]}"] = [
                Statement(one.author, one.seq, one.ts_ms, one.id, fact) for one, fact in facts if fact is not None
            ]
        self.opening = next((one for one in (opening_of(self.owner, part) for part in said.values()) if one), None)
        if self.opening is None:
            self.roster, self.snapshot = Roster(), None
            return
        self.roster = resolve(self.opening, said)
        self.said = said
        self.keys = {key: one.card.ed25519_key for key, one in self.roster.everybody.items()}
        assert all(signer_of(one.card) for one in self.roster.everybody.values())
        self._cover()

    def _chain(self, author: str, mine: Sequence[SignedEntry]) -> None:
        cuts = []
        for one in mine:
            for other in mine:
                if one.seq == other.seq and one.id != other.id:
                    cuts.append(one.seq)
                if block_of(one.seq) == block_of(other.seq) and one.seq + 1 == other.seq:
                    if other.prev != one.id:
                        cuts.append(one.seq)
                    elif other.ts_ms <= one.ts_ms:
                        cuts.append(other.seq)
        if cuts:
            self.cuts[author] = min(cuts)
        good = [one for one in mine if one.seq < self.cuts.get(author, 2**63)]
        tops = {} if self.snapshot is None else dict(self.snapshot.heads_of(author))
        taken = self.taken[author] = {}
        for one in good:
            block, number = block_of(one.seq), number_of(one.seq)
            if number <= tops.get(block, 0) + 1 and one.ts_ms <= self.now_ms + FUTURE_MS:
                taken[one.seq] = one
                tops[block] = max(tops.get(block, 0), number)

    def _cover(self) -> None:
        creator = self.roster.creator
        parts = {
            one.seq: one
            for one in self.entries
            if one.author == creator
            and one.kind == "snapshot"
            and _fits(one, self.keys[creator])
            and one.seq < self.cuts.get(creator, 2**63)
        }
        self.snapshot = newest_snapshot(creator, parts, self.now_ms + FUTURE_MS, {})

    def _counting(self) -> list[SignedEntry]:
        found = [one for taken in self.taken.values() for one in taken.values()]
        return sorted(
            (one for one in found if self.roster.counts(one.author, one.seq)),
            key=lambda one: (one.ts_ms, one.id),
        )

    def _document(self) -> dict[str, Json]:
        counting = [] if self.opening is None else self._counting()
        base = self.snapshot
        open_ones = [one for one in counting if base is None or not base.covers(one.author, one.seq)]
        folding = self._fold(open_ones)
        messages: list[Json] = [
            [one.ts_ms, one.author, one.id, one.text]
            for one in sorted(filter(None, (message_of(entry) for entry in open_ones if entry.kind == "message")))
        ]
        forked = [key for key, one in self.roster.everybody.items() if key in self.cuts and self.cuts[key] <= one.end]
        return {
            "v": 1,
            "room": ROOM,
            "settings": self._settings(counting).to_json(),
            "members": [
                {
                    "identityKey": key,
                    "ed25519Key": one.card.ed25519_key,
                    "peerId": one.card.peer_id,
                    "name": one.card.name,
                    "since_ms": one.since_ms,
                    "vouched_by": one.vouched_by,
                    "ranges": [[part.after, part.end if part.end < 2**62 else None] for part in one.ranges],
                }
                for key, one in self.roster.everybody.items()
            ],
            "contested": sorted(self.roster.contested),
            "forked": sorted(forked),
            "snapshot": None if base is None else base.id,
            "tasks": [task_to_json(one) for one in folding.tasks.values()],
            "last": dict(folding.state().last_actors),
            "messages": messages,
        }

    def _fold(self, entries: Sequence[SignedEntry]) -> Folding:
        horizon = -1 if self.snapshot is None else self.snapshot.horizon
        folding = Folding() if self.snapshot is None else Folding(self.snapshot.state)
        latest: dict[str, int] = {}
        events: list[tuple[int, str, str, TaskEvent]] = []
        for entry in entries:
            event = task_event_of(entry) if entry.kind == "task" else None
            if event is not None:
                at = latest[entry.author] = max(event.timestamp, latest.get(entry.author, horizon) + 1)
                events.append((at, event.actor_id, entry.id, event))
        for at, actor, _, event in sorted(events, key=lambda one: one[:3]):
            there = folding.tasks.get(event.task_id)
            if (event.type in CREATIONS) == (there is not None):
                continue
            words = {"title", "description"} & set(event.task or {})
            made_by = "" if there is None else there.created_by.rpartition("@")[0]
            agent = actor.rpartition("@")[0]
            if agent and event.type == "task_status_changed" and words and made_by != agent:
                continue
            folding.apply(
                TaskEvent(type=event.type, task_id=event.task_id, task=event.task, timestamp=at, actor_id=actor)
            )
        return folding

    def _settings(self, counting: Sequence[SignedEntry]) -> RoomSettings:
        if self.opening is None or not isinstance(self.opening.fact, Opening):
            return RoomSettings()
        settings: Any = self.opening.fact.settings
        keeps = []
        for one in sorted(counting, key=lambda one: one.seq):
            fact = fact_of(one)
            if isinstance(fact, Keeping):
                keeps.append((one.ts_ms, one.author, one.id, fact.until_ms))
            elif one.author == self.roster.creator and isinstance(fact, Change):
                settings = changed(settings, fact.changes)
            elif one.author == self.roster.creator and isinstance(fact, Burning):
                settings = changed(settings, {"burned": True})
        if keeps:
            at, _, _, until = max(keeps, key=lambda one: one[:3])
            settings = changed(settings, {"keep": Keep(at, until)})  # type: ignore[dict-item]
        return settings  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=4096)
def _fits_as(message: bytes, signature: bytes, key: str) -> bool:
    return verify(key_bytes(key), b"orlop-room:v1:", message, signature)


def _fits(entry: SignedEntry, key: str) -> bool:
    return _fits_as(entry.message(), entry.signature, key)
