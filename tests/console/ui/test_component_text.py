"""What is said of components, without a screen."""

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui.bound import Keys
from console.ui.component_notices import QUIET_MS, ComponentNotices
from console.ui.figures import NOTHING
from console.ui.frame import PANES, pane_at, strip
from console.ui.sheet import plain, width_of
from console.ui.text.component_events import ink_of, said_of_component, why_denied
from console.ui.text.component_sheet import component_sheet, rule_words
from console.ui.text.components import at_rest, component_row, short_name, standing
from console.ui.text.log import log_row, loudness
from console.ui.themes import INKS
from console.view import TOPICS, View
from runtime import component_events as events
from runtime.components.lifecycle import State
from runtime.events import Event, Record
from tests.console.ui import harbor, quay
from tests.console.ui.fake_core import NOW
from tests.console.ui.quay import COUNTER, FACTS, FLAKY, IDLE, MIRROR, NOTIFY, component

HOSTILE = "a\x1b]52;c;QUFB\x07\x9b31m\u202egnp\u2066\u200b\U000e0041\n\0\x7f"
ANY_TEXT = st.one_of(st.just(HOSTILE), st.text(max_size=40))
STATES = tuple(state for state in State.__args__ if state != "absent")  # type: ignore[attr-defined]
EVENTS: list[Event] = [
    events.ComponentState(component="local/a", version="1.0.0", state="failed", reason="trap", restarts=0),
    events.ComponentState(component="local/a", version="1.0.0", state="running", reason="", restarts=0),
    events.ComponentInstalled(component="local/a", version="2", hash="", world="", mark="", previous="1"),
    events.ComponentUninstalled(component="local/a"),
    events.ComponentRestarting(
        component="local/a", group="g", members=("local/a", "local/b"), reason="trap", delay_ms=100
    ),
    events.ComponentGivenUp(component="local/a", group="", reasons=("trap", "deadline")),
    events.ComponentHealth(component="local/a", status="degraded", detail="slow"),
    events.ComponentPolicy(component="local/a", version=2, granted=("x",), revoked=("y",)),
    events.ComponentLogged(component="local/a", level="warn", text="hello"),
    events.ComponentDeadLetter(component="local/a", sender="local/b", reason="mailbox-full", count=3),
    events.ComponentMeasured(component="local/a", calls=4, denied=1, mailbox=2),
    quay.denied("local/a"),
    events.ComponentCalled(
        component="local/a", op="storage.get", target="a:b/c", rule="r", outcome="ok", calls=2, bytes=2048,
        duration_us=90, rules_version=1,
    ),
]  # fmt: skip


def harmless(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in text)


def written(row: Any, document: Any) -> str:
    return plain(component_sheet(row, document, NOW, Keys()))


def test_what_is_used_of_handles_and_of_the_processor_is_a_bar() -> None:
    row = replace(COUNTER, handles_max=64, cpu_max_ms=20_000)
    words = " ".join(written(row, FACTS | {"handles_used": 16, "cpu_used_ms": 5_000}).split())
    assert "16 of 64" in words
    assert "5.0s of 20.0s a minute" in words
    assert "handles 64" not in words
    assert "handles 64" in " ".join(written(row, FACTS).split())  # of an older core


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_life_has_a_mark(state: str) -> None:
    mark, ink = standing(component("local/a", state=state))
    assert mark in "●○◌◐✗"
    assert ink in INKS


def test_what_needs_a_look_is_sorted_last_and_steps_between_stand_together() -> None:
    def rank(state: str) -> Any:
        return component_row(component("local/a", state=state)).values[0]

    order = ["installed", "stopped", "running", "loaded", "suspended", "failed", "given-up"]
    assert sorted(STATES, key=rank)[-2:] == ["failed", "given-up"]
    assert [rank(one) for one in order] == sorted(rank(one) for one in order)


def test_only_what_is_at_rest_has_no_health() -> None:
    assert [at_rest(row) for row in (IDLE, FLAKY, MIRROR, COUNTER, NOTIFY)] == [True, True, True, False, False]
    assert [component_row(row).cells[3] for row in (IDLE, COUNTER)] == [NOTHING, "degraded"]


def test_the_namespace_of_ones_own_is_not_said() -> None:
    assert [short_name(name) for name in ("local/doer", "acme/doer")] == ["doer", "acme/doer"]


def test_a_denial_names_the_rule_or_that_there_is_none() -> None:
    assert why_denied("permissions.filesystem.deny.all[0]", 17) == "filesystem.deny.all[0], Component.toml:17"
    assert why_denied("", 19) == "no rule allows it, Component.toml:19"
    assert why_denied("", None) == "no rule allows it"


def test_what_is_risky_is_marked_in_front_of_the_words() -> None:
    red = quay.rule("network.outbound[0]", "connects to * (any port)", "red", "any host there is")
    assert rule_words(red) == "‼ red: connects to * (any port) (any host there is)"
    assert rule_words(quay.rule("filesystem.read[0]", "reads /data/**")) == "reads /data/**"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_every_event_has_words_and_stands_in_the_log(event: Event) -> None:
    assert said_of_component(event)
    assert ink_of(event) in INKS
    assert loudness(event) == ink_of(event)
    row = log_row(Record(1, NOW, event), str)
    assert (row.cells[3], row.cells[4]) == ("a", said_of_component(event))


def test_a_sheet_without_its_document_says_what_the_row_knows() -> None:
    text = written(COUNTER, None)
    assert "degraded" in text
    assert "96 of 256" in text
    assert "asking…" in text


@pytest.mark.parametrize(
    ("restart", "words"),
    [
        ("never", "when it falls it stays down"),
        ("always", "starts again whenever it ends, at most 3 times"),
        ("on-failure", "starts again when it falls, at most 3 times"),
    ],
)
def test_what_follows_a_failure_is_said(restart: str, words: str) -> None:
    assert words in written(COUNTER, FACTS | {"restart": restart})


def test_what_its_manifest_says_of_its_habits_is_told() -> None:
    told = written(COUNTER, FACTS | {"autostart": True, "stateful": False})
    assert "starts with orlop, a fresh instance for each operation" in told
    assert "starts with orlop" not in written(COUNTER, FACTS)


def test_who_may_nothing_and_was_denied_nothing_has_a_sheet_that_says_so() -> None:
    text = written(IDLE, quay.PLAIN)
    for words in (
        "nothing beyond its own memory",
        "nothing that the journal has",
        "nothing written",
        "it does not run",
    ):
        assert words in text, words


def test_a_denial_that_nothing_allows_says_so() -> None:
    denial = {**quay.DENIALS[0], "remedy": ""}  # type: ignore[dict-item]
    assert "nothing allows this" in written(COUNTER, FACTS | {"denials": [denial]})


@given(ANY_TEXT, ANY_TEXT)
def test_nothing_that_a_component_chose_reaches_the_screen_raw(one: str, other: str) -> None:
    row = replace(COUNTER, description=one, detail=other, reason=one, version=other, world=one, mark=other, status=one)
    denial = {"op": one, "target": other, "rule": one, "remedy": other, "line": 1, "ts_ms": NOW, "calls": 1}
    document = FACTS | {
        "authors": [one],
        "license": other,
        "asked": [quay.rule(one, other, "risky", one)],
        "denials": [denial],
        "audit": [{**denial, "outcome": one, "type": "component.call"}],
        "log": [{"ts_ms": NOW, "level": one, "text": other}],
        "mounts": [{"guest": one, "source": "operator", "read_only": True, "host": other}],
        "restart": one,
    }
    assert harmless(written(row, document))
    assert all(harmless(cell) for cell in component_row(row).cells)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_a_document_of_any_shape_makes_a_sheet(value: Any) -> None:
    assert written(COUNTER, dict.fromkeys(FACTS, value))
    assert written(COUNTER, value)


# --- toasts ---------------------------------------------------------------------------------------------------------


def told(*happened: tuple[int, Event]) -> list[str]:
    """The toasts of events at these milliseconds."""
    notices = ComponentNotices(Keys())
    return [one.text for seq, (at, event) in enumerate(happened, 1) for one in notices(Record(seq, at, event))]


def test_a_component_that_is_denied_again_and_again_says_so_now_and_then() -> None:
    many = [(at, quay.denied()) for at in range(0, 2 * QUIET_MS, 1_000)]
    assert len(told(*many)) == 2
    assert len(told((0, quay.denied("local/a")), (1, quay.denied("local/b")))) == 2


def test_a_failure_and_a_denial_do_not_silence_each_other_and_giving_up_is_always_said() -> None:
    given_up = events.ComponentGivenUp(component="local/a", group="", reasons=("trap",))
    assert len(told((0, EVENTS[0]), (1, quay.denied("local/a")), (2, given_up), (3, given_up))) == 4


def test_what_goes_well_is_no_toast() -> None:
    assert told(*((0, event) for event in EVENTS[1:5])) == []


def test_names_and_reasons_in_toasts_are_harmless() -> None:
    fell = events.ComponentState(component="local/a", version="1", state="failed", reason=HOSTILE, restarts=0)
    given_up = events.ComponentGivenUp(component="local/a", group="", reasons=(HOSTILE,))
    denied = replace(quay.denied(), target=HOSTILE, rule=HOSTILE)
    assert all(harmless(text) for text in told((0, fell), (1, given_up), (2, denied)))


# --- the row of panes -----------------------------------------------------------------------------------------------


def many() -> View:
    """A view in which every pane has something to count."""
    core, view = harbor.harbor(), View()
    core.jobs = [harbor.job(number) for number in range(1, 1_000)]
    view.load(core.snapshot(*TOPICS).result())
    return view


@pytest.mark.parametrize("width", [100, 120, 200])
def test_the_last_pane_and_its_mark_are_on_the_screen_however_much_there_is_to_count(width: int) -> None:
    spans = strip(many(), 1, frozenset({2, 3, 4, 5, 8}), width)
    text = "".join(text for text, _ in spans).rstrip()
    assert text.endswith("▲")
    assert "8 Components  2/5 ✗1" in text
    assert width < 120 or width_of(text) <= width


def test_a_click_finds_each_pane_where_it_stands() -> None:
    for width in (80, 100, 120, 200):
        spans = strip(many(), 1, frozenset(), width)
        text = "".join(text for text, _ in spans)
        assert {pane_at(spans, text.index(f"{number} {name}")) for number, name in PANES} == {n for n, _ in PANES}
