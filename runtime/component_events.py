"""What happens to components, beside `runtime.events`: one frozen dataclass per type.

`component` is `namespace/name` everywhere. Nothing that a component wrote is in them but a line of its log, which is
content, and texts that name what it asked for, cleaned.
"""

from dataclasses import dataclass
from typing import ClassVar

from runtime.events import Event, content

__all__ = [
    "ComponentCalled",
    "ComponentDeadLetter",
    "ComponentDenied",
    "ComponentGivenUp",
    "ComponentHealth",
    "ComponentInstalled",
    "ComponentLogged",
    "ComponentMeasured",
    "ComponentPolicy",
    "ComponentRestarting",
    "ComponentState",
    "ComponentUninstalled",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentInstalled(Event):
    """A component was verified and stored, with what it was granted. `previous`: the version that it replaces."""

    TYPE: ClassVar[str] = "component.installed"
    component: str
    version: str
    hash: str
    world: str
    mark: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentUninstalled(Event):
    """A component is gone, with what it stored."""

    TYPE: ClassVar[str] = "component.uninstalled"
    component: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentState(Event):
    """A component is in another state of its life. `reason`: why it failed or stopped, else empty."""

    TYPE: ClassVar[str] = "component.state"
    component: str
    version: str
    state: str
    reason: str
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRestarting(Event):
    """A failure led to a restart. `members` start in this order, `delay_ms` from now; `group` is empty of one alone."""

    TYPE: ClassVar[str] = "component.restarting"
    component: str
    group: str
    members: tuple[str, ...]
    reason: str
    delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentGivenUp(Event):
    """Too many restarts in too short a time: the breaker is open until an operator starts the component again."""

    TYPE: ClassVar[str] = "component.given_up"
    component: str
    group: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentHealth(Event):
    """A component feels another way than before."""

    TYPE: ClassVar[str] = "component.health"
    component: str
    status: str
    detail: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentPolicy(Event):
    """What a component may do was changed; `granted` and `revoked` are rules, `version` that of the policy in force."""

    TYPE: ClassVar[str] = "component.policy"
    component: str
    version: int
    granted: tuple[str, ...]
    revoked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentCalled(Event):
    """A component asked its host for something, once or, where `calls` says so, several times alike."""

    TYPE: ClassVar[str] = "component.call"
    component: str
    op: str
    target: str
    rule: str
    outcome: str
    calls: int
    bytes: int
    duration_us: int
    rules_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentDenied(Event):
    """A component was refused something.

    `rule` refused it, or none allowed it; `line` is the one of Component.toml to look at, `remedy` the option of
    `components permissions` that would allow it, empty where nothing could.
    """

    TYPE: ClassVar[str] = "component.denied"
    component: str
    op: str
    target: str
    rule: str
    line: int | None
    remedy: str
    calls: int
    rules_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentLogged(Event):
    """A component wrote a line to its log."""

    TYPE: ClassVar[str] = "component.log"
    LIVE_ONLY: ClassVar[bool] = True
    component: str
    level: str
    text: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentMeasured(Event):
    """Calls into a component and requests that it was denied since its start, and messages that wait for it."""

    TYPE: ClassVar[str] = "component.measured"
    LIVE_ONLY: ClassVar[bool] = True
    component: str
    calls: int
    denied: int
    mailbox: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentDeadLetter(Event):
    """Unread messages. `reason`: mailbox-full, dropped for a newer one, target-failed, target-gone, nobody waits."""

    TYPE: ClassVar[str] = "component.dead_letter"
    component: str
    sender: str
    reason: str
    count: int
