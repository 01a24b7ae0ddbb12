"""Tables and blocks of facts: aligned by what a terminal shows, harmless, stable."""

from hypothesis import given
from hypothesis import strategies as st

from console.cmdline.render import render
from console.output import Column, cells, facts, table, word

ODD = st.text(st.characters(), max_size=20)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [{"name": "漢字", "n": 1}, {"name": "a", "n": 100}, {"name": None, "n": None}]
    columns = (Column("NAME", word("name")), Column("N", word("n"), right=True))
    assert table(columns, rows) == "NAME    N\n漢字    1\na     100\n-       -\n"


def test_an_empty_table_says_what_to_do() -> None:
    assert table((Column("A", word("a")),), [], empty="nothing yet") == "nothing yet\n"
    assert render("rooms list", {"v": 1, "items": []}) == "no rooms yet: orlop rooms create NAME makes one\n"


@given(st.lists(st.fixed_dictionaries({"a": ODD, "b": ODD}), min_size=1, max_size=5))
def test_any_text_keeps_the_table_in_shape(rows: list[dict[str, str]]) -> None:
    text = table((Column("A", word("a")), Column("B", word("b")), Column("C", lambda _: "end")), rows)
    lines = text.splitlines()
    assert len(lines) == len(rows) + 1
    assert all(line.endswith("end") for line in lines[1:])
    assert len({cells(line) for line in lines[1:]}) == 1
    assert "\x1b" not in text


@given(ODD, ODD)
def test_facts_are_one_line_each(name: str, value: str) -> None:
    assert facts([("name", name), ("value", value)]).count("\n") == 2


def test_a_room_as_text() -> None:
    room = {
        "v": 1, "room": "3f" * 16, "name": "quiet-harbor", "created_ms": 0,
        "progress": {"total": 2, "completed": 1, "inProgress": 0, "pending": 1, "blocked": 1},
        "members": [{"identityKey": "k", "displayName": "mara\x1b[2J", "self": True}],
        "tasks": [
            {"id": "t-1", "title": "Sign it", "status": "completed", "blocked": False, "urgent": True},
            {"id": "t-2", "title": "Ship it", "status": "pending", "blocked": True, "blockedBy": ["t-1"], "dueAt": 0},
        ],
        "messages": [{"id": "m", "author": "k", "name": "mara", "ts_ms": 0, "text": "two\nlines"}],
    }  # fmt: skip
    assert render("rooms show", room) == (
        "room     quiet-harbor\n"
        f"id       {'3f' * 16}\n"
        "created  1970-01-01 00:00:00\n"
        "tasks    2: 1 completed, 0 in progress, 1 pending, 1 blocked\n"
        "\n"
        "members\n"
        "  mara\\x1b[2J (you)\n"
        "\n"
        "TASK  STATUS            TITLE            ASSIGNEE  DUE                  WAITS FOR\n"
        "t-1   completed         Sign it  URGENT  -         -                    -\n"
        "t-2   pending, blocked  Ship it          -         1970-01-01 00:00:00  t-1\n"
        "\n"
        "messages\n"
        "  1970-01-01 00:00:00  mara: two⏎lines\n"
    )


def test_an_agent_as_text_says_why_it_tripped() -> None:
    agent = {
        "agent": "faulty", "version": "1.0.0", "room_name": "quiet-harbor", "state": "tripped", "problem": "",
        "mark": "unsigned", "hash": "ab" * 32, "permissions": ["read_tasks"], "granted": [], "calls": 3, "last_ms": 0,
        "last_trigger": "tick", "last_duration_us": 1500, "state_bytes": 4,
        "breaker": {"state": "open", "reasons": ["trap: unreachable", "trap: out of bounds"]},
        "drops": [{"ts_ms": 0, "reason": "no such task", "event": "{}"}],
        "log": [{"ts_ms": 0, "text": "failing on purpose"}], "next_probe_ms": 300_000, "runner": "mara",
        "minutes": [{"calls": 2, "failures": 1, "emitted": 4, "dropped": 5, "cpu_us": 1_500_000}] * 2,
    }  # fmt: skip
    text = render("agents show", agent)
    assert "next probe  1970-01-01 00:05:00\nruns at     mara\n" in text
    assert "last hour   4 calls, 2 failed, 8 emitted, 10 dropped, 3s of CPU time\n" in text
    assert "state       tripped\n" in text
    assert "last        1970-01-01 00:00:00 tick 1.5ms\n" in text
    assert "\nfailures\n  trap: unreachable\n  trap: out of bounds\n" in text
    assert "\ndrops\n  1970-01-01 00:00:00  no such task\n" in text
    assert text.endswith("\nlog\n  1970-01-01 00:00:00  failing on purpose\n")


def test_what_has_no_form_of_its_own_is_facts() -> None:
    assert render("jobs cancel", {"v": 1, "job": "7f", "state": "cancelled"}) == "job    7f\nstate  cancelled\n"


@given(st.recursive(st.none() | st.booleans() | st.integers() | ODD, lambda inner: st.dictionaries(ODD, inner)))
def test_any_document_can_be_rendered(value: object) -> None:
    from console.registry import COMMANDS

    for name in COMMANDS:
        assert isinstance(render(name, value), str)  # type: ignore[arg-type]  # the strategy makes JSON
