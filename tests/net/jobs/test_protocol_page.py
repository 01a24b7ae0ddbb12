"""The reference page of the protocol: its example is what the program writes and reads, byte by byte."""

from hashlib import sha256
from pathlib import Path

from net.jobs.frames import DATA_MAX, MESSAGE_MAX, RESULT_MAX, FrameReader, Kind, data_frames, frame
from net.jobs.messages import Accepted, Alive, Message, Offer, Request, Requirements, Result, Started, write_message
from runtime.identity import Identity
from runtime.jobs import JobLimits, JobRequest
from runtime.jobs.manifest import module_name, sign_manifest

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "job-protocol.md"
MODULE, STDIN, STDOUT = bytes.fromhex("0061736d01000000"), b"hi", b"hello\n"
LEASE = "00112233445566778899aabbccddeeff"
WIDTH = 150


def example() -> list[tuple[str, bytes]]:
    """Every frame of a job, with its direction."""
    limits = JobLimits.of(memory_bytes=1 << 24, timeout_ms=1000, max_output_bytes=1024)
    signed = sign_manifest(
        Identity(b"\7" * 32),
        JobRequest(name="hello.wasm", limits=limits),
        module_name(MODULE),
        nonce="000102030405060708090a0b0c0d0e0f",
        created_ms=1_767_225_600_000,
        stdin_sha256=sha256(STDIN).hexdigest(),
    )
    offer = Offer(
        signed.document, Requirements("x86_64", "wasmtime", 1, 16), len(MODULE), len(STDIN), 1_767_225_600_250, 60_000
    )
    bounds = {name: value for name, value in limits.document().items() if isinstance(value, int)}
    return [
        ("→", said(offer)),
        ("←", said(Accepted(signed.job, LEASE, 10_000, bounds, 0))),
        ("→", said(Request(signed.job, LEASE))),
        ("→", data_frames(Kind.MODULE, MODULE)),
        ("→", frame(Kind.MODULE, b"")),
        ("→", data_frames(Kind.STDIN, STDIN)),
        ("→", frame(Kind.STDIN, b"")),
        ("←", said(Alive())),
        ("←", said(Started())),
        ("←", data_frames(Kind.STDOUT, STDOUT)),
        ("←", frame(Kind.STDOUT, b"")),
        ("←", frame(Kind.STDERR, b"")),
        ("←", said(Result(signed.job, "lost", truncated=False, receipt=None))),
    ]


def said(message: Message) -> bytes:
    return frame(Kind.MESSAGE, write_message(message))


def shown(direction: str, raw: bytes) -> list[str]:
    """A frame as the page shows it: its head as hexadecimal text, then JSON as it is, or its bytes."""
    (one,) = FrameReader(dict.fromkeys(Kind, RESULT_MAX)).receive(raw)
    head = raw[: len(raw) - len(one.data)].hex()
    text = one.data.decode() if one.kind is Kind.MESSAGE else one.data.hex()
    line = f"{direction} {head} {text}".rstrip()
    return [line[at : at + WIDTH] for at in range(0, len(line), WIDTH)]


def test_the_example_is_what_is_written() -> None:
    lines = [line for direction, raw in example() for line in shown(direction, raw)]
    block = PAGE.read_text().partition("```text\n")[2].partition("\n```")[0]
    assert block.splitlines() == lines


def test_its_frames_have_these_hashes() -> None:
    page = PAGE.read_text()
    for direction in "→←":
        raw = b"".join(one for side, one in example() if side == direction)
        assert f"{direction} {len(raw):,} bytes, SHA-256 `{sha256(raw).hexdigest()}`" in page


def test_its_bounds_are_those_of_the_program() -> None:
    page = PAGE.read_text()
    assert f"{MESSAGE_MAX:,}; `result` {RESULT_MAX:,}" in page
    assert page.count(f"| {DATA_MAX:,} |") == 4
