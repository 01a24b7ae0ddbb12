"""`jobs run --replicas`: the same job on several peers at once, and their vote on how it ended.

Clock and random bytes follow from the nonce, which all share; the time that a manifest states differs by a millisecond
from one to the next, so that each is a job of its own. Output is held until the vote.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from console.ballot import COUNTED, Vote, agreed, decided
from console.call import Call
from console.client import Fault, Json, Result
from console.exit_codes import ExitCode
from console.registry import COMMANDS
from console.verbs.job_ends import end_document, interruptible
from console.verbs.job_places import Place, best_places, named_places
from console.verbs.job_targets import targets_of
from console.verbs.lost_worker import waiting
from console.verbs.passing import pass_on
from console.verbs.reading import read_all, reading
from net.jobs.terms import WorkerTerms
from runtime.errors import OrlopError, RefusedError
from runtime.events import JobDisagreed
from runtime.jobs import JobEnd, JobOutcome, JobRequest, Streams, Usage, new_nonce, parse_receipt

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["run_replicas"]

_GRACE_S: Final = 10.0
"""How long those that cannot change the vote any more may take at least, until they are cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replica:
    """What became of the job with one peer; `end` is None where it was not even written down."""

    place: Place
    name: str
    outcome: JobOutcome
    reason: str
    end: JobEnd | None = None
    vote: Vote | None = None


async def run_replicas(core: "Core", call: Call, request: JobRequest, module: bytes) -> Result:
    """Runs the job on so many peers, and ends as most of them say that it ended.

    Raises:
        UsageError: the options do not fit together, or name a peer twice.
        OrlopError: so many peers are not there, or the input cannot be read.
    """
    targets = targets_of(COMMANDS[call.command], call.args)
    names, count, needed = targets.names, targets.replicas, targets.agree
    stdin = b""
    if "stdin" in call.files:
        most = WorkerTerms().stdin_bytes
        stdin = await read_all(call.files["stdin"], limit=most, what="standard input", interrupted=call.interrupted)
    places = await (named_places(core, names) if names else best_places(core, call, request, module, count))
    alike = replace(request, nonce=new_nonce())
    election = _Election(core, call, alike, module=module, stdin=stdin, needed=needed)
    replicas = await election.held(places)
    vote = agreed([replica.vote for replica in replicas], needed)
    value = _replicas_document(replicas, vote)
    if vote is None or call.interrupted.done():
        return _without(call, request, value, needed)
    chosen = next(replica.end for replica in replicas if replica.vote == vote and replica.end is not None)
    await _tell_disagreement(core, replicas, vote, chosen.job)
    return await _with(core, call, request, chosen, value)


class _Election:
    """The run on all of them.

    Args:
        core: of this node.
        call: of the command; its interruption cancels them all.
        request: with the nonce that all share.
        module: the module's file.
        stdin: the whole input.
        needed: how many must agree.
    """

    def __init__(
        self,
        core: "Core",
        call: Call,
        request: JobRequest,
        *,
        module: bytes,
        stdin: bytes,
        needed: int,
    ) -> None:
        self._core = core
        self._call = call
        self._request = request
        self._module = module
        self._stdin = stdin
        self._needed = needed
        self._began_ms = core.clock.wall_ms()

    async def held(self, places: Sequence[Place]) -> list[_Replica]:
        """Runs it on each, and waits for what may still change the vote, and a little for the rest."""
        late: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def hurry(done: "asyncio.Future[int]") -> None:
            if not late.done() and not done.cancelled():
                late.set_result(done.result())

        self._call.interrupted.add_done_callback(hurry)
        began = self._core.clock.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._on(place, number, late)) for number, place in enumerate(places)]
            pending = set(tasks)
            while pending and not self._decided(tasks):
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                grace_s = max(_GRACE_S, self._core.clock.monotonic() - began)
                await asyncio.wait(pending, timeout=grace_s)
                if not late.done():
                    late.set_result(int(ExitCode.CANCELLED))
        return [task.result() for task in tasks]

    def _decided(self, tasks: Sequence["asyncio.Task[_Replica]"]) -> bool:
        votes = [task.result().vote for task in tasks if task.done()]
        return decided(votes, len(tasks) - len(votes), self._needed)

    async def _on(self, place: Place, number: int, late: "asyncio.Future[int]") -> _Replica:
        """On one peer. Whatever keeps it from running there is no vote."""
        entry = await self._core.mesh.entry(place.peer)
        name = entry.name if entry is not None else ""

        def run(started: Callable[[str], None]) -> Awaitable[JobEnd]:
            return self._core.mesh.jobs.run(
                place.peer,
                self._request,
                module=self._module,
                streams=Streams(stdin=self._stdin),
                address=place.address,
                created_ms=self._began_ms - number,
                waiting=waiting(self._call, f"{self._request.name} on {name or place.peer}"),
                interrupted=late,
                on_started=started,
            )

        try:
            end = await interruptible(self._core, late, run)
        except OrlopError as error:
            outcome: JobOutcome = "refused" if isinstance(error, RefusedError) else "lost"
            return _Replica(place=place, name=name, outcome=outcome, reason=error.why)
        return _Replica(place=place, name=name, outcome=end.outcome, reason=end.reason, end=end, vote=_vote_of(end))


def _vote_of(end: JobEnd) -> Vote | None:
    """What a peer has signed for; None where its receipt is not believed, or says nothing of the job itself."""
    believed = end.verification is not None and end.verification.ok
    if not believed or end.receipt_document is None or end.outcome not in COUNTED:
        return None
    return Vote(end.outcome, end.exit_code, parse_receipt(end.receipt_document).commitment.hex())


def _replicas_document(replicas: Sequence[_Replica], vote: Vote | None) -> list[Json]:
    return [
        {
            "job": None if replica.end is None else replica.end.job,
            "where": str(replica.place.peer),
            "name": replica.name,
            "outcome": replica.outcome,
            "exit_code": int(ExitCode.NOT_RUN) if replica.end is None else replica.end.exit_code,
            "reason": replica.reason,
            "commitment": None if replica.vote is None else replica.vote.commitment,
            "receipt": None if replica.end is None else replica.end.receipt_document,
            "verification": None
            if replica.end is None or replica.end.verification is None
            else replica.end.verification.document(),
            "agrees": None if replica.vote is None or vote is None else replica.vote == vote,
        }
        for replica in replicas
    ]


async def _tell_disagreement(core: "Core", replicas: Sequence[_Replica], vote: Vote, chosen: str) -> None:
    told = [
        JobDisagreed(job=replica.end.job, where=replica.end.where, agreed=chosen)
        for replica in replicas
        if replica.end is not None and replica.vote not in {None, vote}
    ]
    if told:
        await core.write(lambda tx: [tx.emit(event) for event in told])


def _without(call: Call, request: JobRequest, replicas: list[Json], needed: int) -> Result:
    """No majority, or nobody waits for one any more: there is no output."""
    stopped = call.interrupted.done()
    status = call.interrupted.result() if stopped else int(ExitCode.NOT_RUN)
    outcome: JobOutcome = "cancelled" if stopped else "unverified"
    words = "cancelled" if stopped else f"unverified: no {needed} of {len(replicas)} peers agree on how it ended"
    value: dict[str, Json] = {
        "v": 1,
        "job": None,
        "where": None,
        "outcome": outcome,
        "exit_code": status,
        "stdout": "",
        "stderr": "",
        "truncated": False,
        "limits": request.limits.document(),
        "usage": Usage().document(),
        "receipt": None,
        "verification": None,
        "replicas": replicas,
    }
    return Result(ok=False, value=value, fault=Fault("failed", words, call.command, request.name), exit_code=status)


async def _with(core: "Core", call: Call, request: JobRequest, end: JobEnd, replicas: list[Json]) -> Result:
    """The end that was agreed on, as if there were no other."""
    passes = "stdout" in call.files
    undelivered = await _pass_on(core, call, end.job) if passes else ""
    value = await end_document(core, end, passed=passes) | {"replicas": replicas}
    words = "; ".join(part for part in (end.reason, undelivered) if part)
    fault = Fault("failed", words, call.command, request.name) if words else None
    status = end.exit_code or (int(ExitCode.NOT_RUN) if undelivered else 0)
    if call.interrupted.done():
        status = call.interrupted.result()
    return Result(ok=end.outcome == "exit" and not undelivered, value=value, fault=fault, exit_code=status)


async def _pass_on(core: "Core", call: Call, job: str) -> str:
    """Passes on what was held; returns why it could not be, or nothing."""
    kept = await core.jobs.output(job)
    if kept.lacking:
        return f"{kept.lacking} bytes of its output are gone"
    both = {"stdout": kept.stdout, "stderr": kept.stderr}
    held = {name: data for name, data in both.items() if name in call.files}

    def one(name: str, stop: int) -> str:
        try:
            pass_on(call.files[name], held[name], stop=stop)
        except OSError as error:
            return f"{name} could not be written: {(error.strerror or 'it cannot be written').lower()}"
        return ""

    said = await asyncio.gather(*(reading(call.interrupted, partial(one, name)) for name in held))
    return "cancelled" if call.interrupted.done() else "; ".join(text for text in said if text)
