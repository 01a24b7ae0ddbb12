"""What happened with a peer, in words: lines of the log and of its history."""

from console.ui.figures import millis, short_id
from runtime import events
from runtime.events import Event

__all__ = ["allowed_words", "said_of_peer"]


def allowed_words(*, worker: bool, submitter: bool) -> str:
    """What a peer may, in as few words as there are: empty for nothing."""
    return ", ".join(word for word, on in (("runs jobs", worker), ("gives jobs", submitter)) if on)


def said_of_peer(event: Event) -> str:  # noqa: PLR0911 - one line for each kind of event
    """One line about what an event says of the peer that it names; empty for events of another kind.

    What a peer itself chose may stand in it: whoever shows it cleans it first.
    """
    match event:
        case events.PeerFound():
            return f"said to be at {', '.join(event.addresses)} ({event.source})"
        case events.PeerConnected():
            how = "this node dialled" if event.dialled else "it dialled"
            return f"connected by {event.transport}, {how}: {event.address}"
        case events.PeerDisconnected():
            return f"disconnected: {event.reason}"
        case events.PeerUnreachable():
            return f"not reached: {event.reason}"
        case events.PeerMeasured():
            return f"answered after {millis(event.rtt_us)}"
        case events.PeerFault():
            return f"broke a rule ({event.rule}): {event.reason}"
        case _:
            return _judged(event)


def _judged(event: Event) -> str:  # noqa: PLR0911 - one line for each kind of event
    """What it may, and what became of jobs that it was given."""
    match event:
        case events.PeerTrusted():
            return f"may: {allowed_words(worker=event.worker, submitter=event.submitter) or 'nothing'}"
        case events.PeerBanned(banned=False):
            return "the ban is lifted"
        case events.PeerBanned():
            until = f" until {event.until}" if event.until else ""
            return f"banned{until}{f': {event.reason}' if event.reason else ''}"
        case events.PeerLied():
            return f"gave a false receipt for job {short_id(event.job)}: {event.reason}"
        case events.PeerRan():
            how = "with a receipt that is true" if event.proved else "without a receipt that is true"
            return f"ended job {short_id(event.job)} {how}"
        case events.PeerNamed():
            return f"is called {event.name}" if event.name else "has no name here"
        case _:
            return ""
