"""Other nodes of the small world: connected, known, banned, one that lied, one of hearsay."""

from hashlib import sha256

from nacl.signing import SigningKey

from console.client import Args, Json, Result
from console.rows import PeerRow
from net.peer_id import PeerId
from runtime import events
from runtime.shapes import to_wire
from tests.console.ui.fake_core import NOW, FakeCore

MINUTE = 60_000


def key_of(name: str) -> bytes:
    return bytes(SigningKey(sha256(name.encode()).digest()).verify_key)


def peer_id(name: str) -> str:
    return str(PeerId(key_of(name)))


def peer(who: str, **more: object) -> PeerRow:
    given: dict[str, object] = {
        "peer": peer_id(who),
        "name": "",
        "note": "",
        "state": "known",
        "worker": False,
        "submitter": False,
        "problem": "",
        "seen_ms": NOW - 4 * MINUTE,
        "proven_ms": NOW - 4 * MINUTE,
        "done": 0,
        "failed": 0,
        "rtt_us": None,
        "agent": "orlop/0.1.0",
        "address": "/ip4/192.0.2.7/tcp/4001",
    }
    return PeerRow(**(given | more))  # type: ignore[arg-type]


HULL = peer(
    "hull",
    name="hull-2",
    note="the machine in the cellar",
    state="connected",
    worker=True,
    submitter=True,
    seen_ms=NOW - 2_000,
    proven_ms=NOW - 58_000,
    done=41,
    failed=1,
    rtt_us=812,
    address="/ip4/10.0.0.7/udp/4001/quic-v1",
    transport="quic",
    dialled=True,
)
BUOY = peer(
    "buoy",
    state="connected",
    seen_ms=NOW - 19_000,
    proven_ms=NOW - 19_000,
    rtt_us=48_100,
    address="/ip4/198.51.100.4/tcp/52114",
    transport="tcp",
)
PILOT = peer("pilot", name="pilot", worker=True, done=7, rtt_us=2_400, seen_ms=NOW - 40 * MINUTE)
LIAR = peer(
    "liar",
    name="mirage",
    done=2,
    failed=1,
    problem="commitment: is of other bytes than those that came",
    seen_ms=NOW - 40_000,
)
BANNED = peer("banned", state="banned", problem="offers without end", seen_ms=NOW - 26 * 60 * MINUTE)
HEARSAY = peer("hearsay", proven_ms=None, agent="", address="/ip6/2001:db8::9/tcp/4001", seen_ms=NOW - 90 * MINUTE)
PEERS = [HULL, PILOT, BUOY, LIAR, HEARSAY, BANNED]
TRIPS = (790, 830, 812, 1_900, 905, 801, 812)
LISTEN = (
    "/ip4/203.0.113.9/tcp/4001/p2p/12D3KooWQm4xRZ1bYkTnP6vJ8cLwE2hUaGdSfXoNiKtBy79fTa",
    "/ip4/203.0.113.9/udp/4001/quic-v1/p2p/12D3KooWQm4xRZ1bYkTnP6vJ8cLwE2hUaGdSfXoNiKtBy79fTa",
)


def history() -> list[tuple[int, events.Event]]:
    """What happened with them, by how many milliseconds ago, oldest first."""
    job = "5be1c9d2" * 8
    return [
        (58_000, events.PeerConnected(peer=HULL.peer, address=HULL.address, transport="quic", dialled=True)),
        (54_000, events.PeerTrusted(peer=HULL.peer, worker=True, submitter=True)),
        (50_000, events.PeerRan(peer=HULL.peer, job=job, proved=True, done=41, failed=1)),
        (40_000, events.PeerRan(peer=LIAR.peer, job=job, proved=False, done=2, failed=1)),
        (40_000, events.PeerLied(peer=LIAR.peer, job=job, reason=LIAR.problem)),
        *((30_000 - at, events.PeerMeasured(peer=HULL.peer, rtt_us=trip)) for at, trip in enumerate(TRIPS)),
        (19_000, events.PeerConnected(peer=BUOY.peer, address=BUOY.address, transport="tcp", dialled=False)),
        (18_990, events.PeerFound(peer=BUOY.peer, source="identify", addresses=("/ip4/198.51.100.4/tcp/4001",))),
    ]


def shown(core: FakeCore, args: Args) -> Result:
    """What `peers show` answers."""
    row = next(one for one in core.peers if one.peer == args["peer"])
    hint = {"address": "/ip4/198.51.100.4/tcp/4001", "source": "identify", "seen_ms": NOW - 18_990, "proven_ms": None}
    own = {"address": row.address, "source": "typed", "seen_ms": row.seen_ms, "proven_ms": row.proven_ms}
    places: list[Json] = [own, hint]
    return Result(ok=True, value={"v": 1, **to_wire(row), "places": places})
