"""What is said of peers, without a screen."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui.bound import Keys
from console.ui.figures import NOTHING, time_or_day
from console.ui.recent import Recent
from console.ui.sheet import plain
from console.ui.text.peer_events import allowed_words, said_of_peer
from console.ui.text.peer_sheet import PeerFacts, peer_sheet, submitter_of
from console.ui.text.peers import called, has_lied, listening, peer_row, standing, way
from console.ui.themes import INKS
from runtime import events
from runtime.codec import event_types
from runtime.events import Record
from tests.console.ui import harbor
from tests.console.ui.anchorage import BANNED, BUOY, HEARSAY, HULL, LIAR, LISTEN, PILOT, key_of, peer
from tests.console.ui.fake_core import NOW

HOSTILE = "a\x1b]52;c;QUFB\x07\x9b31m\u202egnp\u2066\u200b\U000e0041\n\0\x7f"
ANY_TEXT = st.one_of(st.just(HOSTILE), st.text(max_size=40))
DAY_MS = 86_400_000


def harmless(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in text)


def test_each_standing_has_a_mark_and_a_word_of_its_own() -> None:
    told = [standing(row)[::2] for row in (HULL, PILOT, HEARSAY, BANNED)]
    assert told == [("●", "connected"), ("○", "known"), ("○", "unproven"), ("✗", "banned")]


def test_a_peer_is_called_by_the_operators_name_else_by_its_id() -> None:
    assert called(HULL) == "hull-2"
    assert called(BUOY) == f"{BUOY.peer[8:12]}…{BUOY.peer[-4:]}"


def test_who_is_banned_is_not_told_as_a_liar() -> None:
    assert [has_lied(row) for row in (LIAR, BANNED, HULL)] == [True, False, False]


def test_the_way_says_transport_and_who_dialled() -> None:
    assert [way(row) for row in (HULL, BUOY, PILOT)] == ["quic →", "tcp ←", NOTHING]


@pytest.mark.parametrize(
    ("worker", "submitter", "words", "cell"),
    [
        (False, False, "", NOTHING),
        (True, False, "runs jobs", "runs jobs"),
        (False, True, "gives jobs", "gives jobs"),
        (True, True, "runs jobs, gives jobs", "runs, gives"),
    ],
)
def test_what_it_may_is_told_in_few_words(worker: bool, submitter: bool, words: str, cell: str) -> None:
    assert allowed_words(worker=worker, submitter=submitter) == words
    assert peer_row(peer("x", worker=worker, submitter=submitter), (), 0, NOW).cells[3] == cell


def test_a_connected_peer_was_seen_after_all_others() -> None:
    rows = [peer_row(row, (), 0, NOW) for row in (PILOT, HULL, BANNED)]
    assert [row.cells[9] for row in rows] == ["13:23", "now", "20 Nov"]
    assert sorted(range(3), key=lambda place: int(rows[place].values[9] or 0)) == [2, 0, 1]


def test_only_the_last_round_trips_stand_in_the_row() -> None:
    assert peer_row(HULL, (10_000, 100, 200, 300, 400), 0, NOW).cells[5] == "▂▄▆█  0.8ms"
    assert peer_row(HULL, (), 0, NOW).cells[5].strip() == "0.8ms"


def test_where_the_node_listens_is_told_without_its_own_id() -> None:
    said = lambda addresses: "".join(text for text, _ in listening(addresses))  # noqa: E731 - read as a table
    assert said(()) == "listens nowhere"
    assert said(LISTEN[:1]) == "listens at /ip4/203.0.113.9/tcp/4001"
    assert said(LISTEN) == "listens at /ip4/203.0.113.9/tcp/4001 and 1 more"


def test_jobs_of_a_peer_are_known_by_its_key() -> None:
    assert submitter_of(HULL) == key_of("hull").hex()
    assert submitter_of(peer("x", peer="no id")) == ""


def test_the_sheet_says_what_to_do_about_a_lie_and_a_ban() -> None:
    lie = plain(peer_sheet(LIAR, PeerFacts(), NOW, Keys()))
    assert "✗ it gave a false receipt: commitment: is of other bytes" in lie
    assert "It gets no job until it is trusted anew. t does that, b bans it." in lie
    ban = plain(peer_sheet(BANNED, PeerFacts(), NOW, Keys()))
    assert "✗ banned: offers without end" in ban
    assert "b lifts the ban; no trust comes back." in ban
    assert "✗" not in plain(peer_sheet(PILOT, PeerFacts(), NOW, Keys()))


def test_many_jobs_are_cut() -> None:
    jobs = [harbor.job(number) for number in range(9)]
    text = plain(peer_sheet(HULL, PeerFacts(there=jobs), NOW, Keys()))
    assert text.count("hello.wasm") == 6
    assert "and 3 more" in text


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            events.PeerConnected(peer="p", address="/a", transport="tcp", dialled=False),
            "connected by tcp, it dialled: /a",
        ),
        (events.PeerDisconnected(peer="p", reason="idle"), "disconnected: idle"),
        (events.PeerTrusted(peer="p", worker=False, submitter=False), "may: nothing"),
        (events.PeerTrusted(peer="p", worker=True, submitter=False), "may: runs jobs"),
        (events.PeerBanned(peer="p", banned=True, reason="x", until="14:30"), "banned until 14:30: x"),
        (events.PeerBanned(peer="p", banned=True, reason=""), "banned"),
        (events.PeerBanned(peer="p", banned=False, reason=""), "the ban is lifted"),
        (events.PeerRan(peer="p", job="j1", proved=True, done=1, failed=0), "ended job j1 with a receipt that is true"),
        (events.PeerNamed(peer="p", name=""), "has no name here"),
        (events.CoreReady(ms=1), ""),
    ],
)
def test_an_event_is_told_in_words(event: events.Event, said: str) -> None:
    assert said_of_peer(event) == said


def test_every_event_of_a_peer_has_words() -> None:
    for name in event_types():
        if name.startswith("peer."):
            cls = event_types()[name]
            values = {field: _value(str(kind)) for field, kind in cls.__annotations__.items() if field.islower()}
            assert said_of_peer(cls(**values)), name


def _value(kind: str) -> object:
    if "tuple" in kind:
        return ("/a",)
    return "x" if "str" in kind else 1


@given(ANY_TEXT, st.lists(st.integers(0, 10**9), max_size=40))
def test_no_text_of_a_peer_reaches_a_cell_or_sheet_raw(text: str, trips: list[int]) -> None:
    row = peer("x", peer=text, name=text, note=text, state=text, problem=text, agent=text, address=text, transport=text)
    places = [{"address": text, "source": text, "seen_ms": 1, "proven_ms": None}, {"address": 7}, text]
    job = harbor.job(1, job=text, name=text, state=text)
    record = Record(1, NOW, events.PeerFault(peer=text, address=text, rule=text, reason=text))
    facts = PeerFacts(
        document={"note": text, "agent": text, "places": places}, trips=trips, records=[record], there=[job], here=[job]
    )
    for shown_row in (
        row,
        peer("y", name=text, state="connected", transport=text, address=text),
        peer("z", problem=text),
    ):
        drawn = peer_row(shown_row, trips, 3, NOW)
        lines = peer_sheet(shown_row, facts, NOW, Keys())
        assert harmless("".join(drawn.cells) + plain(lines))
        assert {*drawn.inks, *(ink for line in lines for _, ink in line.spans)} <= INKS.keys()
    assert harmless("".join(words for words, _ in listening((text, text))))


def test_what_is_kept_of_peers_is_bounded() -> None:
    recent = Recent()
    measured = [events.PeerMeasured(peer=f"p{number}", rtt_us=number) for number in range(1_200)]
    recent.take([Record(number, NOW, event) for number, event in enumerate(measured)])
    assert not recent.peer("p0").trips
    assert [*recent.peer("p1199").trips] == [1_199]
    assert [*recent.peer("p200").trips] == [200]
    recent.take([Record(2_000 + number, NOW, measured[1_199]) for number in range(100)])
    assert len(recent.peer("p1199").trips) == 30
    assert [*recent.peer("p200").trips] == [200]


@pytest.mark.parametrize(
    ("ms", "shown"), [(None, NOTHING), (NOW, "14:03"), (NOW - DAY_MS, "20 Nov"), (1 << 62, NOTHING)]
)
def test_a_time_is_as_narrow_as_it_can_be(ms: int | None, shown: str) -> None:
    assert time_or_day(ms, NOW) == shown
