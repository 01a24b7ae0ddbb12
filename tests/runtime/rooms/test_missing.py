"""What somebody lacks by its summary: no less, no more, in an order in which it can be taken."""

from runtime.rooms.entries import SignedEntry
from runtime.rooms.missing import missing, summary
from runtime.rooms.replica import Replica
from runtime.rooms.summary import parse_summary, summary_to_json
from tests.runtime.rooms.room_script import ANN, BOB, CAT, NOW, ROOM, Script, played

CREATED = [("create", 1, number, 0) for number in range(3)]


def whole(script: Script) -> Replica:
    return script.replica(script.entries)


def ids(entries: list[SignedEntry]) -> list[str]:
    return [one.id for one in entries]


def test_who_has_nothing_lacks_everything_the_opening_first() -> None:
    script = played([*CREATED, ("say", 3, 1, 1)])
    lacking = missing(whole(script), {})
    assert lacking[0].kind == "room"
    assert sorted(ids(lacking)) == sorted(ids(script.entries))
    new = Replica(ROOM, script.owner)
    assert len(new.offer(lacking, NOW).taken) == len(lacking)


def test_who_has_everything_lacks_nothing() -> None:
    script = played(CREATED)
    assert missing(whole(script), summary(whole(script))) == []


def test_a_summary_travels_and_means_the_same() -> None:
    script = played([*CREATED, ("fork", 1, 1, 1)])
    said = summary(whole(script))
    assert parse_summary(summary_to_json(said)) == said


def test_of_each_author_what_comes_behind_the_head_is_given() -> None:
    script = played(CREATED)
    behind = script.replica(script.entries[:-2])
    assert ids(missing(whole(script), summary(behind))) == ids(script.entries[-2:])


def test_what_only_the_other_has_is_no_reason_to_give_anything() -> None:
    script = played(CREATED)
    behind = script.replica(script.entries[:-2])
    assert missing(behind, summary(whole(script))) == []


def test_where_an_author_contradicts_itself_the_evidence_is_given_to_who_has_not_seen_it() -> None:
    script = played(CREATED)
    honest = whole(script)
    other = script.pens["bob"].write(
        "message", {"text": "other"}, at=script.at, seq=2, prev=script.pens["bob"].written[0].id, keep=False
    )
    script.add(other)
    warned = whole(script)
    assert warned.roster.forked == {BOB.identity_key}
    given = missing(warned, summary(honest))
    assert {other.id} <= set(ids(given))
    honest.offer(given, NOW)
    assert honest.state() == warned.state()
    assert missing(warned, summary(honest)) == []


def snapshot_room(history: str) -> tuple[Script, Replica]:
    """A room in which Bob has done something, of which a snapshot was made before Cat came."""
    script = played([*CREATED, ("say", 1, 1, 1)])
    if history == "all":
        script.step("set", 0, 0, 0)
    script.step("snapshot", 0, 1, 0)
    script.step("vouch", 0, 2, 0)
    script.step("change", 1, 1, 0)
    replica = whole(script)
    assert replica.snapshot is not None
    return script, replica


def test_under_joined_a_newcomer_is_not_given_what_a_snapshot_stands_for() -> None:
    script, replica = snapshot_room("joined")
    given = missing(replica, {}, to=CAT.identity_key)
    assert [one.kind for one in given].count("message") == 0
    assert [one.kind for one in given].count("task") == 1
    assert given[0].kind == "room"
    new = Replica(ROOM, script.owner)
    new.offer(given, NOW)
    assert new.state() == replica.state()


def test_under_all_a_newcomer_is_given_everything() -> None:
    script, replica = snapshot_room("all")
    assert sorted(ids(missing(replica, {}, to=CAT.identity_key))) == sorted(ids(script.entries))


def test_the_creator_and_a_store_are_given_everything_under_joined_too() -> None:
    script, replica = snapshot_room("joined")
    for to in (ANN.identity_key, None):
        assert sorted(ids(missing(replica, {}, to=to))) == sorted(ids(script.entries))


def test_who_was_there_before_the_snapshot_is_given_what_it_missed_since_it_came() -> None:
    _, replica = snapshot_room("joined")
    given = missing(replica, {}, to=BOB.identity_key)
    assert [one.kind for one in given].count("task") == 4
    assert [one.kind for one in given].count("message") == 1


def test_structural_entries_that_lie_between_are_given_where_only_a_snapshot_was() -> None:
    """A joiner's head may be that of the whole sequence, though it was not given all: the digest tells."""
    _, replica = snapshot_room("joined")
    said = summary(replica)
    author = said[ANN.identity_key]
    (block, extent), *_ = author.blocks.items()
    lying = {ANN.identity_key: type(author)({block: type(extent)(extent.number, extent.id, "")}, author.fork)}
    given = missing(replica, said | lying)
    assert {one.kind for one in given} == {"room", "member"}
    assert {one.author for one in given} == {ANN.identity_key}
