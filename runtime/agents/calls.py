"""One call of an agent from beginning to end, on whatever thread it is run: everything but its effects."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runtime.agents.emission import Emissions, read_requests
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentInstance, AgentModule, Sandbox
from runtime.agents.interface import ENTRIES, Trigger
from runtime.rooms.tasks import Task
from runtime.sandbox.outcome import Outcome, likely_cause
from runtime.sanitise import clean

__all__ = ["Performed", "failure_text", "perform"]


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of a call.

    Attributes:
        outcome: of the entry that ended it; its duration is that of all entries together.
        entry: that entry: `init` (instantiation included) or the one that was asked for.
        instance: for the next call; None after anything but a return.
        emissions: none after anything but a return.
        cpu_us: CPU time of the thread from beginning to end.
    """

    outcome: Outcome
    entry: str
    instance: AgentInstance | None = None
    emissions: Emissions = field(default_factory=Emissions)
    cpu_us: int = 0

    @property
    def ok(self) -> bool:
        """Whether the guest returned."""
        return self.outcome.kind == "returned"


def perform(
    sandbox: Sandbox,
    module: AgentModule,
    instance: AgentInstance | None,
    call: HostCall,
    trigger: Trigger,
    *,
    tasks: Mapping[str, Task],
) -> Performed:
    """Enters a guest; makes a fresh instance first when there is none.

    Args:
        sandbox: what agents share.
        module: the compiled code.
        instance: of an earlier call that returned; given up when this one fails.
        call: what the guest may see; afterwards, what it asked for.
        trigger: which entry point; `init` is called on a fresh instance in any case.
        tasks: those that the guest sees, to judge its emissions by.

    Returns:
        How it went. A failed call has no emissions.
    """
    began = time.thread_time_ns()
    done = _perform(sandbox, (module, instance), call, trigger, tasks)
    return replace(done, cpu_us=(time.thread_time_ns() - began) // 1000)


def _perform(
    sandbox: Sandbox,
    guest: tuple[AgentModule, AgentInstance | None],
    call: HostCall,
    trigger: Trigger,
    tasks: Mapping[str, Task],
) -> Performed:
    module, instance = guest
    entry, spent_us, outcome = "init", 0, Outcome("returned")
    if instance is None:
        instance, outcome = AgentInstance.start(sandbox, module, call)
        spent_us = outcome.duration_us
    if instance is not None and trigger != "init":
        entry = ENTRIES[trigger]
        outcome = instance.call(entry, call)
        spent_us += outcome.duration_us
    if call.fault is not None:
        fault = clean(f"{type(call.fault).__name__}: {call.fault}", 200)
        outcome = Outcome("host", f"a host function failed: {fault}")
    outcome = replace(outcome, duration_us=spent_us)
    if instance is None or outcome.kind != "returned":
        if instance is not None:
            instance.close()
        return Performed(outcome, entry)
    return Performed(outcome, entry, instance, read_requests(call, tasks))


def failure_text(performed: Performed, trigger: Trigger) -> str:
    """Why a call failed, for its operator and its author.

    Args:
        performed: a call that did not return.
        trigger: what it was made for.

    Returns:
        One harmless line: what happened, and what to look for.
    """
    outcome = performed.outcome
    where = "" if performed.entry == ENTRIES[trigger] else f"in {performed.entry} on a fresh instance: "
    cause = likely_cause(outcome)
    if outcome.kind == "deadline":
        return f"{where}{cause}"  # says both
    return f"{where}{outcome.detail} ({cause})" if cause else f"{where}{outcome.detail}"
