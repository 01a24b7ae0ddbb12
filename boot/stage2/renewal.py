"""The lease of an address, asked for again at half of its time, each time by the same strict questions as the first."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from boot.modes import Rules
from boot.stage1.lease import Lease
from boot.stage1.network import Links
from runtime.errors import OrlopError

__all__ = ["keep_lease"]

_LEAST_S: Final = 30
"""Between two questions, whatever a server says."""


def keep_lease(
    lease: Lease, rules: Rules, links: Links, said: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> int:
    """Keeps an address for as long as the machine runs; returns where a lease says nothing of its time.

    A server that gives no answer is asked again, each time after half of what is left. What is lost is said, and asked
    for on and on; the address stays until another one comes.

    Args:
        lease: the first one.
        rules: of the mode.
        links: of this machine.
        said: takes lines for the console.
        sleep: waits so many seconds.
    """
    left_s = lease.seconds
    while lease.seconds:
        pause_s = max(_LEAST_S, left_s // 2)
        sleep(pause_s)
        left_s -= pause_s
        try:
            new = links.ask(lease.interface)
            links.apply(new, rules)
        except OrlopError as error:
            state = f"is not renewed, {left_s} s are left" if left_s > 0 else "is lost"
            said(f"the lease of {lease.address} {state}: {error}")
            continue
        if new.address != lease.address:
            said(f"address {new.address} via {new.interface}, and no longer {lease.address}")
        lease, left_s = replace(new, seconds=new.seconds or lease.seconds), new.seconds or lease.seconds
    return 0
