"""The book of peers: what an operator allows, what is seen, and that being known allows nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.book.entry import Known
from net.book.reading import believed, find, known, listed
from net.book.rows import PEERS_MOST
from net.book.saying import ban, name, note, trust, trust_submitter, unban
from net.book.seeing import ADDRESSES_MOST, found, identified, lied, measured, proven, ran
from net.errors import AddressError
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.clock import ManualClock
from runtime.errors import AmbiguousError, NotFoundError, UsageError
from runtime.events import PeerBanned, PeerFound, PeerLied, PeerNamed, PeerRan, PeerTrusted, Record
from runtime.identity import Identity
from runtime.jobs import submitters
from runtime.schema import MIGRATIONS
from runtime.store import Store, Transaction

T = TypeVar("T")


def peer(number: int) -> PeerId:
    return PeerId(bytes.fromhex(Identity(number.to_bytes(32, "big")).public_hex))


def at(port: int) -> Multiaddr:
    return Multiaddr.at("192.0.2.1", port, "tcp")


ADA, JO = peer(1), peer(2)
ROW = "INSERT INTO peers VALUES (?, '', '', NULL, NULL, '', NULL, '', 1, NULL, 0, 0, NULL, '')"


class Book:
    """A store with the book in it, and the events that were told."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.store = Store.open(path, self.clock, owner=True)
        self.records: list[Record] = []
        self.store.publish_to(lambda batch: self.records.extend(record for record, _ in batch))

    def do(self, work: Callable[[Transaction], T]) -> T:
        return self.store.write(work).result()

    def of(self, who: PeerId) -> Known:
        entry = self.store.read_now(lambda db: known(db, who))
        assert entry is not None
        return entry

    def told(self) -> list[Any]:
        self.store.write(lambda _: None).result()
        return [record.event for record in self.records]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    found = Book(tmp_path / "orlop.db")
    yield found
    found.store.close()


def test_to_be_found_or_proven_allows_nothing(book: Book) -> None:
    book.do(lambda tx: found(tx, ADA, [at(1)], "dht"))
    book.do(lambda tx: proven(tx, ADA, at(1)))
    entry = book.of(ADA)
    assert not entry.worker
    assert not entry.submitter
    assert not book.store.read_now(lambda db: believed(db, ADA.key.hex()))
    assert book.store.read_now(lambda db: known(db, JO)) is None


def test_neither_trust_implies_the_other(book: Book) -> None:
    assert book.do(lambda tx: trust(tx, ADA)).worker
    assert not book.of(ADA).submitter
    assert book.do(lambda tx: trust_submitter(tx, JO)).submitter
    assert not book.of(JO).worker
    assert book.store.read_now(lambda db: submitters.allowed(db, JO.key.hex()))
    assert book.store.read_now(lambda db: believed(db, ADA.key.hex()))
    assert not book.store.read_now(lambda db: believed(db, JO.key.hex()))
    assert book.told() == [
        PeerTrusted(peer=str(ADA), worker=True, submitter=False),
        PeerTrusted(peer=str(JO), worker=False, submitter=True),
    ]


def test_trust_is_taken_back_one_by_one(book: Book) -> None:
    book.do(lambda tx: trust(tx, ADA))
    book.do(lambda tx: trust_submitter(tx, ADA))
    assert not book.do(lambda tx: trust(tx, ADA, on=False)).worker
    assert book.of(ADA).submitter
    assert not book.do(lambda tx: trust_submitter(tx, ADA, on=False)).submitter
    book.do(lambda tx: trust_submitter(tx, ADA, on=False))  # twice is nothing


def test_a_ban_takes_every_trust_at_once_and_none_is_given_under_it(book: Book) -> None:
    book.do(lambda tx: trust(tx, ADA))
    book.do(lambda tx: trust_submitter(tx, ADA))
    entry = book.do(lambda tx: ban(tx, ADA, "it\x1b[31m stole"))
    assert (entry.banned, entry.worker, entry.submitter) == (True, False, False)
    assert "\x1b" not in entry.reason
    assert not book.store.read_now(lambda db: submitters.allowed(db, ADA.key.hex()))
    for give in (trust, trust_submitter):
        with pytest.raises(UsageError, match=r"is banned; `orlop peers ban .* --remove` lifts that first"):
            book.do(lambda tx, give=give: give(tx, ADA))  # type: ignore[misc]
    after = book.do(lambda tx: unban(tx, ADA))
    assert (after.banned, after.worker, after.submitter) == (False, False, False)
    with pytest.raises(NotFoundError, match="is not banned"):
        book.do(lambda tx: unban(tx, ADA))
    assert [event.banned for event in book.told() if isinstance(event, PeerBanned)] == [True, False]


def test_a_liar_gets_no_job_until_it_is_trusted_anew(book: Book) -> None:
    book.do(lambda tx: trust(tx, ADA))
    book.do(lambda tx: lied(tx, ADA, "a" * 64, "commitment: is of other bytes"))
    entry = book.of(ADA)
    assert entry.trusted_ms is not None
    assert not entry.worker
    assert entry.lie == "commitment: is of other bytes"
    assert not book.store.read_now(lambda db: believed(db, ADA.key.hex()))
    assert PeerLied(peer=str(ADA), job="a" * 64, reason=entry.lie) in book.told()
    again = book.do(lambda tx: trust(tx, ADA))
    assert again.worker
    assert (again.lied_ms, again.lie, again.failed) == (None, "", 1)


def test_addresses_are_hints_until_the_key_is_proven_there(book: Book) -> None:
    book.do(lambda tx: found(tx, ADA, [at(1).with_peer(ADA), at(2)], "lan"))
    book.clock.now_ms += 1000
    book.do(lambda tx: proven(tx, ADA, at(2)))
    first, second = book.of(ADA).addresses
    assert (first.address, first.source, first.proven_ms) == (at(2), "lan", book.clock.now_ms)
    assert (second.address, second.proven_ms) == (at(1), None)
    assert book.of(ADA).proven_ms == book.clock.now_ms


def test_only_new_addresses_are_told(book: Book) -> None:
    book.do(lambda tx: found(tx, ADA, [at(1)], "lan"))
    book.do(lambda tx: found(tx, ADA, [at(1)], "lan"))
    book.do(lambda tx: found(tx, ADA, [at(1), at(2)], "dht"))
    assert [event for event in book.told() if isinstance(event, PeerFound)] == [
        PeerFound(peer=str(ADA), source="lan", addresses=(str(at(1)),)),
        PeerFound(peer=str(ADA), source="dht", addresses=(str(at(2)),)),
    ]


def test_proven_addresses_outlive_any_number_of_hints(book: Book) -> None:
    book.do(lambda tx: proven(tx, ADA, at(1)))
    for number in range(5):
        book.clock.now_ms += 1
        book.do(lambda tx, n=number: found(tx, ADA, [at(100 * n + port) for port in range(2, 90)], "dht"))  # type: ignore[misc]
    places = book.of(ADA).addresses
    assert len(places) == ADDRESSES_MOST
    assert places[0].address == at(1)


def test_one_who_came_by_itself_leaves_no_address(book: Book) -> None:
    book.do(lambda tx: proven(tx, ADA, None))
    assert book.of(ADA).addresses == ()


def test_what_was_seen_is_counted(book: Book) -> None:
    book.do(lambda tx: ran(tx, ADA, "a" * 64, proved=True))
    book.do(lambda tx: ran(tx, ADA, "b" * 64, proved=False))
    book.do(lambda tx: measured(tx, ADA, 1200))
    book.do(lambda tx: identified(tx, ADA, "evil\x1b[2J/1" + "x" * 100))
    entry = book.of(ADA)
    assert (entry.done, entry.failed, entry.rtt_us) == (1, 1, 1200)
    assert "\x1b" not in entry.agent
    assert len(entry.agent) <= 64
    assert PeerRan(peer=str(ADA), job="b" * 64, proved=False, done=1, failed=1) in book.told()


def test_ten_proven_jobs_make_up_for_a_failure(book: Book) -> None:
    book.do(lambda tx: [ran(tx, ADA, "a" * 64, proved=proved) for proved in (False, False, *(True,) * 9)])
    assert book.of(ADA).failures == 2
    book.do(lambda tx: ran(tx, ADA, "b" * 64, proved=True))
    assert (book.of(ADA).failures, book.of(ADA).failed) == (1, 2)
    book.do(lambda tx: [ran(tx, ADA, "c" * 64, proved=True) for _ in range(30)])
    assert book.of(ADA).failures == 0


def test_a_peer_is_meant_by_name_or_by_a_beginning(book: Book) -> None:
    book.do(lambda tx: name(tx, ADA, "ada"))
    text = str(ADA)
    for meant in ("ada", text, text[:14], text[8:14]):
        assert book.store.read_now(lambda db, meant=meant: find(db, meant)) == ADA  # type: ignore[misc]
    assert book.store.read_now(lambda db: find(db, str(JO))) == JO  # a whole one needs not be known
    assert PeerNamed(peer=text, name="ada") in book.told()


def test_what_means_nobody_is_said(book: Book) -> None:
    book.do(lambda tx: found(tx, ADA, [], "dht"))
    for short in ("12D3KooW", "", "12D"):
        with pytest.raises(AddressError):
            book.store.read_now(lambda db, short=short: find(db, short))  # type: ignore[misc]
    with pytest.raises(NotFoundError, match="`orlop peers list` shows who is known") as caught:
        book.store.read_now(lambda db: find(db, "somebody\x1b[1m"))
    assert "\x1b" not in str(caught.value)


def test_a_beginning_of_several_peers_names_them(book: Book) -> None:
    for text in ("12D3KooW" + "A" * 44, "12D3KooW" + "A" * 43 + "B"):
        book.do(lambda tx, text=text: tx.execute(ROW, (text,)))  # type: ignore[misc]
    with pytest.raises(AmbiguousError, match="fits 2 peers: 12D3KooWAAAA"):
        book.store.read_now(lambda db: find(db, "AAAA"))


def test_a_name_is_one_peers_alone_and_never_looks_like_an_address(book: Book) -> None:
    book.do(lambda tx: name(tx, ADA, "ada"))
    with pytest.raises(UsageError, match=f"ada: is the name of {ADA}"):
        book.do(lambda tx: name(tx, JO, "ada"))
    for bad in (str(JO), "/ip4/192.0.2.1/tcp/1", "Qmabc"):
        with pytest.raises(UsageError, match="looks like an address or a PeerId"):
            book.do(lambda tx, bad=bad: name(tx, JO, bad))  # type: ignore[misc]
    book.do(lambda tx: name(tx, ADA, ""))
    assert book.do(lambda tx: name(tx, JO, "ada")).name == "ada"
    book.do(lambda tx: name(tx, ADA, ""))  # several may have none
    assert book.do(lambda tx: note(tx, ADA, "a\x07friend")).note == "a\\x07friend"


def test_the_longest_unseen_goes_first_and_nobody_of_whom_was_spoken(book: Book) -> None:
    spoken = [peer(number) for number in range(10_000, 10_005)]
    book.do(lambda tx: trust(tx, spoken[0]))
    book.do(lambda tx: trust_submitter(tx, spoken[1]))
    book.do(lambda tx: ban(tx, spoken[2]))
    book.do(lambda tx: name(tx, spoken[3], "old"))
    book.do(lambda tx: note(tx, spoken[4], "older"))
    strangers = [peer(number) for number in range(1, PEERS_MOST + 21)]
    for each in strangers:
        book.clock.now_ms += 1
        book.do(lambda tx, each=each: found(tx, each, [at(9)], "dht"))  # type: ignore[misc]
    left = {entry.peer for entry in book.store.read_now(listed)}
    assert len(left) == PEERS_MOST
    assert left == {*spoken, *strangers[-(PEERS_MOST - 5) :]}
    (orphans,) = book.do(
        lambda tx: tx.rows("SELECT count(*) FROM peer_addresses WHERE peer NOT IN (SELECT peer FROM peers)")
    )
    assert orphans == (0,)


def test_the_trusted_are_listed_first(book: Book) -> None:
    for number in range(1, 5):
        book.clock.now_ms += 1
        book.do(lambda tx, n=number: found(tx, peer(n), [], "dht"))  # type: ignore[misc]
    book.do(lambda tx: trust(tx, peer(1)))
    assert [entry.peer for entry in book.store.read_now(listed)] == [peer(1), peer(4), peer(3), peer(2)]


@given(st.text(max_size=70))
def test_any_text_means_a_peer_or_is_refused_in_one_line(text: str) -> None:
    said = ""
    with sqlite3.connect(":memory:") as db:
        for script in MIGRATIONS:
            db.executescript(script)
        try:
            assert isinstance(find(db, text), PeerId)
        except (AddressError, NotFoundError, AmbiguousError) as error:
            said = str(error)
    assert "\n" not in said
