"""How documents about other nodes look to people."""

from collections.abc import Callable, Mapping

from console.output import NOTHING, Column, Item, facts, items_of, micros, moment, table, text, word

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


PEERS: Mapping[str, Callable[[Item], str]] = {
    "peers list": _list,
    "peers show": _peer,
    "peers trust": _peer,
    "peers ban": _peer,
    "peers name": _peer,
}
"""By command."""
