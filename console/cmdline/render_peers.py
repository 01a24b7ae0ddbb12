"""How documents about other nodes look to people."""

from collections.abc import Callable, Mapping

from console.output import (
    NOTHING,
    Column,
    Item,
    facts,
    items_of,
    list_of,
    micros,
    moment,
    size,
    table,
    text,
    text_of,
    word,
)
from runtime.sanitise import clean

__all__ = ["PEERS"]


def _may(item: Item) -> str:
    """What it is trusted with, in words."""
    parts = [name for name, key in (("runs jobs", "worker"), ("gives jobs", "submitter")) if item.get(key)]
    return ", ".join(parts)


_PEERS = (
    Column("PEER", word("peer"), limit=52),
    Column("NAME", word("name")),
    Column("STATE", word("state")),
    Column("MAY", _may),
    Column("PROVEN", moment("proven_ms")),
    Column("ROUND TRIP", micros("rtt_us"), right=True),
    Column("RAN", word("done"), right=True),
    Column("FAILED", word("failed"), right=True),
    Column("ADDRESS", word("address"), limit=60),
    Column("PROBLEM", word("problem"), limit=60),
)
_FOUND = (
    Column("PEER", word("peer"), limit=52),
    Column("NAME", word("name")),
    Column("ARCH", word("arch")),
    Column("CPUS", word("cpus"), right=True),
    Column("FREE", size("mem_free"), right=True),
    Column("SLOTS", lambda item: f"{text(item, 'slots_free')}/{text(item, 'slots_total')}", right=True),
    Column("ROUND TRIP", micros("rtt_us"), right=True),
    Column("TRUSTED", lambda item: "yes" if item.get("worker") else "no"),
    Column("VERSION", word("version")),
)
_PLACES = (
    Column("ADDRESS", word("address"), limit=100),
    Column("SAID BY", word("source")),
    Column("HEARD", moment("seen_ms")),
    Column("PROVEN", moment("proven_ms")),
)


def _list(value: Item) -> str:
    empty = "no peers yet: orlop peers trust PEERID trusts one"
    return table(_PEERS, items_of(value, "items"), empty=empty)


def _peer(value: Item) -> str:
    head = facts(
        [
            ("peer", text(value, "peer")),
            ("name", word("name")(value)),
            ("note", word("note")(value)),
            ("state", word("state")(value)),
            ("may", _may(value) or "nothing"),
            ("problem", word("problem")(value)),
            ("key proven", moment("proven_ms")(value)),
            ("heard of", moment("seen_ms")(value)),
            ("program", f"{text(value, 'agent')} (it says)" if value.get("agent") else NOTHING),
            ("round trip", micros("rtt_us")(value)),
            ("jobs run", f"{text(value, 'done')} proven, {text(value, 'failed')} not"),
        ]
    )
    return f"{head}\n{table(_PLACES, items_of(value, 'places'), empty='no address is known')}"


def _found(value: Item) -> str:
    listed = table(_FOUND, items_of(value, "items"), empty="nobody who could do it was found")
    rest = items_of(value, "unproven")
    lines = "".join(f"unproven  {clean(text(one, 'peer'), 52)}  {clean(text(one, 'reason'), 120)}\n" for one in rest)
    return listed + (f"\n{lines}" if lines else "")


def _dialled(value: Item) -> str:
    return facts(
        [
            ("peer", f"{text(value, 'peer')}, key proven"),
            ("at", f"{text(value, 'address')} by {text(value, 'transport')}"),
            ("program", f"{clean(text(value, 'agent'), 64) or NOTHING} (it says)"),
            *(("listens at", f"{text_of(one)} (it says)") for one in list_of(value, "listen")),
            ("speaks", ", ".join(text_of(one) for one in list_of(value, "protocols")) or NOTHING),
        ]
    )


def _pinged(value: Item) -> str:
    trips = [int(text_of(one)) for one in list_of(value, "rtts_us")]
    lines = "".join(f"answered after {trip / 1000:.2f} ms\n" for trip in trips)
    return f"{lines}{text(value, 'peer')}: best {min(trips, default=0) / 1000:.2f} ms\n"


PEERS: Mapping[str, Callable[[Item], str]] = {
    "peers list": _list,
    "peers show": _peer,
    "peers dial": _dialled,
    "peers discover": _found,
    "peers ping": _pinged,
    "peers trust": _peer,
    "peers ban": _peer,
    "peers name": _peer,
}
"""By command."""
