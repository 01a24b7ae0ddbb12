"""`triage`: rules in a task decide by title who gets a task and whether it is urgent; each acts once."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assets
from tests.assets.bare_host import Host
from tests.assets.trying import ANN, BOB, MEMBERS, NOW, Kit, Tried, task

WASM = assets.path("agents/triage/triage.wasm").read_bytes()


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


def rules(text: str, **changes: Any) -> dict[str, Any]:
    return task("rules", title="triage-rules", description=text) | changes


def triage(kit: Kit, *tasks: dict[str, Any], **options: Any) -> Tried:
    return kit.tried("triage", list(tasks), **options)


def urgent(name: str) -> tuple[str, str, dict[str, Any]]:
    return ("task_urgency_changed", name, {"urgent": True})


def given_to(name: str, who: str) -> tuple[str, str, dict[str, Any]]:
    return ("task_assigned", name, {"assignee": who})


def test_the_first_rule_that_fits_decides(kit: Kit) -> None:
    tried = triage(
        kit,
        rules("# on call\n*outage* -> urgent, @Ann Lee\n\ndeploy* -> @bob\n*deploy* -> urgent"),
        task("1", title="OUTAGE at pier 4"),
        task("2", title="Deploy image 14"),
        task("3", title="Undo the deploy"),
        task("4", title="Sweep the deck"),
        ticks=3,
    )
    assert tried.said(1) == [urgent("1"), given_to("1", ANN), given_to("2", BOB), urgent("3")]
    assert tried.said(2) == tried.said(3) == [], "a rule acts once"
    assert tried.log == ["new rules"]


@pytest.mark.parametrize(
    ("pattern", "title", "fits"),
    [
        ("outage", "Outage", True),
        ("outage", "An outage", False),
        ("*", "", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcdef", False),
        ("*a*a*b", "aaaab", True),
        ("ü*", "übung", True),
        ('say "no" \\ *', 'Say "NO" \\ again', True),
        ("a.c", "abc", False),
        ("fee?", "fees", False),
        ("*\U0001f525*", "it burns \U0001f525 here", True),
    ],
)
def test_a_pattern_is_the_whole_title_and_a_star_any_text(kit: Kit, pattern: str, title: str, fits: bool) -> None:
    tried = triage(kit, rules(f"{pattern} -> urgent"), task("t", title=title))
    assert tried.said() == ([urgent("t")] if fits else [])


def test_rules_may_stand_in_one_line(kit: Kit) -> None:
    tried = triage(kit, rules("a* -> urgent; b* -> @Bob, urgent"), task("1", title="a"), task("2", title="b"))
    assert tried.said() == [urgent("1"), urgent("2"), given_to("2", BOB)]


@pytest.mark.parametrize("who", ["Ann Lee", "ann lee", "ANN LEE ", ANN, ANN[:4]])
def test_a_member_is_named_by_name_or_key(kit: Kit, who: str) -> None:
    assert triage(kit, rules(f"* -> @{who}"), task("t")).said() == [given_to("t", ANN)]


@pytest.mark.parametrize("who", ["Cid", "Ann", ANN[:3], "Twin"])
def test_a_rule_for_nobody_says_so_and_does_the_rest(kit: Kit, who: str) -> None:
    twins = [{"identityKey": key * 43, "displayName": "Twin"} for key in "CD"]
    tried = triage(kit, rules(f"x -> urgent\n* -> @{who}, urgent"), task("t"), members=[*MEMBERS, *twins], ticks=2)
    assert tried.said(1) == [urgent("t")]
    assert tried.log == ["new rules", "triage-rules, line 2: no member, or more than one, is called so"]


def test_nobody_loses_a_task_to_a_rule(kit: Kit) -> None:
    assert triage(kit, rules("* -> @Ann Lee"), task("t", assignee=BOB)).said() == []


@pytest.mark.parametrize(
    "change", [{"status": "completed"}, {"createdBy": "agent:x:digest@y"}, {"title": "x-settings"}]
)
def test_what_is_done_or_made_by_agents_or_for_them_is_left_alone(kit: Kit, change: dict[str, Any]) -> None:
    assert triage(kit, rules("* -> urgent"), task("t", **change)).said() == []


@pytest.mark.parametrize("change", [{"status": "completed"}, {"createdBy": "agent:x:y@z"}, {"title": "Triage-Rules"}])
def test_rules_of_agents_and_completed_ones_do_not_count(kit: Kit, change: dict[str, Any]) -> None:
    tried = triage(kit, rules("* -> urgent", **change), task("t"), ticks=2)
    assert (tried.said(1), tried.said(2)) == ([], [])
    assert tried.log == ["no task is called triage-rules: nothing to do"]


def test_whoever_changes_the_outcome_has_the_last_word(kit: Kit) -> None:
    told = rules("* -> urgent, @Bob")
    first = triage(kit, told, task("t"))
    assert triage(kit, told, task("t"), state=first.state).said() == []


def test_new_rules_and_new_titles_are_looked_at_anew(kit: Kit) -> None:
    first = triage(kit, rules("a -> urgent"), task("t", title="b"))
    assert triage(kit, rules("a -> urgent"), task("t", title="a"), state=first.state).said() == [urgent("t")]
    assert triage(kit, rules("b -> urgent"), task("t", title="b"), state=first.state).said() == [urgent("t")]


def created(**fields: Any) -> dict[str, Any]:
    return {"type": "task_created", "taskId": "new", "task": fields, "timestamp": NOW, "actorId": ANN}


def test_a_new_task_is_looked_at_at_once_after_the_rules_in_the_state(kit: Kit) -> None:
    first = triage(kit, rules("fire* -> urgent, @bob"))
    new = task("new", title="Fire on deck")
    tried = triage(kit, rules("fire* -> urgent, @bob"), new, state=first.state, event=created(title="Fire on deck"))
    assert tried.said(1) == [urgent("new"), given_to("new", BOB)]
    assert tried.said(2) == [], "the tick knows it"


@pytest.mark.parametrize(
    "event",
    [
        created(title="fire", status="completed"),
        created(title="calm"),
        created(),
        created(title="fire") | {"actorId": "agent:x:y@z"},
        created(title="fire") | {"type": "task_updated"},
    ],
)
def test_other_events_wait_or_concern_nobody(kit: Kit, event: dict[str, Any]) -> None:
    first = triage(kit, rules("fire -> urgent"))
    assert triage(kit, task("new"), state=first.state, event=event, ticks=0).said() == []


def test_a_tick_says_at_most_64_things_and_the_next_goes_on(kit: Kit) -> None:
    tried = triage(kit, rules("* -> urgent, @bob"), *(task(f"t{n}") for n in range(100)), ticks=5)
    assert [len(tried.said(call)) for call in range(1, 6)] == [64, 64, 64, 8, 0]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("urgent", "no -> in it"),
        ("-> urgent", "before -> stands"),
        ("a ->", "what follows ->"),
        ("a -> calm", "what follows ->"),
        ("a -> @", "what follows ->"),
        ("a -> @ann, @bob", "what follows ->"),
        ("a -> urgent,", "what follows ->"),
        ("a" * 4097 + " -> urgent", "before -> stands"),
        ("a -> @" + "b" * 256, "what follows ->"),
    ],
)
def test_a_line_that_is_no_rule_is_named_and_left_out(kit: Kit, line: str, why: str) -> None:
    tried = triage(kit, rules(f"# first\n{line}\nt -> urgent"), task("t"))
    assert tried.said() == [urgent("t")]
    first, last = tried.log
    assert first.startswith(f"triage-rules, line 2: {why}")
    assert last == "new rules"


def test_rules_beyond_their_room_are_left_out_one_by_one(kit: Kit) -> None:
    text = "".join(f"{'é' * 1500}{n} -> urgent\n" for n in range(30))
    tried = triage(kit, rules(text), task("t", title="é" * 1500 + "20"), task("u", title="é" * 1500 + "25"))
    assert tried.said() == [urgent("t")]
    assert "the rules are too long: this one is left out" in tried.log[0]


def test_without_a_state_nothing_is_done_again_and_again() -> None:
    host = Host(now=NOW, tasks=json.dumps([rules("* -> urgent"), task("t")]).encode(), forgets=True)
    host.start(WASM)("on_tick")
    assert host.emitted == []
    assert host.log == ["nothing done: persist_state is not granted"]


def test_matching_that_takes_long_goes_on_in_the_next_tick() -> None:
    many = [task(f"t{n}", title="a" * 900) for n in range(300)]
    tasks = [rules(f"*{'a' * 450}b -> urgent"), *many, task("last", title="a" * 450 + "b")]
    host = Host(now=NOW, tasks=json.dumps(tasks).encode())
    call = host.start(WASM)
    call("on_tick")
    assert host.emitted == []
    for _ in range(5):
        call("on_tick")
    assert len(host.emitted) == 1


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_patterns_match_as_in_a_shell(pattern: str, title: str) -> None:
    from fnmatch import fnmatchcase

    host = Host(now=NOW, tasks=json.dumps([rules(f"{pattern} -> urgent"), task("t", title=title)]).encode())
    host.start(WASM)("on_tick")
    assert bool(host.emitted) is (bool(pattern) and fnmatchcase(title, pattern))
