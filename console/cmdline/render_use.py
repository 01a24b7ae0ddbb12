"""What `agents show` says of an agent's last hour, in one line."""

from console.output import Item, items_of
from runtime.quantities import format_duration_ms

__all__ = ["last_hour"]


def last_hour(value: Item) -> str:
    """Calls, failures, emissions, drops and CPU time of all its minutes together.

    Args:
        value: the answer of `agents show`.
    """
    minutes = items_of(value, "minutes")
    names = ("calls", "failures", "emitted", "dropped", "cpu_us")
    calls, failed, emitted, dropped, cpu_us = (sum(_count(one, name) for one in minutes) for name in names)
    cpu = format_duration_ms(cpu_us // 1000)
    return f"{calls} calls, {failed} failed, {emitted} emitted, {dropped} dropped, {cpu} of CPU time"


def _count(item: Item, key: str) -> int:
    value = item.get(key)
    return value if isinstance(value, int) and value > 0 else 0
