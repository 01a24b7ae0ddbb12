from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.limits import NetLimits
from net.multistream import Multistream, Refused, Selected
from net.varint import encode_varint
from runtime.sanitise import clean

HEADER = bytes.fromhex("132f6d756c746973747265616d2f312e302e300a")
NOISE = bytes.fromhex("072f6e6f6973650a")
NA = bytes.fromhex("036e610a")
LS = bytes.fromhex("036c730a")

NAMES = st.lists(st.from_regex(r"/[a-z]{1,8}/[0-9]\.0\.0", fullmatch=True), min_size=1, max_size=6, unique=True)


def said(text: str) -> bytes:
    raw = text.encode() + b"\n"
    return encode_varint(len(raw)) + raw


@dataclass
class End:
    """One end and what is on its way to it."""

    side: Multistream
    coming: bytearray
    event: Selected | Refused | None = None

    def hear(self, size: int) -> bytes:
        """Takes so many bytes; returns what it says to them. What comes behind the end is left over."""
        piece = bytes(self.coming[:size])
        del self.coming[:size]
        if isinstance(self.event, Selected):
            self.event = replace(self.event, leftover=self.event.leftover + piece)
            return b""
        self.event = self.side.receive(piece)
        return self.side.take()


def talk(dialler: Multistream, listener: Multistream, behind: bytes, size: int) -> tuple[object, object]:
    """Carries bytes both ways in small pieces until all is said; `behind` follows the first proposal."""
    there = End(listener, bytearray(dialler.take() + behind))
    here = End(dialler, bytearray(listener.take()))
    while here.coming or there.coming:
        if there.coming:
            here.coming += there.hear(size)
        if here.coming:
            there.coming += here.hear(size)
    return here.event, there.event


def test_the_dialler_greets_and_proposes_in_one_write() -> None:
    assert Multistream(dialler=True, names=["/noise", "/tls"]).take() == HEADER + NOISE
    assert Multistream(dialler=False, names=["/noise"]).take() == HEADER


def test_the_listener_says_the_name_again() -> None:
    listener = Multistream(dialler=False, names=["/noise"])
    listener.take()
    assert listener.receive(HEADER + NOISE + b"rest") == Selected("/noise", b"rest")
    assert listener.take() == NOISE


def test_the_dialler_trusts_nothing_before_the_echo() -> None:
    dialler = Multistream(dialler=True, names=["/noise"])
    dialler.take()
    assert dialler.receive(HEADER) is None
    assert dialler.receive(NOISE + b"rest") == Selected("/noise", b"rest")
    assert dialler.take() == b""


def test_a_list_is_not_given() -> None:
    listener = Multistream(dialler=False, names=["/noise"])
    listener.take()
    assert listener.receive(HEADER + LS) is None
    assert listener.take() == NA
    assert listener.receive(NOISE) == Selected("/noise", b"")


def test_a_dialler_whose_names_are_all_refused_is_told() -> None:
    dialler = Multistream(dialler=True, names=["/noise", "/tls"])
    dialler.take()
    assert dialler.receive(HEADER + NA) is None
    assert dialler.take() == said("/tls")
    assert dialler.receive(NA) == Refused()
    with pytest.raises(ValueError, match="the negotiation is over"):
        dialler.receive(b"")


@given(NAMES, NAMES, st.integers(1, 40))
def test_both_ends_come_to_the_first_name_that_the_listener_has(
    wished: list[str], served: list[str], size: int
) -> None:
    dialler, listener = Multistream(dialler=True, names=wished), Multistream(dialler=False, names=served)
    heard = talk(dialler, listener, b"", size)
    common = next((name for name in wished if name in served), None)
    assert heard == ((Selected(common, b""), Selected(common, b"")) if common else (Refused(), None))


@given(st.binary(min_size=1, max_size=50), st.integers(1, 120))
def test_the_first_bytes_of_a_protocol_may_come_with_the_only_proposal(payload: bytes, size: int) -> None:
    dialler, listener = Multistream(dialler=True, names=["/a"]), Multistream(dialler=False, names=["/a"])
    assert talk(dialler, listener, payload, size) == (Selected("/a", b""), Selected("/a", payload))


@given(st.integers(1, 28))
def test_a_transcript_may_be_cut_anywhere(cut: int) -> None:
    whole = HEADER + NOISE + b"rest"
    for dialler in (True, False):
        end = Multistream(dialler=dialler, names=["/noise"])
        first = end.receive(whole[:cut])
        if cut < len(HEADER + NOISE):
            assert first is None
            first = end.receive(whole[cut:])
            assert first == Selected("/noise", b"rest")
        else:
            assert first == Selected("/noise", whole[len(HEADER + NOISE) : cut])


@pytest.mark.parametrize("dialler", [True, False])
@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (said("/multistream/2.0.0"), "greeted with `/multistream/2.0.0`"),
        (b"\x05GET /", "without its newline"),
        (b"\0", "a message of 0 bytes where 1024 are allowed"),
        (encode_varint(1025), "a message of 1025 bytes where 1024 are allowed"),
        (b"\xff" * 8 + b"\x7f", "bytes where 1024 are allowed"),
        (b"\xff" * 9, "a number is longer than nine bytes"),
        (b"\x93\x00" + HEADER[1:], "a number is longer than it need be"),
        (said("\x1b[2J"), r"greeted with `\\x1b\[2J`"),
        (b"\x03\xff\xfe\n", "greeted with"),
    ],
)
def test_what_is_no_multistream_ends_it(raw: bytes, why: str, *, dialler: bool) -> None:
    end = Multistream(dialler=dialler, names=["/noise"])
    with pytest.raises(PeerFaultError, match=why) as caught:
        end.receive(raw)
    assert (caught.value.rule, caught.value.score) == ("multistream", 20)


def test_a_long_message_is_refused_by_its_length_alone() -> None:
    end = Multistream(dialler=False, names=["/noise"])
    end.receive(HEADER)
    with pytest.raises(PeerFaultError, match="a message of 1025 bytes"):
        end.receive(encode_varint(1025))


@pytest.mark.parametrize("answer", ["/tls", "ls", "", "/noise ", "\x1b[2J"])
def test_a_dialler_takes_no_other_word_for_an_answer(answer: str) -> None:
    dialler = Multistream(dialler=True, names=["/noise"])
    with pytest.raises(PeerFaultError, match="answered with `"):
        dialler.receive(HEADER + said(answer))


def test_proposals_in_vain_have_an_end() -> None:
    listener = Multistream(dialler=False, names=["/noise"], limits=NetLimits(multistream_proposals=3))
    listener.take()
    assert listener.receive(HEADER + said("/a") + said("/b")) is None
    assert listener.take() == NA + NA
    with pytest.raises(PeerFaultError, match="proposed 3 protocols in vain"):
        listener.receive(said("/c") + NOISE)


def test_the_last_proposal_may_be_the_right_one() -> None:
    listener = Multistream(dialler=False, names=["/noise"], limits=NetLimits(multistream_proposals=2))
    assert listener.receive(HEADER + said("/a") + NOISE) == Selected("/noise", b"")


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_garbage_is_awaited_refused_or_answered(raw: bytes, dialler: bool, greeted: bool) -> None:
    end = Multistream(dialler=dialler, names=["/noise"])
    try:
        end.receive(HEADER + raw if greeted else raw)
    except PeerFaultError as fault:
        shown = str(fault)
    else:
        shown = ""
    assert clean(shown) == shown
    assert len(end.take()) <= len(HEADER) + len(NOISE) + len(NA) * 32
