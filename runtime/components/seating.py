"""What an instance is to the core when it has just been made: its seat, and what it said to the first questions."""

from runtime.canonical import Json
from runtime.components.answers import Seat
from runtime.components.health import Health
from runtime.components.host.context import ComponentId
from runtime.components.in_force import Ceilings
from runtime.components.installed import Installed
from runtime.components.mailbox import Mailbox
from runtime.components.permissions import Policy
from runtime.components.post import Box
from runtime.components.running import Called
from runtime.errors import UsageError

__all__ = ["returned", "seat_of"]


def seat_of(
    component: ComponentId, installed: Installed, policy: Policy, ceilings: Ceilings, *, state: str, health: Health
) -> Seat:
    """A seat with an empty mailbox.

    Args:
        component: who takes it.
        installed: what it is.
        policy: its permissions.
        ceilings: its limits.
        state: of its life.
        health: what it said last.
    """
    messaging = ceilings.messaging
    mailbox = Mailbox(messaging.mailbox, messaging.overflow)
    box = Box(installed.name, policy, mailbox, ceilings.limits.message, messaging.pending_requests)
    description = installed.manifest.package.description
    return Seat(component, box, policy, ceilings.limits.storage, description, state, health)


def returned(ended: Called) -> Json:
    """What a call of the start came back with.

    Args:
        ended: the call.

    Raises:
        UsageError: it did not come back.
    """
    if not ended.returned:
        raise UsageError(f"{ended.kind}: {ended.detail or ended.trap}")
    return ended.value
