"""Who said what, where peers that ran the same job do not all say the same."""

from collections.abc import Mapping

from console.client import Json
from console.output import Item, items_of

__all__ = ["who_said_what"]

_SHOWN = 16


def who_said_what(value: Json) -> list[str]:
    """A line for each peer of `jobs run --replicas`; none when all agree, and of any other document.

    Args:
        value: the command's document.
    """
    replicas = items_of(value, "replicas") if isinstance(value, Mapping) else []
    if all(replica.get("agrees") is True for replica in replicas):
        return []
    return [_line(replica) for replica in replicas]


def _line(replica: Item) -> str:
    who = replica.get("name") or replica.get("where")
    commitment = replica.get("commitment")
    if not isinstance(commitment, str):
        reason = replica.get("reason")
        return f"{who}: no vote: {replica.get('outcome')}" + (f": {reason}" if reason else "")
    agrees = replica.get("agrees")
    verdict = "" if agrees is None else ", as most" if agrees else ", otherwise than most"
    return f"{who}: {replica.get('outcome')} {replica.get('exit_code')}, output {commitment[:_SHOWN]}{verdict}"
