"""`digest`: one task a day that sums the room up, made once and worded anew."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assets
from tests.assets.bare_host import Host
from tests.assets.trying import ANN, BOB, DAY, HOUR, NOW, Kit, Tried, task

WASM = assets.path("agents/digest/digest.wasm").read_bytes()
TODAY = "digest-2023-11-14"  # NOW is 22:13 UTC of that day
BY = f"agent:{'0' * 32}:digest@try"
MINUTE = 60_000


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


def digest(kit: Kit, *tasks: dict[str, Any], **options: Any) -> Tried:
    return kit.tried("digest", list(tasks), **options)


def words(kit: Kit, *tasks: dict[str, Any], **options: Any) -> tuple[str, str]:
    ((kind, _, payload),) = digest(kit, *tasks, **options).said()
    assert kind == "task_created"
    assert payload["status"] == "in_progress"
    return payload["title"], payload["description"]


def mine(name: str = TODAY, **fields: Any) -> dict[str, Any]:
    return task(name, **{"title": "Digest", "status": "in_progress", "createdBy": BY, "updatedAt": NOW} | fields)


def test_it_counts_what_there_is(kit: Kit) -> None:
    title, text = words(
        kit,
        task("a", title="Renew the certificate", dueAt=NOW - 1, assignee=ANN, status="in_progress"),
        task("b", title="Publish", blockedBy=["a", "nowhere"], assignee=ANN),
        task("c", title="Announce", blockedBy=["b", "d"], dueAt=NOW),
        task("d", title="Sign", status="completed", dueAt=NOW - DAY, assignee=BOB),
        task("e", title="Sweep", blockedBy=["d"], assignee="Z" * 43),
    )
    assert title == "Digest 2023-11-14: 4 open, 1 overdue, 2 blocked"
    assert text == (
        "3 to do, 1 in progress, 1 done\n"
        "Overdue (1): Renew the certificate\n"
        "Blocked (2): Publish; Announce\n"
        "Who has how much: Ann Lee 2, others 1, nobody 1"
    )


def test_it_leaves_out_what_is_nought(kit: Kit) -> None:
    assert words(kit, task("a", assignee=BOB)) == (
        "Digest 2023-11-14: 1 open",
        "1 to do, 0 in progress, 0 done\nWho has how much: Bob 1",
    )


def test_it_names_the_first_five_and_cuts_long_titles_at_a_character(kit: Kit) -> None:
    _, text = words(kit, *(task(str(n), title=f"{n}" + "é" * 40 + '\t"', dueAt=1) for n in range(7)))
    named = "; ".join(f"{n}" + "é" * 29 + "…" for n in range(5))
    assert f"Overdue (7): {named} and 2 more\n" in text


def test_settings_and_digests_are_not_counted(kit: Kit) -> None:
    rest = (
        task("r", title="triage-rules"),
        task("s", title="due-watch-settings"),
        mine("digest-2023-11-13", status="completed"),
    )
    assert words(kit, task("a"), *rest)[1].startswith("1 to do, 0 in progress, 0 done\n")


def test_one_task_a_day_made_once(kit: Kit) -> None:
    tried = digest(kit, task("a"), ticks=3)
    assert [len(tried.said(call)) for call in (1, 2, 3)] == [1, 0, 0]
    assert tried.said(1)[0][1] == TODAY
    assert digest(kit, ticks=2).said() == [], "none for a room without work"


def test_it_is_worded_anew_after_five_minutes_when_something_changed(kit: Kit) -> None:
    assert digest(kit, task("a"), mine(updatedAt=NOW - 5 * MINUTE + 1)).said() == []
    tried = digest(kit, task("a"), mine(updatedAt=NOW - 5 * MINUTE), ticks=2)
    ((kind, name, payload),) = tried.said(1)
    assert (kind, name, set(payload)) == ("task_status_changed", TODAY, {"title", "description"})
    assert tried.said(2) == []
    same = mine(updatedAt=1, title=payload["title"], description=payload["description"])
    assert digest(kit, task("a"), same).said() == []


def test_it_is_completed_when_nothing_is_left_and_never_opened_again(kit: Kit) -> None:
    ((kind, _, payload),) = digest(kit, task("a", status="completed"), mine()).said()
    assert (kind, payload["status"]) == ("task_status_changed", "completed")
    tried = digest(kit, task("a"), mine(status="completed", updatedAt=1))
    assert "status" not in tried.said()[0][2]


def test_the_digest_of_a_day_that_is_over_is_completed(kit: Kit) -> None:
    old = mine("digest-2023-11-13", updatedAt=1)
    tried = digest(kit, task("a"), old, ticks=2)
    assert ("task_status_changed", "digest-2023-11-13", {"status": "completed"}) in tried.said(1)
    assert tried.said(2) == []


def test_a_task_of_somebody_else_that_is_called_so_is_left_alone(kit: Kit) -> None:
    strange = [task(TODAY, updatedAt=1), task("digest-2023-11-13", updatedAt=1)]
    assert digest(kit, task("a"), *strange).said() == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("utc: +1", "14"),
        ("utc: +2", "15"),
        ("UTC:1:46", "14"),
        ("utc: 1:47", "15"),
        ("utc: -22:13", None),
        ("utc:-12", "14"),
    ],
)
def test_the_day_begins_where_the_room_lives(kit: Kit, text: str, day: str | None) -> None:
    tried = digest(kit, task("a"), task("s", title="digest-settings", description=text))
    assert tried.said()[0][1] == f"digest-2023-11-{day or '14'}"
    assert bool(tried.log) is (day is None)


@pytest.mark.parametrize("text", ["", "Berlin", "utc: two", "utc: +15", "utc: +2 or so", "utc: +2:60", "utc: 111"])
def test_settings_that_cannot_be_read_mean_utc_and_say_so_once(kit: Kit, text: str) -> None:
    tried = digest(kit, task("a"), task("s", title="digest-settings", description=text), ticks=2)
    assert tried.said(1)[0][1] == TODAY
    assert tried.log == ["digest-settings: write the time zone, such as utc: +2 or utc: -3:30"]


def test_many_people_are_named_up_to_twenty(kit: Kit) -> None:
    people = [{"identityKey": f"{n:043d}", "displayName": f"p{n}"} for n in range(30)]
    _, text = words(kit, *(task(str(n), assignee=one["identityKey"]) for n, one in enumerate(people)), members=people)
    assert text.endswith(", ".join(f"p{n} 1" for n in range(20)) + ", others 10")


def test_it_never_speaks_longer_than_an_event_may_be(kit: Kit) -> None:
    people = [{"identityKey": f"{n:043d}", "displayName": '"\\' * 16} for n in range(30)]
    work = [
        task(str(n), title='\\"' * 500, dueAt=1, blockedBy=["0"], assignee=one["identityKey"])
        for n, one in enumerate(people)
    ]
    assert words(kit, *work, members=people)


@given(st.integers(0, 253_402_300_799_999))
def test_the_date_is_right_on_every_day(now: int) -> None:
    host = Host(now=now, tasks=json.dumps([task("a")]).encode())
    host.start(WASM)("on_tick")
    day = datetime.fromtimestamp(now // 1000, UTC).date().isoformat()
    assert json.loads(host.emitted[0][0])["taskId"] == f"digest-{day}"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pending", "in_progress", "completed"]),
            st.sampled_from([None, ANN, BOB, "Z" * 43]),
            st.sampled_from([None, NOW - 1, NOW, NOW + HOUR]),
            st.lists(st.integers(0, 12), max_size=3),
        ),
        max_size=10,
    )
)
def test_the_counts_are_those_of_the_room(rows: list[tuple[str, str | None, int | None, list[int]]]) -> None:
    tasks = [
        task(str(n), status=status, blockedBy=[str(other) for other in waits])
        | ({"assignee": who} if who else {})
        | ({"dueAt": due} if due else {})
        for n, (status, who, due, waits) in enumerate(rows)
    ]
    live = {n for n, row in enumerate(rows) if row[0] != "completed"}
    overdue = sum(row[2] == NOW - 1 for n, row in enumerate(rows) if n in live)
    blocked = sum(bool(live & set(row[3])) for n, row in enumerate(rows) if n in live)
    host = Host(now=NOW, tasks=json.dumps(tasks).encode(), members=b"[]")
    host.start(WASM)("on_tick")
    if not live:
        assert host.emitted == []
        return
    said = json.loads(host.emitted[0][0])["task"]
    ending = (f", {overdue} overdue" if overdue else "") + (f", {blocked} blocked" if blocked else "")
    assert said["title"] == f"Digest 2023-11-14: {len(live)} open{ending}"
    pending = sum(row[0] == "pending" for row in rows)
    assert said["description"].startswith(
        f"{pending} to do, {len(live) - pending} in progress, {len(rows) - len(live)} done\n"
    )


@given(st.text(max_size=40))
def test_escapes_and_plain_utf_8_are_read_alike(title: str) -> None:
    said = []
    for escaped in (True, False):
        raw = json.dumps([task("a", title=title, dueAt=1)], ensure_ascii=escaped).encode()
        host = Host(now=NOW, tasks=raw, members=b"[]")
        host.start(WASM)("on_tick")
        said.append(json.loads(host.emitted[0][0])["task"]["description"])
    assert said[0] == said[1]
    shown = "".join(" " if char < " " or char == "\x7f" else char for char in title)
    assert f"Overdue (1): {shown}" in said[0] or len(title.encode()) > 60
