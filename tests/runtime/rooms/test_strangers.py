"""What waits for its author."""

from runtime.rooms.strangers import OF_ONE, OF_ROOM, Strangers
from tests.runtime.people import Person
from tests.runtime.rooms.room_script import BOB, NOW, Pen


def test_they_wait_in_their_order_until_somebody_takes_them() -> None:
    waiting, pen = Strangers(), Pen(BOB)
    entries = [pen.write("message", {"text": "x"}, at=NOW) for _ in range(3)]
    assert all(waiting.add(one) for one in reversed(entries))
    assert waiting.add(entries[0]), "it is there already"
    assert waiting.take(BOB.identity_key) == entries
    assert waiting.take(BOB.identity_key) == list(waiting.entries()) == []


def test_so_many_of_one_and_so_many_in_all() -> None:
    waiting = Strangers()
    for number in range(OF_ROOM // OF_ONE + 1):
        pen = Pen(Person(f"p{number}"))
        kept = [waiting.add(pen.write("message", {"text": "x"}, at=NOW)) for _ in range(OF_ONE + 1)]
        assert sum(kept) == (OF_ONE if number < OF_ROOM // OF_ONE else 0)
    assert len(list(waiting.entries())) == OF_ROOM
    assert waiting.add(Pen(BOB).write("message", {"text": "x"}, at=NOW), unbounded=True)
