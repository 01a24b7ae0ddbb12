"""Which components of a group restart after one of them failed, in which order, when, and when that is enough. Pure.

A group is one component, or several that an operator put together. A failure makes a `Round`: what is stopped first
and what is started when its delay is over. More failures before that moment join the round; afterwards each counts
anew. More restarts within the window than the group may have open its breaker: it is given up, with the reasons, and
only an operator starts it again.

Delay: `min(backoff_max, backoff_initial * 2 ** (n - 1))`, ten percent more or less, n being the restarts in the window.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

__all__ = ["Failure", "Group", "Restart", "Round", "Rules", "Strategy", "Watch", "begun", "failed"]

Strategy = Literal["one-for-one", "rest-for-one", "one-for-all"]
Restart = Literal["always", "on-failure", "never"]

_JITTER: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How often and how soon a group restarts; seconds."""

    max_restarts: int = 3
    window_s: float = 60.0
    backoff_initial_s: float = 0.1
    backoff_max_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Group:
    """Components that are supervised together.

    Attributes:
        members: in the order in which they start.
        strategy: who moves when one of them fails.
        rules: how often.
    """

    members: tuple[str, ...]
    strategy: Strategy = "one-for-one"
    rules: Rules = Rules()


@dataclass(frozen=True, slots=True)
class Round:
    """What follows from a failure.

    Attributes:
        stop: members to stop now, in this order.
        start: members to start, in this order, when it is due.
        due: monotonic seconds.
    """

    stop: tuple[str, ...]
    start: tuple[str, ...]
    due: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of a group.

    Attributes:
        restarts: when the restarts within the window were granted; monotonic seconds.
        reasons: of the failures they followed, as long.
        round: the one that waits for its moment.
        given_up: whether the breaker is open.
    """

    restarts: tuple[float, ...] = ()
    reasons: tuple[str, ...] = ()
    round: Round | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One end of a member that nobody asked for.

    Attributes:
        member: which.
        reason: one line.
        restart: its own rule.
        clean: it came to an end by itself, without a fault.
        innocent: it ended with its worker, by another's fault; that counts against nobody and waits for nothing.
    """

    member: str
    reason: str
    restart: Restart = "on-failure"
    clean: bool = False
    innocent: bool = False


def failed(watch: Watch, group: Group, failure: Failure, now: float, jitter: float) -> Watch:
    """Folds a failure.

    Args:
        watch: before it.
        group: of the member.
        failure: of whom, and why.
        now: monotonic seconds.
        jitter: between -1 and 1, by chance.

    Returns:
        The watch with a round to carry out, without one where nothing moves, or given up.
    """
    if watch.given_up:
        return watch
    moved = _moved(group, failure)
    if not moved:
        return watch
    if watch.round is not None:
        return replace(watch, round=_joined(group, watch.round, moved))
    if failure.innocent:
        return replace(watch, round=_round(group, failure.member, moved, now))
    since = now - group.rules.window_s
    recent = [(at, why) for at, why in zip(watch.restarts, watch.reasons, strict=True) if at > since]
    recent.append((now, failure.reason))
    restarts, reasons = tuple(at for at, _ in recent), tuple(why for _, why in recent)
    if len(recent) > group.rules.max_restarts:
        return Watch(restarts, reasons, given_up=True)
    delay = min(group.rules.backoff_max_s, group.rules.backoff_initial_s * 2.0 ** (len(recent) - 1))
    due = now + delay * (1 + _JITTER * jitter)
    return Watch(restarts, reasons, _round(group, failure.member, moved, due))


def begun(watch: Watch) -> Watch:
    """The round's members are being started now; whatever fails from here on counts anew."""
    return replace(watch, round=None)


def _moved(group: Group, failure: Failure) -> tuple[str, ...]:
    """Members that start again, in the group's order; the failed one only where its own rule says so."""
    at = group.members.index(failure.member)
    again = failure.restart == "always" or (failure.restart == "on-failure" and not failure.clean)
    others: dict[Strategy, tuple[str, ...]] = {
        "one-for-one": (),
        "rest-for-one": group.members[at + 1 :],
        "one-for-all": (*group.members[:at], *group.members[at + 1 :]),
    }
    return tuple(one for one in group.members if one in others[group.strategy] or (again and one == failure.member))


def _round(group: Group, fallen: str, moved: tuple[str, ...], due: float) -> Round:
    stop = tuple(one for one in reversed(group.members) if one in moved and one != fallen)
    return Round(stop, moved, due)


def _joined(group: Group, before: Round, moved: tuple[str, ...]) -> Round:
    """A second failure stops what the first left running, and starts all of both."""
    start = tuple(one for one in group.members if one in before.start or one in moved)
    stop = tuple(one for one in reversed(group.members) if one in moved and one not in before.start)
    return Round(before.stop + tuple(one for one in stop if one not in before.stop), start, before.due)
