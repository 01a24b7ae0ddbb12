"""What a node offers is told by itself, too: checked like an answer, counted, and kept while it is fresh."""

from dataclasses import dataclass, field, replace

import pytest

from net.capabilities.exchange import PROTOCOL, Exchange, ask, push
from net.capabilities.heard import Heard
from net.capabilities.record import LIFE_MS, Capabilities, make_record
from net.errors import StreamResetError, UnreachableError
from net.limits import NetLimits
from net.memory import MemoryConnection, pair
from net.peer_id import PeerId
from net.stream import Connection, Protocols, Stream
from net.varint import encode_varint
from runtime.clock import ManualClock
from runtime.identity import Identity
from tests.net.capabilities.test_capabilities import MACHINE, ME, NOW, OFFERED, OTHER, PACKED

PATIENT = NetLimits(capabilities_s=60)
THEIRS = make_record(OTHER, MACHINE, OFFERED, seq=1, now_ms=NOW)


@dataclass
class Desk:
    """A node that answers, and another that is connected with it."""

    limits: NetLimits = PATIENT
    heard: list[Capabilities] = field(default_factory=list)
    asked: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        exchange = Exchange(
            lambda: PACKED, ManualClock(NOW), asked=self.asked.append, heard=self.heard.append, limits=self.limits
        )
        there = Protocols()
        there.serve(PROTOCOL, exchange.serve)
        self.here: MemoryConnection = pair(PeerId(OTHER.public), PeerId(ME.public), Protocols(), there)[0]

    @property
    def faults(self) -> list[str]:
        assert self.here.other is not None
        return [fault.rule for fault in self.here.other.faults]


async def test_a_record_that_is_pushed_is_heard_and_answered() -> None:
    desk = Desk()
    await push(desk.here, THEIRS, PATIENT)
    (record,) = desk.heard
    assert (record.peer, record.offered) == (PeerId(OTHER.public), OFFERED)
    assert len(desk.asked) == 1
    assert (await ask(desk.here, lambda: NOW, PATIENT)).peer == PeerId(ME.public)
    assert len(desk.asked) == 2
    assert len(desk.heard) == 1
    await desk.here.close()


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (encode_varint(len(PACKED)) + PACKED, "capabilities"),
        (encode_varint(3) + b"abc", "capabilities"),
        (encode_varint(8193), "oversized-message"),
        (b"\x80\x00", "bad-varint"),
    ],
    ids=["of somebody else", "no record", "too long", "no length"],
)
async def test_what_is_no_record_of_its_own_is_the_peers_fault(raw: bytes, rule: str) -> None:
    desk = Desk()
    stream = await desk.here.open(PROTOCOL)
    await stream.write(raw)
    with pytest.raises(StreamResetError):
        await stream.read()
    assert (desk.faults, desk.heard) == ([rule], [])
    await desk.here.close()


async def test_who_pushes_too_often_is_counted_against() -> None:
    desk = Desk(replace(PATIENT, pushes_burst=2, pushes_rate=1e-9))
    for _ in range(2):
        await push(desk.here, THEIRS, PATIENT)
    with pytest.raises(StreamResetError):
        await push(desk.here, THEIRS, PATIENT)
    assert (desk.faults, len(desk.heard)) == (["capabilities-push"], 2)
    assert (await ask(desk.here, lambda: NOW, PATIENT)).offered == OFFERED  # asking is another thing
    await desk.here.close()


async def test_a_question_that_never_comes_is_not_waited_for() -> None:
    desk = Desk(NetLimits(capabilities_s=0.01))
    stream = await desk.here.open(PROTOCOL)
    with pytest.raises(StreamResetError):
        await stream.read()
    assert desk.faults == []
    await desk.here.close()


async def test_who_does_not_answer_is_left() -> None:
    async def silent(connection: Connection, _stream: Stream) -> None:
        await connection.wait_closed()

    there = Protocols()
    there.serve(PROTOCOL, silent)
    here = pair(PeerId(OTHER.public), PeerId(ME.public), Protocols(), there)[0]
    with pytest.raises(UnreachableError, match="did not hear what we offer"):
        await push(here, THEIRS, NetLimits(capabilities_s=0.01))
    await here.close()


def record(seq: int, *, who: Identity = ME, issued_ms: int = NOW) -> Capabilities:
    return Capabilities(
        peer=PeerId(who.public), seq=seq, issued_ms=issued_ms, expires_ms=issued_ms + LIFE_MS, machine=MACHINE,
        offered=OFFERED,
    )  # fmt: skip


def test_the_newest_is_kept_and_an_older_one_passed_over() -> None:
    heard = Heard()
    assert [heard.take(record(seq)) for seq in (5, 4, 5, 6)] == [True, False, True, True]
    kept = heard.of(PeerId(ME.public), NOW)
    assert kept is not None
    assert kept.seq == 6


def test_what_is_stale_is_not_known() -> None:
    heard = Heard()
    heard.take(record(1))
    assert heard.of(PeerId(ME.public), NOW + LIFE_MS - 1) is not None
    assert heard.of(PeerId(ME.public), NOW + LIFE_MS) is None
    assert heard.of(PeerId(OTHER.public), NOW) is None


def test_a_thousand_are_remembered() -> None:
    heard = Heard()
    for number in range(1001):
        heard.take(replace(record(1), peer=PeerId(number.to_bytes(32, "big"))))
    assert heard.of(PeerId((0).to_bytes(32, "big")), NOW) is None
    assert heard.of(PeerId((1).to_bytes(32, "big")), NOW) is not None
