"""One author's sequence: what is taken, what waits, and where it contradicts itself."""

import pytest

from runtime.rooms.chain import FUTURE_MS, WAITING, Chain
from runtime.rooms.entries import SignedEntry, number_of, place
from tests.runtime.rooms.room_script import BOB, NOW, Pen, vouch


@pytest.fixture
def pen() -> Pen:
    return Pen(BOB)


def say(pen: Pen, text: str = "x", **options: object) -> SignedEntry:
    return pen.write("message", {"text": text}, at=NOW - 1_000_000, **options)  # type: ignore[arg-type]


def numbers(entries: list[SignedEntry]) -> list[int]:
    return [number_of(one.seq) for one in entries]


def take(chain: Chain, *entries: SignedEntry) -> list[int]:
    for entry in entries:
        chain.offer(entry, NOW)
    return numbers(chain.release(NOW))


def test_what_follows_is_taken_at_once_and_what_does_not_waits(pen: Pen) -> None:
    chain = Chain(BOB.card)
    entries = [say(pen) for _ in range(5)]
    assert take(chain, entries[2], entries[4], entries[1]) == []
    assert len(chain.waiting) == 3
    assert take(chain, entries[0]) == [1, 2, 3]
    assert chain.heads()[0].id == entries[2].id
    assert not chain.follows(entries[4], NOW)
    assert take(chain, entries[3]) == [4, 5]
    assert chain.follows(say(pen), NOW)
    assert (chain.offer(entries[0], NOW), chain.waiting) == ("known", {})


def test_blocks_are_sequences_of_their_own(pen: Pen) -> None:
    chain = Chain(BOB.card)
    first = say(pen)
    pen.block = 7
    second = say(pen)
    assert take(chain, second) == [1]
    assert take(chain, first) == [1]
    assert {block: head.number for block, head in chain.heads().items()} == {0: 1, 7: 1}
    assert (chain.last_seq, chain.last_ms) == (place(7, 1), second.ts_ms)


def test_the_future_waits_and_holds_up_what_follows_it(pen: Pen) -> None:
    chain = Chain(BOB.card)
    ahead = pen.write("message", {"text": "x"}, at=NOW + FUTURE_MS + 1)
    after = say(pen)
    assert take(chain, ahead, after) == []
    assert numbers(chain.release(NOW + 1)) == [1]
    assert numbers(chain.release(NOW + 2)) == [2]


def test_two_entries_in_one_place_end_the_sequence_there_whoever_comes_first(pen: Pen) -> None:
    chain = Chain(BOB.card)
    one, two, three = (say(pen) for _ in range(3))
    twin = say(pen, "twin", seq=two.seq, prev=two.prev, keep=False)
    assert take(chain, one, two, three) == [1, 2, 3]
    assert take(chain, twin) == []
    assert (chain.cut, {one.id for one in chain.evidence}) == (two.seq, {two.id, twin.id})
    assert numbers(list(chain.entries())) == [1]
    assert list(chain.waiting) == [twin.id], "it is kept, to be shown to others"
    assert chain.offer(say(pen), NOW) == "fork"


def test_an_entry_that_follows_another_shows_that_there_are_two(pen: Pen) -> None:
    chain = Chain(BOB.card)
    one, two = say(pen), say(pen)
    misfit = say(pen, seq=place(0, 3), prev="ee" * 16, keep=False)
    take(chain, one, misfit, two)
    assert chain.cut == two.seq


def test_an_entry_that_is_not_later_ends_the_sequence(pen: Pen) -> None:
    chain = Chain(BOB.card)
    one = say(pen)
    back = pen.write("message", {"text": "x"}, at=one.ts_ms, honest_time=False)
    take(chain, back, one)
    assert (chain.cut, numbers(list(chain.entries()))) == (back.seq, [1])


def test_so_many_wait_and_no_more_but_a_contradiction_is_always_seen(pen: Pen) -> None:
    chain = Chain(BOB.card)
    first, *others = [say(pen) for _ in range(WAITING + 3)]
    standings = [chain.offer(entry, NOW) for entry in others]
    assert standings == ["waits"] * WAITING + ["full"] * 2
    twin = say(pen, "twin", seq=others[3].seq, prev=others[3].prev, keep=False)
    chain.offer(twin, NOW)
    assert chain.cut == twin.seq
    assert len(chain.waiting) == 5
    assert take(chain, first) == [1, 2, 3, 4]


def test_a_snapshot_lets_it_go_on_without_what_is_covered_until_it_does_not_count(pen: Pen) -> None:
    chain = Chain(BOB.card)
    entries = [say(pen) for _ in range(6)]
    vouched = pen.write("member", vouch(BOB), at=NOW)
    assert take(chain, entries[4], entries[2]) == []
    assert not chain.anchor({0: 4})
    assert numbers(chain.release(NOW)) == [3, 5]
    assert take(chain, vouched, entries[5]) == [6, 7]
    assert [one.id for one in chain.structure(0, 7)] == [vouched.id]
    assert chain.run(0, 0, 4) == [entries[2]]
    assert chain.anchor({}), "they wait again"
    assert (chain.release(NOW), chain.heads(), chain.statements()) == ([], {}, [])
