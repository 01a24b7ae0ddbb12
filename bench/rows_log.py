"""A room's log of 10,000 entries: folded at once, and entry by entry as they come; signatures verified or not."""

import base64
from typing import Final

from bench.measure import Figure, alternate, figure, wall_us
from runtime.canonical import Json
from runtime.identity import Identity
from runtime.rooms.cards import make_card
from runtime.rooms.entries import NO_ENTRY, SignedEntry, sign_entry
from runtime.rooms.replica import FOREVER_MS, Replica
from runtime.rooms.tasks import Folding, TaskEvent

__all__ = ["measure"]

_ROOM: Final = "ab" * 16
_TASKS: Final = 1_000


class _Author:
    """An account of which only the signature is needed."""

    def __init__(self) -> None:
        self._key = Identity(b"k" * 32)
        self.identity_key = _text(bytes(32))
        self.ed25519_key = _text(self._key.public)

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Signs."""
        return self._key.sign(domain, message)


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds, changes = (2, 1) if quick else (5, 9)
    owner, log = _log(changes)
    many = len(log) - 1

    def read() -> Replica:
        replica = Replica(_ROOM, owner)
        replica.offer(log, FOREVER_MS, trusted=True)
        if len(replica.fold.folding.tasks) != _TASKS or replica.refolds:
            raise RuntimeError("it was not folded as it came")
        return replica

    def one_by_one() -> None:
        replica = Replica(_ROOM, owner)
        for entry in log:
            replica.offer([entry], FOREVER_MS, trusted=True)

    def verified() -> None:
        Replica(_ROOM, owner).offer(log[: many // 10], FOREVER_MS)

    def anew(replica: Replica) -> float:
        return wall_us(replica.fold_anew) / 1000

    def reducer() -> None:
        folding = Folding()
        for event in events:
            folding.forget()
            folding.apply(event)

    events = [
        TaskEvent(
            type=str(entry.content["type"]),
            task_id=str(entry.content["taskId"]),
            task=entry.content["task"],  # type: ignore[arg-type]
            timestamp=entry.ts_ms,
            actor_id=entry.actor,
        )
        for entry in log[1:]
    ]
    whole = read()
    at_once, single, again, checked, bare = alternate(
        rounds,
        lambda: wall_us(read) / 1000,
        lambda: wall_us(one_by_one) / 1000,
        lambda: anew(whole),
        lambda: wall_us(verified) * 10 / 1000,
        lambda: wall_us(reducer) / 1000,
    )
    baseline = ("the reducer alone, events in order", bare)
    bound = None if quick else 1_000
    return [
        figure(f"{many:,} entries of a room folded at once", "ms", at_once, against=baseline, bound=bound),
        figure("one after another, as they come", "ms", single, against=baseline, bound=bound),
        figure("sorted and folded anew", "ms", again, against=baseline, bound=bound),
        figure("signatures verified besides", "ms", checked, against=baseline, note="of a tenth, times ten"),
    ]


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode().rstrip("=")


def _log(changes: int) -> tuple[str, list[SignedEntry]]:
    """The creator's card, and a log in which every task is created, then changed so often, all tasks in turns."""
    account = _Author()
    card = make_card(account, Identity(bytes(32)), "me")
    opening: dict[str, Json] = {
        "name": "bench",
        "history": "all",
        "ephemeral": False,
        "admission": "invite",
        "invite": "",
        "card": card.to_json(),
    }
    log: list[SignedEntry] = []
    contents: list[tuple[str, dict[str, Json]]] = [("room", opening)]
    for turn in range(changes + 1):
        for number in range(_TASKS):
            payload: dict[str, Json] = {"status": ("pending", "in_progress", "completed")[turn % 3]}
            if turn == 0:
                payload |= {"title": f"Task {number}", "blockedBy": [f"t-{number - 1}"] if number % 10 else []}
            kind = "task_status_changed" if turn else "task_created"
            contents.append(("task", {"type": kind, "taskId": f"t-{number}", "task": payload}))
    for number, (kind, content) in enumerate(contents, 1):
        log.append(
            sign_entry(
                account,
                room=_ROOM,
                seq=number,
                prev=log[-1].id if log else NO_ENTRY,
                ts_ms=1_700_000_000_000 + number,
                actor=account.identity_key,
                kind=kind,
                content=content,
            )
        )
    return card.fingerprint, log
