"""A worker that runs nothing, and says and signs what a test tells it to."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from net.jobs.frames import Kind, data_frames
from net.jobs.messages import Accepted, Cancel, Message, Offer, Request, Result, Started
from net.stream import Connection, Stream
from runtime.canonical import Json, encode
from runtime.clock import SystemClock
from runtime.identity import Identity
from runtime.jobs import JobLimits, Usage, read_manifest
from runtime.jobs.commitment import commit
from runtime.jobs.statement import Statement, sign_receipt
from tests.net.jobs.job_peers import Talk


@dataclass
class Liar:
    """A worker that runs nothing and says what a test tells it to say."""

    identity: Identity
    stdout: bytes = b"all done"
    words: list[Message] = field(default_factory=lambda: [Started()])
    result: "Callable[[Offer, Liar], Result | None]" = field(default_factory=lambda: truth)
    raw: bytes = b""
    """Said instead of a result."""

    async def serve(self, _: Connection, stream: Stream) -> None:
        talk = Talk(stream)
        await self.follow(await talk.word(), talk, stream)

    async def wake(self) -> None:
        """Awaited between the last byte that comes and the first word that goes."""

    async def follow(self, offer: Message, talk: Talk, stream: Stream) -> None:
        if not isinstance(offer, Offer):
            return
        await talk.say(self.accepted(offer))
        assert isinstance(await talk.word(), Request)
        for kind in (Kind.MODULE, Kind.STDIN):
            while (found := await talk.next()) != (kind, b""):
                assert found is not None
        await self.wake()
        for word in self.words:
            await talk.say(word)
        await stream.write(data_frames(Kind.STDOUT, self.stdout))
        if (result := self.result(offer, self)) is not None:
            await talk.say(result)
        await stream.write(self.raw)
        while await talk.next() is not None:
            pass

    def accepted(self, offer: Offer) -> Accepted:
        return Accepted(job_of(offer), "a" * 32, 10_000, {}, 0)


@dataclass
class Sleeper(Liar):
    """A worker that begins to speak when it hears that nobody waits for the job any more."""

    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, _: Connection, stream: Stream) -> None:
        talk = Talk(stream)
        first = await talk.word()
        if isinstance(first, Cancel):
            self.hurried.set()
            return
        await self.follow(first, talk, stream)

    async def wake(self) -> None:
        await self.hurried.wait()


def job_of(offer: Offer) -> str:
    return read_manifest(encode(offer.manifest)).job


def limits_of(offer: Offer) -> JobLimits:
    payload = offer.manifest["payload"]
    assert isinstance(payload, Mapping)
    own = payload["orlop"]
    assert isinstance(own, Mapping)
    return JobLimits.read(
        dict(own) | {"memory_bytes": payload["max_memory_bytes"], "timeout_ms": payload["max_duration_ms"]}
    )


def true_receipt(offer: Offer, liar: Liar, **changes: object) -> dict[str, Json]:
    """What an honest worker would sign."""
    payload = offer.manifest["payload"]
    assert isinstance(payload, Mapping)
    own = payload["orlop"]
    assert isinstance(own, Mapping)
    statement = Statement(
        job=job_of(offer),
        module=str(payload["module_cid"]),
        nonce=str(own["nonce"]),
        argv=tuple(own["argv"]),  # type: ignore[arg-type]
        env=(),
        dirs=(),
        stdin_sha256=str(own["stdin_sha256"]),
        limits=limits_of(offer),
        outcome="exit",
        exit_code=0,
        guest_exit_code=None,
        usage=Usage(wall_ms=0, fuel=10, memory_peak_bytes=65_536),
        commitment=commit(liar.stdout, b""),
        completed_ms=SystemClock().wall_ms(),
    )
    return sign_receipt(liar.identity, replace(statement, **changes), 0, "0" * 64).document  # type: ignore[arg-type]


def truth(offer: Offer, liar: Liar) -> Result:
    return Result(job_of(offer), "exit", truncated=False, receipt=true_receipt(offer, liar))
