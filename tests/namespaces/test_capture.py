"""What somebody on the cable sees of a remote job: handshakes and ciphertext."""

import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from net.peer_id import PeerId
from tests.cli.program import ROOT
from tests.cli.running import Running
from tests.namespaces.capture import TCP, UDP, Capture, Segment, stream
from tests.namespaces.network import Network

pytestmark = pytest.mark.net

MODULE = (ROOT / "assets/jobs/hello/hello.wasm").read_bytes()
WORDS = "".join(random.Random(6).choices("abcdefgh", k=4_000))
Begins = Callable[..., Running]


def carried(net: Network, begins: Begins, listen: str) -> tuple[list[Segment], tuple[str, int], list[bytes]]:
    """The packets of a remote job.

    Returns:
        Them, where the worker listens, and what nobody but the two may see.
    """
    ada, bob = net.host("ada"), net.host("bob")
    node = begins(ada, f"/ip4/{ada.ip4}/{listen}")
    his = bob.peer()
    node.run("peers", "trust", his, "--jobs")
    (place,) = node.run("status")["listen"]
    her = node.run("status")["peer_id"]
    words = ("jobs", "run", str(ROOT / "assets/jobs/hello/hello.wasm"), "--on", place, "--stdin", "-", "--json")
    with closing(Capture(ada)) as capture:
        ran = bob.orlop(*words, stdin=WORDS.encode())
        segments = capture.segments()
    assert (ran.code, ran.json["stdout"]) == (0, WORDS[::-1]), ran.talk
    secrets = [PeerId.parse(peer).key for peer in (his, her)]
    secrets += [his.encode(), her.encode(), ran.json["job"].encode(), bytes.fromhex(ran.json["job"])]
    secrets += [b"/orlop/", b"/ipfs/", b"/yamux", b"orlop/", b"worker_pubkey", b"wasi_snapshot_preview1"]
    for text in (MODULE, WORDS.encode(), WORDS[::-1].encode()):
        secrets += [text[at : at + 16] for at in range(0, len(text) - 16, 16)]
    return segments, (ada.ip4, int(place.split("/")[4])), secrets


def assert_nothing_shows(text: bytes, secrets: list[bytes]) -> None:
    """Neither a secret nor any order in it: what is random does not get smaller."""
    assert [secret for secret in secrets if secret in text] == []
    assert len(zlib.compress(text, 9)) >= len(text)


def told(text: bytes) -> tuple[bytes, bytes]:
    """One message of multistream-select, and the rest."""
    end = 1 + text[0]
    return text[1:end], text[end:]


def framed(text: bytes) -> Iterator[bytes]:
    """Messages of Noise, to the very end."""
    while text:
        end = 2 + int.from_bytes(text[:2])
        assert end <= len(text)
        yield text[2:end]
        text = text[end:]


def test_over_tcp_two_names_are_told_and_then_noise_to_the_end(own_net: Network, begins: Begins) -> None:
    segments, here, secrets = carried(own_net, begins, "tcp/0")
    (there,) = {one.source for one in segments if one.target == here}
    assert {one.protocol for one in segments} == {TCP}
    for end, handshake in ((there, [32, None]), (here, [None])):
        text = stream(segments, end)
        header, text = told(text)
        name, text = told(text)
        assert (header, name) == (b"/multistream/1.0.0\n", b"/noise\n")
        messages = list(framed(text))
        for message, size in zip(messages, handshake, strict=False):
            assert len(message) == size or (size is None and 64 + 104 <= len(message) <= 1250)
        assert all(len(message) >= 16 for message in messages)
        assert sum(map(len, messages)) > len(WORDS)
        assert_nothing_shows(b"".join(messages), secrets)


def test_over_quic_all_datagrams_are_quics_and_show_nothing(own_net: Network, begins: Begins) -> None:
    segments, here, secrets = carried(own_net, begins, "udp/0/quic-v1")
    assert {one.protocol for one in segments} == {UDP}
    assert all(here in {one.source, one.target} for one in segments)
    for way in ([one.data for one in segments if (one.target == here) is inwards] for inwards in (True, False)):
        kinds = {datagram[0] >> 6 for datagram in way}
        assert kinds == {0b11, 0b01}  # long headers, of handshakes, and short ones
        assert {datagram[1:5] for datagram in way if datagram[0] >> 6 == 0b11} == {b"\0\0\0\x01"}
        assert sum(map(len, way)) > len(WORDS)
        text = b"".join(way)
        assert [secret for secret in secrets if secret in text] == []
        short = [datagram[1 + 8 :] for datagram in way if datagram[0] >> 6 == 0b01]
        assert_nothing_shows(b"".join(short), secrets)
