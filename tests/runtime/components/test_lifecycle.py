"""The life of a component: every pair of state and event is in the table, or an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.lifecycle import ABSENT, EVENTS, Action, Event, Life, LifecycleError, step

STEPS: dict[Action, Event] = {
    "verify": "verified",
    "load": "loaded",
    "init": "initialised",
    "ask-health": "healthy",
    "shutdown": "ended",
}
"""The event with which an action ends that goes well."""


def told(life: Life, *events: Event) -> tuple[Life, list[Action]]:
    done: list[Action] = []
    for event in events:
        life, next_ones = step(life, event)
        done += next_ones
    return life, done


def driven(life: Life, event: Event) -> tuple[Life, list[Action]]:
    """One event, and all that goes well after it."""
    done: list[Action] = []
    waiting: list[Event] = [event]
    while waiting:
        life, next_ones = step(life, waiting.pop(0))
        done += next_ones
        waiting += [STEPS[action] for action in next_ones if action in STEPS]
    return life, done


INSTALLED = step(ABSENT, "install")[0]
RUNNING = driven(INSTALLED, "start")[0]


def test_from_installation_to_running_each_step_follows_the_one_before() -> None:
    life, actions = driven(INSTALLED, "start")
    assert life == Life("running", "run")
    assert actions == ["verify", "load", "init", "ask-health", "open-mailbox"]


def test_a_stop_closes_the_mailbox_first_and_cleans_up_last() -> None:
    life, actions = driven(RUNNING, "stop")
    assert life == Life("stopped", "stop")
    assert actions == ["close-mailbox", "shutdown", "clean"]


def test_a_restart_stops_and_starts_again() -> None:
    life, actions = driven(RUNNING, "restart")
    assert life.state == "running"
    assert actions == ["close-mailbox", "shutdown", "clean", "verify", "load", "init", "ask-health", "open-mailbox"]


def test_a_suspended_component_goes_on_or_stops() -> None:
    suspended, actions = told(RUNNING, "suspend")
    assert (suspended.state, actions) == ("suspended", ["pause-calls"])
    assert told(suspended, "resume") == (RUNNING, ["resume-calls"])
    assert driven(suspended, "stop")[0].state == "stopped"


def test_a_failure_asks_the_supervisor_who_grants_a_restart_or_gives_up() -> None:
    failed, actions = told(RUNNING, "failed")
    assert (failed, actions) == (Life("failed", "run"), ["clean", "ask-supervisor"])
    assert driven(failed, "retry")[0] == RUNNING
    given_up, _ = told(failed, "give-up")
    assert given_up == Life("given-up")
    assert driven(given_up, "start")[0] == RUNNING


@pytest.mark.parametrize("steps", range(4))
def test_a_stop_while_it_starts_ends_after_the_step_that_runs(steps: int) -> None:
    life, _ = told(INSTALLED, "start", *list(STEPS.values())[:steps])
    life, said = told(life, "stop")
    assert (life.aim, said) == ("stop", [])
    life, actions = driven(life, list(STEPS.values())[steps])
    assert life == Life("stopped")
    assert "load" not in actions
    assert ("shutdown" in actions) == (steps >= 2)  # from `init` on the guest is told


@pytest.mark.parametrize("steps", range(4))
def test_a_failure_while_it_starts_and_is_stopped_asks_nobody(steps: int) -> None:
    life, _ = told(INSTALLED, "start", *list(STEPS.values())[:steps], "stop")
    assert told(life, "failed") == (Life("stopped"), ["clean"])


def test_what_stops_is_stopped_even_where_its_last_call_fails() -> None:
    life, _ = told(RUNNING, "stop")
    assert told(life, "failed") == (Life("stopped"), ["clean"])


def test_an_operators_stop_beats_a_restart_that_was_granted() -> None:
    failed, _ = told(RUNNING, "failed")
    stopped, _ = told(failed, "stop")
    assert stopped == Life("stopped")
    with pytest.raises(LifecycleError):
        step(stopped, "retry")
    restarting, _ = told(RUNNING, "restart", "stop")
    assert driven(restarting, "ended")[0] == Life("stopped")


@pytest.mark.parametrize(
    ("life", "event", "why"),
    [
        (RUNNING, "install", "is installed already"),
        (RUNNING, "start", "has been started already"),
        (RUNNING, "uninstall", "has to be stopped first"),
        (INSTALLED, "stop", "does not run"),
        (INSTALLED, "suspend", "does not run"),
        (RUNNING, "resume", "is not suspended"),
        (ABSENT, "start", "is not installed"),
        (RUNNING, "loaded", "cannot take 'loaded' while it is running"),
    ],
)
def test_what_the_state_does_not_allow_is_an_error(life: Life, event: Event, why: str) -> None:
    with pytest.raises(LifecycleError, match=why):
        step(life, event)


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_whatever_happens_nothing_runs_that_was_not_verified_and_everything_is_cleaned_up(events: list[Event]) -> None:
    life, open_since_clean, verified = ABSENT, False, False
    for event in events:
        try:
            life, actions = step(life, event)
        except LifecycleError:
            continue
        verified = (verified or event == "verified") and "verify" not in actions
        assert not ("load" in actions and not verified)
        open_since_clean = (open_since_clean or "load" in actions) and "clean" not in actions
        if life.state in {"absent", "stopped", "failed", "given-up", "installed"} and not life.starting:
            assert not open_since_clean
        if life.state in {"running", "suspended", "failed"}:
            assert life.aim == "run"
