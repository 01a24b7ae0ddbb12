"""A room as a file: comes back whole, or is refused with the reason; nothing in it is believed unsigned."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.account import MemberAccount
from runtime.canonical import Json, encode
from runtime.clock import ManualClock
from runtime.errors import OrlopError, RefusedError, UsageError
from runtime.identity import Identity
from runtime.rooms import room_file as module
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.room import Rooms
from runtime.rooms.room_file import RoomFile, read_room_file, verified, write_room_file
from runtime.sealed_stream import ROOM, Cost, PassphraseError, SealedWriter, StreamDamagedError
from runtime.store import Store
from runtime.vault import Vault

SECRET = b"correct horse"
QUICK = Cost(passes=1, kib=8)


class House:
    """A node with rooms."""

    def __init__(self, folder: Path, account: MemberAccount | None = None) -> None:
        self.clock = ManualClock()
        self.store = Store.open(folder / f"{id(self)}.db", self.clock, owner=True)
        vault = Vault(b"v" * 32)
        self.account = account or MemberAccount.load_or_create(self.store, vault)
        self.rooms = Rooms(self.store, vault, self.account, Identity(b"n" * 32), display_name="Ann")

    def room(self, *, messages: int = 3) -> str:
        room = self.rooms.create("harbor").result().room
        self.rooms.submit(room, [TaskDraft("task_created", "t-1", {"title": "Publish"})]).result()
        for number in range(messages):
            self.rooms.say(room, f"message {number}").result()
        return room

    def file(self, room: str) -> RoomFile:
        return self.rooms.written_down(room, self.clock.now_ms)

    def export(self, file: RoomFile, signer: MemberAccount | None = None) -> bytes:
        out = bytearray()
        write_room_file(file, signer or self.account, SECRET, out.extend, QUICK)
        return bytes(out)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = House(tmp_path_factory.mktemp("house"))
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = House(tmp_path_factory.mktemp("stranger"))
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def file(house: House) -> RoomFile:
    return house.file(house.room())


@pytest.fixture(scope="module")
def stream(house: House, file: RoomFile) -> bytes:
    return house.export(file)


def read(data: bytes, secret: bytes = SECRET) -> RoomFile:
    return read_room_file(io.BytesIO(data).read, secret)


def sealed(*pieces: bytes) -> bytes:
    out = bytearray()
    writer = SealedWriter(out.extend, SECRET, QUICK, purpose=ROOM)
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    return bytes(out)


def framed(value: Json) -> bytes:
    piece = encode(value)
    return len(piece).to_bytes(4) + piece


def test_what_was_written_is_read_and_every_entry_of_it_verifies(house: House, file: RoomFile, stream: bytes) -> None:
    found = read(stream)
    assert found == file
    replica = verified(found, house.clock.now_ms)
    assert replica.state() == house.rooms.log_state(file.room)


def test_nothing_of_it_can_be_read_without_the_passphrase(stream: bytes) -> None:
    for word in (b"harbor", b"Publish", b"message 1", b"Ann"):
        assert word not in stream
    with pytest.raises(PassphraseError):
        read(stream, b"wrong horse")


@settings(max_examples=30)
@given(data=st.data())
def test_a_changed_byte_and_a_cut_are_found(stream: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(stream) - 1))
    changed = bytearray(stream)
    changed[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(changed), stream[:place]):
        with pytest.raises(OrlopError):
            read(damaged)


def test_a_backup_is_no_room(tmp_path: Path) -> None:
    out = bytearray()
    SealedWriter(out.extend, SECRET, QUICK).finish()
    with pytest.raises(StreamDamagedError, match="is no room of orlop, but a backup"):
        read(bytes(out))
    with pytest.raises(StreamDamagedError, match="is no room of orlop"):
        read(b"PK\x03\x04" + bytes(100))


def test_a_later_version_is_named(house: House, file: RoomFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "VERSION", 2)
        later = house.export(file)
    with pytest.raises(UsageError, match=r"later version of orlop \(form 2, this one knows 1\)"):
        read(later)


def forged(file: RoomFile, signer: MemberAccount, change: Callable[[dict[str, Json]], None], *more: bytes) -> bytes:
    """What somebody makes who knows the passphrase, with a head signed by an account of his own."""
    pieces = [framed(entry.to_json()) for entry in file.entries]
    head: dict[str, Json] = {
        "v": 1,
        "room": file.room,
        "name": file.name,
        "owner": file.owner,
        "created_ms": file.created_ms,
        "exported_ms": file.exported_ms,
        "entries": len(pieces),
        "sha256": module.hashlib.sha256(b"".join(pieces)).hexdigest(),
        "card": file.card.to_json(),
    }
    change(head)
    head["sig"] = signer.sign(b"orlop-room-file:v1:", encode(head)).hex()
    return sealed(framed(head), *pieces, *more)


def put(name: str, value: Json) -> Callable[[dict[str, Json]], None]:
    def change(head: dict[str, Json]) -> None:
        head[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (put("room", "0" * 31), "its head is damaged"),
        (put("room", "0" * 32), "entry 1 is none"),
        (put("entries", 0), "no room has so many"),
        (put("entries", 2), "not those that were signed"),
        (put("entries", 99), "is missing or damaged"),
        (put("entries", True), "its head is damaged"),
        (put("sha256", "0" * 64), "not those that were signed"),
        (put("more", 1), "its head is damaged"),
        (put("card", {}), "card|member"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    house: House, file: RoomFile, change: Callable[[dict[str, Json]], None], why: str
) -> None:
    with pytest.raises(RefusedError, match=why):
        read(forged(file, house.account, change))


def test_what_lies_behind_the_end_is_refused(house: House, file: RoomFile) -> None:
    with pytest.raises(RefusedError, match="something behind its end"):
        read(forged(file, house.account, lambda _: None, b"x"))


def test_a_head_under_another_signature_is_refused(stranger: House, file: RoomFile) -> None:
    with pytest.raises(RefusedError, match="signature of who wrote it does not fit"):
        read(forged(file, stranger.account, lambda _: None))


def test_who_never_was_a_member_writes_no_file_that_is_believed(stranger: House, file: RoomFile) -> None:
    theirs = replace(file, card=stranger.rooms.card())
    with pytest.raises(RefusedError, match="who wrote it is not a member of the room"):
        verified(read(stranger.export(theirs)), stranger.clock.now_ms)


def test_an_entry_with_a_false_signature_is_refused(house: House, file: RoomFile) -> None:
    false = replace(file.entries[2], signature=bytes(64))
    entries = (*file.entries[:2], false, *file.entries[3:])
    with pytest.raises(RefusedError, match="signature is not its author's"):
        verified(read(house.export(replace(file, entries=entries))), house.clock.now_ms)


def test_an_entry_that_is_missing_is_missed(house: House, file: RoomFile) -> None:
    entries = (*file.entries[:2], *file.entries[3:])
    with pytest.raises(RefusedError, match="of its entries wait for others"):
        verified(read(house.export(replace(file, entries=entries))), house.clock.now_ms)


def test_entries_from_the_future_are_refused(house: House, file: RoomFile) -> None:
    with pytest.raises(RefusedError, match="or for their time; set the clock right"):
        verified(file, house.clock.now_ms - 3_600_000)


def test_another_room_under_this_ones_creator_is_refused(house: House, file: RoomFile) -> None:
    other = house.file(house.room())
    mixed = replace(file, entries=other.entries)
    with pytest.raises(RefusedError, match="entry 1 is none"):
        read(house.export(mixed))


def test_what_is_taken_over_is_the_same_room_and_goes_on_in_a_new_block(tmp_path: Path) -> None:
    first = House(tmp_path)
    second = House(tmp_path, first.account)
    room = first.room()
    file = first.file(room)
    first.rooms.say(room, "said after it was exported").result()
    info = second.rooms.take_over(file, "old-harbor").result()
    assert (info.room, info.name) == (room, "old-harbor")
    assert second.rooms.log_state(room)["tasks"] == first.rooms.log_state(room)["tasks"]
    second.rooms.say(room, "said on the other side").result()
    merged = first.rooms.offer(room, second.rooms.entries(room)).result()
    assert not merged.refused
    said = [message.text for message in first.rooms.state(room).messages]
    assert {"said after it was exported", "said on the other side"} <= set(said), "no number was written twice"
    assert not first.rooms.roster(room).forked
    first.store.close()
    second.store.close()
